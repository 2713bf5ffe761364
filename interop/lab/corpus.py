"""All cases of tests/vectors/malformed, and what is good in them."""

from __future__ import annotations

from dataclasses import dataclass

from . import deterministic, envelopes, malformed, streams
from .malformed import Case


@dataclass(frozen=True)
class Base:
    """A good keyset, and a good ciphertext of it."""

    primitive: str
    keyset: bytes
    plaintext: bytes
    ciphertext: bytes
    # Their files.
    keyset_file: str
    ciphertext_file: str | None


BASES = {
    "aead": Base(
        "aead", malformed.GOOD, malformed.PLAINTEXT, malformed.CIPHERTEXT,
        "keyset/good.bin", "ciphertext/good.ct",
    ),
    "gcm-stream": Base(
        "streaming", streams.GOOD["gcm-stream"], streams.PLAINTEXT, streams.GCM_STREAM,
        "streaming-key/gcm-good.bin", "gcm-stream/good.ct",
    ),
    "ctr-stream": Base(
        "streaming", streams.GOOD["ctr-stream"], streams.PLAINTEXT, streams.CTR_STREAM,
        "streaming-key/ctr-good.bin", "ctr-stream/good.ct",
    ),
    "envelope": Base(
        "envelope", envelopes.GOOD, malformed.PLAINTEXT, envelopes.ENVELOPE,
        "kms-key/envelope-good.bin", "envelope/good.ct",
    ),
    "daead": Base(
        "daead", deterministic.GOOD["daead"], malformed.PLAINTEXT, deterministic.OUTPUT["daead"],
        "other-key/aes-siv-64.bin", "daead/good.ct",
    ),
    "mac": Base(
        "mac", deterministic.GOOD["mac"], malformed.PLAINTEXT, deterministic.OUTPUT["mac"],
        "other-key/hmac-good.bin", "mac/good.ct",
    ),
    "prf": Base(
        "prf", deterministic.GOOD["prf"], malformed.PLAINTEXT, deterministic.OUTPUT["prf"],
        "other-key/hkdf-prf-good.bin", "prf/good.ct",
    ),
    # Each derived keyset is derived again: there is no output to spoil.
    "deriver": Base(
        "deriver", deterministic.GOOD["deriver"], malformed.PLAINTEXT, b"",
        "other-key/deriver-good.bin", None,
    ),
}


def cases() -> list[Case]:
    every = malformed.cases() + streams.cases() + envelopes.cases()
    every += deterministic.cases()
    names = [case.file for case in every]
    assert len(set(names)) == len(names), "two cases have one name"
    for base in BASES.values():
        assert {base.keyset_file, base.ciphertext_file} <= {*names, None}, base
    return every
