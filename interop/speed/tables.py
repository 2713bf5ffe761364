"""The results as Markdown."""

from __future__ import annotations

from pathlib import Path

from . import cases
from .goals import BARE, name
from .rounds import OURS

# The order of the columns.
SUBJECTS = [
    OURS,
    "aws-lc-rs",
    "ring",
    "RustCrypto",
    "keyseal on RustCrypto",
    "tink-rust",
    "tink-go",
    "tink-java",
    "tink-java with Conscrypt",
    "Tink for C++ through Python",
]

# What is between these lines of docs/performance.md is made by the command.
START, END = "<!-- made by interop/bench -->", "<!-- end -->"


def write(path: Path, results: dict):
    path.write_text(_all(results, ""), encoding="utf-8")


def publish(page: Path, results: dict):
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    page.write_text(
        f"{before}{START}\n\n{_all(results, 'performance/')}\n{END}{after}", encoding="utf-8"
    )


def summary(results: dict) -> str:
    lines = [
        f"{'met   ' if line['met'] else 'MISSED'} {line['goal']}: {line['worst']:g} "
        f"({line['bound']}), {line['where']}"
        for line in results["goals"]
    ]
    slower = list(_slower(results))
    lines.append(f"slower than another keyset library in {len(slower)} rows")
    return "\n".join(lines)


def _all(results: dict, plots: str) -> str:
    parts = [_machine(results), _goals(results), _losses(results)]
    if results["cases"]:
        parts.append(f"![AES256_GCM by size]({plots}aes256-gcm.svg)\n\n![Ratios]({plots}ratios.svg)\n")
    for what, heading in cases.WHAT.items():
        rows = [case for case in results["cases"] if case["what"] == what]
        if rows:
            parts.append(_table(heading, rows))
    if results["files"]:
        parts.append(_files(results["files"], plots))
    return "\n".join(parts)


def _machine(results: dict) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    versions = ", ".join(f"{key} {value}" for key, value in sorted(results["versions"].items()))
    how = "a short run, `--quick`" if results["quick"] else "a full run"
    lines = [f"Measured on {results['date']} ({how}): {machine}.", "", f"Versions: {versions}.", ""]
    lines += [f"Left out: {line}\n" for line in results["missing"]]
    return "\n".join(lines)


def _goals(results: dict) -> str:
    lines = ["### Goals", "", "| goal | bound | worst | where | |", "|---|---|---|---|---|"]
    for line in results["goals"]:
        met = "met" if line["met"] else "**missed**"
        lines.append(
            f"| {line['goal']} | {line['bound']} | {line['worst']:g} | {line['where']} | {met} |"
        )
    return "\n".join(lines) + "\n"


def _slower(results: dict):
    for case in results["cases"]:
        for subject, found in case["subjects"].items():
            other = subject not in BARE and not subject.startswith(OURS)
            if other and found.get("times", 1) < 1:
                yield case, subject, found


def _losses(results: dict) -> str:
    lines = ["### Where keyseal is slower", ""]
    rows = sorted(_slower(results), key=lambda row: row[2]["times"])
    if not rows:
        return "\n".join([*lines, "In no row than another keyset library.\n"])
    lines += [
        "| measurement | row | implementation | its time | ours | ours ÷ its |",
        "|---|---|---|---|---|---|",
    ]
    for case, subject, found in rows:
        ours = _time(case["subjects"][OURS]["ns"])
        lines.append(
            f"| {cases.WHAT[case['what']]} | {name(case)} | {subject} | {_time(found['ns'])} | {ours} | "
            f"**{1 / found['times']:.2f}** |"
        )
    return "\n".join(lines) + "\n"


def _table(heading: str, rows: list[dict]) -> str:
    subjects = [each for each in SUBJECTS if any(each in row["subjects"] for row in rows)]
    lines = [f"### {heading}", "", f"| | {' | '.join(subjects)} |", "|---" * (len(subjects) + 1) + "|"]
    for row in rows:
        cells = [_cell(row, subject) for subject in subjects]
        lines.append(f"| {name(row)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(row: dict, subject: str) -> str:
    found = row["subjects"].get(subject)
    if found is None:
        return "–"
    text = _time(found["ns"])
    if row["size"] >= 16 << 10 and row["direction"] != "refuse":
        text = f"{row['size'] / found['ns']:.2f} GB/s"
    if subject == OURS or "times" not in found:
        return text
    times = f"{found['times']:.2f}×"
    return f"{text} (**{times}**)" if found["times"] < 1 else f"{text} ({times})"


def _time(ns: float) -> str:
    if ns < 1000:
        return f"{ns:.0f} ns"
    return f"{ns / 1000:.2f} µs" if ns < 1e6 else f"{ns / 1e6:.2f} ms"


def _files(rows: list[dict], plots: str) -> str:
    lines = ["### Whole processes", ""]
    if any(row["of"] == "cp" for row in rows):
        lines += [f"![Files]({plots}files.svg)", ""]
    for size in dict.fromkeys(row["size"] for row in rows):
        of_size = [row for row in rows if row["size"] == size]
        lines += [
            f"| a file of {size} | seconds | ÷ `{of_size[0]['of']}` | peak memory |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {row['command']} | {row['seconds']:.4f} | {row['ratio']:.2f} | {row['peak_mib']} MiB |"
            for row in of_size
        ]
        lines.append("")
    return "\n".join(lines)
