"""Nets that a line like ``784-256-10`` describes."""

from __future__ import annotations

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
# Of a net that nobody described: the units of its hidden layer, and what follows it.
HIDDEN, ACTIVATION = 128, "relu"


def as_sizes(text: str) -> tuple[int, ...] | None:
    """``784-256-10`` as numbers; ``None`` for anything else."""
    parts = text.split("-")
    if len(parts) < 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        return None
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
    activation: str | None = None,
    dropout: float | None = None,
    flatten: bool = False,
    regression: bool = False,
    seed: int = 0,
) -> Sequential:
    """A chain of ``Affine`` layers with an activation after each but the last, and the loss that fits."""
    layers: list[Layer] = [Flatten()] if flatten else []
    for size in sizes[1:-1]:
        layers += [Affine(size), ACTIVATIONS[activation or ACTIVATION]()]
        if dropout:
            layers.append(Dropout(dropout))
    loss = MeanSquaredError() if regression else SoftmaxCrossEntropy()
    return Sequential(*layers, Affine(sizes[-1]), loss, seed=seed)
