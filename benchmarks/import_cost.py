"""How much longer ``import handbrew.layers`` takes than the ``import numpy`` it contains.

Each import runs in a new interpreter and is timed there, so that the interpreter's own start does not
flatter the ratio. The two alternate, so that a busy moment of the machine meets both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

MODULES = ("numpy", "handbrew.layers", "handbrew.nets", "handbrew.solvers")
# An installed package comes with its bytecode; a checkout's is written at the first import, unless forbidden.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
TIMED = "from time import perf_counter; start = perf_counter(); import {}; print(perf_counter() - start)"


def measure(rounds: int = 30) -> dict[str, float]:
    """Return the median seconds of each import."""
    for module in MODULES:
        seconds(module)  # writes the bytecode
    times = [[seconds(module) for module in MODULES] for _ in range(rounds)]
    return {module: median(column) for module, column in zip(MODULES, zip(*times, strict=True), strict=True)}


def seconds(module: str) -> float:
    """Return the time that one import takes in an interpreter of its own."""
    command = [sys.executable, "-c", TIMED.format(module)]
    return float(subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    for module, time in (times := measure()).items():
        print(f"import {module:17} {1000 * time:6.1f} ms  {time / times['numpy']:4.2f}x numpy")
