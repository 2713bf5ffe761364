"""What the matrix crosses: templates, prefixes, forms, messages, and the holes that are known.

A key type is added here by its template lines, and by a hole line for each implementation that
does not have it. A primitive is added by its name, and by two functions in each peer.
"""

from __future__ import annotations

from dataclasses import dataclass

TYPE_URL = "type.googleapis.com/google.crypto.tink."

ALL_PREFIXES = ("TINK", "RAW", "CRUNCHY", "LEGACY")
TINK_OR_RAW = ("TINK", "RAW")


@dataclass(frozen=True)
class Template:
    """A stock template: its name in Tinkey, and the prefixes that its key type goes with."""

    name: str
    primitive: str
    key_type: str
    value: str  # the serialized key format, in hexadecimal
    prefixes: tuple[str, ...]
    aliases: tuple[tuple[str, str], ...]  # (name in Tinkey, its prefix)

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


_CTR_HMAC_128 = "0a060a020810101012080a04080310101020"
_CTR_HMAC_256 = "0a060a020810102012080a04080310201020"

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
)

# The template of every key-encryption key: each implementation has it.
KEK = next(template for template in TEMPLATES if template.name == "AES256_GCM")


@dataclass(frozen=True)
class Hole:
    """A key type that an implementation does not have. The matrix checks that this is so."""

    peer: str
    key_type: str
    reason: str
    prefixes: tuple[str, ...] = ALL_PREFIXES


HOLES = (
    Hole("go", "AesEaxKey", "tink-go has no AES-EAX"),
    Hole("python", "ChaCha20Poly1305Key", "tink-py and its C++ core have no ChaCha20-Poly1305"),
)


def hole(peer: str, template: Template, prefix: str) -> str | None:
    """Says why `peer` has no keys of `template` with this prefix; nothing where it has them."""
    for known in HOLES:
        if (known.peer, known.key_type) == (peer, template.key_type) and prefix in known.prefixes:
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

SIZES = (0, 1, 15, 16, 17, 1000, 1_048_577)
ASSOCIATED_DATA = (b"", b"associated data")


def plaintext(size: int) -> bytes:
    """The message of a size: byte i is (31 i + size) mod 256."""
    period = bytes((31 * i + size) % 256 for i in range(256))
    return (period * (size // 256 + 1))[:size]
