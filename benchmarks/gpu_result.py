"""Keep what a stage of gpu.sh said: python benchmarks/gpu_result.py FILE STAGE STATUS SECONDS LOG. Needs nothing but Python."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from datetime import date
from importlib import metadata
from pathlib import Path

PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "cupy", "numpy", "cffi", "torch")


def first_line(*command: str) -> str:
    """The first line that a command prints; empty where there is no such command."""
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return (done.stdout.strip().splitlines() or [""])[0]


def machine() -> dict[str, str]:
    """The device, and the versions that results depend on."""
    found = {name: metadata.version(name) for name in PACKAGES if list(metadata.distributions(name=name))}
    device = first_line("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    compiler = (
        subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=False)
        if shutil.which("nvcc")
        else None
    )
    return {
        "device": device,
        "nvcc": (compiler.stdout.strip().splitlines() or [""])[-1] if compiler else "",
        "python": platform.python_version(),
        **found,
    }


def main() -> None:
    """Add the stage to the file."""
    path, stage, status, seconds, log = sys.argv[1:]
    file = Path(path)
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    text = Path(log).read_text(encoding="utf-8", errors="replace")
    known[stage] = {
        "date": date.today().isoformat(),
        "machine": machine(),
        "status": int(status),
        "seconds": int(seconds),
        "said": text.splitlines()[-15:],
    }
    file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
