"""Makes outputs.json with an official package: each output is of a good keyset of the corpus."""

from __future__ import annotations

import json

from . import deterministic, envelopes, malformed, outputs, streams
from .malformed import ASSOCIATED_DATA, KEYSET_ASSOCIATED_DATA, PLAINTEXT, RAW
from .peers import Keyset, Peer, b64, binary
from .wire import data, num


def make(peer: Peer) -> str:
    """Replaces all of them; returns what is to be done now."""

    def produced(primitive: str, keyset: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        message = {"input": b64(plaintext), "associated_data": b64(associated_data)}
        [output] = peer.produce(primitive, Keyset(keyset), [message])
        return binary(output)

    def keyset(plaintext: bytes) -> bytes:
        return produced("aead", malformed.GOOD, plaintext, KEYSET_ASSOCIATED_DATA)

    def dek(plaintext: bytes, associated_data: bytes = b"") -> bytes:
        return produced("aead", malformed.GOOD, plaintext, associated_data)

    envelope = produced("envelope", envelopes.GOOD, PLAINTEXT, ASSOCIATED_DATA)
    wrapped = envelope[4 : 4 + int.from_bytes(envelope[:4], "big")]
    message = {"input": "", "associated_data": "", "output": b64(wrapped)}
    [its_dek] = peer.consume("aead", Keyset(malformed.GOOD), [message])
    longer = malformed.aes_gcm(32)
    raw = malformed.keyset(malformed.key(malformed.key_data(longer), prefix=RAW))

    made = {
        "ciphertext": produced("aead", malformed.GOOD, PLAINTEXT, ASSOCIATED_DATA),
        "encrypted keyset": keyset(malformed.GOOD),
        "encrypted nothing": keyset(b""),
        "encrypted keyset without keys": keyset(num(1, 42)),
        "encrypted JSON": keyset(malformed.good_json().encode()),
        "envelope": envelope,
        "DEK of no bytes": dek(b""),
        "DEK that is no message": dek(b"\xff"),
        "DEK of 8 bytes": dek(data(3, bytes(8))),
        "DEK of version 1": dek(num(1, 1) + its_dek),
        "DEK with an unknown field": dek(its_dek + num(15, 7)),
        "DEK with associated data": dek(its_dek, ASSOCIATED_DATA),
        "DEK of 32 bytes": dek(longer),
        "payload of the DEK of 32 bytes": produced("aead", raw, PLAINTEXT, ASSOCIATED_DATA),
    }
    for name, base in (("AES-GCM-HKDF", "gcm-stream"), ("AES-CTR-HMAC", "ctr-stream")):
        stream = produced("streaming", streams.GOOD[base], streams.PLAINTEXT, ASSOCIATED_DATA)
        made[f"{name} stream"] = stream
    for name, primitive in (
        ("AES-SIV ciphertext", "daead"), ("HMAC tag", "mac"), ("HKDF output", "prf"),
    ):
        good = deterministic.GOOD[primitive]
        made[name] = produced(primitive, good, PLAINTEXT, ASSOCIATED_DATA)

    content = {"made_by": f"{peer.info['name']} {peer.info['version']}"}
    content |= {name: output.hex() for name, output in made.items()}
    assert set(made) == set(outputs.OUTPUTS), "an output is used that is not made"
    outputs.FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return f"{len(made)} outputs made; now: interop/vectors malformed"
