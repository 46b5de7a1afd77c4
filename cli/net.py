"""The options that describe a net: sizes such as ``784-256-10``, or the name of a ready-made one."""

from __future__ import annotations

import argparse

from handbrew.nets import Sequential

from .mlp import ACTIVATION, ACTIVATIONS, HIDDEN, as_sizes, make_mlp
from .ready_made import READY_MADE, make_ready_made
from .settings import Settings
from .task import Task
from .values import Real


def add_net_arguments(parser: argparse._ActionsContainer) -> None:
    """The options that describe a net."""
    parser.add_argument(
        "--net",
        type=net_or_sizes,
        metavar="NET",
        help=f"features, hidden units, outputs, such as 784-256-10 (default: one hidden layer of {HIDDEN}); "
        f"or a ready-made net: {', '.join(READY_MADE)}",
    )
    parser.add_argument(
        "--activation", choices=ACTIVATIONS, help=f"between layers given by sizes (default: {ACTIVATION})"
    )
    parser.add_argument("--dropout", type=Real(1), metavar="RATE", help="after each activation (default: 0)")


def net_or_sizes(text: str) -> str:
    """``lenet`` or ``784-256-10``, as it is."""
    if text not in READY_MADE and as_sizes(text) is None:
        names = ", ".join(READY_MADE)
        raise argparse.ArgumentTypeError(f"expected sizes such as 784-256-10 or one of {names}; got {text!r}")
    return text


def make_net(settings: Settings, task: Task) -> Sequential:
    """The net that the settings describe, for the samples of ``task``."""
    if settings.net in READY_MADE:
        return make_ready_made(settings.net, task, settings.seed)
    return make_mlp(
        as_sizes(settings.net) or (),
        activation=settings.activation,
        dropout=settings.dropout,
        flatten=len(task.in_shape) > 1,
        regression=task.classes is None,
        seed=settings.seed,
    )
