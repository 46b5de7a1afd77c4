"""The verb ``predict``: ask a finished run about new samples, one line each."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from handbrew.nets import write_atomically

from .inputs import read_samples
from .outcome import BATCH
from .run_folder import Run
from .task import Array, Task

FEW = 10  # samples that are shown of the held-out ones
EPILOG = """file:
  A CSV with the columns of the training file (others are passed over), an .npz with an array X, an IDX
  file or a .bin of CIFAR. Without one, the first 10 held-out samples are predicted, with the true answer at the end.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder that handbrew train left")
    parser.add_argument("file", nargs="?", metavar="FILE", help="CSV, npz, IDX or CIFAR")
    parser.add_argument("--out", type=Path, metavar="CSV", help="write the predictions to a CSV file instead")


def run(args: argparse.Namespace) -> None:
    """Print the predictions, or write them to a file."""
    finished = Run.open(args.folder)
    task, truth = finished.task, None
    if args.file is None:
        shown = None if args.out else FEW
        X, truth = (part[:shown] for part in finished.held_out())
    else:
        X = read_samples(args.file, task)
    answers = finished.net.predict(task.inputs(X, args.file or "held out"), BATCH)
    header, rows = tabulate(task, answers, truth)
    if args.out:
        write_table(args.out, header, rows)
        print(f"{len(rows):,} predictions in {args.out}")
    else:
        if truth is not None:
            first = next(i for i, name in enumerate(header) if name.startswith("true"))
            rows = [[*row[:first], f"true: {row[first]}", *row[first + 1 :]] for row in rows]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def tabulate(task: Task, answers: Array, truth: Array | None) -> tuple[list[str], list[list[str]]]:
    """Header and rows: the sample's number, its class and the probability (or quantities), the truth."""
    if task.target_scale is not None:
        several = task.outputs > 1
        suffixes = [f"_{i + 1}" if several else "" for i in range(task.outputs)]
        columns = [_numbers(column) for column in task.target_scale.undo(answers).T]
        known = [] if truth is None else [_numbers(column) for column in task.quantities(truth).T]
    else:
        classes = task.classes or ()
        suffixes = [""]
        columns = [[classes[i] for i in answers.argmax(axis=1)], [f"{p:.4f}" for p in answers.max(axis=1)]]
        known = [] if truth is None else [[classes[i] for i in truth]]
    header = ["sample", *(f"predicted{s}" for s in suffixes), *(["probability"] if task.classes else [])]
    header += [f"true{s}" for s in suffixes] if known else []
    numbers = [str(i + 1) for i in range(len(answers))]
    return header, [list(row) for row in zip(numbers, *columns, *known, strict=True)]


def _numbers(column: Array) -> list[str]:
    return [f"{value:.6g}" for value in column]


def write_table(path: Path, header: list[str], rows: list[list[str]]) -> None:
    """Write a CSV file, in the place of nothing but earlier predictions.

    Raises
    ------
    FileExistsError
        If there is another file.
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    if path.exists() and not path.read_bytes().startswith(b"sample,predicted"):
        raise FileExistsError(f"{path}: is there already and holds no predictions; choose another --out")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder")
    with write_atomically(path) as file:
        file.write(text.getvalue().encode())
