"""Draws the matrix: a row for each key type, a square for each pair of implementations."""

from __future__ import annotations

from html import escape
from pathlib import Path

from . import table
from .matrix import Cell
from .peers import Peer
from .report import SINGLE

NAMES = {"keyseal": "keyseal", "python": "Python, C++", "go": "Go", "java": "Java"}
INITIALS = {"keyseal": "k", "python": "P", "go": "G", "java": "J"}

# Widths and heights, in pixels.
SQUARE, GAP, LABEL, MARGIN, GROUP, HEAD, FOOT, LEGEND = 18, 3, 212, 20, 18, 92, 62, 640
PASSED, PARTLY, NONE, FAILED = "#2e8b57", "#93cda9", "#d8dde3", "#c0392b"
INK, FAINT = "#1f2933", "#52606d"


def write(path: Path, peers: list[Peer], cells: list[Cell], templates: tuple[table.Template, ...]):
    rows = _rows(templates)
    pitch = SQUARE + GAP
    group = len(peers) * pitch + GROUP
    width = max(2 * MARGIN + LABEL + len(peers) * group - GROUP, LEGEND)
    height = HEAD + len(rows) * pitch + FOOT
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="12">',
        f"<title>{escape(_title(cells))}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(MARGIN, 28, _title(cells), size=15, weight="bold"),
        _text(MARGIN, 62, "keysets of", fill=FAINT),
        _text(MARGIN, 82, "are used by", fill=FAINT),
    ]
    at = MARGIN + LABEL
    for owner in peers:
        out.append(_text(at, 62, NAMES[owner.name], weight="bold"))
        for index, other in enumerate(peers):
            middle = at + index * pitch + SQUARE / 2
            out.append(_text(middle, 82, INITIALS[other.name], fill=FAINT, anchor="middle"))
        at += group
    found = _by_row(cells, templates)
    for index, row in enumerate(rows):
        top = HEAD + index * pitch
        out.append(_text(MARGIN, top + 13, row))
        at = MARGIN + LABEL
        for owner in peers:
            for place, other in enumerate(peers):
                here = found.get((row, owner.name, other.name), [])
                out.append(_square(at + place * pitch, top, here))
            at += group
    below = HEAD + len(rows) * pitch + 22
    out += [
        _legend(MARGIN, below, PASSED, "all templates, prefixes and forms"),
        _legend(MARGIN + 220, below, PARTLY, "what both have of them"),
        _legend(MARGIN + 390, below, NONE, "one has none"),
        _legend(MARGIN + 500, below, FAILED, "a check failed"),
        _text(MARGIN, below + 22, _versions(peers), size=11, fill=FAINT),
        "</svg>",
    ]
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


def _title(cells: list[Cell]) -> str:
    # Without the total, which each new case would change.
    failed = sum(len(cell.failures) for cell in cells)
    outcome = f"{failed:,} checks failed" if failed else "no check failed"
    return f"keyseal and every official Tink: {outcome}"


def _versions(peers: list[Peer]) -> str:
    # Not those of the machine: the picture is the same everywhere.
    official = [peer for peer in peers if peer.name != "keyseal"]
    return "k keyseal, " + ", ".join(
        f"{INITIALS[peer.name]} {peer.info['name']} {peer.info['version'].lstrip('v')}"
        for peer in official
    )


def _row(template: table.Template) -> str:
    name = template.key_type.removesuffix("Key")
    return f"{name}, {template.name.split()[-1]}" if template.primitive in table.REMOTE else name


def _rows(templates: tuple[table.Template, ...]) -> list[str]:
    return list(dict.fromkeys(_row(template) for template in templates))


def _by_row(cells: list[Cell], templates) -> dict[tuple[str, str, str], list[Cell]]:
    rows = {template.name: _row(template) for template in templates}
    found: dict[tuple[str, str, str], list[Cell]] = {}
    for cell in cells:
        crossed = cell.form not in (*SINGLE, "generate")
        if cell.template in rows and cell.prefix and crossed:
            found.setdefault((rows[cell.template], cell.owner, cell.other), []).append(cell)
    return found


def _square(x: float, y: float, cells: list[Cell]) -> str:
    if any(cell.failures for cell in cells):
        fill = FAILED
    else:
        passed = any(cell.passed for cell in cells)
        holes = any(cell.hole for cell in cells)
        fill = NONE if not passed else PARTLY if holes else PASSED
    return f'<rect x="{x}" y="{y}" width="{SQUARE}" height="{SQUARE}" rx="3" fill="{fill}"/>'


def _legend(x: float, y: float, fill: str, text: str) -> str:
    square = f'<rect x="{x}" y="{y - 11}" width="13" height="13" rx="2" fill="{fill}"/>'
    return square + _text(x + 20, y, text, size=11, fill=FAINT)


def _text(x, y, text, size=12, weight="normal", fill=INK, anchor="start") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{fill}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
