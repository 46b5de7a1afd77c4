"""Measure handbrew against its peers, interleaved; write docs/benchmarks.md and a JSON beside it.

    python benchmarks/run.py [--mnist DIR] [--rounds N] [--no-write]

``--mnist`` (or the variable MNIST of ``make bench``) names a folder with the four IDX files of MNIST.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")  # for all processes that are started from here too
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")
os.environ.setdefault("HANDBREW_THREADS", "2")

import import_cost
import measure
import memory
import mnist
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
    rounds = args.rounds
    results: measure.Results = {"machine": measure.machine()}
    results |= measure.convnet_steps(rounds) | measure.mlps(rounds) | measure.inference(rounds)
    results["without threadpoolctl"] = measure.without_threadpoolctl()
    results["memory MB"] = memory.measure()
    results["odd convolutions"] = measure.odd_convolutions(max(2, rounds // 2))
    results["growth"] = measure.grow(max(2, rounds // 3))
    if args.mnist:
        results["MNIST epoch"] = mnist.compare(args.mnist)._asdict()
    results["import seconds"] = import_cost.measure()
    text = report.page(results)
    print(text)
    if not args.no_write:
        page = DOCS / "benchmarks.md"
        head = page.read_text().split(MARK)[0]
        page.write_text(f"{head}{MARK}\n\n{text}")
        (DOCS / "benchmarks.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
