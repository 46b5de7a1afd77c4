"""The stored example of an exported file: an input, and what the net makes of it in float64."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from handbrew.layers import ClassLoss, SigmoidCrossEntropy

from ..graph import Graph
from .passes import Passes
from .steps import LossStep, Traced

if TYPE_CHECKING:
    from ..net import Net

Array = np.ndarray[Any, np.dtype[Any]]
SAMPLES = 3


def example_of(net: Net, traced: Traced, passes: Passes, backward: bool, scales: dict[str, Array]) -> dict[str, Array]:
    """Inputs, outputs and, with ``backward``, targets and gradients, by the names that the self-test looks for."""
    exact = copy.deepcopy(net).astype(np.float64).eval()
    rng = np.random.default_rng(0)
    inputs = {name: _input(name, traced, rng) for name in traced.inputs}
    found = dict(inputs)
    if scales.get("input mean") is not None:
        found = {name: x * scales["input deviation"] + scales["input mean"] for name, x in inputs.items()}
    values: dict[str, Any] = dict(zip(traced.blobs or inputs, inputs.values(), strict=True))
    ys = _forward(exact, values)
    ys = ys if isinstance(ys, tuple) else (ys,)
    found |= {f"forward {i}": np.asarray(y) for i, y in enumerate(ys)}
    if not backward:
        return found
    exact.zero_grad()
    exact.trainable = True
    if traced.losses:
        for term in traced.losses:
            scores = exact.blobs[term.blobs[0]] if isinstance(exact, Graph) else ys[0]
            values[term.blobs[1]] = found.setdefault(term.target, _target(term, scores, rng))
        found["loss"] = np.asarray(_forward(exact, values))
        for term in traced.losses:
            if scales.get("target mean") is not None:
                found[term.target] = found[term.target] * scales["target deviation"] + scales["target mean"]
        dxs = exact.backward(input_grad=True)
    else:
        floats = [None if name in traced.integers else np.float64 for name in traced.outputs]
        dys = [None if kind is None else rng.normal(size=y.shape) for y, kind in zip(ys, floats, strict=True)]
        found |= {f"dy {i}": np.zeros(1) if dy is None else dy for i, dy in enumerate(dys)}
        dxs = exact.backward(tuple(dys) if len(dys) > 1 else dys[0], input_grad=True)
    dxs = dxs if isinstance(dxs, tuple) else (dxs,)
    deviation = scales.get("input deviation", 1.0)
    found |= {f"dx {i}": dx / deviation for i, dx in enumerate(dxs) if dx is not None}
    return found | {f"d {name}": p.grad for name, p in exact.params.items() if name in passes.reached}


def _input(name: str, traced: Traced, rng: np.random.Generator) -> Array:
    shape = (SAMPLES, *traced.inputs[name])
    if name in traced.integers:
        return rng.integers(traced.rows[name], size=shape)
    x = np.asarray(rng.normal(size=shape))
    return x if traced.may_be_negative(name) else np.abs(x)


def _forward(net: Any, values: dict[str, Any]) -> Any:
    return net.forward(**values) if isinstance(net, Graph) else net.forward(*values.values())


def _target(term: LossStep, scores: Array, rng: np.random.Generator) -> Array:
    if isinstance(term.loss, ClassLoss):
        axis = term.loss.axis % scores.ndim
        return rng.integers(scores.shape[axis], size=scores.shape[:axis] + scores.shape[axis + 1 :])
    if isinstance(term.loss, SigmoidCrossEntropy):
        return np.asarray(rng.uniform(size=scores.shape))
    return np.asarray(rng.normal(size=scores.shape))
