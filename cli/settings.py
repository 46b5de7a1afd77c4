"""What a run was asked to do, and the defaults that suit its data."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

from .mlp import ACTIVATION, fit_sizes
from .ready_made import READY_MADE, Usual
from .task import Task

LARGE = 10_000  # samples; from here on few epochs of larger batches do
WIDE = 300  # columns of a table


@dataclass(frozen=True)
class Settings:
    """All that decides a run's result.

    ``data`` is an absolute path, ``None`` for the embedded digits; ``net`` is the name of a ready-made one, whose
    ``activation`` and ``dropout`` are its own, or sizes.
    """

    data: str | None
    target: str | None
    regression: bool
    net: str
    activation: str | None
    dropout: float | None
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    seed: int


def add_training_arguments(parser: argparse._ActionsContainer) -> None:
    """The options of the training loop."""
    large = f"from {LARGE:,} samples on"
    parser.add_argument("--epochs", type=int, metavar="N", help=f"default: 50; 5 {large}; a ready-made net has its own")
    parser.add_argument("--batch-size", type=int, metavar="N", help=f"default: 32; 64 {large}; a ready-made net's own")
    parser.add_argument(
        "--lr",
        type=float,
        metavar="RATE",
        help="default: 0.1; less for large data, tables, quantities; a ready-made net's own",
    )
    parser.add_argument("--momentum", type=float, default=0.9, metavar="M", help="default: 0.9")
    parser.add_argument("--weight-decay", type=float, metavar="RATE", help="default: 0.0001; a ready-made net's own")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of initial values and order (default: 0)")


def settle(args: argparse.Namespace, task: Task, samples: int) -> Settings:
    """What was asked for, and what suits net and data for what was not.

    Raises
    ------
    ValueError
        If the options contradict each other, or the data.
    """
    if args.net in READY_MADE:
        net, activation, dropout, usual = args.net, None, None, READY_MADE[args.net].usual
        refuse_options_of_sizes(args)
    else:
        sizes = fit_sizes(args.net, math.prod(task.in_shape), task.outputs, task.what)
        net, usual = "-".join(map(str, sizes)), _usual(task, sizes[0], samples >= LARGE)
        activation, dropout = args.activation or ACTIVATION, args.dropout or 0.0
    return Settings(
        data=None if args.data is None else str(Path(args.data).resolve()),
        target=args.target,
        regression=args.regression,
        net=net,
        activation=activation,
        dropout=dropout,
        epochs=usual.epochs if args.epochs is None else args.epochs,
        batch_size=usual.batch_size if args.batch_size is None else args.batch_size,
        lr=usual.lr if args.lr is None else args.lr,
        momentum=args.momentum,
        weight_decay=usual.weight_decay if args.weight_decay is None else args.weight_decay,
        seed=args.seed,
    )


def refuse_options_of_sizes(args: argparse.Namespace) -> None:
    """Raise a ``ValueError`` if layers of a ready-made net were asked for."""
    for option in ("activation", "dropout"):
        if getattr(args, option) is not None:
            raise ValueError(f"--{option} goes with sizes such as 784-256-10; {args.net} has layers of its own")


def _usual(task: Task, features: int, large: bool) -> Usual:
    """What suits nets given by sizes; large data get few epochs of larger batches."""
    return Usual(
        epochs=5 if large else 50,
        batch_size=64 if large else 32,
        lr=_learning_rate(task, features, large),
        weight_decay=1e-4,
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
