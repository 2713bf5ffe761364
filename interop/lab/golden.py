"""Makes tests/vectors/tink: keysets and outputs of the official packages, with new keys.

The files are checked by tests/it/tink_vectors.rs, which needs none of the packages. See
tests/vectors/tink/README.md.
"""

from __future__ import annotations

import json
import shutil

from . import peers, table
from .matrix import Messages
from .peers import Keyset, Peer, target

FOLDER = peers.REPOSITORY / "tests" / "vectors" / "tink"
SIZES = (0, 1, 15, 16, 17, 1000)
KEK = "kek/keyset.bin"
LARGE = 65_537  # one message of each template, in a file of its own

# Who makes the vectors of a template: the first that has it. The others add one template each,
# for the way in which they write keysets.
MAKERS = ("python", "go", "java")
STYLES = (("go", "AES256_GCM"), ("java", "AES256_GCM"))


def make(started: dict[str, Peer], named: list[str]) -> str:
    """Replaces all files, or those of the primitives that are named; says what was done."""
    kept = _clear(named)
    if not kept:
        (FOLDER / "kek").mkdir(exist_ok=True)
        (FOLDER / KEK).write_bytes(started[MAKERS[0]].generate(table.KEK, "TINK"))
    kek = (FOLDER / KEK).read_bytes()
    made = [
        _make(started[maker], template, prefix, kek)
        for template in table.TEMPLATES
        if not named or template.primitive in named
        for prefix in template.prefixes
        for maker in _makers(template, prefix)
    ]
    manifest = {
        "kek": KEK,
        "plaintext": "byte i of a message of n bytes is (31 i + n) mod 256",
        "keysets": kept + made,
    }
    _write_json(FOLDER / "manifest.json", manifest)
    return f"{len(made)} keysets made, {len(kept)} kept, in {FOLDER}"


def _clear(named) -> list:
    """Removes what will be made anew; returns the entries of what stays."""
    manifest = FOLDER / "manifest.json"
    entries = json.loads(manifest.read_text(encoding="utf-8"))["keysets"] if named else []
    kept = [entry for entry in entries if entry["primitive"] not in named]
    folders = {(FOLDER / entry["messages"]).parent for entry in kept}
    for maker in MAKERS:
        for old in (FOLDER / maker).glob("*"):
            if old not in folders:
                shutil.rmtree(old)
    return kept


def _makers(template, prefix):
    able = [name for name in MAKERS if table.hole(name, template) is None]
    first = [name for name in able if table.imported(name, template) is None][:1]
    others = [name for name, style in STYLES if (style, "TINK") == (template.name, prefix)]
    return first + others


def _version(peer) -> str:
    return f"{peer.info['name']} {peer.info['version']}"


def _make(peer, template, prefix, kek) -> dict:
    name = f"{peer.name}/{template.name.replace(',', '').replace(' ', '-')}-{prefix}"
    folder = FOLDER / name
    folder.mkdir(parents=True)
    own = Keyset(peer.generate(template, prefix))
    files, written_prefix = [], prefix
    for form in template.forms:
        if form.no_secret:
            continue  # the same bytes as in cleartext
        suffix = {"binary": "bin", "json": "json"}[form.format]
        if form.associated_data is None:
            file, wanted = f"keyset.{suffix}", target(form.format)
        else:
            file = "encrypted-ad" if form.associated_data else "encrypted"
            file, wanted = f"{file}.{suffix}", target(form.format, kek, form.associated_data)
        written = peer.write(own, wanted)
        if form.name == "json":
            written_prefix = json.loads(written)["key"][0]["outputPrefixType"]
        (folder / file).write_bytes(written)
        entry = {"file": f"{name}/{file}", "format": form.format}
        if form.associated_data is not None:
            entry["associated_data"] = form.associated_data.decode("ascii")
        files.append(entry)
    _write_json(folder / "messages.json", _messages(peer, template, own))
    made = {
        "template": template.name,
        "type_url": template.type_url,
        "prefix": written_prefix,  # some write LEGACY as CRUNCHY, which is the same for ciphers
        "primitive": template.primitive,
        "made_by": _version(peer),
        "forms": files,
        "messages": f"{name}/messages.json",
    }
    first = prefix == template.prefixes[0] and (peer.name, template.name) not in STYLES
    if first and template.stock:
        made["large"] = _large(peer, template, own, name)
    return made


def _messages(peer, template, own) -> list:
    """Outputs of every size, in hexadecimal."""
    messages = Messages(template.primitive, template.sizes or SIZES, template.lengths)
    outputs = peer.produce(template.primitive, own, messages.requests)
    return [
        {
            "size": len(plaintext),
            "associated_data": _associated_data(request),
            "output": peers.binary(output).hex(),
        }
        for plaintext, request, output in zip(messages.plaintexts, messages.requests, outputs)
    ]


def _associated_data(request: dict) -> str:
    return peers.unb64(request.get("associated_data", "")).decode("ascii")


def _large(peer, template, own, name) -> dict:
    [*_, last] = Messages(template.primitive, (LARGE,), template.lengths).requests
    [output] = peer.produce(template.primitive, own, [last])
    file = f"{name}/large.bin"
    (FOLDER / file).write_bytes(peers.binary(output))
    return {"size": LARGE, "associated_data": _associated_data(last), "file": file}


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
