"""Rounds: all implementations take turns, and ratios are taken within a round."""

from __future__ import annotations

import itertools
import statistics
import sys
from dataclasses import dataclass

from . import cases, peers

OURS = "keyseal"


@dataclass(frozen=True)
class Plan:
    rounds: int
    # Times the seconds that a peer has for a round, and before its first one.
    longer: float
    warmer: float
    # Of whole files.
    file_mib: int
    file_rounds: int


QUICK = Plan(rounds=5, longer=1, warmer=1, file_mib=256, file_rounds=5)
FULL = Plan(rounds=25, longer=2, warmer=6, file_mib=1024, file_rounds=11)


def measure(kinds: list[peers.Kind], wanted: list[cases.Case], plan: Plan, versions: dict) -> list:
    """Measures each case with every process; the first one has our own calls."""
    running = [peers.Process(kind) for kind in kinds if not kind.once_per_template]
    ours = running[0]
    versions.update(peers.rust_versions())
    keysets = Keysets(ours)
    results = []
    for template, group in itertools.groupby(wanted, key=lambda case: (case.what, case.template)):
        short = [peers.Process(kind) for kind in kinds if kind.once_per_template]
        for process in running + short:
            versions.update(process.info.get("versions", {}))
        for case in group:
            results.append(_case(case, running + short, keysets, plan))
        for process in short:
            process.close()
        print(f"{cases.WHAT[template[0]]}: {template[1]}", file=sys.stderr, flush=True)
    for process in running:
        process.close()
    return results


class Keysets:
    """One keyset for all implementations, made by ours."""

    def __init__(self, ours: peers.Process):
        self._ours = ours
        self._made: dict = {}

    def get(self, case: cases.Case) -> dict:
        # A key-encryption key of an envelope, and the keysets of the other rows, are all AES256_GCM.
        key = (case.template, case.keys)
        if key not in self._made:
            asked = {"template": case.template, "keys": case.keys}
            self._made[key] = self._ours.ask("keyset", **asked)
        return self._made[key]


def _case(case: cases.Case, processes: list, keysets: Keysets, plan: Plan) -> dict:
    keyset = keysets.get(case)
    asked = {
        "what": cases.ASKED_AS.get(case.what, case.what),
        "template": case.template,
        "direction": case.direction,
        "size": case.size,
        "threads": case.threads,
        "keyset": keyset["keyset"],
    }
    if case.what == "keys":
        asked["writer"] = keyset["writer"]
    ready, holes = [], {}
    for process in processes:
        for subject in process.info["subjects"]:
            answer = process.ask("prepare", subject=subject, **asked)
            if "hole" in answer:
                holes[subject] = answer["hole"]
            else:
                ready.append((subject, process, answer["id"]))
    taken = {subject: [] for subject, _, _ in ready}
    for _, process, prepared in ready:
        if process.kind.warm_up:
            process.ask("round", id=prepared, seconds=process.kind.warm_up * plan.warmer)
    for number in range(plan.rounds):
        # Each round begins with another one, so that none is always the first.
        first = number % len(ready)
        for subject, process, prepared in ready[first:] + ready[:first]:
            seconds = process.kind.seconds * plan.longer
            answer = process.ask("round", id=prepared, seconds=seconds)
            taken[subject].append(round(answer["ns"], 2))
    for process in processes:
        process.ask("forget")
    return {
        "what": case.what,
        "template": case.template,
        "direction": case.direction,
        "size": case.size,
        "keys": case.keys,
        "threads": case.threads,
        "name": case.name,
        "subjects": {subject: _of(taken, subject) for subject in taken},
        "holes": holes,
    }


def _of(taken: dict, subject: str) -> dict:
    """The median, every round, and how many times as fast ours is, where there is ours."""
    found = {"ns": statistics.median(taken[subject]), "rounds_ns": taken[subject]}
    if OURS in taken:
        found["times"] = ratio(taken[subject], taken[OURS])
    return found


def ratio(theirs: list[float], ours: list[float]) -> float:
    """The median of the ratios within a round: over 1, ours is faster."""
    return round(statistics.median(a / b for a, b in zip(theirs, ours)), 3)
