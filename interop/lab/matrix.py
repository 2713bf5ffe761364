"""Crosses implementations: every keyset and every output of one, with the other."""

from __future__ import annotations

import functools
import json
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Iterable

from . import corpus, deterministic, malformed, table, verdicts
from .malformed import ACCEPTED
from .peers import REPOSITORY, SCRATCH, Keyset, Peer, Refused, b64, binary, target


@dataclass
class Cell:
    """What one implementation made of the keysets of another: one template, prefix and form."""

    owner: str
    other: str
    template: str
    prefix: str
    form: str
    passed: int = 0
    failures: list[str] = field(default_factory=list)
    hole: str | None = None

    def check(self, holds: bool, what: str):
        if holds:
            self.passed += 1
        else:
            self.failures.append(what)


class Messages:
    """The messages of a kind of key, and what must come of them."""

    def __init__(self, primitive: str, sizes: tuple[int, ...], lengths: tuple[int, ...]):
        self.primitive = table.PRIMITIVES[primitive]
        self.longest = max(lengths, default=None)
        self.plaintexts: list[bytes] = []
        self.requests: list[dict] = []
        self.labels: list[str] = []
        self.to_spoil: list[int] = []
        variants = [
            ({"associated_data": b64(data)}, f"{len(data)} of associated data")
            for data in table.associated_data(self.primitive)
        ]
        if lengths:
            variants = [({"length": length}, f"{length} of output") for length in lengths]
        for size in sizes:
            plaintext = table.plaintext(size)
            text = SCRATCH.keep(plaintext)
            # Of a long input, one is enough.
            for variant, label in variants if size <= 1000 else variants[-1:]:
                # Another input may well have the same output of a byte.
                if size == 17 and variant.get("length", 16) >= 16:
                    self.to_spoil.append(len(self.requests))
                self.plaintexts.append(plaintext)
                self.requests.append({"input": text} | variant)
                self.labels.append(f"{size} bytes, {label}")

    def sealed(self, outputs: list) -> list[dict]:
        return [request | {"output": output} for request, output in zip(self.requests, outputs)]


_messages = functools.cache(Messages)


def messages_of(template: table.Template) -> Messages:
    sizes = template.sizes or table.PRIMITIVES[template.primitive].sizes or table.SIZES
    return _messages(template.primitive, sizes, template.lengths)


def spoiled(message: dict, primitive: table.Primitive) -> Iterable[tuple[str, dict]]:
    """Ways to spoil an output that must each be refused."""
    output = binary(message["output"])

    def with_output(changed: bytes) -> dict:
        return message | {"output": b64(changed)}

    yield "a flipped first bit", with_output(bytes([output[0] ^ 0x80]) + output[1:])
    middle = len(output) // 2
    changed = bytes([output[middle] ^ 1])
    yield "a flipped bit in the middle", with_output(output[:middle] + changed + output[middle + 1 :])
    # At the end of a derived keyset is its prefix type, which streaming keys ignore.
    if primitive.name != "deriver":
        yield "a flipped last bit", with_output(output[:-1] + bytes([output[-1] ^ 1]))
    yield "a lost last byte", with_output(output[:-1])
    yield "a byte too many", with_output(output + b"\0")
    yield "nothing at all", with_output(b"")
    if primitive.associated_data:
        yield "other associated data", message | {"associated_data": b64(b"other")}
    else:
        yield "another input", message | {"input": b64(b"other")}


# A process starts each implementation once, however many checks it runs.
_own_peer = functools.cache(Peer)


def with_own_peers(check, peers, *rest) -> tuple[list[Cell], float]:
    """Runs `cross` or `recorded` in a process that has no peers yet.

    Starts `peers`, which are names and commands. Returns the cells, and how many seconds it took.
    """
    since = time.monotonic()
    cells = list(check(*(_own_peer(name, command) for name, command in peers), *rest))
    return cells, time.monotonic() - since


def cross(owner: Peer, other: Peer, ours: Peer, templates) -> Iterable[Cell]:
    """Runs every template, prefix and form: the keysets are the owner's."""
    kek = owner.generate(table.KEK, "TINK")
    rings: dict[str, Ring] = {}
    for template in templates:
        ring = rings.setdefault(template.primitive, Ring())
        for prefix in template.prefixes:
            yield from _cells(owner, other, ours, template, prefix, kek, ring)
            SCRATCH.clear(owner.name)
            SCRATCH.clear(other.name)
    for primitive, ring in rings.items():
        if table.PRIMITIVES[primitive].ring and ring.outputs:
            yield from _ring_cells(owner, other, primitive, ring, kek)
    if "aead" in rings:
        yield from _state_cells(owner, other)
        yield _secret_cell(owner, other)
    if "deriver" in rings and rings["deriver"].outputs:
        yield _derivers_cell(owner, other)


@dataclass
class Ring:
    """One keyset of all keys that a pair has for a primitive, and an output of each key.

    Serialized messages that stand behind each other are merged: the keys are those of all the
    keysets, the primary key is that of the last.
    """

    keyset: bytes = b""
    outputs: list[tuple[str, dict]] = field(default_factory=list)
    # A message that the primary key takes.
    message: dict = field(default_factory=dict)

    def add(self, label: str, keyset: bytes, messages: Messages, outputs: list):
        self.keyset += keyset
        index = messages.to_spoil[-1]
        self.message = messages.requests[index]
        self.outputs.append((label, self.message | {"output": outputs[index]}))

    @property
    def plaintext(self) -> bytes:
        return binary(self.message["input"])


def _cells(owner: Peer, other: Peer, ours: Peer, template, prefix: str, kek: bytes, ring: Ring):
    def cell(form: str) -> Cell:
        return Cell(owner.name, other.name, template.name, prefix, form)

    messages = messages_of(template)
    stages = ("generate", "load", "primitive")
    if template.primitive == "deriver":
        # What cannot be derived, some say when they derive it.
        stages += ("use",)
    missing = table.hole(owner.name, template)
    if missing is not None:
        yield _hole(cell("all"), missing, lambda: _use_own(owner, template, prefix), stages)
        return
    imported = table.imported(owner.name, template)
    if imported is not None:
        yield _hole(cell("generate"), imported, lambda: owner.generate(template, prefix), stages)
    maker = owner if imported is None else ours
    try:
        own = Keyset(maker.generate(template, prefix))
        outputs = owner.produce(template.primitive, own, messages.requests)
    except Refused as refused:
        broken = cell("all")
        broken.failures.append(f"{owner.name} cannot make a keyset and use it: {refused}")
        yield broken
        return
    missing = table.hole(other.name, template)
    if missing is not None:
        use = lambda: other.produce(template.primitive, own, messages.requests[:1])
        yield _hole(cell("all"), missing, use, stages)
        return
    ring.add(f"{template.name} {prefix}", own.data, messages, outputs)
    if template.primitive in table.REMOTE:
        kek = own.data
    for form in template.forms:
        done = cell(form.name)
        try:
            _exchange(done, owner, other, messages, own, outputs, form, kek)
            _compare_written(done, owner, other, template, own, form, kek)
        except Refused as refused:
            done.failures.append(str(refused))
        yield done


def _use_own(peer: Peer, template: table.Template, prefix: str):
    own = Keyset(peer.generate(template, prefix))
    peer.produce(template.primitive, own, messages_of(template).requests[:1])


def _ring_cells(owner: Peer, other: Peer, primitive: str, ring: Ring, kek: bytes):
    """All keys in one keyset: each output finds its key."""
    own = Keyset(ring.keyset)
    if primitive in table.REMOTE:
        kek = own.data
    for form in table.forms(primitive):
        cell = Cell(owner.name, other.name, f"all {primitive} keys in one keyset", "", form.name)
        try:
            keyset = _written(owner, own, form, kek)
            messages = [message for _, message in ring.outputs]
            opened = other.consume(primitive, keyset, messages)
            for (label, _), found in zip(ring.outputs, opened):
                cell.check(found == ring.plaintext, f"{other.name} does not open {label}")
            answers = other.produce(primitive, keyset, [ring.message])
            [found] = owner.consume(primitive, own, [ring.message | {"output": answers[0]}])
            cell.check(found == ring.plaintext, f"{owner.name} does not open the answer")
        except Refused as refused:
            cell.failures.append(str(refused))
        yield cell


def _state_cells(owner: Peer, other: Peer):
    """Keys of every status: what is read and written of them, and that they open nothing."""
    primary = malformed.key()
    spare = malformed.key_data(malformed.aes_gcm(32))
    message = {"input": b64(b"input"), "associated_data": b64(b"")}
    enabled = Keyset(malformed.keyset(malformed.key(spare, id=7), primary=7))
    [sealed] = owner.produce("aead", enabled, [message])
    for status, key in (
        ("disabled", malformed.key(spare, malformed.DISABLED, 7)),
        ("destroyed", malformed.key(b"", malformed.DESTROYED, 7)),
        ("destroyed, not erased", malformed.key(spare, malformed.DESTROYED, 7)),
    ):
        own = Keyset(malformed.keyset(primary, key))
        for form in table.FORMS[:2]:
            cell = Cell(owner.name, other.name, f"a key that is {status}", "TINK", form.name)
            read = lambda: _read_back(owner, other, own, form)
            if (status, form.format, other.name) == ("destroyed", "json", "java"):
                yield _hole(cell, table.NO_DESTROYED_JSON, read, ("load",))
                continue
            try:
                cell.check(read() == own.data, f"{other.name} does not write what it has read")
                [answer] = owner.produce("aead", own, [message])
                messages = [message | {"output": output} for output in (sealed, answer)]
                found = other.consume("aead", _written(owner, own, form, b""), messages)
                cell.check(found == [None, b"input"], "it opens its output, or the other key does not")
            except Refused as refused:
                cell.failures.append(str(refused))
            yield cell


def _secret_cell(owner: Peer, other: Peer) -> Cell:
    """A keyset with a secret is not written, and not read, as one without."""
    cell = Cell(owner.name, other.name, "a key with a secret", "TINK", "no-secret-binary")
    own = Keyset(malformed.keyset(malformed.key()))
    for peer, attempt in (
        (owner, lambda: owner.write(own, target("binary", no_secret=True))),
        (other, lambda: other.write(replace(own, no_secret=True), target("binary"))),
    ):
        try:
            attempt()
            refuses = False
        except Refused:
            refuses = True
        cell.check(refuses, f"{peer.name} takes it for one without")
    return cell


def _derivers_cell(owner: Peer, other: Peer) -> Cell:
    """Each enabled key of a deriver keyset derives one of its own."""
    cell = Cell(owner.name, other.name, "several derivers, one disabled", "TINK", "binary")

    def entry(id: int, status: int, size: int) -> bytes:
        prf = malformed.key_data(deterministic.hkdf(size=size), "HkdfPrfKey")
        value = deterministic.deriver(prf=prf)
        return malformed.key(malformed.key_data(value, "PrfBasedDeriverKey"), status, id)

    enabled, disabled = malformed.ENABLED, malformed.DISABLED
    own = Keyset(
        malformed.keyset(entry(42, enabled, 32), entry(7, disabled, 33), entry(8, enabled, 34))
    )
    message = {"input": b64(b"salt")}
    try:
        for producer, consumer in ((owner, other), (other, owner)):
            [output] = producer.produce("deriver", own, [message])
            [found] = consumer.consume("deriver", own, [message | {"output": output}])
            cell.check(found == b"salt", f"{consumer.name} derives something else")
    except Refused as refused:
        cell.failures.append(str(refused))
    return cell


def _read_back(owner: Peer, other: Peer, own: Keyset, form: table.Form) -> bytes:
    """A keyset that its owner writes in a form, and the other in binary."""
    return other.write(_written(owner, own, form, b""), target("binary"))


def _written(owner: Peer, own: Keyset, form: table.Form, kek: bytes) -> Keyset:
    """The owner's keyset in a form."""
    if form.associated_data is None:
        wanted = target(form.format, no_secret=form.no_secret)
        return Keyset(owner.write(own, wanted), form.format, no_secret=form.no_secret)
    wanted = target(form.format, kek, form.associated_data)
    return Keyset(owner.write(own, wanted), form.format, kek, form.associated_data)


def _hole(cell: Cell, reason: str, attempt, stages) -> Cell:
    """A combination that is not there: it is checked that it is not, or the reason is stale."""
    cell.hole = reason
    try:
        attempt()
    except Refused as refused:
        if refused.stage not in stages:
            cell.failures.append(f"it is refused, and not for the stated reason: {refused}")
        return cell
    cell.failures.append(f"it is there, against the stated reason: {reason}")
    return cell


def _exchange(cell, owner, other, messages, own, outputs, form, kek):
    """One keyset in one form, and its messages in both directions."""
    primitive = messages.primitive
    keyset = _written(owner, own, form, kek)

    # The owner's outputs.
    sealed = messages.sealed(outputs)
    bad = [
        spoil
        for index in messages.to_spoil
        for spoil in spoiled(sealed[index], primitive)
    ]
    opened = other.consume(primitive.name, keyset, sealed + [message for _, message in bad])
    for plaintext, label, found in zip(messages.plaintexts, messages.labels, opened):
        cell.check(found == plaintext, f"{other.name} does not open {label}")
    for (what, _), found in zip(bad, opened[len(sealed) :]):
        cell.check(found is None, f"{other.name} opens {what}")

    # The other's outputs.
    answers = messages.sealed(other.produce(primitive.name, keyset, messages.requests))
    opened = owner.consume(primitive.name, own, answers)
    for plaintext, label, found in zip(messages.plaintexts, messages.labels, opened):
        cell.check(found == plaintext, f"{owner.name} does not open {label}")
    if primitive.deterministic:
        for output, answer, label in zip(outputs, answers, messages.labels):
            same = binary(output) == binary(answer["output"])
            cell.check(same, f"the outputs of {label} differ")

    if messages.longest is not None:
        longer = messages.requests[-1] | {"length": messages.longest + 1}
        refuses = _refuses_at("use", other, primitive.name, keyset, longer)
        cell.check(refuses, f"{other.name} makes an output of more than {messages.longest} bytes")

    # The keyset as the other writes it, back at its owner.
    returned = replace(keyset, data=other.write(keyset, keyset.target()))
    [found] = owner.consume(primitive.name, returned, answers[:1])
    works = found == messages.plaintexts[0]
    cell.check(works, f"{owner.name} cannot use what {other.name} wrote")

    if form.associated_data is not None:
        wrong = replace(keyset, associated_data=b"other")
        refuses = _refuses_at("load", other, primitive.name, wrong, messages.requests[0])
        cell.check(refuses, f"{other.name} ignores the keyset's associated data")


def _compare_written(cell, owner, other, template, own, form, kek):
    """What the other writes of a keyset, beside that it works."""
    if form.name == "binary":
        written = other.write(own, target("binary"))
        same = written == table.as_written(other.name, template, own.data)
        cell.check(same, f"{other.name} writes other bytes")
    if form.format == "json" and form.associated_data is not None:
        written = json.loads(other.write(own, target("json", kek, form.associated_data)))
        expected = _info(json.loads(owner.write(own, target("json"))))
        found = written.get("keysetInfo", expected if other.name == "python" else None)
        for info in (found, expected):
            # These may write another prefix type.
            if info and other.name in ("go", "java"):
                info["keyInfo"][0].pop("outputPrefixType")
        cell.check(found == expected, f"{other.name} writes {found} as what is in the keyset")


def _info(keyset: dict) -> dict:
    """The keyset info of a keyset of one key in JSON."""
    [key] = keyset["key"]
    info = {"typeUrl": key["keyData"]["typeUrl"]}
    info |= {name: key[name] for name in ("status", "keyId", "outputPrefixType")}
    return {"primaryKeyId": keyset["primaryKeyId"], "keyInfo": [info]}


def _refuses_at(stage: str, peer: Peer, primitive: str, keyset: Keyset, message: dict) -> bool:
    try:
        peer.produce(primitive, keyset, [message])
    except Refused as refused:
        return refused.stage == stage
    return False


def named(peer: Peer, templates: tuple[table.Template, ...]) -> Iterable[Cell]:
    """Compares the templates that an implementation has by name with the table."""
    for template in templates:
        for name, prefix in template.aliases:
            found = peer.template(template.primitive, name)
            cell = Cell(peer.name, peer.name, name, prefix, "template")
            missing = table.hole(peer.name, template)
            if missing is None and name in table.UNNAMED.get(peer.name, ()):
                missing = f"{peer.info['name']} has no template of this name"
            if (found is None) != (missing is not None):
                cell.failures.append(f"the template is {found}, against what the table says")
            elif found is None:
                cell.hole = missing
            else:
                wanted = {
                    "type_url": template.type_url,
                    "value": b64(bytes.fromhex(template.value)),
                    "prefix": prefix,
                }
                cell.check(found == wanted, f"the template of {peer.name} is {found}")
            yield cell
    yield from _unlisted(peer)


def _unlisted(peer: Peer) -> Iterable[Cell]:
    """Looks for templates that an implementation has and the table has not."""
    known = {name for template in table.TEMPLATES for name, _ in template.aliases}
    types = {template.type_url for template in table.TEMPLATES}
    for name in sorted({*peer.info.get("templates", ())} - known - {*table.OTHER_TEMPLATES}):
        # Which primitive it is for, only Python asks, which does not list its templates.
        found = peer.template("", name)
        if found is None or found["type_url"] in types:
            cell = Cell(peer.name, peer.name, name, "", "template")
            cell.failures.append("the table does not have this template")
            yield cell


def recorded(peer: Peer, ours: Peer, only: str | None) -> Iterable[Cell]:
    """Compares what an implementation makes of malformed input with what is written down.

    Of all of it, or of what concerns one primitive. What both it and ours accept must be the same to
    both.
    """
    folder = REPOSITORY / "tests" / "vectors" / "malformed"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    entries = {entry["file"]: entry for entry in manifest["cases"]}
    for case in corpus.cases():
        if only not in (None, corpus.BASES[case.base].primitive):
            continue
        cell = Cell(peer.name, peer.name, case.file, "", "malformed")
        if case.file not in entries:
            cell.failures.append("it is not written down: interop/vectors malformed does that")
            yield cell
            continue
        wanted = {"keyseal": case.expected} | entries[case.file]["verdicts"]
        verdict = verdicts.of(peer, case)
        cell.check(
            verdict == wanted[peer.name], f"it says {verdict}, written down is {wanted[peer.name]}"
        )
        cell.check(
            entries[case.file]["expected"] == case.expected, "another verdict of ours is written down"
        )
        if verdict == case.expected == ACCEPTED and peer is not ours:
            for producer, consumer in ((ours, peer), (peer, ours)):
                opens = verdicts.crosses(producer, consumer, case)
                cell.check(opens, f"{consumer.name} does not open what {producer.name} makes of it")
        cell.check(
            (folder / case.file).read_bytes() == case.data, "the file is not what the script makes"
        )
        yield cell


def as_json(peers: list[Peer], cells: list[Cell]) -> str:
    return json.dumps(
        {"peers": {peer.name: peer.info for peer in peers}, "cells": [asdict(c) for c in cells]},
        indent=1,
    )
