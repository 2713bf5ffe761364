"""Runs checks one by one, prints the outcome of each, and counts them."""

import sys
import traceback

AAD = b"handoff"
PLAINTEXT = b"one client writes, another reads"

_passed, _failed = 0, 0


def check(function, name=None):
    """Runs `function`: its name, or `name`, says what must be true."""
    global _passed, _failed
    name = name or function.__name__.replace("_", " ")
    try:
        function()
    except Exception:  # whatever went wrong is the outcome
        _failed += 1
        print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    else:
        _passed += 1
        print(f"ok {name}", flush=True)


def finish():
    """Ends the program: a run without any check has failed too."""
    sys.exit(1 if _failed or not _passed else 0)
