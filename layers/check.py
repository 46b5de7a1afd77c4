"""``check_layer``: whether a layer's gradients are right and whether it keeps the contract."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .check_report import CheckReport
from .layer import Layer
from .loss import Loss


def check_layer(
    layer: Layer,
    *inputs: Any,
    seed: int = 0,
    large_inputs: bool = True,
    allow_constant: bool | Collection[str] = False,
    max_elements: int = 200,
) -> CheckReport:
    """Check a layer's gradients against numeric ones, and that it keeps the contract of ``Layer``.

    >>> from handbrew.layers import Affine, check_layer
    >>> print(check_layer(Affine(3), (4,)))  # doctest: +ELLIPSIS
    Affine(3): all checks passed
    gradient of  shape   mode      elements  kinks  worst error
    x            (5, 4)  training  20        -      ...
    W            (4, 3)  training  12        -      ...
    b            (3,)    training  3         -      ...
    passed: forward, repeatability, backward in training, ...

    It works in float64 on a copy whose parameters are moved a little at random; the layer itself, built
    or not, is left as it is. The upstream gradient is random. Each derivative is a central difference;
    where that disagrees, smaller and larger steps and one-sided slopes tell a wrong gradient from a
    kink (ReLU at 0), at which the gradient has to lie between the slopes. An array passes if
    max |analytic - numeric| <= 1e-6 max |numeric| + 1e-9. Evaluation mode is checked as well if it
    gives another result.

    Parameters
    ----------
    layer : Layer
        A layer, loss or net.
    *inputs : int, tuple of int, or array
        What ``forward`` takes: a shape without the batch axis, for normally distributed samples, or an
        array with it. Integer arrays are not perturbed. Floating-point arrays say which values the
        layer is meant for; keep them away from its kinks. A loss takes scores and target.
    seed : int
        Of the samples, the upstream gradient and the choice of elements.
    large_inputs : bool
        Whether inputs of ±100 must neither overflow nor warn (in float32); False for ``Exp`` and the like.
    allow_constant : bool or names
        Inputs ("x") and parameters ("W") that the output need not depend on; True for all.
    max_elements : int
        Of each array, at most so many elements are compared, chosen at random; the report says so.

    Returns
    -------
    CheckReport
        What was checked; it prints as a table.

    Raises
    ------
    LayerCheckError
        If anything is wrong. It lists everything that is, with the likely causes.
    """
    if not isinstance(layer, Layer):
        hint = "; write it with parentheses" if isinstance(layer, type) else ""
        raise TypeError(f"check_layer: expected a layer, got {layer!r}{hint}")
    if not inputs:
        raise TypeError(f"check_layer: expected the inputs after the layer: check_layer({layer!r}, (3,))")
    if isinstance(layer, Loss) and len(inputs) == 1:
        raise TypeError(f"check_layer: a loss takes scores and a target: check_layer({layer!r}, (3,), target)")
    from ._check_run import run  # nine modules that training does without

    return run(layer, inputs, seed, large_inputs, allow_constant, max_elements)
