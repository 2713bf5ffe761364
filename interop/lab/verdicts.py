"""Asks each implementation what it makes of the cases of `corpus`."""

from __future__ import annotations

from . import corpus, malformed, table
from .malformed import ACCEPTED, AT_USE, Case
from .peers import Keyset, Peer, Refused, b64

NO_SUCH_TYPE = "no such type"


def of(peer: Peer, case: Case) -> str:
    """Says where `peer` refuses, or that it accepts."""
    if _lacks(peer, case.key_type):
        return NO_SUCH_TYPE
    base = corpus.BASES[case.base]
    message = {
        "input": b64(base.plaintext),
        "associated_data": b64(malformed.ASSOCIATED_DATA),
        "output": b64(base.ciphertext),
    }
    if case.format == "ciphertext":
        keyset = Keyset(base.keyset)
        message["output"] = b64(case.data)
    elif case.encrypted:
        keyset = Keyset(case.data, case.format, malformed.GOOD, case.associated_data)
    else:
        keyset = Keyset(case.data, case.format)
    try:
        if not case.opens:
            # Not a key for the known ciphertext: one of its own must open.
            [message["output"]] = peer.produce(base.primitive, keyset, [message])
        [opened] = peer.consume(base.primitive, keyset, [message])
    except Refused as refused:
        return refused.stage
    return ACCEPTED if opened == base.plaintext else AT_USE


def _lacks(peer: Peer, key_type: str) -> bool:
    return any((hole.peer, hole.key_type) == (peer.name, key_type) for hole in table.HOLES)
