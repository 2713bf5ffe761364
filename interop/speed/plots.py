"""The results as plots: SVG, without a library, so that the command needs none."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path

from . import cases
from .goals import BARE
from .rounds import OURS
from .tables import SUBJECTS

COLORS = {
    OURS: "#1f5fbf",
    "aws-lc-rs": "#7f8c8d",
    "ring": "#a5adb0",
    "RustCrypto": "#c3c9cb",
    "tink-rust": "#c0562b",
    "tink-go": "#2e8b57",
    "tink-java": "#b58900",
    "tink-java with Conscrypt": "#d9b44a",
    "Tink for C++ through Python": "#7b4f9d",
}
OTHERS = [each for each in SUBJECTS if each not in BARE and not each.startswith(OURS)]
INK, FAINT, GRID = "#1f2933", "#52606d", "#e4e8ec"


def write(folder: Path, results: dict):
    found = results["cases"]
    if any(case["what"] == "aead" for case in found):
        _save(folder / "aes256-gcm.svg", _by_size(found, "AES256_GCM"))
        _save(folder / "chacha20-poly1305.svg", _by_size(found, "CHACHA20_POLY1305"))
        _save(folder / "ratios.svg", _ratios(found))
    if results["files"]:
        _save(folder / "files.svg", _files(results["files"]))


def _save(path: Path, parts: list[str]):
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _open(width: int, height: int, title: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(20, 26, title, size=15, weight="bold"),
    ]


def _text(x, y, text, size=12, fill=INK, anchor="start", weight="normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" '
        f'text-anchor="{anchor}" font-weight="{weight}">{escape(str(text))}</text>'
    )


def _by_size(found: list[dict], template: str) -> list[str]:
    """Megabytes in a second by the size of a message, encrypting; both axes are logarithmic."""
    rows = {
        case["size"]: case["subjects"]
        for case in found
        if case["what"] == "aead" and case["template"] == template
        and case["direction"] == "encrypt"
    }
    width, height, left, top, right, bottom = 760, 420, 70, 50, 190, 50
    rates = [size / seen["ns"] * 1000 for size, all_of in rows.items() for seen in all_of.values()]
    low, high = math.floor(math.log10(min(rates))), math.ceil(math.log10(max(rates)))
    sizes = sorted(rows)

    def x(size):
        span = math.log2(sizes[-1] / sizes[0])
        return left + math.log2(size / sizes[0]) / span * (width - left - right)

    def y(rate):
        return height - bottom - (math.log10(rate) - low) / (high - low) * (height - top - bottom)

    out = _open(width, height, f"{template}, encrypting: MB/s by the size of a message")
    for power in range(low, high + 1):
        level = y(10.0**power)
        out.append(f'<path d="M{left} {level:.1f}H{width - right}" stroke="{GRID}"/>')
        out.append(_text(left - 8, level + 4, f"{10**power:,}", fill=FAINT, anchor="end"))
    for size in sizes:
        label = _text(x(size), height - bottom + 20, cases.size(size), fill=FAINT, anchor="middle")
        out.append(label)
    ends = []
    for subject, color in COLORS.items():
        points = [
            (x(size), y(size / rows[size][subject]["ns"] * 1000))
            for size in sizes
            if subject in rows[size]
        ]
        if not points:
            continue
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        thick = 3 if subject == OURS else 1.5
        out.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="{thick}"/>'
        )
        ends.append([points[-1][1], subject, color])
    # Names that would lie on one another move down.
    ends.sort()
    for before, end in zip(ends, ends[1:]):
        end[0] = max(end[0], before[0] + 15)
    for level, subject, color in ends:
        bold = "bold" if subject == OURS else "normal"
        out.append(_text(width - right + 10, level + 4, subject, fill=color, weight=bold))
    return [*out, "</svg>"]


def _ratios(found: list[dict]) -> list[str]:
    """How many times as fast keyseal is as each other library, per key type, at 1 KiB."""
    rows = [
        (case, [each for each in OTHERS if each in case["subjects"]])
        for case in found
        if case["size"] == 1024 and case["direction"] in ("encrypt", "compute")
        and case["what"] in ("aead", "daead", "mac", "prf", "stream")
    ]
    rows = [(case, others) for case, others in rows if others]
    title = "keyseal: times as fast as others, 1 KiB, encrypting or computing"
    groups = [
        (case["template"], [(each, case["subjects"][each]["times"]) for each in others])
        for case, others in rows
    ]
    return _bars(title, groups, "1 is level; bars are cut off at 20", 20)


def _files(rows: list[dict]) -> list[str]:
    copies = [row for row in rows if row["of"] == "cp"]
    title = f"A file of {copies[0]['size']} in memory: seconds ÷ those of cp"
    groups = [(row["command"], [(row["command"], row["ratio"])]) for row in copies]
    return _bars(title, groups, "less is faster", 10)


def _bars(title: str, groups: list, note: str, most: float) -> list[str]:
    """A bar for each number, with a line at 1."""
    bar, gap, left, width, top = 13, 8, 300, 760, 62
    count = sum(len(bars) for _, bars in groups)
    height = top + count * bar + len(groups) * gap + 40
    highest = min(most, max(value for _, bars in groups for _, value in bars))
    scale = (width - left - 80) / highest
    out = [*_open(width, height, title), _text(20, 44, note, fill=FAINT)]
    at = top
    for heading, bars in groups:
        out.append(_text(left - 10, at + bar - 3, heading, anchor="end"))
        for subject, value in bars:
            wide = min(value, highest) * scale
            ours = subject.startswith(OURS)
            color = COLORS.get(subject, COLORS[OURS] if ours else "#7f8c8d")
            out.append(
                f'<rect x="{left}" y="{at}" width="{wide:.1f}" height="{bar - 2}" fill="{color}">'
                f"<title>{escape(subject)}: {value:.2f}</title></rect>"
            )
            weight = "bold" if value < 1 and subject in OTHERS else "normal"
            out.append(_text(left + wide + 5, at + bar - 3, f"{value:.2f}", 11, INK, weight=weight))
            at += bar
        at += gap
    one = left + scale
    out.append(f'<path d="M{one:.1f} {top - 6}V{at}" stroke="{INK}" stroke-dasharray="3 3"/>')
    seen = [each for each in COLORS if any(each == name for _, bars in groups for name, _ in bars)]
    across = 20
    for subject in seen:
        out.append(
            f'<rect x="{across}" y="{at + 10}" width="10" height="10" fill="{COLORS[subject]}"/>'
        )
        out.append(_text(across + 14, at + 19, subject, 11))
        across += 30 + 6.2 * len(subject)
    return [*out, "</svg>"]
