"""Installs the implementations into folders of their own, and speaks with them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

LAB = Path(__file__).resolve().parent.parent
REPOSITORY = LAB.parent
TARGET = REPOSITORY / "target" / "interop"


class Missing(Exception):
    """A toolchain is not on this machine, or the registry does not serve a package; one line."""


class Refused(Exception):
    """An implementation said no; `stage` is where."""

    def __init__(self, stage: str, cause: str):
        super().__init__(f"at {stage}: {cause}")
        self.stage = stage


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def unb64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


# Longer binary data goes through files: pipes are slow for it.
IN_LINE = 65_536


class Scratch:
    """The folder of those files."""

    def __init__(self):
        memory = Path("/dev/shm")
        parent = memory if os.access(memory, os.W_OK) else None
        self._folder = tempfile.TemporaryDirectory(prefix="keyseal-interop-", dir=parent)
        self._kept = 0

    def folder(self, name: str) -> Path:
        made = Path(self._folder.name) / name
        made.mkdir(exist_ok=True)
        return made

    def keep(self, data: bytes) -> str | dict:
        """Turns binary data of ours into a member of a request."""
        if len(data) <= IN_LINE:
            return b64(data)
        self._kept += 1
        path = self.folder("lab") / str(self._kept)
        path.write_bytes(data)
        return {"file": str(path)}

    def clear(self, name: str):
        """Removes what a peer has written."""
        for path in self.folder(name).iterdir():
            path.unlink()


SCRATCH = Scratch()


def binary(member: str | dict) -> bytes:
    """Returns the binary data of a member of an answer."""
    return unb64(member) if isinstance(member, str) else Path(member["file"]).read_bytes()


@dataclass(frozen=True)
class Keyset:
    """A keyset in one form, as it goes over the pipe."""

    data: bytes
    format: str = "binary"
    kek: bytes | None = None  # a binary keyset in cleartext
    associated_data: bytes = b""
    no_secret: bool = False

    def request(self) -> dict:
        return {"data": b64(self.data)} | self.target()

    def target(self) -> dict:
        """The same form, to write a keyset in."""
        return target(self.format, self.kek, self.associated_data, self.no_secret)


def target(
    format: str, kek: bytes | None = None, associated_data: bytes = b"", no_secret: bool = False
) -> dict:
    """The form to write a keyset in."""
    if kek is None:
        return {"format": format} | ({"no_secret": True} if no_secret else {})
    return {"format": format, "kek": b64(kek), "associated_data": b64(associated_data)}


# Seconds, after which a peer hangs.
ANSWERS_IN = 300


@dataclass
class Peer:
    """A running implementation. One request is one line, and so is its answer.

    Binary data is base64 text, or the name of a file.
    """

    name: str
    command: tuple[str, ...]
    info: dict = field(default_factory=dict)

    def __post_init__(self):
        self._process = subprocess.Popen(
            [*self.command, str(SCRATCH.folder(self.name))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.info = self.ask("info")

    def ask(self, operation: str, **arguments) -> dict:
        self._process.stdin.write(json.dumps({"op": operation, **arguments}) + "\n")
        self._process.stdin.flush()
        # One request is one line, so nothing is left in the buffer.
        if not select.select([self._process.stdout], [], [], ANSWERS_IN)[0]:
            self._process.kill()
            raise RuntimeError(f"the peer {self.name} does not answer {operation}")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer {self.name} ended while it was asked for {operation}")
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(answer["stage"], answer["refused"])
        return answer

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)

    # What the lab asks for. The members of requests and answers are listed in ../README.md.

    def template(self, primitive: str, name: str) -> dict | None:
        return self.ask("template", primitive=primitive, name=name)["template"]

    def generate(self, template, prefix: str) -> bytes:
        value = b64(bytes.fromhex(template.value))
        wanted = {"type_url": template.type_url, "value": value, "prefix": prefix}
        return unb64(self.ask("generate", template=wanted)["keyset"])

    def write(self, keyset: Keyset, wanted: dict) -> bytes:
        return unb64(self.ask("write", keyset=keyset.request(), target=wanted)["keyset"])

    def produce(self, primitive: str, keyset: Keyset, messages: list[dict]) -> list[str | dict]:
        outputs = self._each("produce", primitive, keyset, messages)["outputs"]
        assert len(outputs) == len(messages), self.name
        return outputs

    def consume(self, primitive: str, keyset: Keyset, messages: list[dict]) -> list[bytes | None]:
        inputs = self._each("consume", primitive, keyset, messages)["inputs"]
        assert len(inputs) == len(messages), self.name
        return [None if text is None else binary(text) for text in inputs]

    def _each(self, operation: str, primitive: str, keyset: Keyset, messages: list[dict]) -> dict:
        return self.ask(
            operation, primitive=primitive, keyset=keyset.request(), messages=messages
        )


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Missing(f"`{name}` is not installed")
    return found


def step(command: list, **options) -> str:
    """Runs a step of an installation that needs a registry, and returns its output.

    Raises `Missing` with the line that says why it failed.
    """
    command = [str(word) for word in command]
    what = next(word for word in command[1:] if not word.startswith("-"))
    name = f"{Path(command[0]).name} {what}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200, **options)
    except subprocess.TimeoutExpired as expired:
        raise Missing(f"{name}: no end after {expired.timeout:.0f} s") from expired
    if done.returncode == 0:
        return done.stdout
    said = done.stdout + done.stderr
    # What is not what was pinned is not merely missing.
    if "checksum mismatch" in said:
        raise SystemExit(said)
    raise Missing(f"{name}: {_cause(said)}")


def _cause(said: str) -> str:
    """Picks the line that says what is wrong; where the registry is, is not written down."""
    # Maven has colors even where it is told not to; lines that are indented explain those before.
    said = re.sub(r"\x1b\[[\d;]*m", "", said)
    lines = [line.rstrip() for line in said.splitlines() if line.strip() and not line[0].isspace()]
    # Maven and npm say it first, the others last.
    first = (line for line in lines if re.match(r"\[ERROR\] .|npm (error|ERR!) .", line))
    line = next(first, lines[-1] if lines else "no output")
    return re.sub(r"https?://[^\s\"')>]*[^\s\"')>:,.]", "the registry", line)


def build(command: list, **options):
    """Runs a step that needs nothing from elsewhere: that it fails is a failure.

    Only then is what it says of interest.
    """
    command = [str(word) for word in command]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout}\nFAILED {' '.join(command)}: exit code {done.returncode}")


def program(name: str) -> str:
    """Builds one of keyseal's programs; returns its path."""
    return os.path.join(_built("--bin", name), name)


def example(name: str) -> str:
    """Builds one of keyseal's examples; returns its path."""
    return os.path.join(_built("--example", name), "examples", name)


def _built(*target: str) -> str:
    """Builds a target of the workspace; returns the folder of what is built.

    The whole workspace with all features, and an example beside the target: then the dependencies
    have the features that they have in `cargo test --workspace --all-features`, and are built once
    for both. Our own crates are optimized: otherwise ours is the slowest of all implementations, and
    the others wait for it.
    """
    print(f"building {target[1]}; the first time takes minutes", file=sys.stderr, flush=True)
    build(
        [tool("cargo"), "build", "--quiet", "--locked", "--workspace", "--all-features"]
        + [*target, "--example", "own_kms"],
        cwd=REPOSITORY,
        env=os.environ | {"CARGO_PROFILE_DEV_OPT_LEVEL": "3"},
    )
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"), "debug")


def _keyseal() -> list[str]:
    return [program("keyseal-peer")]


def python_packages(folder: Path, requirements: Path) -> Path:
    """Installs packages once into a folder; returns the interpreter that has them."""
    python = folder / "bin" / "python"
    stamp = folder / "installed"
    pinned = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != pinned:
        shutil.rmtree(folder, ignore_errors=True)
        step([sys.executable, "-m", "venv", folder])
        # The last line is to be of the installation, not of a newer pip.
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        step([*pip, "install", "--quiet", "-r", requirements])
        stamp.write_text(pinned)
    return python


def python_with_tink() -> str:
    """Returns an interpreter that has the official package."""
    return str(python_packages(TARGET / "python", LAB / "python" / "requirements.txt"))


def _python() -> list[str]:
    return [python_with_tink(), str(LAB / "python" / "peer.py")]


@dataclass(frozen=True)
class GoExtension:
    """A Go module that not every registry serves, though it is required and pinned like others."""

    path: str
    tag: str  # the build tag of what uses it
    otherwise: str  # what stands in its place where the tag is not set


SCWKMS = GoExtension("github.com/scaleway/tink-go-scwkms", "scwkms", "Scaleway's SDK")

# What could not be had though the rest of its implementation could: its name, and why.
REPLACED: dict[str, str] = {}


def go_program(source: Path, name: str, extension: GoExtension | None = None) -> str:
    """Builds a program with the official module; returns its path.

    Where `extension` cannot be had, one line says so, and the program is built without its tag.
    """
    go, folder = tool("go"), TARGET / "go"
    options = {
        "cwd": source,
        "env": os.environ | {
            "GOMODCACHE": str(folder / "modules"),
            "GOCACHE": str(folder / "cache"),
            "GOFLAGS": "-modcacherw -mod=readonly -buildvcs=false",
            "GOTOOLCHAIN": "local",
        },
    }
    # They are downloaded by name and version: without, Go reads the extension's own requirements,
    # whether it is used or not.
    required = json.loads(step([go, "mod", "edit", "-json"], **options))["Require"]
    modules = {module["Path"]: f"{module['Path']}@{module['Version']}" for module in required}
    optional = modules.pop(extension.path) if extension else None
    step([go, "mod", "download", *modules.values()], **options)
    tags = []
    if extension:
        try:
            step([go, "mod", "download", optional], **options)
            tags = ["-tags", extension.tag]
        except Missing as missing:
            short = extension.path.rpartition("/")[2]
            REPLACED[short] = f"{extension.otherwise} stands in its place: {missing}"
            print(f"skipped {short}: {REPLACED[short]}", flush=True)
    program = folder / name
    build([go, "build", *tags, "-o", program, "."], **options)
    return str(program)


def _go() -> list[str]:
    return [go_program(LAB / "go", "peer", SCWKMS)]


# By its whole name: where nothing answers, Maven then says so.
COPY_JARS = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"


def _java(*options: str) -> list[str]:
    folder = TARGET / "java"
    source = LAB / "java"
    java, javac, maven = tool("java"), tool("javac"), tool("mvn")
    stamp = folder / "installed"
    pinned = hashlib.sha256((source / "pom.xml").read_bytes()).hexdigest()
    jars, sources = folder / "jars", [source / "Peer.java", source / "Kms.java"]
    code = b"".join(file.read_bytes() for file in sources)
    classes = folder / f"classes-{hashlib.sha256(code).hexdigest()[:16]}"
    if not stamp.exists() or stamp.read_text() != pinned:
        shutil.rmtree(folder, ignore_errors=True)
        step(
            [maven, COPY_JARS, "--quiet", "--batch-mode", "--file", source / "pom.xml"]
            + [f"-Dmaven.repo.local={folder / 'repository'}", f"-DoutputDirectory={jars}"]
        )
        stamp.write_text(pinned)
    class_path = f"{jars}/*"
    if not classes.exists():
        # Elsewhere, and then in its place: another run may start it, or compile it, too.
        with tempfile.TemporaryDirectory(dir=folder) as made:
            build([javac, "-encoding", "UTF-8", "-cp", class_path, "-d", f"{made}/new", *sources])
            try:
                os.rename(f"{made}/new", classes)
            except OSError:
                if not classes.exists():
                    raise
    return [java, *options, "-cp", f"{classes}{os.pathsep}{class_path}", "Peer"]


# Ours and the official ones, in the order of the tables.
PEERS: dict[str, Callable[[], list[str]]] = {
    "keyseal": _keyseal,
    "python": _python,
    "go": _go,
    "java": _java,
}

# The same package under a stricter configuration. It reads what the others have written: its
# verdicts are compared, and nothing is made with it.
READERS: dict[str, Callable[[], list[str]]] = {
    "java-2026": lambda: _java("-Dconfiguration=2026"),
}


def start_all() -> dict[str, Peer]:
    """Starts all of them, for what makes no sense without one."""
    try:
        return {name: start(name) for name in [*PEERS, *READERS]}
    except Missing as missing:
        raise SystemExit(f"all implementations are needed: {missing}") from missing


def start(name: str) -> Peer:
    """Installs or builds an implementation, and starts it.

    Raises `Missing` where its toolchain is not installed, or the registry does not serve it.
    """
    TARGET.mkdir(parents=True, exist_ok=True)
    return Peer(name, tuple((PEERS | READERS)[name]()))
