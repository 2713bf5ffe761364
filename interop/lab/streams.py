"""Cases of tests/vectors/malformed for streams.

Both good streams have segments of 64 bytes under the key 00 01 .. 0f, and four of them: after a
header of 24 bytes, 40 bytes, then 64, 64 and 44.
"""

from __future__ import annotations

from .malformed import (
    ACCEPTED, AT_LOAD, AT_USE, DISABLED, ENABLED, KEY, RAW, TINK, Case, key, key_data, keyset,
)
from .outputs import OUTPUTS
from .wire import data, num

PLAINTEXT = bytes((31 * i + 148) % 256 for i in range(148))
HEADER, SEGMENT = 24, 64
SHA256 = 3

# With the associated data of all cases.
GCM_STREAM = OUTPUTS["AES-GCM-HKDF stream"]
CTR_STREAM = OUTPUTS["AES-CTR-HMAC stream"]


def gcm_key(segment=SEGMENT, derived=16, hash=SHA256, key=KEY, version=0) -> bytes:
    parameters = num(1, segment) + num(2, derived) + num(3, hash)
    return num(1, version) + data(2, parameters) + data(3, key)


def ctr_key(
    segment=SEGMENT, derived=16, hash=SHA256, mac=SHA256, tag=16, key=KEY, version=0
) -> bytes:
    parameters = num(1, segment) + num(2, derived) + num(3, hash)
    parameters += data(4, num(1, mac) + num(2, tag))
    return num(1, version) + data(2, parameters) + data(3, key)


def of_type(type_name: str, value: bytes, prefix: int = RAW) -> bytes:
    return keyset(key(key_data(value, type_name), prefix=prefix))


GCM, CTR = "AesGcmHkdfStreamingKey", "AesCtrHmacStreamingKey"
GOOD = {"gcm-stream": of_type(GCM, gcm_key()), "ctr-stream": of_type(CTR, ctr_key())}
STREAM = {"gcm-stream": GCM_STREAM, "ctr-stream": CTR_STREAM}


def spoiled(base: str) -> list[Case]:
    """One stream, with one fault each."""
    good = STREAM[base]
    other = STREAM["ctr-stream" if base == "gcm-stream" else "gcm-stream"]
    header, first, second, third, last = (
        good[start:end] for start, end in ((0, 24), (24, 64), (64, 128), (128, 192), (192, 236))
    )

    def case(name, fault, content, expected=AT_USE):
        return Case(name, base, fault, bytes(content), expected, "ciphertext", base=base)

    def flip(at, mask=1):
        changed = bytearray(good)
        changed[at] ^= mask
        return changed

    cases = [case("good", "no fault", good, ACCEPTED)]
    for size in (0, 1, 23, 24, 25, 39, 40, 63, 64, 65, 128, 191, 192, 193, 208, len(good) - 1):
        cases.append(case(f"cut-{size}", f"only the first {size} bytes", good[:size]))
    return cases + [
        case("header-length-0", "a header that says it has no bytes", b"\0" + good[1:]),
        case("header-length-23", "a header that says it is a byte shorter", flip(0, 24 ^ 23)),
        case("header-length-25", "a header that says it is a byte longer", flip(0, 24 ^ 25)),
        case("header-length-255", "a header that says it has 255 bytes", b"\xff" + good[1:]),
        case("salt", "a flipped bit in the salt", flip(1)),
        case("nonce-prefix", "a flipped bit in the nonce prefix", flip(17)),
        case("first-segment", "a flipped bit in the first segment", flip(24)),
        case("second-segment", "a flipped bit in the second segment", flip(64)),
        case("last-segment", "a flipped bit in the last segment", flip(192)),
        case("last-tag", "a flipped bit at the end", flip(-1, 0x80)),
        case("first-lost", "without the first segment", header + second + third + last),
        case("middle-lost", "without the second segment", header + first + third + last),
        case("last-lost", "without the last segment", header + first + second + third),
        case("middle-swapped", "two segments in each other's place",
             header + first + third + second + last),
        case("middle-twice", "a segment twice", header + first + second + second + third + last),
        case("last-twice", "the last segment twice", good + last),
        case("twice", "the stream twice", good + good),
        case("byte-behind", "a byte too many at the end", good + b"\0"),
        case("byte-before", "a byte too many at the start", b"\0" + good),
        case("header-twice", "the header twice", header + good),
        case("other-header", "the header of another stream", other[:24] + good[24:]),
        case("other-last", "the last segment of another stream", good[:192] + other[192:]),
        case("zeros", "zeros behind the header", header + bytes(len(good) - HEADER)),
        case("prefixed", "a TINK prefix before the stream", b"\1\0\0\0\x2a" + good),
    ]


def selection() -> list[Case]:
    """Which keys of a keyset open the good streams."""
    cases = []
    for base, type_name, make in (("gcm-stream", GCM, gcm_key), ("ctr-stream", CTR, ctr_key)):

        def entry(id, status=ENABLED, type_name=type_name, make=make, **parameters):
            return key(key_data(make(**parameters), type_name), status, id, RAW)

        def case(name, fault, *entries, expected=AT_USE, primary=7):
            content = keyset(*entries, primary=primary)
            cases.append(
                Case(f"{base}-{name}", "selection", fault, content, expected,
                     key_type=type_name, base=base)
            )

        other = entry(7, key=bytes(16))
        case("second", "the key of the stream is not the primary one, no fault",
             other, entry(42), expected=ACCEPTED)
        case("segments", "the primary key has longer segments than the stream, no fault",
             entry(7, segment=1 << 20), entry(42), expected=ACCEPTED)
        case("disabled", "the key of the stream is disabled", other, entry(42, DISABLED))
        case("lost", "the key of the stream is gone", other)
        case("other-segments", "the key of the stream has longer segments",
             entry(7, segment=128))
        case("other-hash", "the key of the stream has another hash", entry(7, hash=4))
    return cases


def keys() -> list[Case]:
    """What both key types demand of their keys."""
    cases = []

    def case(name, fault, type_name, content, expected=AT_LOAD, prefix=RAW, opens=False):
        base = "gcm-stream" if type_name == GCM else "ctr-stream"
        content = of_type(type_name, content, prefix)
        cases.append(
            Case(name, "streaming-key", fault, content, expected, opens=opens,
                 key_type=type_name, base=base)
        )

    for name, type_name, make in (("gcm", GCM, gcm_key), ("ctr", CTR, ctr_key)):
        case(f"{name}-good", "no fault", type_name, make(), ACCEPTED, opens=True)
        case(f"{name}-tink", "the prefix TINK, which streams ignore", type_name, make(), ACCEPTED,
             prefix=TINK, opens=True)
        for segment in (0, 24, 40):
            case(f"{name}-segment-{segment}", f"segments of {segment} bytes", type_name,
                 make(segment=segment))
        case(f"{name}-segment-41", "segments of 41 bytes, the least, no fault", type_name,
             make(segment=41), ACCEPTED)
        case(f"{name}-segment-2-31", "segments of 2^31 bytes", type_name, make(segment=1 << 31))
        for derived in (0, 15, 24, 64):
            case(f"{name}-derived-{derived}", f"derived keys of {derived} bytes", type_name,
                 make(derived=derived))
        case(f"{name}-derived-32", "derived keys longer than the key", type_name, make(derived=32))
        case(f"{name}-key-15", "a key of 15 bytes", type_name, make(key=bytes(15)))
        case(f"{name}-key-17", "a key of 17 bytes, no fault", type_name, make(key=bytes(17)),
             ACCEPTED)
        case(f"{name}-hash-1", "HKDF with SHA-1, no fault", type_name, make(hash=1), ACCEPTED)
        case(f"{name}-hash-4", "HKDF with SHA-512, no fault", type_name, make(hash=4), ACCEPTED)
        for hash in (0, 2, 5, 6):
            case(f"{name}-hash-{hash}", f"HKDF with the hash of number {hash}", type_name,
                 make(hash=hash))
        case(f"{name}-version-1", "version 1", type_name, make(version=1))
        case(f"{name}-no-parameters", "no parameters", type_name, data(3, KEY))
        case(f"{name}-malformed", "a value that is no message", type_name, b"\xff")
    for mac in (0, 2, 5, 6):
        case(f"ctr-mac-{mac}", f"HMAC with the hash of number {mac}", CTR, ctr_key(mac=mac))
    for tag in (0, 9, 33):
        case(f"ctr-tag-{tag}", f"tags of {tag} bytes", CTR, ctr_key(tag=tag))
    case("ctr-tag-10", "tags of 10 bytes, no fault", CTR, ctr_key(tag=10), ACCEPTED)
    case("ctr-tag-32", "tags of 32 bytes, no fault", CTR, ctr_key(tag=32), ACCEPTED)
    case("ctr-sha512-tag-64", "tags of 64 bytes of SHA-512 in segments of 128, no fault", CTR,
         ctr_key(segment=128, mac=4, tag=64), ACCEPTED)
    return cases


def cases() -> list[Case]:
    return spoiled("gcm-stream") + spoiled("ctr-stream") + selection() + keys()
