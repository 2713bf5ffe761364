"""Builds our own program, and starts its emulator of Key Manager."""

from __future__ import annotations

import os
import shlex
import subprocess

from .peers import TARGET, Missing, program


def start(key: str) -> tuple[subprocess.Popen, dict[str, str]]:
    """Starts the emulator with one key; returns the process and the variables that it prints.

    KEYSEAL_EMULATOR may hold the command that starts another one.
    """
    command = os.environ.get("KEYSEAL_EMULATOR")
    if command is None:
        try:
            command = f"{shlex.quote(program('keyseal'))} emulator"
        except Missing as missing:
            raise SystemExit(f"the emulator: {missing}") from missing
    command = [*shlex.split(command), "--seed-key", key]
    TARGET.mkdir(parents=True, exist_ok=True)
    with (TARGET / "emulator.log").open("w") as log:
        emulator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    variables = {}
    while "SCW_KM_KEY_URI" not in variables:
        line = emulator.stdout.readline()
        if not line:
            said = (TARGET / "emulator.log").read_text()
            raise SystemExit(f"the emulator ended: {emulator.wait()}\n{said}")
        words = shlex.split(line)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            variables[name] = value
    return emulator, variables
