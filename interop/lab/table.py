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
# Of keys with parameters that no template has.
SMALL_SIZES = (0, 1, 17, 1000)

ALL_PREFIXES = ("TINK", "RAW", "CRUNCHY", "LEGACY")
TINK_OR_RAW = ("TINK", "RAW")
PREFIX_NUMBERS = {"TINK": 1, "LEGACY": 2, "RAW": 3, "CRUNCHY": 4}


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
        # An output has the length that its message asks for. It is taken if any key of the set
        # makes it.
        Primitive("prf", associated_data=False, deterministic=True),
        # An output is the derived keyset. It is taken by whom derives the same one.
        Primitive("deriver", associated_data=False, deterministic=False, ring=False),
        # Keys of a KMS itself. Key Manager takes a byte less than 64 KiB, and not nothing.
        Primitive("kms", associated_data=True, deterministic=False, sizes=(1, 17, 1000, 65_535)),
        Primitive("envelope", associated_data=True, deterministic=False),
    )
}


# Their keysets have no secret, and are encrypted under their own keys.
REMOTE = ("kms", "envelope")


@dataclass(frozen=True)
class Template:
    """How keys are made: a stock template, or parameters that no template has."""

    name: str  # of a stock template, that in Tinkey
    primitive: str
    key_type: str
    value: str  # the serialized key format, in hexadecimal
    prefixes: tuple[str, ...]  # that the key type goes with
    aliases: tuple[tuple[str, str], ...]  # (name in Tinkey, its prefix)
    dek: str = ""  # the key type that an envelope wraps
    sizes: tuple[int, ...] | None = None  # of messages; else those of the primitive
    lengths: tuple[int, ...] = ()  # of PRF outputs; the last one is the longest that there is
    stock: bool = True

    @property
    def type_url(self) -> str:
        return TYPE_URL + self.key_type

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms of its keysets. How a form is written does not depend on parameters."""
        return forms(self.primitive) if self.stock else FORMS[:2]


def _template(
    name, primitive, key_type, value, *raw_names, prefixes=ALL_PREFIXES, tink_names=None, **more
):
    tink_names = (name,) if tink_names is None else tink_names
    aliases = tuple((alias, "TINK") for alias in tink_names)
    aliases += tuple((alias, "RAW") for alias in raw_names)
    return Template(name, primitive, key_type, value, prefixes, aliases, **more)


def _aead(name, key_type, value):
    return _template(name, "aead", key_type, value, name + "_RAW")


def _mac(name, key_type, value, *tink_names):
    tink_names = tink_names or None
    return _template(name, "mac", key_type, value, name + "_RAW", tink_names=tink_names)


def _prf(name, key_type, value, *other_names, lengths):
    names = (name, *other_names)
    return _template(
        name, "prf", key_type, value, *names, prefixes=("RAW",), tink_names=(), lengths=lengths
    )


def _stream(name, key_type, value):
    return _template(name, "streaming", key_type, value, name, prefixes=("RAW",), tink_names=())


def _parameters(name, primitive, key_type, value, prefixes=TINK_OR_RAW, **more):
    more.setdefault("sizes", SMALL_SIZES)
    value = value.hex()
    return Template(name, primitive, key_type, value, prefixes, (), stock=False, **more)


def _key_template(key_type: str, value: str, prefix: int) -> bytes:
    # An empty field is not written.
    format = data(2, bytes.fromhex(value)) if value else b""
    return data(1, (TYPE_URL + key_type).encode()) + format + num(3, prefix)


def _derives(key_type: str, value: str, prefix: str, prf: bytes) -> bytes:
    """The key format of a deriver: its PRF, and the template of what it derives."""
    derived = _key_template(key_type, value, PREFIX_NUMBERS[prefix])
    return data(1, _key_template("HkdfPrfKey", prf.hex(), 3)) + data(2, data(1, derived))


def _deriver(derived: str, key_type: str, value: str, prefix: str = "TINK", named: bool = True):
    """HKDF with SHA-256 derives keys of a template; the deriver has the prefix of these."""
    format = _derives(key_type, value, prefix, hkdf()).hex()
    name = "HKDF_SHA256_DERIVES_" + derived
    aliases = ((name, prefix),) if named else ()
    return Template(name, "deriver", "PrfBasedDeriverKey", format, (prefix,), aliases)


SHA1, SHA384, SHA256, SHA512, SHA224 = 1, 2, 3, 4, 5


def hkdf(hash: int = SHA256, size: int = 32, salt: bytes = b"") -> bytes:
    return data(1, num(1, hash) + (data(2, salt) if salt else b"")) + num(2, size)


def _eax(nonce: int, size: int) -> bytes:
    return data(1, num(1, nonce)) + num(2, size)


def _hmac(hash: int, tag: int, size: int) -> bytes:
    return data(1, num(1, hash) + num(2, tag)) + num(2, size)


def _ctr_hmac(nonce: int, size: int, hmac: bytes) -> bytes:
    return data(1, _eax(nonce, size)) + data(2, hmac)


def _gcm_stream(size: int, derived: int, segment: int, hash: int) -> bytes:
    return data(1, num(1, segment) + num(2, derived) + num(3, hash)) + num(2, size)


def _ctr_stream(size, derived, segment, hash, hmac_hash, tag) -> bytes:
    hmac = data(4, num(1, hmac_hash) + num(2, tag))
    return data(1, num(1, segment) + num(2, derived) + num(3, hash) + hmac) + num(2, size)


def _segment_ends(derived: int, segment: int, tag: int = 16) -> tuple[int, ...]:
    """Plaintexts that fill one segment and two, and those of one byte more."""
    first = segment - (1 + derived + 7) - tag
    second = first + segment - tag
    return tuple(sorted({*SMALL_SIZES, first, first + 1, second, second + 1}))


_HKDF_SHA256 = hkdf().hex()


_CTR_HMAC_128 = "0a060a020810101012080a04080310101020"
_CTR_HMAC_256 = "0a060a020810102012080a04080310201020"
_GCM_STREAM_256_1MB = "0a0808808040102018031020"
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
        "XAES_256_GCM_192_BIT_NONCE_NO_PREFIX",
        prefixes=TINK_OR_RAW,
    ),
    _template(
        "XAES_256_GCM_160_BIT_NONCE",
        "aead",
        "XAesGcmKey",
        "1a020808",
        "XAES_256_GCM_160_BIT_NONCE_NO_PREFIX",
        "X_AES_GCM_8_BYTE_SALT_NO_PREFIX",
        prefixes=TINK_OR_RAW,
        tink_names=(),
    ),
    _template("AES256_SIV", "daead", "AesSivKey", "0840", "AES256_SIV_RAW"),
    _stream("AES128_GCM_HKDF_4KB", "AesGcmHkdfStreamingKey", "0a07088020101018031010"),
    _stream("AES128_GCM_HKDF_1MB", "AesGcmHkdfStreamingKey", "0a0808808040101018031010"),
    _stream("AES256_GCM_HKDF_4KB", "AesGcmHkdfStreamingKey", "0a07088020102018031020"),
    _stream("AES256_GCM_HKDF_1MB", "AesGcmHkdfStreamingKey", _GCM_STREAM_256_1MB),
    _stream("AES128_CTR_HMAC_SHA256_4KB", "AesCtrHmacStreamingKey", _STREAM_128_4KB),
    _stream("AES128_CTR_HMAC_SHA256_1MB", "AesCtrHmacStreamingKey", _STREAM_128_1MB),
    _stream("AES256_CTR_HMAC_SHA256_4KB", "AesCtrHmacStreamingKey", _STREAM_256_4KB),
    _stream("AES256_CTR_HMAC_SHA256_1MB", "AesCtrHmacStreamingKey", _STREAM_256_1MB),
    _mac("HMAC_SHA256_128BITTAG", "HmacKey", "0a04080310101020"),
    _mac("HMAC_SHA256_256BITTAG", "HmacKey", "0a04080310201020"),
    _mac("HMAC_SHA512_128BITTAG", "HmacKey", "0a04080410101040"),
    _mac("HMAC_SHA512_256BITTAG", "HmacKey", "0a04080410201040"),
    _mac("HMAC_SHA512_512BITTAG", "HmacKey", "0a04080410401040"),
    _mac("AES256_CMAC", "AesCmacKey", "082012020810", "AES256_CMAC", "AES_CMAC"),
    _prf("HKDF_SHA256", "HkdfPrfKey", _HKDF_SHA256, lengths=(1, 32, 33, 255 * 32)),
    _prf("HMAC_SHA256_PRF", "HmacPrfKey", "0a0208031020", lengths=(1, 16, 32)),
    _prf("HMAC_SHA512_PRF", "HmacPrfKey", "0a0208041040", lengths=(1, 16, 64)),
    _prf("AES_CMAC_PRF", "AesCmacPrfKey", "0820", "AES256_CMAC_PRF", lengths=(1, 16)),
    _deriver("AES128_GCM", "AesGcmKey", "1010"),
    _deriver("AES256_GCM", "AesGcmKey", "1020"),
    _deriver("XCHACHA20_POLY1305", "XChaCha20Poly1305Key", ""),
    _deriver("AES256_SIV", "AesSivKey", "0840"),
    _deriver("AES256_GCM_HKDF_1MB", "AesGcmHkdfStreamingKey", _GCM_STREAM_256_1MB, "RAW"),
    _deriver("HMAC_SHA256_128BITTAG", "HmacKey", "0a04080310101020"),
    _deriver("HMAC_SHA256_PRF", "HmacPrfKey", "0a0208031020", "RAW"),
    _deriver("HKDF_SHA256", "HkdfPrfKey", _HKDF_SHA256, "RAW", named=False),
    _deriver("AES_CMAC_PRF", "AesCmacPrfKey", "0820", "RAW", named=False),
    _deriver("AES128_GCM_SIV", "AesGcmSivKey", "1010", named=False),
    _deriver("AES128_CTR_HMAC_SHA256", "AesCtrHmacAeadKey", _CTR_HMAC_128, named=False),
    _deriver(
        "AES128_CTR_HMAC_SHA256_4KB", "AesCtrHmacStreamingKey", _STREAM_128_4KB, "RAW", named=False
    ),
)

# Keys that no template makes. Every hash, size of a nonce and size of a salt is in one of them, or in
# a template; of tags, segments and keys the least, some greater ones, and of tags the greatest.
_AEAD_PARAMETERS = (
    ("AES128_EAX nonce 12", "AesEaxKey", _eax(12, 16)),
    ("AES256_EAX nonce 12", "AesEaxKey", _eax(12, 32)),
    ("AES128_CTR_HMAC_SHA1 nonce 12 tag 10", "AesCtrHmacAeadKey",
     _ctr_hmac(12, 16, _hmac(SHA1, 10, 16))),
    ("AES128_CTR_HMAC_SHA224 nonce 13 tag 28", "AesCtrHmacAeadKey",
     _ctr_hmac(13, 16, _hmac(SHA224, 28, 32))),
    ("AES256_CTR_HMAC_SHA384 nonce 14 tag 48", "AesCtrHmacAeadKey",
     _ctr_hmac(14, 32, _hmac(SHA384, 48, 300))),
    ("AES256_CTR_HMAC_SHA512 nonce 15 tag 64", "AesCtrHmacAeadKey",
     _ctr_hmac(15, 32, _hmac(SHA512, 64, 64))),
    ("XAES_256_GCM salt 9", "XAesGcmKey", data(3, num(1, 9))),
    ("XAES_256_GCM salt 10", "XAesGcmKey", data(3, num(1, 10))),
    ("XAES_256_GCM salt 11", "XAesGcmKey", data(3, num(1, 11))),
)
_MAC_PARAMETERS = (
    ("HMAC_SHA1 tag 10", "HmacKey", _hmac(SHA1, 10, 16)),
    ("HMAC_SHA1 tag 20", "HmacKey", _hmac(SHA1, 20, 20)),
    ("HMAC_SHA224 tag 28", "HmacKey", _hmac(SHA224, 28, 32)),
    ("HMAC_SHA384 tag 48", "HmacKey", _hmac(SHA384, 48, 48)),
    ("HMAC_SHA256 key 300", "HmacKey", _hmac(SHA256, 31, 300)),
    ("AES256_CMAC tag 10", "AesCmacKey", num(1, 32) + data(2, num(1, 10))),
    ("AES256_CMAC tag 13", "AesCmacKey", num(1, 32) + data(2, num(1, 13))),
)
_PRF_PARAMETERS = (
    ("HKDF_SHA512", "HkdfPrfKey", hkdf(SHA512), (64, 65, 255 * 64)),
    ("HKDF_SHA256 salt", "HkdfPrfKey", hkdf(SHA256, 47, b"salt"), (100, 255 * 32)),
    ("HMAC_SHA1_PRF", "HmacPrfKey", data(1, num(1, SHA1)) + num(2, 16), (1, 20)),
    ("HMAC_SHA224_PRF", "HmacPrfKey", data(1, num(1, SHA224)) + num(2, 32), (1, 28)),
    ("HMAC_SHA384_PRF", "HmacPrfKey", data(1, num(1, SHA384)) + num(2, 300), (1, 48)),
)
_GCM, _CTR = "AesGcmHkdfStreamingKey", "AesCtrHmacStreamingKey"
_STREAM_PARAMETERS = (
    ("AES128_GCM_HKDF SHA1", _GCM, _gcm_stream(16, 16, 64, SHA1), _segment_ends(16, 64)),
    ("AES256_GCM_HKDF SHA512, least segments", _GCM, _gcm_stream(32, 32, 57, SHA512),
     _segment_ends(32, 57)),
    ("AES128_GCM_HKDF key 40", _GCM, _gcm_stream(40, 16, 100, SHA256), _segment_ends(16, 100)),
    ("AES128_CTR_HMAC SHA1 tag 10", _CTR, _ctr_stream(16, 16, 64, SHA1, SHA1, 10),
     _segment_ends(16, 64, 10)),
    ("AES256_CTR_HMAC SHA512 tag 64, least segments", _CTR,
     _ctr_stream(32, 32, 105, SHA512, SHA512, 64), _segment_ends(32, 105, 64)),
    ("AES128_CTR_HMAC key 40", _CTR, _ctr_stream(40, 16, 100, SHA256, SHA256, 20),
     _segment_ends(16, 100, 20)),
    ("AES128_CTR_HMAC SHA1 HMAC SHA512", _CTR, _ctr_stream(32, 16, 200, SHA1, SHA512, 33),
     _segment_ends(16, 200, 33)),
    ("AES256_CTR_HMAC SHA512 HMAC SHA1", _CTR, _ctr_stream(32, 32, 200, SHA512, SHA1, 11),
     _segment_ends(32, 200, 11)),
)
_DERIVER_PARAMETERS = (
    ("HKDF_SHA512_DERIVES AES256_GCM", "RAW",
     _derives("AesGcmKey", "1020", "RAW", hkdf(SHA512, 64))),
    ("HKDF_SHA256_DERIVES salt AES128_GCM", "TINK",
     _derives("AesGcmKey", "1010", "TINK", hkdf(SHA256, 32, b"salt"))),
    ("HKDF_SHA256_DERIVES CRUNCHY AES128_GCM", "CRUNCHY",
     _derives("AesGcmKey", "1010", "CRUNCHY", hkdf())),
    ("HKDF_SHA256_DERIVES LEGACY HMAC_SHA256_128BITTAG", "LEGACY",
     _derives("HmacKey", "0a04080310101020", "LEGACY", hkdf())),
)
TEMPLATES += (
    *(_parameters(name, "aead", *rest) for name, *rest in _AEAD_PARAMETERS),
    *(_parameters(name, "mac", *rest, ALL_PREFIXES) for name, *rest in _MAC_PARAMETERS),
    *(_parameters(name, "prf", key_type, value, ("RAW",), lengths=lengths)
      for name, key_type, value, lengths in _PRF_PARAMETERS),
    *(_parameters(name, "streaming", key_type, value, ("RAW",), sizes=sizes)
      for name, key_type, value, sizes in _STREAM_PARAMETERS),
    *(_parameters(name, "deriver", "PrfBasedDeriverKey", value, (prefix,))
      for name, prefix, value in _DERIVER_PARAMETERS),
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


# Templates of these key types that nothing is crossed for, because keyseal has no public keys.
OTHER_TEMPLATES = ("HKDF_SHA256_DERIVES_ED25519",)

# Names that an implementation does not have for templates whose keys it has.
_DERIVER_NAMES = tuple(
    name
    for template in TEMPLATES
    if template.primitive == "deriver"
    for name, _ in template.aliases
)
_RAW_MACS = tuple(
    name
    for template in TEMPLATES
    if template.primitive == "mac"
    for name, prefix in template.aliases
    if prefix == "RAW"
)
_RARE = ("X_AES_GCM_8_BYTE_SALT_NO_PREFIX", "AES256_SIV_RAW", "HMAC_SHA512_128BITTAG", *_RAW_MACS)
UNNAMED = {
    "python": (
        *_RARE, "AES256_CMAC", "HMAC_SHA256_PRF", "HMAC_SHA512_PRF", "AES_CMAC_PRF",
        "AES256_CMAC_PRF",
    ),
    "go": (
        *_RARE, *_DERIVER_NAMES, "AES_CMAC", "AES256_CMAC_PRF", "AES128_GCM_SIV_RAW",
        "AES128_CTR_HMAC_SHA256_RAW", "AES256_CTR_HMAC_SHA256_RAW", "CHACHA20_POLY1305_RAW",
        "XCHACHA20_POLY1305_RAW",
    ),
    # Those of Tinkey are not in the library.
    "java": _DERIVER_NAMES,
}

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
    Hole(
        "go", "HKDF_SHA256_DERIVES_AES128_CTR_HMAC_SHA256_4KB",
        "tink-go does not derive AES-CTR-HMAC streaming keys",
    ),
    *(
        Hole("go", name, "tink-go uses streaming keys of 16 and 32 bytes only")
        for name in ("AES128_GCM_HKDF key 40", "AES128_CTR_HMAC key 40")
    ),
    Hole("go", "KmsAeadKey", "tink-go has no keyset of a KMS key, only envelopes under one"),
    Hole("java", "HKDF_SHA256_DERIVES_HKDF_SHA256", "tink-java does not derive HKDF PRF keys"),
    Hole("java", "HKDF_SHA256_DERIVES_AES_CMAC_PRF", "tink-java does not derive AES-CMAC PRF keys"),
    Hole(
        "java", "HKDF_SHA256_DERIVES_AES128_CTR_HMAC_SHA256_4KB",
        "tink-java does not derive AES-CTR-HMAC streaming keys",
    ),
)


def hole(peer: str, template: Template) -> str | None:
    """Says why `peer` has no keys of `template`; nothing where it has them."""
    for known in HOLES:
        if known.peer == peer and known.key_type in (template.key_type, template.name, template.dek):
            return known.reason
    return None


NO_DESTROYED_JSON = "tink-java does not read a destroyed key in JSON"


@dataclass(frozen=True)
class Imported:
    """Parameters that an implementation uses and does not generate: its keys are made by ours.

    The matrix checks that this is so.
    """

    peer: str
    template: str
    reason: str


IMPORTED = tuple(
    Imported(
        "go", name,
        "tink-go uses AES-CTR-HMAC streaming keys with SHA-1, but does not generate them",
    )
    for name in (
        "AES128_CTR_HMAC SHA1 tag 10",
        "AES128_CTR_HMAC SHA1 HMAC SHA512",
        "AES256_CTR_HMAC SHA512 HMAC SHA1",
    )
)


def imported(peer: str, template: Template) -> str | None:
    """Says why `peer` does not generate keys that it uses; nothing where it does."""
    for known in IMPORTED:
        if (known.peer, known.template) == (peer, template.name):
            return known.reason
    return None


def as_written(peer: str, template: Template, data: bytes) -> bytes:
    """What `peer` writes of a keyset of one key in the binary form: the same bytes, but for two."""
    legacy, crunchy = (num(4, PREFIX_NUMBERS[prefix]) for prefix in ("LEGACY", "CRUNCHY"))
    if peer in ("go", "java") and template.primitive in ("aead", "daead") and data.endswith(legacy):
        # For a cipher the two prefix types are the same. The field is the last one of a keyset.
        return data.removesuffix(legacy) + crunchy
    if peer == "java" and template.primitive == "envelope":
        # The prefix type of a DEK's template counts for nothing. The key material type is behind it.
        tink, raw = (num(3, PREFIX_NUMBERS[prefix]) + num(3, 4) for prefix in ("TINK", "RAW"))
        return data.replace(tink, raw)
    return data


@dataclass(frozen=True)
class Form:
    """A way to write a keyset down."""

    name: str
    format: str
    associated_data: bytes | None  # of the encrypted keyset; none where it is in cleartext
    no_secret: bool = False  # whether the reader and the writer refuse what is a secret


FORMS = (
    Form("binary", "binary", None),
    Form("json", "json", None),
    Form("encrypted-binary", "binary", b""),
    Form("encrypted-json", "json", b""),
    Form("encrypted-binary-ad", "binary", b"keyset associated data"),
    Form("encrypted-json-ad", "json", b"keyset associated data"),
    Form("no-secret-binary", "binary", None, no_secret=True),
    Form("no-secret-json", "json", None, no_secret=True),
)

def forms(primitive: str) -> tuple[Form, ...]:
    """The forms of keysets: without secrets are those of keys of a KMS alone."""
    return tuple(form for form in FORMS if not form.no_secret or primitive in REMOTE)


ASSOCIATED_DATA = (b"", b"associated data")


def plaintext(size: int) -> bytes:
    """The message of a size: byte i is (31 i + size) mod 256."""
    period = bytes((31 * i + size) % 256 for i in range(256))
    return (period * (size // 256 + 1))[:size]


def associated_data(primitive: Primitive) -> tuple[bytes, ...]:
    """The associated data of a primitive's messages."""
    return ASSOCIATED_DATA if primitive.associated_data else (b"",)
