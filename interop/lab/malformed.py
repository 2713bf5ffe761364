"""Cases of tests/vectors/malformed for keysets and AEAD: one fault, or one allowed oddity, each.

Every case starts from the same good keyset: the AES-128-GCM key 00 01 .. 0f with the id 42 and the
prefix TINK. `expected` is what keyseal must say; the rules are Tink's, at their strictest.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from .outputs import OUTPUTS
from .table import TYPE_URL
from .wire import data, num, tag, varint

ACCEPTED, AT_LOAD, AT_PRIMITIVE, AT_USE = "accepted", "load", "primitive", "use"

ENABLED, DISABLED, DESTROYED = 1, 2, 3
TINK, LEGACY, RAW, CRUNCHY, WITH_ID_REQUIREMENT = 1, 2, 3, 4, 5
SYMMETRIC, ASYMMETRIC_PRIVATE, ASYMMETRIC_PUBLIC, REMOTE = 1, 2, 3, 4

KEY = bytes(range(16))
PLAINTEXT = b"plaintext"
ASSOCIATED_DATA = b"associated data"
# What the good keyset made of them, and of other things with KEYSET_ASSOCIATED_DATA.
CIPHERTEXT = OUTPUTS["ciphertext"]
KEYSET_ASSOCIATED_DATA = b"keyset associated data"
ENCRYPTED_KEYSET = OUTPUTS["encrypted keyset"]
ENCRYPTED_NOTHING = OUTPUTS["encrypted nothing"]
ENCRYPTED_NO_KEYS = OUTPUTS["encrypted keyset without keys"]
ENCRYPTED_JSON = OUTPUTS["encrypted JSON"]


@dataclass(frozen=True)
class Case:
    """One file, and what must come of it."""

    name: str
    section: str
    fault: str
    data: bytes
    expected: str
    format: str = "binary"  # of a keyset; a ciphertext is "ciphertext"
    encrypted: bool = False
    associated_data: bytes = KEYSET_ASSOCIATED_DATA  # of an encrypted keyset
    opens: bool = True  # whether an accepted keyset opens CIPHERTEXT
    key_type: str = "AesGcmKey"
    base: str = "aead"  # what is spoiled, or what a keyset is tried with: a name of `corpus.BASES`
    why: str = ""  # where no other implementation says the same

    @property
    def file(self) -> str:
        suffix = {"binary": "bin", "json": "json", "ciphertext": "ct"}[self.format]
        return f"{self.section}/{self.name}.{suffix}"


def aes_gcm(size: int = 16) -> bytes:
    return data(3, bytes(range(size)))


def key_data(value: bytes, type_name: str = "AesGcmKey", material: int = SYMMETRIC) -> bytes:
    return data(1, (TYPE_URL + type_name).encode()) + data(2, value) + num(3, material)


GOOD_DATA = key_data(aes_gcm())


def key(content=GOOD_DATA, status=ENABLED, id=42, prefix=TINK, extra=b"") -> bytes:
    out = b"" if content is None else data(1, content)
    return out + num(2, status) + num(3, id) + num(4, prefix) + extra


def keyset(*keys: bytes, primary: int = 42) -> bytes:
    return num(1, primary) + b"".join(data(2, key) for key in keys)


def of_type(type_name: str, value: bytes, prefix=TINK, material=SYMMETRIC) -> bytes:
    return keyset(key(key_data(value, type_name, material), prefix=prefix))


GOOD = keyset(key())


def rules() -> list[Case]:
    """What a keyset must be as a whole."""
    other = key(id=7)

    def case(name, fault, content, expected=AT_LOAD, **options):
        return Case(name, "keyset", fault, content, expected, **options)

    hmac = key_data(data(2, num(1, 3) + num(2, 16)) + data(3, bytes(32)), "HmacKey")
    unknown = key_data(b"whatever", "NobodyKnowsKey")
    broken = key_data(b"\xff", "AesGcmKey")
    return [
        case("good", "no fault", GOOD, ACCEPTED),
        case("two-keys", "two good keys, no fault", keyset(key(), other), ACCEPTED),
        case("empty-file", "no bytes", b""),
        case("no-keys", "a primary key id and no key", num(1, 42)),
        case("primary-unknown", "the primary key id names no key", keyset(key(), primary=43)),
        case("primary-absent", "no primary key id, and no key 0", data(2, key())),
        case("primary-disabled", "the primary key is disabled",
             keyset(key(status=DISABLED), other)),
        case("primary-destroyed", "the primary key is destroyed",
             keyset(key(b"", DESTROYED), other)),
        case("all-disabled", "no key is enabled",
             keyset(key(status=DISABLED), key(id=7, status=DISABLED))),
        case("duplicate-id-primary", "two enabled keys have the primary id",
             keyset(key(), key())),
        case("duplicate-id-disabled", "a disabled key has the id of the primary one",
             keyset(key(), key(status=DISABLED))),
        case("duplicate-id-others", "two keys that are not primary have one id",
             keyset(key(), other, other)),
        case("duplicate-id-prefixes", "two keys of different prefixes have one id",
             keyset(key(), other, key(id=7, prefix=RAW))),
        case("status-0", "a status of 0", keyset(key(), key(id=7, status=0))),
        case("status-4", "a status that does not exist", keyset(key(), key(id=7, status=4))),
        case("prefix-0", "a prefix type of 0", keyset(key(), key(id=7, prefix=0))),
        case("prefix-0-disabled", "a prefix type of 0 on a disabled key",
             keyset(key(), key(id=7, prefix=0, status=DISABLED))),
        case("prefix-5", "the prefix type of signature keys",
             keyset(key(), key(id=7, prefix=WITH_ID_REQUIREMENT))),
        case("prefix-5-disabled", "the prefix type of signature keys on a disabled key",
             keyset(key(), key(id=7, prefix=WITH_ID_REQUIREMENT, status=DISABLED))),
        case("prefix-6", "a prefix type that does not exist",
             keyset(key(), key(id=7, prefix=6))),
        case("prefix-6-disabled", "a prefix type that does not exist, on a disabled key",
             keyset(key(), key(id=7, prefix=6, status=DISABLED))),
        case("no-key-data", "an enabled key without key data",
             keyset(key(), key(None, id=7))),
        case("no-key-data-disabled", "a disabled key without key data",
             keyset(key(), key(None, DISABLED, 7))),
        case("no-key-data-destroyed", "a destroyed key without key data, as it should be",
             keyset(key(), key(None, DESTROYED, 7)), ACCEPTED),
        case("empty-key-data-destroyed", "a destroyed key with empty key data",
             keyset(key(), key(b"", DESTROYED, 7)), ACCEPTED),
        case("stale-key-data-destroyed", "a destroyed key with malformed key data",
             keyset(key(), key(broken, DESTROYED, 7)), ACCEPTED),
        case("prefix-0-destroyed", "a prefix type of 0 on a destroyed key",
             keyset(key(), key(b"", DESTROYED, 7, 0))),
        case("malformed-disabled", "a disabled key whose value is malformed",
             keyset(key(), key(broken, DISABLED, 7))),
        case("malformed-other", "an enabled key that is not primary, with a malformed value",
             keyset(key(), key(broken, id=7))),
        case("unknown-type", "an enabled key of a type that nobody knows",
             keyset(key(), key(unknown, id=7)), AT_PRIMITIVE),
        case("unknown-type-disabled", "a disabled key of a type that nobody knows",
             keyset(key(), key(unknown, DISABLED, 7)), ACCEPTED),
        case("other-primitive", "an enabled key of another primitive",
             keyset(key(), key(hmac, id=7)), AT_PRIMITIVE),
        case("other-primitive-disabled", "a disabled key of another primitive",
             keyset(key(), key(hmac, DISABLED, 7)), ACCEPTED),
        case("type-url-empty", "an enabled key with an empty type URL",
             keyset(key(), key(data(2, aes_gcm()) + num(3, SYMMETRIC), id=7)), AT_PRIMITIVE),
        case("type-url-case", "a type URL in lower case",
             of_type("aesgcmkey", aes_gcm()), AT_PRIMITIVE),
        case("type-url-prefix", "a type URL without its host",
             keyset(key(data(1, b"google.crypto.tink.AesGcmKey") + data(2, aes_gcm())
                        + num(3, SYMMETRIC))), AT_PRIMITIVE),
        case("id-0", "the key id 0", keyset(key(id=0), primary=0), ACCEPTED, opens=False),
        case("id-max", "the key id 4294967295",
             keyset(key(id=2**32 - 1), primary=2**32 - 1), ACCEPTED, opens=False),
        case("material-0", "an unknown key material type",
             of_type("AesGcmKey", aes_gcm(), material=0)),
        case("material-private", "an AEAD key labelled as a private key",
             of_type("AesGcmKey", aes_gcm(), material=ASYMMETRIC_PRIVATE)),
        case("material-public", "an AEAD key labelled as a public key",
             of_type("AesGcmKey", aes_gcm(), material=ASYMMETRIC_PUBLIC)),
        case("material-remote", "an AEAD key labelled as a remote key",
             of_type("AesGcmKey", aes_gcm(), material=REMOTE)),
        case("material-5", "a key material type that does not exist",
             of_type("AesGcmKey", aes_gcm(), material=5)),
    ]


def selection() -> list[Case]:
    """Which keys of a keyset open the good ciphertext."""

    def case(name, fault, content, expected=AT_USE):
        return Case(name, "selection", fault, content, expected)

    other = key(key_data(data(3, bytes(16))), id=7)
    return [
        case("second", "the key of the ciphertext is not the primary one, no fault",
             keyset(other, key(), primary=7), ACCEPTED),
        case("disabled", "the key of the ciphertext is disabled",
             keyset(other, key(status=DISABLED), primary=7)),
        case("destroyed", "the key of the ciphertext is destroyed, and still has its material",
             keyset(other, key(status=DESTROYED), primary=7)),
        case("lost", "the key of the ciphertext is gone", keyset(other, primary=7)),
        case("other-id", "the key of the ciphertext has another id",
             keyset(key(id=43), primary=43)),
        case("other-material", "another key has the id of the ciphertext",
             keyset(key(key_data(data(3, bytes(16)))))),
        case("other-material-raw", "another key has its id, and its key is there with the prefix RAW",
             keyset(key(key_data(data(3, bytes(16)))), key(id=7, prefix=RAW))),
        case("raw", "the key of the ciphertext has the prefix RAW", keyset(key(prefix=RAW))),
        case("crunchy", "the key of the ciphertext has the prefix CRUNCHY",
             keyset(key(prefix=CRUNCHY))),
        case("legacy", "the key of the ciphertext has the prefix LEGACY",
             keyset(key(prefix=LEGACY))),
    ]


def protobuf() -> list[Case]:
    """What a protobuf reader takes and refuses."""

    def case(name, fault, content, expected=ACCEPTED, **options):
        return Case(name, "protobuf", fault, content, expected, **options)

    def refused(name, fault, content):
        return case(name, fault, content, AT_LOAD)

    group = tag(15, 3) + num(1, 1) + tag(15, 4)
    url = data(1, (TYPE_URL + "AesGcmKey").encode())
    return [
        case("unknown-varint", "an unknown field that is a number", GOOD + num(9, 1)),
        case("unknown-bytes", "an unknown field that is bytes", GOOD + data(9, b"x")),
        case("unknown-fixed32", "an unknown field of four bytes", GOOD + tag(9, 5) + bytes(4)),
        case("unknown-fixed64", "an unknown field of eight bytes", GOOD + tag(9, 1) + bytes(8)),
        case("unknown-group", "an unknown field that is a group", GOOD + group),
        case("unknown-in-key", "an unknown field in a key", keyset(key(extra=num(9, 1)))),
        case("unknown-in-key-data", "an unknown field in the key data",
             keyset(key(GOOD_DATA + data(9, b"x")))),
        case("unknown-in-value", "an unknown field in the serialized key",
             of_type("AesGcmKey", aes_gcm() + num(9, 1))),
        case("wrong-type-keyset", "a second primary key id that is bytes, and so is ignored",
             GOOD + data(1, b"x")),
        case("wrong-type-key", "a second status of four bytes, and so ignored",
             keyset(key(extra=tag(2, 5) + bytes(4)))),
        case("wrong-type-value", "a version that is bytes, and so is ignored",
             of_type("AesGcmKey", data(1, b"x") + aes_gcm())),
        case("wrong-type-only", "a primary key id that is bytes alone: it counts as absent",
             data(1, b"\x2a") + data(2, key()), AT_LOAD),
        case("last-number-wins", "two primary key ids: the last one counts", num(1, 7) + GOOD),
        case("last-bytes-win", "two key values: the last one counts",
             of_type("AesGcmKey", data(3, bytes(32)) + aes_gcm())),
        case("merged-message", "key data in two pieces, which are merged",
             keyset(data(1, url) + data(1, data(2, aes_gcm()) + num(3, SYMMETRIC))
                    + num(2, ENABLED) + num(3, 42) + num(4, TINK))),
        case("long-varint", "a number with more bytes than it needs",
             b"\x08\xaa\x80\x80\x00" + data(2, key())),
        case("long-tag", "a tag with more bytes than it needs",
             b"\x88\x00\x2a" + data(2, key())),
        case("long-length", "a length with more bytes than it needs",
             num(1, 42) + tag(2, 2) + bytes([len(key()) | 0x80, 0x80, 0x00]) + key()),
        case("wide-id", "ids of more than 32 bits, which are truncated",
             keyset(key(id=42 + 2**32), primary=42 + 2**32)),
        case("wide-version", "version 2^32, which is truncated to 0",
             of_type("AesGcmKey", num(1, 2**32) + aes_gcm())),
        case("explicit-defaults", "version 0 written out",
             of_type("AesGcmKey", num(1, 0) + aes_gcm())),
        case("other-order", "fields in the opposite order",
             data(2, num(4, TINK) + num(3, 42) + num(2, ENABLED) + data(1, GOOD_DATA))
             + num(1, 42)),
        refused("field-0", "a field number of 0", GOOD + b"\x00\x00"),
        refused("stray-zero", "one zero byte at the end", GOOD + b"\x00"),
        refused("cut-1", "the last byte is missing", GOOD[:-1]),
        refused("cut-half", "the second half is missing", GOOD[: len(GOOD) // 2]),
        refused("length-overrun", "a length that is longer than the file",
                num(1, 42) + tag(2, 2) + varint(1000) + key()),
        refused("length-huge", "a length of 2^63",
                num(1, 42) + tag(2, 2) + varint(2**63) + key()),
        refused("length-4-gib", "a length of 2^32 - 1",
                num(1, 42) + tag(2, 2) + varint(2**32 - 1) + key()),
        refused("varint-11", "a number of 11 bytes", b"\x08" + b"\x80" * 10 + b"\x01" + GOOD),
        refused("wire-type-6", "a wire type that does not exist", GOOD + tag(9, 6) + b"\x01"),
        refused("wire-type-7", "another wire type that does not exist",
                GOOD + tag(9, 7) + b"\x01"),
        refused("group-open", "a group that does not end", GOOD + tag(15, 3) + num(1, 1)),
        refused("group-close", "a group that does not start", GOOD + tag(15, 4)),
        refused("group-other", "a group that ends with another number",
                GOOD + tag(15, 3) + tag(14, 4)),
        refused("type-url-not-utf8", "a type URL that is not UTF-8",
                keyset(key(data(1, b"\xff\xfe") + data(2, aes_gcm()) + num(3, SYMMETRIC)))),
        refused("json-as-binary", "JSON where the binary form is due", good_json().encode()),
        refused("random", "bytes that are no message", bytes((i * 73 + 11) % 256 for i in range(64))),
    ]


def key_values() -> list[Case]:
    """What each key type demands of its keys."""
    cases = []

    def case(name, fault, type_name, value, expected=AT_LOAD, why="", **options):
        cases.append(
            Case(name, "key", fault, of_type(type_name, value, **options), expected,
                 opens=False, key_type=type_name, why=why)
        )

    for size in (0, 15, 17, 24, 31, 33, 64):
        case(f"aes-gcm-{size}", f"an AES-GCM key of {size} bytes", "AesGcmKey", aes_gcm(size))
    case("aes-gcm-version-1", "an AES-GCM key of version 1", "AesGcmKey", num(1, 1) + aes_gcm())
    case("aes-gcm-malformed", "an AES-GCM key that is no message", "AesGcmKey", b"\x1a\x20\x00")
    case("aes-gcm-other-field", "an AES-GCM key in the field of another type", "AesGcmKey",
         data(2, KEY))

    for size in (15, 24, 33):
        case(f"aes-gcm-siv-{size}", f"an AES-GCM-SIV key of {size} bytes", "AesGcmSivKey",
             aes_gcm(size))
    case("aes-gcm-siv-version-1", "an AES-GCM-SIV key of version 1", "AesGcmSivKey",
         num(1, 1) + aes_gcm())

    def eax(iv, size=16, version=0):
        return num(1, version) + data(2, num(1, iv)) + data(3, bytes(range(size)))

    case("aes-eax-iv-12", "an AES-EAX key with a nonce of 12 bytes, no fault", "AesEaxKey",
         eax(12), ACCEPTED)
    for iv in (0, 8, 11, 13, 17):
        case(f"aes-eax-iv-{iv}", f"an AES-EAX key with a nonce of {iv} bytes", "AesEaxKey", eax(iv))
    case("aes-eax-24", "an AES-EAX key of 24 bytes", "AesEaxKey", eax(16, 24))
    case("aes-eax-version-1", "an AES-EAX key of version 1", "AesEaxKey", eax(16, version=1))
    case("aes-eax-no-parameters", "an AES-EAX key without parameters", "AesEaxKey", data(3, KEY))
    for name, label, material in (
        ("0", "of an unknown key material type", 0),
        ("public", "labelled as a public key", ASYMMETRIC_PUBLIC),
    ):
        case(f"aes-eax-material-{name}", f"an AES-EAX key {label}", "AesEaxKey", eax(16),
             material=material,
             why="tink-go refuses the label on each AEAD key type that it has, and has no AES-EAX.")

    def ctr(iv=16, size=16, version=0):
        return num(1, version) + data(2, num(1, iv)) + data(3, bytes(range(size)))

    def hmac(hash=3, tag_size=16, size=32, version=0):
        parameters = num(1, hash) + num(2, tag_size)
        return num(1, version) + data(2, parameters) + data(3, bytes(range(size)))

    def ctr_hmac(ctr_key=ctr(), hmac_key=hmac(), version=0):
        return num(1, version) + data(2, ctr_key) + data(3, hmac_key)

    def composed(name, fault, expected=AT_LOAD, **parts):
        case(f"aes-ctr-hmac-{name}", f"an AES-CTR-HMAC key with {fault}", "AesCtrHmacAeadKey",
             ctr_hmac(**parts), expected)

    composed("iv-12", "an IV of 12 bytes, no fault", ACCEPTED, ctr_key=ctr(12))
    composed("tag-10", "a tag of 10 bytes, no fault", ACCEPTED, hmac_key=hmac(tag_size=10))
    for name, number, digest in (
        ("sha1", 1, 20), ("sha384", 2, 48), ("sha256", 3, 32), ("sha512", 4, 64), ("sha224", 5, 28)
    ):
        composed(name, f"{name.upper()} and its longest tag, no fault", ACCEPTED,
                 hmac_key=hmac(number, digest))
        composed(f"{name}-tag", f"{name.upper()} and a tag longer than its digest",
                 hmac_key=hmac(number, digest + 1))
    composed("long-hmac-key", "an HMAC key of 1000 bytes, no fault", ACCEPTED,
             hmac_key=num(1, 0) + data(2, num(1, 3) + num(2, 16)) + data(3, bytes(1000)))
    composed("iv-11", "an IV of 11 bytes", ctr_key=ctr(11))
    composed("iv-17", "an IV of 17 bytes", ctr_key=ctr(17))
    composed("aes-24", "an AES key of 24 bytes", ctr_key=ctr(size=24))
    composed("hmac-15", "an HMAC key of 15 bytes", hmac_key=hmac(size=15))
    composed("tag-9", "a tag of 9 bytes", hmac_key=hmac(tag_size=9))
    composed("hash-0", "an unknown hash", hmac_key=hmac(0))
    composed("hash-6", "a hash that does not exist", hmac_key=hmac(6))
    composed("version-1", "version 1", version=1)
    composed("ctr-version-1", "an AES-CTR key of version 1", ctr_key=ctr(version=1))
    composed("hmac-version-1", "an HMAC key of version 1", hmac_key=hmac(version=1))
    case("aes-ctr-hmac-no-hmac", "an AES-CTR-HMAC key without an HMAC key", "AesCtrHmacAeadKey",
         data(2, ctr()))
    case("aes-ctr-hmac-no-ctr", "an AES-CTR-HMAC key without an AES-CTR key", "AesCtrHmacAeadKey",
         data(3, hmac()))

    for size in (31, 33):
        case(f"chacha20-{size}", f"a ChaCha20-Poly1305 key of {size} bytes",
             "ChaCha20Poly1305Key", data(2, bytes(range(size))))
        case(f"xchacha20-{size}", f"an XChaCha20-Poly1305 key of {size} bytes",
             "XChaCha20Poly1305Key", data(3, bytes(range(size))))
    case("chacha20-version-1", "a ChaCha20-Poly1305 key of version 1",
         "ChaCha20Poly1305Key", num(1, 1) + data(2, bytes(32)))
    case("xchacha20-version-1", "an XChaCha20-Poly1305 key of version 1",
         "XChaCha20Poly1305Key", num(1, 1) + data(3, bytes(32)))
    case("xchacha20-field", "an XChaCha20-Poly1305 key in the field of ChaCha20-Poly1305",
         "XChaCha20Poly1305Key", data(2, bytes(32)))

    def x_aes_gcm(salt, size=32, version=0):
        return num(1, version) + data(2, num(1, salt)) + data(3, bytes(range(size)))

    for salt in (9, 10, 11):
        case(f"x-aes-gcm-salt-{salt}", f"an X-AES-GCM key with a salt of {salt} bytes, no fault",
             "XAesGcmKey", x_aes_gcm(salt), ACCEPTED)
    for salt in (0, 7, 13):
        case(f"x-aes-gcm-salt-{salt}", f"an X-AES-GCM key with a salt of {salt} bytes",
             "XAesGcmKey", x_aes_gcm(salt))
    for size in (16, 31, 33):
        case(f"x-aes-gcm-{size}", f"an X-AES-GCM key of {size} bytes", "XAesGcmKey",
             x_aes_gcm(12, size))
    case("x-aes-gcm-version-1", "an X-AES-GCM key of version 1", "XAesGcmKey",
         x_aes_gcm(12, version=1))
    case("x-aes-gcm-crunchy", "an X-AES-GCM key with the prefix CRUNCHY", "XAesGcmKey",
         x_aes_gcm(12), prefix=CRUNCHY)
    case("x-aes-gcm-legacy", "an X-AES-GCM key with the prefix LEGACY", "XAesGcmKey",
         x_aes_gcm(12), prefix=LEGACY)
    return cases


VALUE = base64.b64encode(aes_gcm()).decode()


def good_json() -> str:
    key_data_json = {
        "typeUrl": TYPE_URL + "AesGcmKey",
        "value": VALUE,
        "keyMaterialType": "SYMMETRIC",
    }
    entry = {"keyData": key_data_json, "status": "ENABLED", "keyId": 42, "outputPrefixType": "TINK"}
    return json.dumps({"primaryKeyId": 42, "key": [entry]})


def jsons() -> list[Case]:
    """What a reader of keysets in JSON takes and refuses."""
    good = good_json()

    def raw(name, fault, content, expected=AT_LOAD, **options):
        return Case(name, "json", fault, content, expected, format="json", **options)

    def swap(name, fault, old, new, expected=AT_LOAD, **options):
        assert old in good, old
        return raw(name, fault, good.replace(old, new).encode(), expected, **options)

    url_safe_value = data(3, b"\0" + b"\xfb\xef\xbe" + b"\xff" * 3 + bytes(9))
    url_safe = base64.urlsafe_b64encode(url_safe_value).decode()
    assert "-" in url_safe and "_" in url_safe
    odd = base64.b64encode(aes_gcm() + num(9, 1) * 2).decode()  # ends in "=="
    assert odd.endswith("==")
    ids = '"keyId": 42', '"primaryKeyId": 42'
    snake = good
    for camel in ("primaryKeyId", "keyData", "typeUrl", "keyMaterialType", "keyId",
                  "outputPrefixType"):
        lower = "".join("_" + c.lower() if c.isupper() else c for c in camel)
        snake = snake.replace(f'"{camel}"', f'"{lower}"')
    numeric = (
        good.replace('"SYMMETRIC"', "1").replace('"ENABLED"', "1").replace('"TINK"', "1")
    )

    def second(status, material="SYMMETRIC", type_url=None):
        entry = json.loads(good)["key"][0] | {"keyId": 7, "status": status}
        entry["keyData"]["keyMaterialType"] = material
        if material != "SYMMETRIC":
            type_url = TYPE_URL + "NobodyKnowsKey"
        if type_url is not None:
            entry["keyData"]["typeUrl"] = type_url
        return ", " + json.dumps(entry) + "]}"

    cases = [
        raw("good", "no fault", good.encode(), ACCEPTED),
        raw("indented", "white space everywhere, no fault",
            ("\r\n\t " + json.dumps(json.loads(good), indent=4) + "\n\n").encode(), ACCEPTED),
        raw("snake-case", "member names of the .proto files", snake.encode(), ACCEPTED),
        raw("enum-numbers", "enums as numbers", numeric.encode(), ACCEPTED),
        raw("both-spellings", "one member under both its names",
            good.replace(ids[0], '"keyId": 42, "key_id": 42').encode()),
        raw("empty-file", "no bytes", b""),
        raw("empty-object", "an object without members", b"{}"),
        raw("array", "an array in place of the object", b"[]"),
        raw("null", "null in place of the object", b"null"),
        raw("string", "a string in place of the object", b'"keyset"'),
        raw("cut", "the last brace is missing", good[:-1].encode()),
        raw("trailing-text", "text after the object", (good + "x").encode()),
        raw("trailing-object", "a second object", (good + "{}").encode()),
        raw("byte-order-mark", "a byte order mark", b"\xef\xbb\xbf" + good.encode()),
        raw("utf-16", "UTF-16", good.encode("utf-16-le")),
        raw("not-utf-8", "a member name that is not UTF-8", b'{"\xff": 1, ' + good[1:].encode()),
        raw("binary-as-json", "the binary form where JSON is due", GOOD),
        raw("comment", "a comment", ("/* keys */" + good).encode()),
        raw("comment-line", "a comment at the end", (good + "// keys").encode()),
        raw("single-quotes", "single quotes", good.replace('"', "'").encode()),
        raw("deep", "arrays within arrays, 10,000 deep",
            b'{"key": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
        swap("trailing-comma", "a comma before the closing brace", "}]}", "}],}"),
        swap("unquoted-name", "a member name without quotes", '"status"', "status"),
        swap("unknown-member", "an unknown member", '"status"', '"comment": "x", "status"'),
        swap("unknown-member-top", "an unknown member of the keyset", '"key"',
             '"comment": "x", "key"'),
        swap("duplicate-member", "a member that is there twice", '"status": "ENABLED"',
             '"status": "ENABLED", "status": "ENABLED"'),
        swap("duplicate-primary", "two primary key ids", ids[1], ids[1] + ", " + ids[1]),
        swap("escaped-name", "a member name with an escape", '"status"', '"\\u0073tatus"', ACCEPTED),
        swap("escaped-slash", "an escaped slash", "type.googleapis.com/", "type.googleapis.com\\/",
             ACCEPTED),
        swap("lone-surrogate", "an escape that is half of a character", '"status"',
             '"\\ud800": 1, "status"'),
        swap("control-character", "a raw control character in a string",
             "AesGcmKey", "AesGcm\tKey"),
        swap("private", "a disabled key that is labelled as a private key, of a type that nobody "
             "knows, no fault", "]}", second("DISABLED", "ASYMMETRIC_PRIVATE"), ACCEPTED),
        swap("public", "a disabled key that is labelled as a public key, of a type that nobody "
             "knows, no fault", "]}", second("DISABLED", "ASYMMETRIC_PUBLIC"), ACCEPTED),
        swap("type-url-escapes", "a disabled key with a quote and a backslash in its type URL",
             "]}", second("DISABLED", "SYMMETRIC", 'type"url\\'), ACCEPTED),
        swap("disabled", "a second key that is disabled, no fault", "]}", second("DISABLED"),
             ACCEPTED),
        swap("destroyed", "a second key that is destroyed, no fault", "]}", second("DESTROYED"),
             ACCEPTED),
        swap("status-lower-case", "an enum in lower case", "ENABLED", "enabled"),
        swap("status-unknown-name", "an enum of no known name", "ENABLED", "PAUSED"),
        swap("status-null", "a status that is null", '"ENABLED"', "null"),
        swap("status-unknown", "the name of the unknown status", "ENABLED", "UNKNOWN_STATUS"),
        swap("status-number-text", "an enum that is a number in quotes", '"ENABLED"', '"1"'),
        swap("status-absent", "no status", '"status": "ENABLED", ', ""),
        swap("prefix-unknown", "the name of the unknown prefix", "TINK", "UNKNOWN_PREFIX"),
        swap("prefix-5", "the prefix type of signature keys", "TINK", "WITH_ID_REQUIREMENT"),
        swap("prefix-absent", "no prefix type", ', "outputPrefixType": "TINK"', ""),
        swap("material-absent", "no key material type", ', "keyMaterialType": "SYMMETRIC"', ""),
        swap("id-text", "an id in quotes", ids[0], '"keyId": "42"'),
        swap("id-whole-fraction", "an id written 42.0", ids[0], '"keyId": 42.0', ACCEPTED),
        swap("id-exponent", "an id written 4.2e1", ids[0], '"keyId": 4.2e1', ACCEPTED),
        swap("id-fraction", "an id of 42.5", ids[0], '"keyId": 42.5'),
        swap("id-negative", "an id of -1", ids[0], '"keyId": -1'),
        swap("id-wraps", "the primary key id less 2^32", ids[1], '"primaryKeyId": -4294967254'),
        swap("id-too-large", "an id of 2^32", ids[0], '"keyId": 4294967296'),
        swap("id-huge", "an id of 1e1000", ids[0], '"keyId": 1e1000'),
        swap("id-leading-zero", "an id with a leading zero", ids[0], '"keyId": 042'),
        swap("id-plus", "an id with a plus sign", ids[0], '"keyId": +42'),
        swap("id-hex", "an id in hexadecimal", ids[0], '"keyId": 0x2A'),
        swap("id-nan", "an id that is not a number", ids[0], '"keyId": NaN'),
        swap("id-bool", "an id that is true", ids[0], '"keyId": true'),
        raw("id-max", "the key id 4294967295", good.replace("42", "4294967295").encode(), ACCEPTED,
            opens=False),
        raw("id-absent", "no ids, which means 0",
            good.replace('"keyId": 42, ', "").replace(ids[1] + ", ", "").encode(), ACCEPTED,
            opens=False),
        swap("key-object", "one key in place of the list", '"key": [{', '"key": {'),
        swap("key-null", "a null among the keys", '"key": [{', '"key": [null, {'),
        swap("key-text", "a text among the keys", '"key": [{', '"key": ["x", {'),
        swap("key-data-null", "key data that is null",
             good[good.index('{"typeUrl"'):good.index(', "status"')], "null"),
        swap("value-not-text", "a value that is a number", f'"{VALUE}"', "7"),
        swap("value-unpadded", "base64 without its padding", VALUE, odd.rstrip("="), ACCEPTED),
        swap("value-padded", "base64 with its padding, no fault", VALUE, odd, ACCEPTED),
        swap("value-one-pad", "base64 with half of its padding", VALUE, odd[:-1]),
        swap("value-three-pads", "base64 with too much padding", VALUE, odd + "="),
        swap("value-pad-of-none", "padding where none is due", VALUE, VALUE + "="),
        swap("value-url-safe", "URL-safe base64", VALUE, url_safe, ACCEPTED, opens=False),
        swap("value-leftover-bits", "bits that are not zero behind the last byte", VALUE,
             odd[:-3] + chr(ord(odd[-3]) + 1) + "==", ACCEPTED),
        swap("value-space", "a space in base64", VALUE, VALUE[:8] + " " + VALUE[8:]),
        swap("value-exclamation", "a character outside the alphabet", VALUE,
             VALUE[:8] + "!" + VALUE[8:]),
        swap("value-line-feed", "an escaped line feed in base64", VALUE,
             VALUE[:8] + "\\n" + VALUE[8:],
             why="Base64 in proto3 JSON has no line breaks, and no writer makes any."),
        swap("value-one-character", "base64 of one character too many", VALUE, VALUE + "A"),
    ]
    return cases


def encrypted() -> list[Case]:
    """Encrypted keysets. The key-encryption key is the good keyset itself."""

    def case(name, fault, content, expected=AT_LOAD, **options):
        return Case(name, "encrypted", fault, content, expected, encrypted=True, **options)

    def wrapped(name, fault, members: dict, expected=AT_LOAD):
        return case(name, fault, json.dumps(members).encode(), expected, format="json")

    info = {
        "primaryKeyId": 42,
        "keyInfo": [
            {
                "typeUrl": TYPE_URL + "AesGcmKey",
                "status": "ENABLED",
                "keyId": 42,
                "outputPrefixType": "TINK",
            }
        ],
    }
    text = base64.b64encode(ENCRYPTED_KEYSET).decode()

    def with_info(**changed):
        return {"encryptedKeyset": text, "keysetInfo": info | changed}

    def with_key_info(**changed):
        return with_info(keyInfo=[info["keyInfo"][0] | changed])

    whole = data(2, ENCRYPTED_KEYSET)
    binary_info = num(1, 42) + data(
        2, data(1, (TYPE_URL + "AesGcmKey").encode()) + num(2, 1) + num(3, 42) + num(4, 1)
    )
    flipped = bytearray(ENCRYPTED_KEYSET)
    flipped[-1] ^= 1
    return [
        case("good", "no fault", whole, ACCEPTED),
        case("with-info", "the binary form with keyset info", whole + data(3, binary_info),
             ACCEPTED),
        case("broken-info", "keyset info that is no message", whole + data(3, b"\xff")),
        case("other-associated-data", "other associated data", whole, associated_data=b"other"),
        case("no-associated-data", "no associated data", whole, associated_data=b""),
        case("flipped-bit", "a flipped bit", data(2, bytes(flipped))),
        case("cut", "the last encrypted byte is missing", data(2, ENCRYPTED_KEYSET[:-1])),
        case("empty", "no encrypted bytes", data(2, b"")),
        case("empty-file", "no bytes", b""),
        case("nothing-inside", "no bytes, encrypted", data(2, ENCRYPTED_NOTHING)),
        case("no-keys-inside", "a keyset without keys, encrypted", data(2, ENCRYPTED_NO_KEYS)),
        case("json-inside", "JSON, encrypted, where the binary form is due",
             data(2, ENCRYPTED_JSON)),
        case("field-1", "the encrypted bytes in field 1", data(1, ENCRYPTED_KEYSET)),
        case("cleartext", "a keyset that is not encrypted, for the reader of encrypted ones", GOOD),
        Case("encrypted-as-cleartext", "encrypted",
             "an encrypted keyset, for the reader of cleartext", whole, AT_LOAD),
        wrapped("json-good", "JSON, no fault", with_info(), ACCEPTED),
        wrapped("json-no-info", "JSON without keyset info", {"encryptedKeyset": text}, ACCEPTED),
        wrapped("json-other-info", "keyset info of another keyset",
                with_info(primaryKeyId=7, keyInfo=[]), ACCEPTED),
        wrapped("json-info-status", "a status of no known name in the keyset info",
                with_key_info(status="PAUSED")),
        wrapped("json-info-text", "keyset info that is a text",
                {"encryptedKeyset": text, "keysetInfo": "x"}),
        wrapped("json-info-unknown-member", "an unknown member in the keyset info",
                with_info(comment="x")),
        wrapped("json-snake-case", "member names of the .proto files",
                {"encrypted_keyset": text}, ACCEPTED),
        wrapped("json-snake-case-info", "member names of the .proto files in the keyset info",
                {"encrypted_keyset": text, "keyset_info": {
                    "primary_key_id": 42,
                    "key_info": [{
                        "type_url": TYPE_URL + "AesGcmKey", "status": "ENABLED", "key_id": 42,
                        "output_prefix_type": "TINK",
                    }],
                }}, ACCEPTED),
        wrapped("json-unknown-member", "an unknown member", {"encryptedKeyset": text, "comment": 1}),
        wrapped("json-empty", "no encrypted bytes in JSON", {"encryptedKeyset": ""}),
        wrapped("json-null", "encrypted bytes that are null", {"encryptedKeyset": None}),
        wrapped("json-bad-base64", "a character outside the alphabet of base64",
                {"encryptedKeyset": text[:8] + "!" + text[8:]}),
        case("json-cleartext", "JSON that is not encrypted, for the reader of encrypted keysets",
             good_json().encode(), format="json"),
        Case("json-as-cleartext", "encrypted",
             "an encrypted keyset in JSON, for the reader of cleartext",
             json.dumps(with_info()).encode(), AT_LOAD, format="json"),
    ]


def ciphertexts() -> list[Case]:
    """Ciphertexts of the good keyset."""

    def case(name, fault, content, expected=AT_USE, **options):
        return Case(name, "ciphertext", fault, bytes(content), expected, "ciphertext", **options)

    def flip(at, mask=1):
        changed = bytearray(CIPHERTEXT)
        changed[at] ^= mask
        return changed

    cases = [case("good", "no fault", CIPHERTEXT, ACCEPTED)]
    for size in (0, 1, 4, 5, 16, 17, 32, 33, len(CIPHERTEXT) - 1):
        cases.append(case(f"cut-{size}", f"only the first {size} bytes", CIPHERTEXT[:size]))
    cases += [
        case("prefix-start", "a flipped bit in the first byte", flip(0, 0x80)),
        case("prefix-crunchy", "the prefix of CRUNCHY in place of TINK", b"\0" + CIPHERTEXT[1:]),
        case("prefix-id", "another key id in the prefix", flip(4)),
        case("prefix-lost", "no prefix", CIPHERTEXT[5:]),
        case("prefix-twice", "the prefix twice", CIPHERTEXT[:5] + CIPHERTEXT),
        case("nonce", "a flipped bit in the nonce", flip(5)),
        case("body", "a flipped bit in the encrypted bytes", flip(17)),
        case("tag-first", "a flipped bit at the start of the tag", flip(-16)),
        case("tag-last", "a flipped bit at the end of the tag", flip(-1, 0x80)),
        case("byte-behind", "a byte too many at the end", CIPHERTEXT + b"\0"),
        case("byte-before", "a byte too many at the start", b"\0" + CIPHERTEXT),
        case("twice", "the ciphertext twice", CIPHERTEXT * 2),
        case("zeros", "zeros behind the prefix", CIPHERTEXT[:5] + bytes(40)),
    ]
    return cases


def cases() -> list[Case]:
    return (
        rules() + selection() + protobuf() + key_values() + jsons() + encrypted() + ciphertexts()
    )
