"""Measure handbrew against its peers, interleaved; write docs/benchmarks.md and a JSON beside it.

    python benchmarks/run.py [--mnist DIR] [--rounds N] [--no-write]

``--mnist`` (or the variable MNIST of ``make bench``) names a folder with the four IDX files of MNIST.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "2")  # for all processes that are started from here too
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("HANDBREW_THREADS", "2")

import finite_check
import import_cost
import inference
import measure
import memory
import mnist
import optimizers
import ranks
import report
import torch

DOCS = Path(__file__).parents[1] / "docs"
MARK = "<!-- measured: everything below is written by make bench -->"


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", default=os.environ.get("MNIST") or None, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-write", action="store_true", help="print only")
    args = parser.parse_args()
    torch.set_num_threads(2)
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 0.5:
        print(f"other work keeps {load:.1f} cores busy: the figures may be wrong", file=sys.stderr)
    results = run_sections(args.rounds, args.mnist)
    text = report.page(results)
    print(text)
    if not args.no_write:
        page = DOCS / "benchmarks.md"
        head = page.read_text().split(MARK)[0]
        page.write_text(f"{head}{MARK}\n\n{text}")
        (DOCS / "benchmarks.json").write_text(json.dumps(results, indent=1) + "\n")


def run_sections(rounds: int, folder: str | None) -> measure.Results:
    """All measurements, with a line about each on standard error."""
    results: measure.Results = {"machine": measure.machine()}
    few = max(3, rounds // 3)
    for measured in (measure.convnet_steps, measure.mlps, measure.inference):
        results |= timed(partial(measured, rounds), measured.__name__)
    sections: dict[str, Callable[[], Any]] = {
        "without threadpoolctl": measure.without_threadpoolctl,
        "updates": lambda: optimizers.measure(rounds),
        "memory MB": memory.measure,
        "odd convolutions": lambda: measure.odd_convolutions(few),
        "growth": lambda: measure.grow(few),
        "two ranks": lambda: ranks.compare_all(few),
        "runtimes": lambda: inference.measure(rounds),
        "finite check": lambda: finite_check.measure(rounds),
        "import seconds": import_cost.measure,
    }
    if folder:
        sections["MNIST epoch"] = lambda: mnist.compare(folder)._asdict()
    return results | {name: timed(section, name) for name, section in sections.items()}


def timed(section: Callable[[], Any], name: str) -> Any:
    start = perf_counter()
    found = section()
    print(f"{name}: {perf_counter() - start:.0f} s", file=sys.stderr)
    return found


if __name__ == "__main__":
    main()
