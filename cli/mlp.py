"""Nets that a line like ``784-256-10`` describes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from handbrew.layers import (
    ELU,
    GELU,
    Affine,
    Dropout,
    Flatten,
    Layer,
    MeanSquaredError,
    ReLU,
    Sigmoid,
    SiLU,
    SoftmaxCrossEntropy,
    Softplus,
    Tanh,
)
from handbrew.nets import Sequential

ACTIVATIONS: dict[str, type[Layer]] = {
    "elu": ELU,
    "gelu": GELU,
    "relu": ReLU,
    "sigmoid": Sigmoid,
    "silu": SiLU,
    "softplus": Softplus,
    "tanh": Tanh,
}
HIDDEN = 128  # units of the hidden layer in a net that nobody described


def add_net_arguments(parser: argparse._ActionsContainer) -> None:
    """The options that describe a net."""
    parser.add_argument(
        "--net",
        type=sizes,
        metavar="SIZES",
        help="features, hidden units, outputs, such as 784-256-10 (default: one hidden layer of 128)",
    )
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu", help="between the layers (default: relu)")
    parser.add_argument("--dropout", type=float, default=0.0, metavar="RATE", help="after each activation (default: 0)")


def sizes(text: str) -> tuple[int, ...]:
    """Read ``784-256-10``."""
    parts = text.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"expected sizes such as 784-256-10, got {text!r}")
    return tuple(map(int, parts))


def fit_sizes(wanted: Sequence[int] | None, features: int, outputs: int, what: str) -> tuple[int, ...]:
    """The sizes asked for, or else a default; ``what`` is what an error calls the outputs.

    Raises
    ------
    ValueError
        If the sizes asked for are not those of the data.
    """
    if wanted is None:
        return features, HIDDEN, outputs
    if wanted[0] != features:
        raise ValueError(f"--net begins with {wanted[0]}, but the data have {features} features")
    if wanted[-1] != outputs:
        raise ValueError(f"--net ends in {wanted[-1]}, but the data have {outputs} {what}")
    return tuple(wanted)


def make_mlp(
    sizes: Sequence[int],
    *,
    activation: str = "relu",
    dropout: float = 0.0,
    flatten: bool = False,
    regression: bool = False,
    seed: int = 0,
) -> Sequential:
    """A chain of ``Affine`` layers with an activation after each but the last, and the loss that fits."""
    layers: list[Layer] = [Flatten()] if flatten else []
    for size in sizes[1:-1]:
        layers += [Affine(size), ACTIVATIONS[activation]()]
        if dropout:
            layers.append(Dropout(dropout))
    loss = MeanSquaredError() if regression else SoftmaxCrossEntropy()
    return Sequential(*layers, Affine(sizes[-1]), loss, seed=seed)
