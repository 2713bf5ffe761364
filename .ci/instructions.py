"""Compares counts of instructions with their baseline: REPORT BASELINE [HEAD].

With HEAD, writes the baseline, and HEAD as its first line.
"""

import re
import sys
from pathlib import Path

TOLERANCE = 0.02


def counts(report):
    """Reads the instructions of every benchmark from what the runner prints."""
    found, name = {}, None
    for line in Path(report).read_text().splitlines():
        if header := re.match(r"\S+::call (\w+)", line):
            name = header[1]
        elif count := re.match(r" +Instructions: +(\d+)\b", line):
            found[name] = int(count[1])
    return found


def main():
    report, baseline, *head = sys.argv[1:]
    now = counts(report)
    if not now:
        raise SystemExit(f"{report} has no counts")
    if head:
        lines = [f"{name}\t{count}" for name, count in sorted(now.items())]
        Path(baseline).write_text("\n".join([head[0], *lines, ""]))
        print(f"{len(now)} counts are the baseline now")
        return
    lines = Path(baseline).read_text().splitlines()[1:]
    before = {name: int(count) for name, count in (line.split("\t") for line in lines)}
    off = 0
    for name in sorted(before.keys() | now.keys()):
        if name not in before or name not in now:
            print(f"{name}: only in {'the baseline' if name in before else 'this run'}")
            off += 1
            continue
        change = now[name] / before[name] - 1
        mark = ""
        if abs(change) > TOLERANCE:
            off += 1
            mark = "  <- over 2 %"
        print(f"{name:45} {before[name]:>10} {now[name]:>10} {change:+7.2%}{mark}")
    if off:
        raise SystemExit(f"{off} of {len(now)} counts changed: if that is meant, .ci/instructions --bless")


main()
