"""Outputs of an official package, which the malformed corpus spoils: those of outputs.json.

They stay as they are, so that the corpus stays; `interop/vectors outputs` makes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).with_name("outputs.json")
_CONTENT = json.loads(FILE.read_text(encoding="utf-8"))

MADE_BY: str = _CONTENT.pop("made_by")
OUTPUTS = {name: bytes.fromhex(output) for name, output in _CONTENT.items()}
