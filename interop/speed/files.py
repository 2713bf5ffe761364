"""Whole processes on whole files: keyseal, cp, age, rage and openssl, in turns."""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab import peers as lab

from .peers import ENVIRONMENT
from .rounds import Plan, ratio

AGE, RAGE = "v1.3.2", "0.12.1"
TEMPLATE = "AES256_GCM_HKDF_1MB"
# A process that encrypts a short message does little but start.
SHORT = 1024


def measure(plan: Plan, versions: dict, missing: list[str]) -> list[dict]:
    """Times each command several times; a row is a command, with every time in seconds."""
    programs = _programs(versions, missing)
    # Memory that is a file system: the disk is not what is compared.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="keyseal-bench-", dir=memory) as folder:
        folder = Path(folder)
        plain = folder / "plain"
        with plain.open("wb") as file:
            for _ in range(plan.file_mib):
                file.write(os.urandom(1 << 20))
        long = _commands(folder, plain, programs)
        short = folder / "short"
        short.write_bytes(os.urandom(SHORT))
        brief = _brief(folder, short, programs)
        rows = _time(long, folder, plan.file_rounds, f"{plan.file_mib} MiB", "cp")
        return rows + _time(brief, folder, 4 * plan.file_rounds, "1 KiB", "keyseal encrypt")


def _programs(versions: dict, missing: list[str]) -> dict[str, str]:
    target = Path(os.environ.get("CARGO_TARGET_DIR", lab.REPOSITORY / "target"))
    lab.build(
        [lab.tool("cargo"), "build", "--release", "--locked", "--quiet", "--package", "keyseal-cli"],
        cwd=lab.REPOSITORY,
    )
    found = {"keyseal": str(target / "release" / "keyseal"), "cp": lab.tool("cp"), "dd": lab.tool("dd")}
    for name, install in [("age", _age), ("rage", _rage)]:
        try:
            found[name] = install()
            found[f"{name}-keygen"] = str(Path(found[name]).with_name(f"{name}-keygen"))
            versions[name] = _said([found[name], "--version"]).removeprefix(f"{name} ")
        except lab.Missing as why:
            missing.append(f"{name}: {why}")
            print(f"skipped {missing[-1]}", flush=True)
    if shutil.which("openssl"):
        found["openssl"] = shutil.which("openssl")
        versions["openssl"] = _said([found["openssl"], "version"])
    versions["cp"] = _said([found["cp"], "--version"]).splitlines()[0].rpartition(" ")[2]
    return found


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _age() -> str:
    """Builds the pinned release, unless it is there already."""
    folder = lab.TARGET / "go" / "bin"
    if not (folder / "age").exists():
        go, cache = lab.tool("go"), lab.TARGET / "go"
        options = {
            "env": os.environ | {
                "GOBIN": str(folder),
                "GOMODCACHE": str(cache / "modules"),
                "GOCACHE": str(cache / "cache"),
                "GOFLAGS": "-modcacherw",
                "GOTOOLCHAIN": "local",
            },
        }
        for command in ["age", "age-keygen"]:
            lab.step([go, "install", f"filippo.io/age/cmd/{command}@{AGE}"], **options)
    return str(folder / "age")


def _rage() -> str:
    folder = lab.TARGET / "rage"
    if not (folder / "bin" / "rage").exists():
        print("building rage", file=sys.stderr, flush=True)
        cargo = [lab.tool("cargo"), "install", "--quiet", "--locked", "--root", folder]
        lab.step([*cargo, "--target-dir", folder / "build", "rage", "--version", RAGE])
    return str(folder / "bin" / "rage")


def _commands(folder: Path, plain: Path, programs: dict[str, str]) -> dict[str, list]:
    output, keyset, sealed = folder / "output", folder / "keyset.json", folder / "sealed"
    keyseal, keys = programs["keyseal"], ["--keyset", keyset, "--insecure-cleartext", "-q"]
    _run([keyseal, "keyset", "create", "--template", TEMPLATE, "-o", keyset, *keys[2:]])
    _run([keyseal, "encrypt", plain, "-o", sealed, *keys])
    commands = {
        "cp": [programs["cp"], plain, output],
        "no cipher: dd, 256 KiB at a time": [
            programs["dd"], f"if={plain}", f"of={output}", "bs=256K", "status=none",
        ],
    }
    for threads in ["1", "2"]:
        for verb, source in [("encrypt", plain), ("decrypt", sealed)]:
            command = [keyseal, verb, source, "-o", output, "-j", threads, *keys]
            commands[f"keyseal {verb} -j {threads}"] = command
    for program in ["age", "rage"]:
        if program in programs:
            recipient = _identity(folder, program, programs)
            aged, identity = folder / f"{program}.age", folder / f"{program}.txt"
            _run([programs[program], "-r", recipient, "-o", aged, plain])
            commands[f"{program} encrypt"] = [programs[program], "-r", recipient, "-o", output, plain]
            commands[f"{program} decrypt"] = [
                programs[program], "-d", "-i", identity, "-o", output, aged,
            ]
    if "openssl" in programs:
        cipher = ["enc", "-aes-256-ctr", "-K", "42" * 32, "-iv", "24" * 16]
        commands["openssl enc -aes-256-ctr, not authenticated"] = [
            programs["openssl"], *cipher, "-in", plain, "-out", output,
        ]
    return commands


def _identity(folder: Path, program: str, programs: dict[str, str]) -> str:
    identity = folder / f"{program}.txt"
    if not identity.exists():
        _run([programs[f"{program}-keygen"], "-o", identity])
    lines = identity.read_text().splitlines()
    return next(line.split()[-1] for line in lines if "public key" in line)


def _brief(folder: Path, short: Path, programs: dict[str, str]) -> dict[str, list]:
    output, keyset = folder / "output", folder / "keyset.json"
    keyseal, keys = programs["keyseal"], ["--keyset", keyset, "--insecure-cleartext", "-q"]
    commands = {
        "keyseal encrypt": [keyseal, "encrypt", short, "-o", output, *keys],
        "keyseal --version": [keyseal, "--version"],
    }
    for program in ["age", "rage"]:
        if program in programs:
            recipient = _identity(folder, program, programs)
            commands[f"{program} encrypt"] = [programs[program], "-r", recipient, "-o", output, short]
    return commands


def _time(commands: dict, folder: Path, count: int, size: str, unit: str) -> list[dict]:
    times: dict[str, list[float]] = {name: [] for name in commands}
    names = list(commands)
    for number in range(count):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            (folder / "output").unlink(missing_ok=True)
            times[name].append(round(_run(commands[name]), 5))
    print(f"files of {size}", file=sys.stderr, flush=True)
    return [
        {
            "size": size,
            "command": name,
            "seconds": statistics.median(taken),
            "rounds_s": taken,
            "of": unit,
            "ratio": ratio(taken, times[unit]),
            "peak_mib": _peak(commands[name], folder),
        }
        for name, taken in times.items()
    ]


def _run(command: list) -> float:
    """Returns the seconds that a process takes."""
    start = time.perf_counter()
    child = _start(command)
    child.wait()
    seconds = time.perf_counter() - start
    if child.returncode != 0:
        raise SystemExit(f"{command[0]} {command[1]} failed")
    return seconds


def _peak(command: list, folder: Path) -> float:
    """Returns the peak memory of a process in MiB, as the system last showed it.

    What `wait4` says of a child includes this process's own memory, which a child has until it runs
    its program.
    """
    (folder / "output").unlink(missing_ok=True)
    child = _start(command)
    peak = 0
    while child.poll() is None:
        status = Path(f"/proc/{child.pid}/status").read_text()
        peak = max([peak, *map(int, re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE))])
    if child.returncode != 0 or peak == 0:
        raise SystemExit(f"the memory of {command[0]} {command[1]} was not seen")
    return round(peak / 1024, 1)


def _start(command: list) -> subprocess.Popen:
    return subprocess.Popen(
        [str(word) for word in command],
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
