"""The machine that was measured on."""

import os
import platform
from pathlib import Path


def describe() -> dict:
    flags = ["aes", "vaes", "pclmulqdq", "vpclmulqdq", "avx2", "avx512f", "sha_ni"]
    found = {"system": f"{platform.system()} {platform.release()}", "cores": os.cpu_count()}
    found["architecture"] = platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return found
    fields = dict(
        (part.strip() for part in line.split(":", 1)) for line in text.splitlines() if ":" in line
    )
    known = fields.get("flags", "").split()
    found["processor"] = fields.get("model name", "unknown")
    found["family and model"] = f"{fields.get('cpu family')} {fields.get('model')}"
    found["instructions"] = " ".join(flag for flag in flags if flag in known)
    memory = Path("/proc/meminfo").read_text().split()[1]
    found["memory"] = f"{int(memory) / (1 << 20):.0f} GiB"
    return found
