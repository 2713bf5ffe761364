"""Asks each implementation what it makes of the cases of `malformed`."""

from __future__ import annotations

from . import malformed, table
from .malformed import ACCEPTED, AT_USE, Case
from .peers import Keyset, Peer, Refused, b64

NO_SUCH_TYPE = "no such type"


def of(peer: Peer, case: Case) -> str:
    """Says where `peer` refuses, or that it accepts."""
    if _lacks(peer, case.key_type):
        return NO_SUCH_TYPE
    message = {
        "input": b64(malformed.PLAINTEXT),
        "associated_data": b64(malformed.ASSOCIATED_DATA),
        "output": b64(malformed.CIPHERTEXT),
    }
    if case.format == "ciphertext":
        keyset = Keyset(malformed.GOOD)
        message["output"] = b64(case.data)
    elif case.encrypted:
        keyset = Keyset(case.data, case.format, malformed.GOOD, case.associated_data)
    else:
        keyset = Keyset(case.data, case.format)
    try:
        if not case.opens:
            # Not a key for the known ciphertext: one of its own must open.
            [message["output"]] = peer.produce("aead", keyset, [message])
        [opened] = peer.consume("aead", keyset, [message])
    except Refused as refused:
        return refused.stage
    return ACCEPTED if opened == malformed.PLAINTEXT else AT_USE


def _lacks(peer: Peer, key_type: str) -> bool:
    return any((hole.peer, hole.key_type) == (peer.name, key_type) for hole in table.HOLES)
