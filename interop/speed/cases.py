"""What is measured: one line for each key type."""

from __future__ import annotations

from dataclasses import dataclass

# As many keys as a keyset may have.
MANY = 10_000

SIZES = [16, 64, 256, 1 << 10, 16 << 10, 1 << 20]
BOTH = ["encrypt", "decrypt"]


@dataclass(frozen=True)
class Case:
    what: str
    template: str
    direction: str
    size: int = 0
    keys: int = 1
    threads: int = 1

    @property
    def name(self) -> str:
        """How a table names the row, beside the template."""
        parts = [self.direction] if self.direction else []
        if self.size:
            parts.append(size(self.size))
        if self.keys > 1 or self.what in ("make", "load"):
            parts.append("1 key" if self.keys == 1 else f"{self.keys:,} keys")
        if self.threads > 1:
            parts.append(f"{self.threads} threads")
        return ", ".join(parts) or "one keyset"


def size(count: int) -> str:
    for unit, name in [(1 << 20, "MiB"), (1 << 10, "KiB")]:
        if count >= unit:
            return f"{count // unit} {name}"
    return f"{count} B"


# Kind of measurement, templates, directions.
MESSAGES = [
    (
        "aead",
        [
            "AES128_GCM",
            "AES256_GCM",
            "AES256_GCM_SIV",
            "CHACHA20_POLY1305",
            "XCHACHA20_POLY1305",
            "XAES_256_GCM_192_BIT_NONCE",
            "AES256_EAX",
            "AES256_CTR_HMAC_SHA256",
        ],
        BOTH,
    ),
    ("daead", ["AES256_SIV"], BOTH),
    ("mac", ["HMAC_SHA256_128BITTAG", "AES_CMAC"], ["compute", "verify"]),
    ("prf", ["HKDF_SHA256", "HMAC_SHA256_PRF", "AES_CMAC_PRF"], ["compute"]),
    (
        "stream",
        ["AES256_GCM_HKDF_4KB", "AES256_GCM_HKDF_1MB", "AES256_CTR_HMAC_SHA256_4KB"],
        BOTH,
    ),
]

# The heading of each kind in the tables.
WHAT = {
    "aead": "AEAD",
    "daead": "Deterministic AEAD",
    "mac": "MAC",
    "prf": "PRF, 16 bytes of output",
    "stream": "Streaming AEAD, in memory",
    "keys": "Keysets of several keys",
    "refuse": "A ciphertext that is refused",
    "make": "Making a primitive of a keyset",
    "load": "Loading a keyset",
    "create": "Creating a keyset",
    "derive": "Deriving a keyset",
    "envelope": "Envelope encryption under a local key-encryption key",
    "threads": "Two threads",
}


def _all() -> list[Case]:
    made = [
        Case(what, template, direction, length)
        for what, templates, directions in MESSAGES
        for template in templates
        for length in SIZES
        for direction in directions
    ]
    # A ciphertext of a key in the middle: found by its prefix, or, without prefixes, by trying.
    made += [
        Case("keys", template, "decrypt", length, keys)
        for template, most in [("AES256_GCM", [1, 10, 100, MANY]), ("AES256_GCM_RAW", [1, 10, 100])]
        for length in [16, 1 << 10]
        for keys in most
    ]
    made += [
        Case("refuse", template, "refuse", length)
        for template in ["AES256_GCM", "CHACHA20_POLY1305"]
        for length in [16, 1 << 10, 1 << 20]
    ]
    made += [Case("make", "AES256_GCM", "", 0, keys) for keys in [1, 10, 100, MANY]]
    made += [
        Case("load", "AES256_GCM", form, 0, keys)
        for form in ["binary", "json"]
        for keys in [1, 10, 100, MANY]
    ]
    made += [Case("create", "AES256_GCM", "")]
    made += [Case("derive", "HKDF_SHA256_DERIVES_AES256_GCM", "")]
    made += [
        Case("envelope", "AES256_GCM", direction, length)
        for length in [16, 1 << 10, 16 << 10]
        for direction in BOTH
    ]
    made += [
        Case("threads", template, direction, length, threads=threads)
        for template in ["AES256_GCM", "CHACHA20_POLY1305"]
        for length in [16, 1 << 10, 16 << 10]
        for direction in BOTH
        for threads in [1, 2]
    ]
    return made


ALL = _all()

# What a peer is asked for in the place of a kind that is one of ours.
ASKED_AS = {"keys": "aead", "refuse": "aead", "threads": "aead"}
