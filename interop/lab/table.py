"""What the matrix crosses: templates, prefixes, forms, messages, and the holes that are known.

A key type is added here by its template lines, and by a hole line for each implementation that
does not have it. A primitive is added by its name, and by two functions in each peer.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from .wire import data, num

TYPE_URL = "type.googleapis.com/google.crypto.tink."

SIZES = (0, 1, 15, 16, 17, 1000, 1_048_577)

ALL_PREFIXES = ("TINK", "RAW", "CRUNCHY", "LEGACY")
TINK_OR_RAW = ("TINK", "RAW")


@dataclass(frozen=True)
class Primitive:
    """What the keys of a keyset do together."""

    name: str
    # Whether there is associated data beside the input.
    associated_data: bool
    # Whether one input has one output under one key.
    deterministic: bool
    # The lengths of the messages; those of SIZES, if nothing else is said.
    sizes: tuple[int, ...] | None = None
    # Whether an output of any key of a keyset is taken, not of the primary one alone.
    ring: bool = True


PRIMITIVES = {
    primitive.name: primitive
    for primitive in (
        Primitive("aead", associated_data=True, deterministic=False),
        Primitive("daead", associated_data=True, deterministic=True),
        # The ends of the first segments of 4 KiB, one byte more, and the end of a second segment.
        Primitive(
            "streaming",
            associated_data=True,
            deterministic=False,
            sizes=SIZES + (4024, 4040, 4056, 4057, 8120, 8121, 8136, 8137),
        ),
        Primitive("mac", associated_data=False, deterministic=True),
        # An output is 16 bytes; it is taken if any key of the set makes it.
        Primitive("prf", associated_data=False, deterministic=True),
        # An output is the derived keyset. It is taken by whom derives the same one.
        Primitive("deriver", associated_data=False, deterministic=False, ring=False),
        # Keys of a KMS itself. Key Manager takes 64 KiB, and not nothing.
        Primitive("kms", associated_data=True, deterministic=False, sizes=(1, 17, 1000, 60_000)),
        Primitive("envelope", associated_data=True, deterministic=False),
    )
}


# Their keysets have no secret, and are encrypted under their own keys.
REMOTE = ("kms", "envelope")


@dataclass(frozen=True)
class Template:
    """A stock template: its name in Tinkey, and the prefixes that its key type goes with."""

    name: str
    primitive: str
    key_type: str
    value: str  # the serialized key format, in hexadecimal
    prefixes: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...]  # (name in Tinkey, its prefix)
    dek: str = ""  # the key type that an envelope wraps

    @property
    def type_url(self) -> str:
        return TYPE_URL + self.key_type


def _template(name, primitive, key_type, value, prefixes=ALL_PREFIXES, raw_name=None, tink=True):
    aliases = [(name, "TINK")] if tink else []
    if raw_name:
        aliases.append((raw_name, "RAW"))
    return Template(name, primitive, key_type, value, prefixes, tuple(aliases))


def _aead(name, key_type, value):
    return _template(name, "aead", key_type, value, raw_name=name + "_RAW")


def _mac(name, key_type, value):
    return _template(name, "mac", key_type, value, raw_name=name + "_RAW")


def _prf(name, key_type, value):
    return _template(name, "prf", key_type, value, ("RAW",), raw_name=name, tink=False)


def _stream(name, key_type, value):
    return _template(name, "streaming", key_type, value, ("RAW",), raw_name=name, tink=False)


def _key_template(key_type: str, value: str, prefix: int) -> bytes:
    # An empty field is not written.
    format = data(2, bytes.fromhex(value)) if value else b""
    return data(1, (TYPE_URL + key_type).encode()) + format + num(3, prefix)


def _deriver(derived: str, key_type: str, value: str, prefix: str = "TINK", named: bool = True):
    """HKDF with SHA-256 derives keys of a template; the deriver has the prefix of these."""
    prf = _key_template("HkdfPrfKey", _HKDF_SHA256, 3)
    derives = _key_template(key_type, value, {"TINK": 1, "RAW": 3}[prefix])
    format = data(1, prf) + data(2, data(1, derives))
    name = "HKDF_SHA256_DERIVES_" + derived
    aliases = ((name, prefix),) if named else ()
    return Template(name, "deriver", "PrfBasedDeriverKey", format.hex(), (prefix,), aliases)


_HKDF_SHA256 = "0a0208031020"


_CTR_HMAC_128 = "0a060a020810101012080a04080310101020"
_CTR_HMAC_256 = "0a060a020810102012080a04080310201020"
_STREAM_128_4KB = "0a0d088020101018032204080310201010"
_STREAM_128_1MB = "0a0e08808040101018032204080310201010"
_STREAM_256_4KB = "0a0d088020102018032204080310201020"
_STREAM_256_1MB = "0a0e08808040102018032204080310201020"

TEMPLATES = (
    _aead("AES128_GCM", "AesGcmKey", "1010"),
    _aead("AES256_GCM", "AesGcmKey", "1020"),
    _aead("AES128_GCM_SIV", "AesGcmSivKey", "1010"),
    _aead("AES256_GCM_SIV", "AesGcmSivKey", "1020"),
    _aead("AES128_EAX", "AesEaxKey", "0a0208101010"),
    _aead("AES256_EAX", "AesEaxKey", "0a0208101020"),
    _aead("AES128_CTR_HMAC_SHA256", "AesCtrHmacAeadKey", _CTR_HMAC_128),
    _aead("AES256_CTR_HMAC_SHA256", "AesCtrHmacAeadKey", _CTR_HMAC_256),
    _aead("CHACHA20_POLY1305", "ChaCha20Poly1305Key", ""),
    _aead("XCHACHA20_POLY1305", "XChaCha20Poly1305Key", ""),
    _template(
        "XAES_256_GCM_192_BIT_NONCE",
        "aead",
        "XAesGcmKey",
        "1a02080c",
        TINK_OR_RAW,
        raw_name="XAES_256_GCM_192_BIT_NONCE_NO_PREFIX",
    ),
    _template(
        "XAES_256_GCM_160_BIT_NONCE",
        "aead",
        "XAesGcmKey",
        "1a020808",
        TINK_OR_RAW,
        raw_name="XAES_256_GCM_160_BIT_NONCE_NO_PREFIX",
        tink=False,
    ),
    _template("AES256_SIV", "daead", "AesSivKey", "0840", raw_name="AES256_SIV_RAW"),
    _stream("AES128_GCM_HKDF_4KB", "AesGcmHkdfStreamingKey", "0a07088020101018031010"),
    _stream("AES128_GCM_HKDF_1MB", "AesGcmHkdfStreamingKey", "0a0808808040101018031010"),
    _stream("AES256_GCM_HKDF_4KB", "AesGcmHkdfStreamingKey", "0a07088020102018031020"),
    _stream("AES256_GCM_HKDF_1MB", "AesGcmHkdfStreamingKey", "0a0808808040102018031020"),
    _stream("AES128_CTR_HMAC_SHA256_4KB", "AesCtrHmacStreamingKey", _STREAM_128_4KB),
    _stream("AES128_CTR_HMAC_SHA256_1MB", "AesCtrHmacStreamingKey", _STREAM_128_1MB),
    _stream("AES256_CTR_HMAC_SHA256_4KB", "AesCtrHmacStreamingKey", _STREAM_256_4KB),
    _stream("AES256_CTR_HMAC_SHA256_1MB", "AesCtrHmacStreamingKey", _STREAM_256_1MB),
    _mac("HMAC_SHA256_128BITTAG", "HmacKey", "0a04080310101020"),
    _mac("HMAC_SHA256_256BITTAG", "HmacKey", "0a04080310201020"),
    _mac("HMAC_SHA512_128BITTAG", "HmacKey", "0a04080410101040"),
    _mac("HMAC_SHA512_256BITTAG", "HmacKey", "0a04080410201040"),
    _mac("HMAC_SHA512_512BITTAG", "HmacKey", "0a04080410401040"),
    _mac("AES256_CMAC", "AesCmacKey", "082012020810"),
    _prf("HKDF_SHA256", "HkdfPrfKey", _HKDF_SHA256),
    _prf("HMAC_SHA256_PRF", "HmacPrfKey", "0a0208031020"),
    _prf("HMAC_SHA512_PRF", "HmacPrfKey", "0a0208041040"),
    _prf("AES_CMAC_PRF", "AesCmacPrfKey", "0820"),
    _deriver("AES128_GCM", "AesGcmKey", "1010"),
    _deriver("AES256_GCM", "AesGcmKey", "1020"),
    _deriver("XCHACHA20_POLY1305", "XChaCha20Poly1305Key", ""),
    _deriver("AES256_SIV", "AesSivKey", "0840"),
    _deriver("HMAC_SHA256_128BITTAG", "HmacKey", "0a04080310101020"),
    _deriver("HMAC_SHA256_PRF", "HmacPrfKey", "0a0208031020", "RAW"),
    _deriver("HKDF_SHA256", "HkdfPrfKey", _HKDF_SHA256, "RAW", named=False),
    _deriver("AES_CMAC_PRF", "AesCmacPrfKey", "0820", "RAW", named=False),
    _deriver("AES128_GCM_SIV", "AesGcmSivKey", "1010", named=False),
    _deriver("AES128_CTR_HMAC_SHA256", "AesCtrHmacAeadKey", _CTR_HMAC_128, named=False),
)

# The URI of Tink's fake KMS holds the keyset itself: the AES-128-GCM key 00 01 .. 0f, with the id
# 42 and the prefix TINK.
_FAKE_KEY = data(1, (TYPE_URL + "AesGcmKey").encode()) + data(2, data(3, bytes(range(16))))
_FAKE_KEY = data(1, _FAKE_KEY + num(3, 1)) + num(2, 1) + num(3, 42) + num(4, 1)
_FAKE_KEYSET = num(1, 42) + data(2, _FAKE_KEY)
FAKE_KEK = "fake-kms://" + base64.urlsafe_b64encode(_FAKE_KEYSET).decode().rstrip("=")

_DEKS = (
    "AES128_GCM",
    "AES256_GCM",
    "AES256_GCM_SIV",
    "AES128_EAX",
    "AES256_CTR_HMAC_SHA256",
    "CHACHA20_POLY1305",
    "XCHACHA20_POLY1305",
)


def with_kek(kms: str, uri: str, deks: tuple[str, ...] = _DEKS) -> tuple[Template, ...]:
    """The templates of keys that are, or are wrapped by, the key of a KMS."""
    kek = data(1, uri.encode())

    def made(name, primitive, key_type, value, dek=""):
        name = f"{name} {kms}"
        return Template(name, primitive, key_type, value.hex(), TINK_OR_RAW, (), dek)

    envelopes = [
        made(
            f"KMS_ENVELOPE_{template.name}",
            "envelope",
            "KmsEnvelopeAeadKey",
            kek + data(2, _key_template(template.key_type, template.value, 1)),
            template.key_type,
        )
        for template in TEMPLATES
        if template.name in deks
    ]
    return (made("KMS_AEAD", "kms", "KmsAeadKey", kek), *envelopes)


TEMPLATES += with_kek("fake-kms", FAKE_KEK)


def with_key_manager(uri: str) -> tuple[Template, ...]:
    """All templates, with those under a key of Key Manager."""
    return TEMPLATES + with_kek("scw-kms", uri, ("AES256_GCM", "XCHACHA20_POLY1305"))


# The template of every key-encryption key: each implementation has it.
KEK = next(template for template in TEMPLATES if template.name == "AES256_GCM")


@dataclass(frozen=True)
class Hole:
    """A key type or template that an implementation does not have.

    The matrix checks that this is so.
    """

    peer: str
    key_type: str  # or the name of a template, or the key type of an envelope's DEK
    reason: str
    prefixes: tuple[str, ...] = ALL_PREFIXES


HOLES = (
    Hole("go", "AesEaxKey", "tink-go has no AES-EAX"),
    Hole("python", "ChaCha20Poly1305Key", "tink-py and its C++ core have no ChaCha20-Poly1305"),
    Hole("python", "PrfBasedDeriverKey", "tink-py has no keyset derivation"),
    Hole("go", "HKDF_SHA256_DERIVES_AES_CMAC_PRF", "tink-go does not derive AES-CMAC PRF keys"),
    Hole("go", "HKDF_SHA256_DERIVES_AES128_GCM_SIV", "tink-go does not derive AES-GCM-SIV keys"),
    Hole(
        "go", "HKDF_SHA256_DERIVES_AES128_CTR_HMAC_SHA256",
        "tink-go does not derive AES-CTR-HMAC keys",
    ),
    Hole("go", "KmsAeadKey", "tink-go has no keyset of a KMS key, but envelopes under one"),
    Hole("java", "HKDF_SHA256_DERIVES_HKDF_SHA256", "tink-java does not derive HKDF PRF keys"),
    Hole("java", "HKDF_SHA256_DERIVES_AES_CMAC_PRF", "tink-java does not derive AES-CMAC PRF keys"),
)


def hole(peer: str, template: Template, prefix: str) -> str | None:
    """Says why `peer` has no keys of `template` with this prefix; nothing where it has them."""
    for known in HOLES:
        names = (template.key_type, template.name, template.dek)
        if known.peer == peer and known.key_type in names and prefix in known.prefixes:
            return known.reason
    return None


@dataclass(frozen=True)
class Form:
    """A way to write a keyset down."""

    name: str
    format: str
    associated_data: bytes | None  # of the encrypted keyset; none where it is in cleartext


FORMS = (
    Form("binary", "binary", None),
    Form("json", "json", None),
    Form("encrypted-binary", "binary", b""),
    Form("encrypted-json", "json", b""),
    Form("encrypted-binary-ad", "binary", b"keyset associated data"),
    Form("encrypted-json-ad", "json", b"keyset associated data"),
)

ASSOCIATED_DATA = (b"", b"associated data")


def plaintext(size: int) -> bytes:
    """The message of a size: byte i is (31 i + size) mod 256."""
    period = bytes((31 * i + size) % 256 for i in range(256))
    return (period * (size // 256 + 1))[:size]


def associated_data(primitive: Primitive) -> tuple[bytes, ...]:
    """The associated data of a primitive's messages."""
    return ASSOCIATED_DATA if primitive.associated_data else (b"",)
