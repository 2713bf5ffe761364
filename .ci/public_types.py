"""Finds types of other crates in the public API, in the JSON that rustdoc makes.

    python3 public_types.py keyseal.json

What every signature, field, bound and implementation of a public item names is looked at.
Implementations of another crate's trait are allowed for the crates in IMPLEMENTED alone.
"""

import json
import sys

STANDARD = {"std", "core", "alloc", "keyseal"}
# Traits that a feature is there to implement, or that have no way around them.
IMPLEMENTED = {"tokio", "zeroize"}


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        doc = json.load(file)
    crates = {int(number): crate["name"] for number, crate in doc["external_crates"].items()}
    crates[0] = "keyseal"
    found = set()
    for item in doc["index"].values():
        if item["crate_id"] != 0:
            continue
        inner = item["inner"].get("impl", {})
        trait = inner.get("trait") or {}
        # Blanket implementations and those of auto traits are nobody's choice.
        if inner.get("blanket_impl") or inner.get("is_synthetic"):
            continue
        for path in _paths(item["inner"]):
            summary = doc["paths"].get(str(path))
            if summary is None:
                continue
            crate = crates[summary["crate_id"]]
            if crate in STANDARD or (crate in IMPLEMENTED and path == trait.get("id")):
                continue
            where = item["name"] or "an implementation"
            span = (item.get("span") or {}).get("filename", "")
            found.add(f"{'::'.join(summary['path'])} in {where} ({span})")
    for line in sorted(found):
        print(f"FAILED {line}")
    print(f"{len(doc['index'])} passed, {len(found)} failed")
    return 1 if found else 0


def _paths(node):
    """The ids of all paths and traits that something names; not what it contains."""
    if isinstance(node, dict):
        if isinstance(node.get("id"), int) and "args" in node:
            yield node["id"]
        for name, each in node.items():
            if name not in ("items", "impls", "variants", "fields_stripped"):
                yield from _paths(each)
    elif isinstance(node, list):
        for each in node:
            yield from _paths(each)


if __name__ == "__main__":
    sys.exit(main())
