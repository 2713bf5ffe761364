"""Cases of tests/vectors/malformed for envelopes and for keys of a KMS.

The key-encryption key of the good envelope is that of the fake KMS: it is the good keyset of all
cases, so the DEKs here are its ciphertexts.
"""

from __future__ import annotations

from .malformed import (
    ACCEPTED, AT_LOAD, AT_PRIMITIVE, AT_USE, CIPHERTEXT, CRUNCHY, LEGACY, RAW, REMOTE, SYMMETRIC,
    TINK, Case, key, key_data, keyset,
)
from .outputs import OUTPUTS
from .table import FAKE_KEK, TYPE_URL
from .wire import data, num

# With the associated data of all cases.
ENVELOPE = OUTPUTS["envelope"]
# DEKs, encrypted without associated data.
NOTHING = OUTPUTS["DEK of no bytes"]
BROKEN = OUTPUTS["DEK that is no message"]
EIGHT_BYTES = OUTPUTS["DEK of 8 bytes"]
VERSION_1 = OUTPUTS["DEK of version 1"]
UNKNOWN_FIELD = OUTPUTS["DEK with an unknown field"]
# The good DEK, encrypted with the associated data of the message.
WITH_ASSOCIATED_DATA = OUTPUTS["DEK with associated data"]
# A DEK of 32 bytes, where the template says 16, and what it made of the message.
LONGER = OUTPUTS["DEK of 32 bytes"]
PAYLOAD_OF_LONGER = OUTPUTS["payload of the DEK of 32 bytes"]

WRAPPED = ENVELOPE[4 : 4 + int.from_bytes(ENVELOPE[:4], "big")]
PAYLOAD = ENVELOPE[4 + len(WRAPPED) :]


def length(value: int) -> bytes:
    return value.to_bytes(4, "big")


def template(type_name="AesGcmKey", value=num(2, 16), prefix=TINK) -> bytes:
    return data(1, (TYPE_URL + type_name).encode()) + data(2, value) + num(3, prefix)


def envelope_key(uri=FAKE_KEK, dek=template(), version=0) -> bytes:
    return num(1, version) + data(2, data(1, uri.encode()) + data(2, dek))


def kms_key(uri=FAKE_KEK, version=0) -> bytes:
    return num(1, version) + data(2, data(1, uri.encode()))


def of_type(type_name: str, value: bytes, prefix: int = RAW, material: int = REMOTE) -> bytes:
    return keyset(key(key_data(value, type_name, material), prefix=prefix))


GOOD = of_type("KmsEnvelopeAeadKey", envelope_key())


def spoiled() -> list[Case]:
    """One envelope, with one fault each."""

    def case(name, fault, content, expected=AT_USE, why=""):
        return Case(name, "envelope", fault, bytes(content), expected, "ciphertext",
                    key_type="KmsEnvelopeAeadKey", base="envelope", why=why)

    def flip(at, mask=1):
        changed = bytearray(ENVELOPE)
        changed[at] ^= mask
        return changed

    def with_dek(wrapped, payload=PAYLOAD):
        return length(len(wrapped)) + wrapped + payload

    cases = [case("good", "no fault", ENVELOPE, ACCEPTED)]
    for size in (0, 1, 3, 4, 5, 54, 55, 56, 67, len(ENVELOPE) - 1):
        cases.append(case(f"cut-{size}", f"only the first {size} bytes", ENVELOPE[:size]))
    for name, value in (
        ("0", 0), ("1", 1), ("less", len(WRAPPED) - 1), ("more", len(WRAPPED) + 1),
        ("rest", len(ENVELOPE) - 4), ("behind", len(ENVELOPE) - 3), ("4096", 4096),
        ("4097", 4097), ("2-31", 1 << 31), ("max", (1 << 32) - 1),
    ):
        cases.append(
            case(f"length-{name}", f"a length of the encrypted DEK of {value}",
                 length(value) + ENVELOPE[4:])
        )
    little = len(WRAPPED).to_bytes(4, "little")
    return cases + [
        case("length-little-endian", "the length with its least byte first", little + ENVELOPE[4:]),
        case("dek-first", "a flipped bit at the start of the encrypted DEK", flip(4)),
        case("dek-last", "a flipped bit at the end of the encrypted DEK", flip(3 + len(WRAPPED))),
        case("nonce", "a flipped bit in the nonce of the payload", flip(4 + len(WRAPPED))),
        case("payload", "a flipped bit at the end of the payload", flip(-1, 0x80)),
        case("byte-behind", "a byte too many at the end", ENVELOPE + b"\0"),
        case("byte-before", "a byte too many at the start", b"\0" + ENVELOPE),
        case("twice", "the envelope twice", ENVELOPE * 2),
        case("prefixed", "a TINK prefix before the envelope", b"\1\0\0\0\x2a" + ENVELOPE),
        case("no-envelope", "a ciphertext of the key-encryption key itself", CIPHERTEXT),
        case("no-payload", "nothing behind the encrypted DEK", with_dek(WRAPPED, b"")),
        case("dek-nothing", "no bytes, encrypted, in place of the DEK", with_dek(NOTHING)),
        case("dek-broken", "a DEK that is no message", with_dek(BROKEN)),
        case("dek-8-bytes", "a DEK of 8 bytes", with_dek(EIGHT_BYTES)),
        case("dek-version-1", "the DEK with a version of 1", with_dek(VERSION_1)),
        case("dek-unknown-field", "the DEK with a field that its type does not have",
             with_dek(UNKNOWN_FIELD), ACCEPTED),
        case("dek-associated-data", "the DEK encrypted with the message's associated data",
             with_dek(WITH_ASSOCIATED_DATA)),
        case("dek-longer", "a DEK and payload of AES-256, where the template says AES-128",
             with_dek(LONGER, PAYLOAD_OF_LONGER), ACCEPTED),
    ]


def keys() -> list[Case]:
    """What both key types demand of their keys."""
    cases = []

    def case(name, fault, type_name, value, expected, opens=False, **options):
        cases.append(
            Case(name, "kms-key", fault, of_type(type_name, value, **options), expected,
                 opens=opens, key_type=type_name, base="envelope")
        )

    def envelope(name, fault, expected, opens=False, prefix=RAW, material=REMOTE, **parts):
        case(f"envelope-{name}", fault, "KmsEnvelopeAeadKey", envelope_key(**parts), expected,
             opens, prefix=prefix, material=material)

    envelope("good", "no fault", ACCEPTED, opens=True)
    envelope("tink", "the prefix TINK", ACCEPTED, prefix=TINK)
    envelope("crunchy", "the prefix CRUNCHY", AT_LOAD, prefix=CRUNCHY)
    envelope("legacy", "the prefix LEGACY", AT_LOAD, prefix=LEGACY)
    envelope("symmetric", "the key material type of a local key", ACCEPTED, opens=True,
             material=SYMMETRIC)
    envelope("version-1", "version 1", AT_LOAD, version=1)
    envelope("no-uri", "no URI", AT_PRIMITIVE, uri="")
    envelope("unknown-uri", "a URI that no client serves", AT_PRIMITIVE, uri="nobody-kms://key")
    envelope("bad-fake-uri", "a URI of the fake KMS that is no base64", AT_PRIMITIVE,
             uri="fake-kms://!")
    envelope("no-dek", "no DEK template", AT_LOAD, dek=b"")
    envelope("dek-raw", "a DEK template with the prefix RAW", ACCEPTED, opens=True,
             dek=template(prefix=RAW))
    envelope("dek-prefix-0", "a DEK template without a prefix type", ACCEPTED, opens=True,
             dek=template(prefix=0))
    envelope("dek-15", "a DEK template for keys of 15 bytes", AT_LOAD,
             dek=template(value=num(2, 15)))
    envelope("dek-broken", "a DEK template whose value is no message", AT_LOAD,
             dek=template(value=b"\xff"))
    for name, type_name, value in (
        ("unknown", "NobodyKnowsKey", b""),
        ("hmac", "HmacKey", data(1, num(1, 3) + num(2, 16)) + num(2, 32)),
        ("siv", "AesSivKey", num(1, 64)),
        ("x-aes-gcm", "XAesGcmKey", data(3, num(1, 12))),
        ("kms", "KmsAeadKey", data(1, FAKE_KEK.encode())),
        ("envelope", "KmsEnvelopeAeadKey", data(1, FAKE_KEK.encode()) + data(2, template())),
    ):
        envelope(f"dek-of-{name}", f"a DEK template of type {type_name}", AT_LOAD,
                 dek=template(type_name, value))
    hmac = data(1, num(1, 3) + num(2, 16)) + num(2, 32)
    ctr = data(1, num(1, 16)) + num(2, 16)
    for name, type_name, value in (
        ("aes-gcm", "AesGcmKey", num(2, 16) + num(3, 1)),
        ("aes-gcm-siv", "AesGcmSivKey", num(1, 1) + num(2, 16)),
        ("xchacha20", "XChaCha20Poly1305Key", num(1, 1)),
        ("hmac", "AesCtrHmacAeadKey", data(1, ctr) + data(2, hmac + num(3, 1))),
    ):
        envelope(f"dek-{name}-version-1", f"a DEK template of type {type_name} with version 1",
                 AT_LOAD, dek=template(type_name, value))
    # A DEK has 36 bytes beside its HMAC key, and the key-encryption key adds 33.
    for wrapped, fault, expected in (
        (4096, "no fault", ACCEPTED), (4097, "more than there may be", AT_USE),
    ):
        hmac = data(1, num(1, 3) + num(2, 16)) + num(2, wrapped - 33 - 36)
        envelope(f"wrapped-{wrapped}", f"encrypted DEKs of {wrapped} bytes, {fault}", expected,
                 dek=template("AesCtrHmacAeadKey", data(1, ctr) + data(2, hmac)))
    case("envelope-malformed", "a value that is no message", "KmsEnvelopeAeadKey", b"\xff",
         AT_LOAD)
    case("envelope-no-parameters", "no parameters", "KmsEnvelopeAeadKey", b"", AT_LOAD)

    case("aead-good", "no fault", "KmsAeadKey", kms_key(), ACCEPTED)
    case("aead-tink", "the prefix TINK", "KmsAeadKey", kms_key(), ACCEPTED, prefix=TINK)
    case("aead-symmetric", "the key material type of a local key", "KmsAeadKey", kms_key(), ACCEPTED,
         material=SYMMETRIC)
    case("aead-version-1", "version 1", "KmsAeadKey", kms_key(version=1), AT_LOAD)
    case("aead-no-uri", "no URI", "KmsAeadKey", kms_key(""), AT_PRIMITIVE)
    case("aead-unknown-uri", "a URI that no client serves", "KmsAeadKey",
         kms_key("nobody-kms://key"), AT_PRIMITIVE)
    case("aead-malformed", "a value that is no message", "KmsAeadKey", b"\xff", AT_LOAD)
    case("aead-no-parameters", "no parameters", "KmsAeadKey", b"", AT_PRIMITIVE)
    return cases


def cases() -> list[Case]:
    return spoiled() + keys()
