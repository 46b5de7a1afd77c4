"""What a run was asked to do, and the defaults that suit its data."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .task import Task

LARGE = 10_000  # samples; from here on few epochs of larger batches do
WIDE = 300  # columns of a table


@dataclass(frozen=True)
class Settings:
    """All that decides a run's result; ``data`` is an absolute path, ``None`` for the embedded digits."""

    data: str | None
    target: str | None
    regression: bool
    net: str
    activation: str
    dropout: float
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    seed: int


def add_training_arguments(parser: argparse._ActionsContainer) -> None:
    """The options of the training loop."""
    parser.add_argument("--epochs", type=int, metavar="N", help=f"default: 50; 5 from {LARGE:,} samples on")
    parser.add_argument("--batch-size", type=int, metavar="N", help=f"default: 32; 64 from {LARGE:,} samples on")
    parser.add_argument(
        "--lr", type=float, metavar="RATE", help="default: 0.1; less for large data, tables, quantities"
    )
    parser.add_argument("--momentum", type=float, default=0.9, metavar="M", help="default: 0.9")
    parser.add_argument("--weight-decay", type=float, default=0.0001, metavar="RATE", help="default: 0.0001")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of initial values and order (default: 0)")


def settle(args: argparse.Namespace, sizes: Sequence[int], task: Task, samples: int) -> Settings:
    """What was asked for, and a default that suits the data for what was not."""
    large = samples >= LARGE
    return Settings(
        data=None if args.data is None else str(Path(args.data).resolve()),
        target=args.target,
        regression=args.regression,
        net="-".join(map(str, sizes)),
        activation=args.activation,
        dropout=args.dropout,
        epochs=(5 if large else 50) if args.epochs is None else args.epochs,
        batch_size=(64 if large else 32) if args.batch_size is None else args.batch_size,
        lr=_learning_rate(task, sizes[0], large) if args.lr is None else args.lr,
        momentum=args.momentum,
        weight_decay=args.weight_decay,
        seed=args.seed,
    )


def _learning_rate(task: Task, features: int, large: bool) -> float:
    """Gradients grow with the inputs, so columns of variance 1 need less than pixels from 0 to 1.

    Large data get few epochs, which a lower rate ends with less noise.
    """
    if task.classes is None or (task.scale and features > WIDE):
        return 0.01
    if task.scale:
        return 0.03
    return 0.05 if large else 0.1
