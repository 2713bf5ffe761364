"""Protobuf, written without any rule."""

from __future__ import annotations


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def num(number: int, value: int) -> bytes:
    return tag(number, 0) + varint(value)


def data(number: int, value: bytes) -> bytes:
    return tag(number, 2) + varint(len(value)) + value
