"""Measure handbrew against its peers, in one process, interleaved; write docs/benchmarks.md and a JSON beside it.

    python benchmarks/run.py [--mnist DIR] [--rounds N] [--no-write]

``--mnist`` (or the variable MNIST of ``make bench``) names a folder with the four IDX files of MNIST.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import import_cost
import mlp
import mnist
import numpy as np
import torch
from harness import interleave, ratio

DOCS = Path(__file__).parents[1] / "docs"
MARK = "<!-- measured: everything below is written by make bench -->"
NETS = {
    "4-10-3, batch 5": ((4, 10, 3), 5),
    "784-256-10, batch 128": ((784, 256, 10), 128),
    "784-1024-1024-10, batch 256": ((784, 1024, 1024, 10), 256),
}


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", default=os.environ.get("MNIST") or None, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--no-write", action="store_true", help="print only")
    args = parser.parse_args()
    torch.set_num_threads(2)
    results: dict[str, object] = {"machine": describe_machine()}
    parts = [f"Measured on: {describe_machine()}.\n", steps(args.rounds, results), epochs(args.mnist, results)]
    parts.append(imports(results))
    text = "\n".join(parts)
    print(text)
    if not args.no_write:
        page = DOCS / "benchmarks.md"
        head = page.read_text().split(MARK)[0]
        page.write_text(f"{head}{MARK}\n\n{text}")
        (DOCS / "benchmarks.json").write_text(json.dumps(results, indent=1) + "\n")


def steps(rounds: int, results: dict[str, object]) -> str:
    """One training step of each net."""
    lines = [
        "## One training step",
        "",
        "Forward, loss, backward and momentum SGD, float32, two threads. Ratios say how many times faster "
        "handbrew is; above 1 it wins.",
        "",
        "| net | handbrew | PyTorch | PyTorch, fused SGD | NumPy by hand | the user's own layers |",
        "|---|---|---|---|---|---|",
    ]
    for name, (sizes, batch) in NETS.items():
        contenders = mlp.contenders(sizes, batch)
        check_equal({name: [step() for _ in range(30)][-1] for name, step in contenders.items()})
        times = interleave(contenders, rounds)
        ratios = {peer: ratio(times, peer) for peer in contenders}
        cells = [f"{ratios[peer]:.2f}" for peer in ("PyTorch", "PyTorch, fused SGD", "NumPy by hand", mlp.OWN)]
        lines.append(f"| {name} | {1e6 * median(times['handbrew']):.1f} us | {' | '.join(cells)} |")
        results[name] = {"us": {k: 1e6 * median(v) for k, v in times.items()}, "ratios": ratios}
    return "\n".join(lines) + "\n"


def check_equal(losses: dict[str, float]) -> None:
    """Refuse to compare programs that do not compute the same."""
    if not np.allclose(list(losses.values()), losses["handbrew"], rtol=1e-4):
        raise SystemExit(f"the contenders' losses differ after 30 steps: {losses}")


def epochs(folder: str | None, results: dict[str, object]) -> str:
    """Epochs of MNIST."""
    title = "## One epoch of MNIST\n\n784-256-10, batch 128, momentum SGD, float32, through `fit`.\n\n"
    if folder is None:
        return title + "Not measured: no `--mnist DIR` was given.\n"
    result = mnist.compare(folder)
    results["MNIST epoch"] = result._asdict()
    return title + (
        "| | seconds an epoch | test accuracy after 5 epochs |\n|---|---|---|\n"
        f"| handbrew | {result.handbrew:.2f} | {100 * result.handbrew_accuracy:.2f} % |\n"
        f"| scikit-learn MLPClassifier | {result.sklearn:.2f} | {100 * result.sklearn_accuracy:.2f} % |\n\n"
        f"handbrew is {result.ratio:.2f} times as fast (median over pairs of epochs).\n"
    )


def imports(results: dict[str, object]) -> str:
    """What importing costs."""
    times = results["import seconds"] = import_cost.measure()
    lines = [f"| {name} | {1000 * t:.0f} ms | {t / times['numpy']:.2f} |" for name, t in times.items()]
    head = "## Import\n\n| module | time | ratio to NumPy's own |\n|---|---|---|\n"
    return head + "\n".join(lines) + "\n"


def describe_machine() -> str:
    """Return what the figures depend on."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, NumPy {np.__version__}, "
        f"PyTorch {torch.__version__}"
    )


if __name__ == "__main__":
    main()
