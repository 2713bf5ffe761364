"""Writes what the matrix found: a Markdown and a JSON file for each pair, and a summary."""

from __future__ import annotations

from pathlib import Path

from . import table
from .matrix import Cell, as_json
from .peers import Peer


# What is asked of one implementation alone.
SINGLE = ("template", "malformed")


def write_pair(folder: Path, owner: Peer, other: Peer, cells: list[Cell]):
    name = f"{owner.name}-{other.name}"
    (folder / f"{name}.json").write_text(as_json([owner, other], cells) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(_pair(owner, other, cells), encoding="utf-8")


def _pair(owner: Peer, other: Peer, cells: list[Cell]) -> str:
    forms = [form.name for form in table.FORMS]
    lines = [
        f"# Keysets of {owner.info['name']}, with {other.info['name']}",
        "",
        versions([owner] if owner is other else [owner, other]),
        "",
        "Each number is how many checks passed: outputs opened in both directions, spoiled ones",
        "refused, the keyset written back. Keys with parameters that no template has are crossed in",
        "two forms.",
        "",
        _row(["template", "prefix"] + forms),
        _row(["---"] * (2 + len(forms))),
    ]
    reasons: list[str] = []
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.template, cell.prefix), {})[cell.form] = cell
    for (template, prefix), row in rows.items():
        if "all" in row:
            texts = [_text(row["all"], reasons)] * len(forms)
        else:
            texts = [_text(row[form], reasons) if form in row else "" for form in forms]
        if "generate" in row:
            template += f" ({_number(row['generate'].hole, reasons)})"
        lines.append(_row([template, prefix] + texts))
    lines += [""] + [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    failed = sum(len(cell.failures) for cell in cells)
    lines += ["", f"In all: {sum(cell.passed for cell in cells)} checks passed, {failed} failed."]
    lines += _failures(cells)
    return "\n".join(lines).rstrip() + "\n"


def _text(cell: Cell, reasons: list[str]) -> str:
    if cell.failures:
        return f"**{len(cell.failures)} failed**"
    if cell.hole is None:
        return str(cell.passed)
    return f"– ({_number(cell.hole, reasons)})"


def _number(reason: str, reasons: list[str]) -> int:
    if reason not in reasons:
        reasons.append(reason)
    return reasons.index(reason) + 1


def write_summary(folder: Path, peers: list[Peer], cells: list[Cell], skipped: list[str]) -> str:
    lines = ["# Interop matrix", "", versions(peers), ""]
    lines += [_row(["keysets of \\ with"] + [peer.name for peer in peers])]
    lines += [_row(["---"] * (1 + len(peers)))]
    for owner in peers:
        row = [owner.name]
        for other in peers:
            pair = [
                cell
                for cell in cells
                if (cell.owner, cell.other) == (owner.name, other.name) and cell.form not in SINGLE
            ]
            failed = sum(len(cell.failures) for cell in pair)
            holes = sum(cell.hole is not None for cell in pair)
            text = f"{sum(cell.passed for cell in pair)} passed"
            text += f", **{failed} failed**" if failed else ""
            text += f", {holes} holes" if holes else ""
            row.append(text)
        lines.append(_row(row))
    lines += ["", "Each implementation alone:", ""]
    for peer in peers:
        for form, what in (("template", "templates by name"), ("malformed", "malformed inputs")):
            own = [cell for cell in cells if (cell.owner, cell.form) == (peer.name, form)]
            failed = sum(bool(cell.failures) for cell in own)
            holes = sum(cell.hole is not None for cell in own)
            lines.append(f"- {peer.name}, {what}: {len(own) - failed} of {len(own)} as written down"
                         + (f", {holes} of them as missing" if holes else "")
                         + (f", **{failed} failed**" if failed else ""))
    failed = sum(len(cell.failures) for cell in cells)
    total = f"{sum(cell.passed for cell in cells)} checks passed, {failed} failed"
    lines += ["", f"In all: {total}."]
    reasons = sorted({f"{cell.hole}" for cell in cells if cell.hole and cell.form not in SINGLE})
    lines += ["", "Holes: templates and prefixes that one of the two does not have."]
    lines += [""] + [f"- {reason}" for reason in reasons]
    lines += [""] + [f"- not run: {line}" for line in skipped]
    lines += _failures(cells)
    text = "\n".join(lines).rstrip() + "\n"
    (folder / "summary.md").write_text(text, encoding="utf-8")
    (folder / "summary.json").write_text(as_json(peers, cells) + "\n", encoding="utf-8")
    return text


def versions(peers: list[Peer]) -> str:
    """Returns a line for each, with every official package that is used."""
    lines = []
    for peer in peers:
        info = peer.info
        also = f" with {', '.join(info['with'])}" if info["with"] else ""
        lines.append(f"- {peer.name}: {info['name']} {info['version']}{also} ({info['runtime']})")
    return "\n".join(lines)


def _failures(cells: list[Cell]) -> list[str]:
    lines = [
        f"- {cell.owner} with {cell.other}, {cell.template} {cell.prefix} {cell.form}: {failure}"
        for cell in cells
        for failure in cell.failures
    ]
    return ["", "## Failures", ""] + lines if lines else []


def _row(texts: list[str]) -> str:
    return "| " + " | ".join(texts) + " |"
