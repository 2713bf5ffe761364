"""Makes tests/vectors/malformed, and asks every implementation for its verdicts.

The cases are in corpus.py. The tables in docs/interop.md are made too.
"""

from __future__ import annotations

import json
import shutil

from . import corpus, malformed, outputs, peers, table, verdicts
from .malformed import ACCEPTED
from .peers import Peer

FOLDER = peers.REPOSITORY / "tests" / "vectors" / "malformed"
DOCUMENT = peers.REPOSITORY / "docs" / "interop.md"
VERDICTS = "<!-- verdicts: made by interop/vectors -->", "<!-- end of verdicts -->"
HOLES = "<!-- holes: made by interop/vectors -->", "<!-- end of holes -->"


def make(started: dict[str, Peer]) -> tuple[str, list[str]]:
    """Replaces all files; returns what was done, and what there is to look at."""
    cases = corpus.cases()
    for old in FOLDER.iterdir():
        if old.is_dir():
            shutil.rmtree(old)
    entries, wrong = [], []
    for case in cases:
        path = FOLDER / case.file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(case.data)
        found = {name: verdicts.of(peer, case) for name, peer in started.items()}
        ours = found.pop("keyseal")
        if ours != case.expected:
            wrong.append(f"{case.file}: keyseal says {ours}, expected is {case.expected}")
        if stands_alone(case.expected, found) != bool(case.why):
            wrong.append(f"{case.file}: a reason is due where keyseal stands alone, and only there")
        entries.append(entry(case, found))
    manifest = {
        "made_by": f"interop/vectors, which spoils what {outputs.MADE_BY} made",
        "associated_data": malformed.ASSOCIATED_DATA.decode(),
        "bases": {
            name: {
                "primitive": base.primitive,
                "keyset": base.keyset_file,
                "plaintext": base.plaintext.hex(),
                "ciphertext": base.ciphertext_file,
            }
            for name, base in corpus.BASES.items()
        },
        "verdicts_of": {
            name: f"{peer.info['name']} {peer.info['version']}"
            for name, peer in started.items()
            if name != "keyseal"
        },
        "cases": entries,
    }
    text = json.dumps(manifest, indent=1) + "\n"
    (FOLDER / "manifest.json").write_text(text, encoding="utf-8")
    write_table(manifest)
    write_holes()
    return f"{len(cases)} cases in {FOLDER}, {len(wrong)} of them not as they should be", wrong


def entry(case, found) -> dict:
    made = {"file": case.file, "fault": case.fault, "format": case.format}
    if case.encrypted:
        made["encrypted_with_associated_data"] = case.associated_data.decode()
    made |= {"base": case.base, "key_type": case.key_type, "opens_ciphertext": case.opens}
    made |= {"expected": case.expected, "verdicts": found}
    if case.why:
        made["why"] = case.why
    return made


def stands_alone(expected, found) -> bool:
    """Whether every implementation that has the key type says accepted where we refuse, or so."""
    others = {text == ACCEPTED for text in found.values() if text != verdicts.NO_SUCH_TYPE}
    return others == {expected != ACCEPTED}


def write_tables():
    """Writes the tables of the verdicts that are written down."""
    write_table(json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8")))
    write_holes()


def write_table(manifest):
    """Writes the cases in which not all say the same."""
    names = list(manifest["verdicts_of"])
    lines = ["| file | content | keyseal | " + " | ".join(names) + " |"]
    lines.append("|---|---|---|" + "---|" * len(names))
    same = 0
    for case in manifest["cases"]:
        others = [case["verdicts"][name] for name in names]
        accepts = {text == ACCEPTED for text in others if text != verdicts.NO_SUCH_TYPE}
        if accepts == {case["expected"] == ACCEPTED}:
            same += 1
            continue
        row = [f"`{case['file']}`", case["fault"], case["expected"]] + others
        lines.append("| " + " | ".join(row) + " |")
    lines += ["", f"In {same} of {len(manifest['cases'])} cases, all implementations agree whether to accept the input.", ""]
    alone = [case for case in manifest["cases"] if "why" in case]
    if alone:
        lines += ["Where keyseal stands alone:", ""]
        lines += [f"- `{case['file']}`: {case['why']}" for case in alone]
    write_between(VERDICTS, lines)


def write_holes():
    """Writes what an implementation does not have: the matrix checks that it is so."""
    lines = ["| implementation | key type or template | |", "|---|---|---|"]
    lines += [f"| {hole.peer} | `{hole.key_type}` | {hole.reason} |" for hole in table.HOLES]
    lines += [f"| {one.peer} | `{one.template}` | {one.reason} |" for one in table.IMPORTED]
    lines.append(f"| java | any | {table.NO_DESTROYED_JSON} |")
    write_between(HOLES, lines)


def write_between(marks, lines):
    begin, end = marks
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(begin)
    _, after = rest.split(end)
    text = "\n".join([begin, "", *lines, "", end])
    DOCUMENT.write_text(before + text + after, encoding="utf-8")
