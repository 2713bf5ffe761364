"""The processes that are timed, and how they are built."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from lab import peers as lab

HERE = Path(__file__).resolve().parent

# All processes get their memory in the same way: glibc gives large blocks back to the system at
# once, and asking for them again takes longer than encrypting does.
ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_TOP_PAD_": str(64 << 20),
}


@dataclass(frozen=True)
class Kind:
    """A process, before it is started."""

    name: str
    command: list[str]
    # Seconds of a round, and of calls before the first one.
    seconds: float
    warm_up: float
    # Whether a compiler in the process makes it best to start it again for each template.
    once_per_template: bool = False


class Process:
    """A running peer. One request is one line, and so is its answer."""

    def __init__(self, kind: Kind):
        self.kind = kind
        self._process = subprocess.Popen(
            kind.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | ENVIRONMENT,
        )
        self.info = self.ask("info")

    def ask(self, operation: str, **arguments) -> dict:
        self._process.stdin.write(json.dumps({"op": operation, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process {self.kind.name} ended at {operation} {arguments}")
        return json.loads(line)

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)


def _rust() -> Kind:
    manifest = HERE / "rust" / "Cargo.toml"
    target = Path(os.environ.get("CARGO_TARGET_DIR", lab.REPOSITORY / "target"))
    lab.build(
        [lab.tool("cargo"), "build", "--release", "--quiet", "--locked"]
        + ["--manifest-path", manifest, "--target-dir", target]
    )
    return Kind("rust", [str(target / "release" / "keyseal-speed")], 0.003, 0)


def rust_versions() -> dict:
    """The versions in the lock file of the crates that are timed."""
    lock = (HERE / "rust" / "Cargo.lock").read_text()
    found = dict(re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', lock))
    named = ["aws-lc-rs", "aws-lc-sys", "ring", "aes", "aes-gcm", "aes-gcm-siv", "aes-siv"]
    named += ["chacha20poly1305", "eax", "cmac", "hmac", "hkdf", "tink-core", "tink-aead"]
    versions = {name: found[name] for name in named}
    rustc = subprocess.run([lab.tool("rustc"), "--version"], capture_output=True, text=True)
    return versions | {"rustc": rustc.stdout.split()[1], "keyseal": found["keyseal"]}


def _go() -> Kind:
    return Kind("go", [lab.go_program(HERE / "go", "speed")], 0.01, 0.05)


def _python() -> Kind:
    return Kind("python", [lab.python_with_tink(), str(HERE / "python.py")], 0.005, 0.01)


def _java(*options: str) -> Kind:
    java, javac, maven = lab.tool("java"), lab.tool("javac"), lab.tool("mvn")
    folder, source = lab.TARGET / "java-speed", HERE / "java"
    stamp, jars, classes = folder / "installed", folder / "jars", folder / "classes"
    pom = source / "pom.xml"
    pinned = hashlib.sha256(pom.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != pinned:
        shutil.rmtree(folder, ignore_errors=True)
        lab.step(
            [maven, lab.COPY_JARS, "--quiet", "--batch-mode", "--file", pom]
            + [f"-Dmaven.repo.local={lab.TARGET / 'java' / 'repository'}"]
            + [f"-DoutputDirectory={jars}"]
        )
        stamp.write_text(pinned)
    # JMH's annotation processor writes the loop that is timed.
    lab.build(
        [javac, "-encoding", "UTF-8", "-cp", f"{jars}/*", "-d", classes, source / "Calls.java"]
        + ["-processor", "org.openjdk.jmh.generators.BenchmarkProcessor"]
    )
    path = f"{classes}{os.pathsep}{jars}/*"
    command = [java, "--enable-native-access=ALL-UNNAMED", *options, "-cp", path, "speed.Calls"]
    return Kind(" ".join(["java", *options]), command, 0.03, 0.3, once_per_template=True)


ALL: dict[str, Callable[[], Kind]] = {
    "go": _go,
    "python": _python,
    "java": _java,
    "java-conscrypt": lambda: _java("-Dconscrypt=true"),
}


def build(without: list[str]) -> tuple[list[Kind], list[str]]:
    """Builds all of them; returns them, ours first, and a line for each that is missing."""
    print("building; the first time takes minutes", file=sys.stderr, flush=True)
    lab.TARGET.mkdir(parents=True, exist_ok=True)
    built, missing = [_rust()], []
    for name, make in ALL.items():
        if name in without:
            continue
        try:
            built.append(make())
        except lab.Missing as why:
            missing.append(f"{name}: {why}")
            print(f"skipped {missing[-1]}", flush=True)
    return built, missing
