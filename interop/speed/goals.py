"""The goals that docs/performance.md states, and whether a run has met them."""

from __future__ import annotations

from typing import Iterator

from . import cases
from .rounds import OURS

BARE = {"aws-lc-rs", "ring", "RustCrypto"}
# What keyseal stands on by default, where there are two.
FASTEST = ["aws-lc-rs", "RustCrypto"]


def check(results: dict) -> list[dict]:
    """Returns a line for each goal, as far as it was measured: the worst number counts."""
    found = results["cases"]
    lines = [
        _most("handle ÷ bare cipher of the same provider, up to 256 B", 1.05, _overheads(found, 0, 256)),
        _most("handle ÷ bare cipher of the same provider, from 1 KiB", 1.02, _overheads(found, 1024)),
        _least("speed ÷ any other keyset library, every size", 1.0, _times(found)),
        _least("speed ÷ tink-rust, AES-GCM from 16 KiB", 8, _tink_rust(found)),
        _most("a primitive of one key, µs", 1, _make(found, 1)),
        _most("a primitive of 100 keys, µs", 60, _make(found, 100)),
        _most("envelope of 1 KiB beyond the AEAD, µs", 0.8, _envelope(found)),
        _least("AES-SIV and AES-EAX from 16 KiB, GB/s", 0.9, _cmac(found)),
        _most("AES-SIV of 16 B, ns", 200, _siv(found)),
        _most(f"decrypt among {cases.MANY:,} keys ÷ one key", 1.05, _among(found)),
        _most(f"{cases.MANY:,} keys loaded, µs a key", 1, _load(found)),
    ]
    files = {(row["size"], row["command"]): row for row in results["files"]}
    for threads, most in [(1, 1.25), (2, 0.7)]:
        pattern = f" -j {threads}"
        measured = [
            (row["command"], row["ratio"])
            for row in files.values()
            if row["command"].endswith(pattern)
        ]
        goal = f"file to file, -j {threads} ÷ cp"
        lines.append(_most(goal, most, iter(measured)))
    for command, most in [("keyseal encrypt", 10), ("keyseal --version", 3)]:
        row = files.get(("1 KiB", command))
        measured = [(command, 1000 * row["seconds"])] if row else []
        lines.append(_most(f"whole process `{command}`, ms", most, iter(measured)))
    return [line for line in lines if line]


Measured = Iterator[tuple[str, float]]


def _most(goal: str, bound: float, measured: Measured) -> dict | None:
    worst = max(measured, key=lambda pair: pair[1], default=None)
    return worst and _line(goal, f"at most {bound:g}", worst, worst[1] <= bound)


def _least(goal: str, bound: float, measured: Measured) -> dict | None:
    worst = min(measured, key=lambda pair: pair[1], default=None)
    return worst and _line(goal, f"at least {bound:g}", worst, worst[1] >= bound)


def _line(goal: str, bound: str, worst: tuple[str, float], met: bool) -> dict:
    return {
        "goal": goal, "bound": bound, "worst": round(worst[1], 3), "where": worst[0], "met": met,
    }


def name(case: dict) -> str:
    return f"{case['template']} {case['name']}"


def _overheads(found: list, least: int, most: int = 1 << 30) -> Measured:
    """Ours over the bare cipher of the provider that keyseal takes."""
    for case in found:
        if case["what"] not in ("aead", "daead", "mac", "prf") or not least <= case["size"] <= most:
            continue
        # MACs come from RustCrypto: it is the fastest at them.
        known = FASTEST if case["what"] == "aead" else FASTEST[1:]
        bare = next((each for each in known if each in case["subjects"]), None)
        if bare:
            yield f"{name(case)}, {bare}", 1 / case["subjects"][bare]["times"]


def _times(found: list) -> Measured:
    for case in found:
        for subject, measured in case["subjects"].items():
            if subject not in BARE and not subject.startswith(OURS):
                yield f"{name(case)}, {subject}", measured["times"]


def _tink_rust(found: list) -> Measured:
    for case in found:
        of_gcm = case["what"] == "aead" and case["template"] in ("AES128_GCM", "AES256_GCM")
        if of_gcm and case["size"] >= 16 << 10 and "tink-rust" in case["subjects"]:
            yield name(case), case["subjects"]["tink-rust"]["times"]


def _ours(found: list, what: str) -> list[tuple[dict, float]]:
    return [
        (case, case["subjects"][OURS]["ns"])
        for case in found
        if case["what"] == what and OURS in case["subjects"]
    ]


def _make(found: list, keys: int) -> Measured:
    for case, ns in _ours(found, "make"):
        if case["keys"] == keys:
            yield name(case), ns / 1000


def _load(found: list) -> Measured:
    for case, ns in _ours(found, "load"):
        if case["keys"] == cases.MANY:
            yield name(case), ns / 1000 / cases.MANY


def _envelope(found: list) -> Measured:
    alone = {(case["direction"], case["size"]): ns for case, ns in _ours(found, "aead")
             if case["template"] == "AES256_GCM"}
    for case, ns in _ours(found, "envelope"):
        if case["size"] == 1024 and (case["direction"], 1024) in alone:
            yield name(case), (ns - alone[case["direction"], 1024]) / 1000


def _cmac(found: list) -> Measured:
    for case, ns in _ours(found, "aead") + _ours(found, "daead"):
        if case["template"] in ("AES256_SIV", "AES256_EAX") and case["size"] >= 16 << 10:
            yield name(case), case["size"] / ns


def _siv(found: list) -> Measured:
    for case, ns in _ours(found, "daead"):
        if case["size"] == 16:
            yield name(case), ns


def _among(found: list) -> Measured:
    of_keys = {(case["template"], case["size"], case["keys"]): case for case, _ in _ours(found, "keys")}
    for (template, size, keys), case in of_keys.items():
        if keys == cases.MANY:
            one = of_keys[template, size, 1]["subjects"][OURS]["ns"]
            many = case["subjects"][OURS]["ns"]
            yield f"{template} decrypt, {cases.size(size)}", many / one
