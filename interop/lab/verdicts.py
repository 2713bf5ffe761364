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
    base, keyset, message = _asked(case)
    try:
        if not case.opens:
            # Not a key for the known ciphertext: one of its own must open.
            [message["output"]] = peer.produce(base.primitive, keyset, [message])
        [opened] = peer.consume(base.primitive, keyset, [message])
    except Refused as refused:
        return refused.stage
    return ACCEPTED if opened == base.plaintext else AT_USE


def crosses(producer: Peer, consumer: Peer, case: Case) -> bool:
    """Whether a keyset that both accept is the same to both: one opens what the other makes."""
    base, keyset, message = _asked(case)
    try:
        [output] = producer.produce(base.primitive, keyset, [message])
        [opened] = consumer.consume(base.primitive, keyset, [message | {"output": output}])
    except Refused:
        return False
    return opened == base.plaintext


def _asked(case: Case) -> tuple[corpus.Base, Keyset, dict]:
    """What is asked of an implementation: a keyset, and a message with its output."""
    base = corpus.BASES[case.base]
    message = {
        "input": b64(base.plaintext),
        "associated_data": b64(malformed.ASSOCIATED_DATA),
        "output": b64(base.ciphertext),
    }
    if case.format == "ciphertext":
        return base, Keyset(base.keyset), message | {"output": b64(case.data)}
    if case.encrypted:
        keyset = Keyset(case.data, case.format, malformed.GOOD, case.associated_data)
        return base, keyset, message
    return base, Keyset(case.data, case.format), message


def _lacks(peer: Peer, key_type: str) -> bool:
    return any((hole.peer, hole.key_type) == (peer.name, key_type) for hole in table.HOLES)
