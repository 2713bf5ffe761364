"""Cases of tests/vectors/malformed for deterministic AEAD, MACs, PRFs and keyset derivation."""

from __future__ import annotations

from .malformed import (
    ACCEPTED, AT_LOAD, AT_PRIMITIVE, AT_USE, CRUNCHY, LEGACY, RAW, TINK, Case, key, key_data,
    keyset,
)
from .outputs import OUTPUTS
from .streams import ctr_key, gcm_key
from .table import TYPE_URL
from .wire import data, num

SHA1, SHA384, SHA256, SHA512, SHA224 = 1, 2, 3, 4, 5
DIGESTS = {SHA1: 20, SHA384: 48, SHA256: 32, SHA512: 64, SHA224: 28}


def bytes_of(size: int) -> bytes:
    return bytes(range(size))


def siv(size=64, version=0) -> bytes:
    return num(1, version) + data(2, bytes_of(size))


def hmac(hash=SHA256, tag=16, size=32, version=0) -> bytes:
    return num(1, version) + data(2, num(1, hash) + num(2, tag)) + data(3, bytes_of(size))


def cmac(size=32, tag=16, version=0) -> bytes:
    return num(1, version) + data(2, bytes_of(size)) + data(3, num(1, tag))


def hkdf(hash=SHA256, size=32, version=0, salt=b"") -> bytes:
    parameters = num(1, hash) + (data(2, salt) if salt else b"")
    return num(1, version) + data(2, parameters) + data(3, bytes_of(size))


def hmac_prf(hash=SHA256, size=32, version=0) -> bytes:
    return num(1, version) + data(2, num(1, hash)) + data(3, bytes_of(size))


def cmac_prf(size=32, version=0) -> bytes:
    return num(1, version) + data(2, bytes_of(size))


def template(type_name="AesGcmKey", value=num(2, 16), prefix=TINK) -> bytes:
    return data(1, (TYPE_URL + type_name).encode()) + data(2, value) + num(3, prefix)


def deriver(prf=key_data(hkdf(), "HkdfPrfKey"), derives=template(), version=0) -> bytes:
    return num(1, version) + data(2, prf) + data(3, data(1, derives))


def of_type(type_name: str, value: bytes, prefix: int = TINK) -> bytes:
    return keyset(key(key_data(value, type_name), prefix=prefix))


# For each base: its primitive, its good keyset, and what that makes of the plaintext (and, for
# AES-SIV, of the associated data) of all cases.
GOOD = {
    "daead": of_type("AesSivKey", siv()),
    "mac": of_type("HmacKey", hmac()),
    "prf": of_type("HkdfPrfKey", hkdf(), RAW),
    "deriver": of_type("PrfBasedDeriverKey", deriver()),
}
OUTPUT = {
    "daead": OUTPUTS["AES-SIV ciphertext"],
    "mac": OUTPUTS["HMAC tag"],
    "prf": OUTPUTS["HKDF output"],
}


def spoiled(base: str) -> list[Case]:
    """One output, with one fault each."""
    good = OUTPUT[base]

    def case(name, fault, content, expected=AT_USE):
        return Case(name, base, fault, bytes(content), expected, "ciphertext", base=base)

    def flip(at, mask=1):
        changed = bytearray(good)
        changed[at] ^= mask
        return changed

    cases = [case("good", "no fault", good, ACCEPTED)]
    for size in sorted({0, 1, 4, 5, 6, 15, len(good) - 1}):
        cases.append(case(f"cut-{size}", f"only the first {size} bytes", good[:size]))
    return cases + [
        case("first", "a flipped bit in the first byte", flip(0)),
        case("id", "a flipped bit in the fifth byte", flip(4)),
        case("body", "a flipped bit behind the prefix", flip(5)),
        case("last", "a flipped bit at the end", flip(-1, 0x80)),
        case("no-prefix", "without the first five bytes", good[5:]),
        case("crunchy", "a first byte of 0", b"\0" + good[1:]),
        case("byte-behind", "a byte too many at the end", good + b"\0"),
        case("byte-before", "a byte too many at the start", b"\0" + good),
        case("twice", "twice", good * 2),
        case("zeros", "zeros behind the first five bytes", good[:5] + bytes(len(good) - 5)),
    ]


def keys() -> list[Case]:
    """What each key type demands of its keys."""
    cases = []

    def of(section, base, type_name, default_prefix):
        def case(name, fault, value, expected=AT_LOAD, prefix=default_prefix):
            cases.append(
                Case(f"{section}-{name}", "other-key", fault, of_type(type_name, value, prefix),
                     expected, opens=False, key_type=type_name, base=base)
            )

        case("malformed", "a value that is no message", b"\xff")
        case("empty", "a value of no bytes", b"")
        return case

    case = of("aes-siv", "daead", "AesSivKey", TINK)
    case("64", "no fault", siv(), ACCEPTED)
    for size in (0, 32, 48, 63, 65):
        case(f"{size}", f"a key of {size} bytes", siv(size))
    case("version-1", "version 1", siv(version=1))
    for name, prefix in (("raw", RAW), ("crunchy", CRUNCHY), ("legacy", LEGACY)):
        case(name, f"the prefix {name.upper()}, no fault", siv(), ACCEPTED, prefix)

    case = of("hmac", "mac", "HmacKey", TINK)
    case("good", "no fault", hmac(), ACCEPTED)
    for hash, digest in DIGESTS.items():
        case(f"hash-{hash}", f"the hash of number {hash} and its longest tag, no fault",
             hmac(hash, digest), ACCEPTED)
        case(f"hash-{hash}-tag", f"the hash of number {hash} and a tag longer than its digest",
             hmac(hash, digest + 1))
    case("hash-0", "an unknown hash", hmac(0))
    case("hash-6", "a hash that does not exist", hmac(6))
    case("key-15", "a key of 15 bytes", hmac(size=15))
    case("key-16", "a key of 16 bytes, no fault", hmac(size=16), ACCEPTED)
    case("tag-9", "a tag of 9 bytes", hmac(tag=9))
    case("tag-10", "a tag of 10 bytes, no fault", hmac(tag=10), ACCEPTED)
    case("version-1", "version 1", hmac(version=1))
    case("no-parameters", "no parameters", data(3, bytes_of(32)))

    case = of("aes-cmac", "mac", "AesCmacKey", TINK)
    case("32", "no fault", cmac(), ACCEPTED)
    for size in (0, 16, 24, 31, 33):
        case(f"{size}", f"a key of {size} bytes", cmac(size))
    for tag in (0, 9, 17):
        case(f"tag-{tag}", f"a tag of {tag} bytes", cmac(tag=tag))
    case("tag-10", "a tag of 10 bytes, no fault", cmac(tag=10), ACCEPTED)
    case("version-1", "version 1", cmac(version=1))
    case("no-parameters", "no parameters", data(2, bytes_of(32)))

    case = of("hkdf-prf", "prf", "HkdfPrfKey", RAW)
    case("good", "no fault", hkdf(), ACCEPTED)
    case("salt", "a salt, no fault", hkdf(salt=b"salt"), ACCEPTED)
    case("hash-4", "SHA-512, no fault", hkdf(SHA512), ACCEPTED)
    for hash in (0, SHA1, SHA384, SHA224, 6):
        case(f"hash-{hash}", f"the hash of number {hash}", hkdf(hash))
    for size in (16, 31):
        case(f"{size}", f"a key of {size} bytes", hkdf(size=size))
    case("33", "a key of 33 bytes, no fault", hkdf(size=33), ACCEPTED)
    case("version-1", "version 1", hkdf(version=1))
    case("tink", "the prefix TINK", hkdf(), prefix=TINK)

    case = of("hmac-prf", "prf", "HmacPrfKey", RAW)
    for hash in DIGESTS:
        case(f"hash-{hash}", f"the hash of number {hash}, no fault", hmac_prf(hash), ACCEPTED)
    case("hash-0", "an unknown hash", hmac_prf(0))
    case("hash-6", "a hash that does not exist", hmac_prf(6))
    case("15", "a key of 15 bytes", hmac_prf(size=15))
    case("16", "a key of 16 bytes, no fault", hmac_prf(size=16), ACCEPTED)
    case("version-1", "version 1", hmac_prf(version=1))
    case("tink", "the prefix TINK", hmac_prf(), prefix=TINK)

    case = of("aes-cmac-prf", "prf", "AesCmacPrfKey", RAW)
    case("32", "no fault", cmac_prf(), ACCEPTED)
    for size in (0, 16, 24, 31, 33):
        case(f"{size}", f"a key of {size} bytes", cmac_prf(size))
    case("version-1", "version 1", cmac_prf(version=1))
    case("tink", "the prefix TINK", cmac_prf(), prefix=TINK)

    case = of("deriver", "deriver", "PrfBasedDeriverKey", TINK)
    case("good", "no fault", deriver(), ACCEPTED)
    case("version-1", "version 1", deriver(version=1))
    case("no-prf", "no PRF key", num(1, 0) + data(3, data(1, template())))
    case("no-template", "no template of what is derived",
         num(1, 0) + data(2, key_data(hkdf(), "HkdfPrfKey")))
    case("hmac", "a MAC key as its PRF", deriver(prf=key_data(hmac(), "HmacKey")))
    case("short-prf", "a PRF key of 16 bytes", deriver(prf=key_data(hkdf(size=16), "HkdfPrfKey")))
    case("prf-sha1", "a PRF of SHA-1", deriver(prf=key_data(hkdf(SHA1), "HkdfPrfKey")))
    case("unknown", "a template of an unknown type", deriver(derives=template("NobodyKnowsKey")),
         AT_PRIMITIVE)
    case("derives-15", "a template of keys of 15 bytes",
         deriver(derives=template(value=num(2, 15))))
    for name, type_name, value in (
        ("aes-gcm", "AesGcmKey", num(2, 16) + num(3, 1)),
        ("aes-siv", "AesSivKey", num(1, 64) + num(2, 1)),
        ("xchacha20", "XChaCha20Poly1305Key", num(1, 1)),
        ("hmac", "HmacKey", data(1, num(1, SHA256) + num(2, 16)) + num(2, 32) + num(3, 1)),
    ):
        case(f"derives-{name}-version-1", f"a template of type {type_name} with version 1",
             deriver(derives=template(type_name, value)))
    for name, type_name, value in (
        ("hkdf", "HkdfPrfKey", data(1, num(1, SHA256)) + num(2, 32) + num(3, 1)),
        ("hmac-prf", "HmacPrfKey", data(1, num(1, SHA256)) + num(2, 32) + num(3, 1)),
        ("gcm-stream", "AesGcmHkdfStreamingKey",
         data(1, num(1, 64) + num(2, 16) + num(3, SHA256)) + num(2, 16) + num(3, 1)),
    ):
        case(f"derives-{name}-version-1", f"a template of type {type_name} with version 1",
             deriver(derives=template(type_name, value, RAW)), prefix=RAW)
    for name, type_name, value in (
        ("aes-eax", "AesEaxKey", data(1, num(1, 16)) + num(2, 16)),
        ("chacha20", "ChaCha20Poly1305Key", b""),
        ("x-aes-gcm", "XAesGcmKey", data(3, num(1, 12))),
        ("aes-cmac", "AesCmacKey", num(1, 32) + data(2, num(1, 16))),
    ):
        case(f"derives-{name}", f"a template of type {type_name}, whose keys are not derived",
             deriver(derives=template(type_name, value)))
    case("prefix", "another prefix than that of its template", deriver(derives=template(prefix=RAW)))
    case("raw", "the prefix RAW, and a template with it, no fault",
         deriver(derives=template(prefix=RAW)), ACCEPTED, RAW)
    return cases


# For each key type but those of AES-GCM and AES-EAX, a good key and its prefix type.
LABELLED = (
    ("AesGcmSivKey", "aead", data(3, bytes_of(16)), TINK),
    ("AesCtrHmacAeadKey", "aead",
     data(2, data(2, num(1, 16)) + data(3, bytes_of(16))) + data(3, hmac()), TINK),
    ("ChaCha20Poly1305Key", "aead", data(2, bytes_of(32)), TINK),
    ("XChaCha20Poly1305Key", "aead", data(3, bytes_of(32)), TINK),
    ("XAesGcmKey", "aead", data(2, num(1, 12)) + data(3, bytes_of(32)), TINK),
    ("AesSivKey", "daead", siv(), TINK),
    ("AesGcmHkdfStreamingKey", "gcm-stream", gcm_key(), RAW),
    ("AesCtrHmacStreamingKey", "ctr-stream", ctr_key(), RAW),
    ("HmacKey", "mac", hmac(), TINK),
    ("AesCmacKey", "mac", cmac(), TINK),
    ("HkdfPrfKey", "prf", hkdf(), RAW),
    ("HmacPrfKey", "prf", hmac_prf(), RAW),
    ("AesCmacPrfKey", "prf", cmac_prf(), RAW),
    ("PrfBasedDeriverKey", "deriver", deriver(), TINK),
)
LABELS = {0: "unknown", 3: "a public key"}


def labels() -> list[Case]:
    """Key material types that are not those of the key type. MACs and PRFs take all of them."""
    return [
        Case(f"{type_name}-{label}", "label", f"a key of type {type_name}, labelled as {meaning}",
             keyset(key(key_data(value, type_name, label), prefix=prefix)),
             ACCEPTED if base in ("mac", "prf") else AT_LOAD, opens=False, key_type=type_name,
             base=base)
        for type_name, base, value, prefix in LABELLED
        for label, meaning in LABELS.items()
    ]


def cases() -> list[Case]:
    return [case for base in OUTPUT for case in spoiled(base)] + keys() + labels()
