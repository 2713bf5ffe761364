"""Cases of the malformed corpus, changed at random: keysets field by field, JSON token by token."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random
from typing import Callable

from . import corpus, table
from .malformed import ACCEPTED, Case
from .wire import varint

# Around every size and limit of any key type, and of protobuf.
NUMBERS = (
    *range(8), 10, 12, *range(15, 18), 20, 24, 28, *range(31, 34), *range(40, 43), 48, 56, 57,
    *range(63, 66), 100, 255, 256, 1 << 20, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**63,
    2**64 - 1,
)
LENGTHS = (0, 1, 10, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65)
TYPE_URLS = tuple(sorted({template.type_url for template in table.TEMPLATES})) + (
    table.TYPE_URL + "AesCtrKey", table.TYPE_URL + "Ed25519PrivateKey", "",
)
# Field number, wire type, value.
FIELDS = ((9, 0, 1), (9, 2, b"x"), (9, 5, bytes(4)), (9, 1, bytes(8)), (15, 3, b"\x08\x01\x7c"))

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[-+0-9.eExXa-fA-F]+|true|false|null|[\[\]{},:]|\s+|.')
VALUES = (
    "0 1 2 3 -0 0.0 42 42.0 4.2e1 420e-1 0e0 -1 4294967295 4294967296 1e400 42.5 00 1. .5 1e NaN "
    'Infinity null true [] {} "" "42" "1" "TINK" "RAW" "LEGACY" "CRUNCHY" "ENABLED" "DISABLED" '
    '"DESTROYED" "SYMMETRIC" "ASYMMETRIC_PUBLIC" "REMOTE" "UNKNOWN_KEYMATERIAL" "ENABLED " '
    '"primaryKeyId" "key" "keyData" "value" "status" "@type" "\\u0041" "\\x" "\\ude00"'
).split(" ")
MARKS = (
    *",:{}[] \n\t\v\f\0", "\u00a0", "\ufeff", "/**/", "#",
    *(f"\\{letter}" for letter in 'nbt/"\\'), "\\u0000", "\\u000a", "=", "==", "-", "_", "+", "é",
)


CASES = corpus.cases()
# Of what is refused at first, most is refused in the end.
SOUND = [case for case in CASES if case.expected == ACCEPTED and case.format != "ciphertext"]


def mutated(random: Random) -> Case:
    """A case of the corpus with a few more changes. It need not open the known ciphertext."""
    case = random.choice(random.choice((CASES, SOUND, SOUND)))
    if case.format == "ciphertext":
        return replace(case, data=_bytes(case.data, random))
    change: Callable[[bytes, Random], bytes] = _json if case.format == "json" else _message
    data = case.data
    for _ in range(random.choice((1, 1, 2, 3))):
        data = change(data, random)
    return replace(case, data=data, opens=False)


def _bytes(data: bytes, random: Random) -> bytes:
    start, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    return random.choice((
        data[:start],
        data[:start] + data[end:],
        data[:end] + data[start:],
        data + bytes(random.choice(LENGTHS)),
        random.randbytes(random.choice(LENGTHS)),
        bytes(byte ^ (place == start) << random.randrange(8) for place, byte in enumerate(data)),
    ))


def _message(data: bytes, random: Random, depth: int = 0) -> bytes:
    fields = _fields(data)
    if not fields or random.random() < 0.1:
        return _bytes(data, random)
    place = random.randrange(len(fields))
    number, kind, value = fields[place]
    at_random = random.random()
    if at_random < 0.6:
        if kind == 0:
            value = random.choice(NUMBERS)
        elif kind == 2 and value in [url.encode() for url in TYPE_URLS]:
            value = random.choice(TYPE_URLS).encode()
        elif kind == 2 and depth < 7:
            value = _message(value, random, depth + 1)
        fields[place] = number, kind, value
    elif at_random < 0.68:
        del fields[place]
    elif at_random < 0.76:
        fields.insert(random.randrange(len(fields) + 1), fields[place])
    elif at_random < 0.82:
        fields[place] = random.choice((*range(1, 6), 9, 1000)), kind, value
    elif at_random < 0.88:
        fields[place] = (number, *random.choice(FIELDS)[1:])
    elif at_random < 0.92:
        random.shuffle(fields)
    else:
        fields.insert(random.randrange(len(fields) + 1), random.choice(FIELDS))
    return b"".join(_written(*field) for field in fields)


def _fields(data: bytes) -> list | None:
    """Takes a message apart; nothing where it is none, or has groups."""
    fields, at = [], 0
    try:
        while at < len(data):
            tag, at = _varint(data, at)
            kind = tag & 7
            if kind == 0:
                value, at = _varint(data, at)
            else:
                size, at = _varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
                value, at = data[at : at + size], at + size
            if at > len(data) or tag < 8:
                return None
            fields.append((tag >> 3, kind, value))
    except (IndexError, KeyError):
        return None
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while data[at] & 0x80:
        value, shift, at = value | (data[at] & 0x7F) << shift, shift + 7, at + 1
    return value | data[at] << shift, at + 1


def _written(number: int, kind: int, value) -> bytes:
    out = varint(number << 3 | kind)
    if kind == 0:
        return out + varint(value)
    return out + (varint(len(value)) if kind == 2 else b"") + value


def _json(data: bytes, random: Random) -> bytes:
    try:
        tokens = TOKEN.findall(data.decode("utf-8"))
    except UnicodeDecodeError:
        tokens = []
    if not 0 < len(tokens) < 1000:
        return _bytes(data, random)
    place = random.randrange(len(tokens))
    token = tokens[place]
    at_random = random.random()
    if at_random < 0.35:
        tokens[place] = random.choice(VALUES)
    elif at_random < 0.45:
        del tokens[place]
    elif at_random < 0.55:
        tokens.insert(random.randrange(len(tokens)), token)
    elif at_random < 0.65:
        tokens.insert(place, random.choice(MARKS))
    elif at_random < 0.85:
        cut = random.randrange(len(token) + 1)
        tokens[place] = token[:cut] + random.choice(MARKS) + token[cut + random.randrange(2) :]
    elif at_random < 0.9:
        tokens[place] = token.swapcase()
    else:
        # A member of a name that is there.
        names = [at for at, each in enumerate(tokens) if each == ":" and at > 0]
        if names:
            at = random.choice(names) - 1
            tokens.insert(at, f"{tokens[at]}: {random.choice(VALUES)}, ")
    return "".join(tokens).encode("utf-8", "surrogatepass")
