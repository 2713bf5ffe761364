"""Finds types of other crates in the public API, in the JSON that rustdoc makes.

    python3 public_types.py keyseal.json

What every signature, field and bound of an item names is looked at, if a user can reach the item
from the crate's root. Implementations of another crate's trait are allowed for the crates in
IMPLEMENTED alone, and SHOWN are the types that no feature can do without.
"""

import json
import sys

STANDARD = {"std", "core", "alloc", "keyseal"}
# Traits that a feature is there to implement, or that have no way around them.
IMPLEMENTED = {"tokio", "zeroize", "serde_core"}
SHOWN = {
    # Bytes that are wiped on the way in, too.
    "zeroize::Zeroizing",
    # What `tokio`'s users read from and write to.
    "tokio::io::async_read::AsyncRead",
    "tokio::io::async_write::AsyncWrite",
}


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        doc = json.load(file)
    index = doc["index"]
    crates = {int(number): crate["name"] for number, crate in doc["external_crates"].items()}
    crates[0] = "keyseal"
    found, looked_at = set(), 0
    for item in _reachable(index, doc["root"]):
        looked_at += 1
        trait = item["inner"].get("impl", {}).get("trait") or {}
        for number in _paths(item["inner"]):
            summary = doc["paths"].get(str(number))
            if summary is None:
                continue
            crate, path = crates[summary["crate_id"]], "::".join(summary["path"])
            implemented = crate in IMPLEMENTED and number == trait.get("id")
            if crate in STANDARD or path in SHOWN or implemented:
                continue
            where = item["name"] or "an implementation"
            span = (item.get("span") or {}).get("filename", "")
            found.add(f"{path} in {where} ({span})")
    for line in sorted(found):
        print(f"FAILED {line}")
    if looked_at < 1000:
        raise SystemExit(f"only {looked_at} items can be reached: rustdoc's JSON has another form now")
    print(f"{looked_at - len(found)} passed, {len(found)} failed")
    return 1 if found else 0


def _reachable(index, root):
    """The items that a user can name, and what belongs to them."""
    seen, waiting = set(), [root]
    while waiting:
        number = waiting.pop()
        item = index.get(str(number))
        if number in seen or item is None or item["crate_id"] != 0:
            continue
        seen.add(number)
        kind, inner = next(iter(item["inner"].items()))
        if kind == "impl":
            # Blanket implementations and those of auto traits are nobody's choice, and a trait says
            # what its items look like.
            if inner.get("blanket_impl") or inner.get("is_synthetic"):
                continue
            waiting += [] if inner.get("trait") else inner["items"]
        elif kind == "use":
            waiting.append(inner["id"])
        else:
            waiting += _belonging(inner)
        yield item


def _belonging(inner):
    """The items of a module, struct, enum, variant or trait."""
    if not isinstance(inner, dict):
        return
    for name in ("items", "impls", "variants", "fields"):
        yield from inner.get(name) or ()
    kind = inner.get("kind")
    if isinstance(kind, dict):
        for each in kind.values():
            yield from (each if isinstance(each, list) else each.get("fields", ()))


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
