"""Convolutions that nobody tunes for, forward, and forward and backward, beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch_steps import LAYOUTS
from torch_twin import twin

from handbrew.layers import Conv2D
from handbrew.nets import Sequential

Array = np.ndarray[Any, np.dtype[Any]]
Steps = dict[str, Callable[[], Any]]


class Case(NamedTuple):
    """A convolution, and the shape of its input."""

    out_channels: int
    kernel_size: int
    options: dict[str, Any]
    in_shape: tuple[int, int, int, int]

    def __str__(self) -> str:
        n, c, h, w = self.in_shape
        options = "".join(f", {name} {value}" for name, value in self.options.items() if name != "padding")
        return f"{self.kernel_size}x{self.kernel_size}, {c} to {self.out_channels}{options}, {n} of {h}x{w}"


CASES = (
    Case(37, 3, {"padding": 1}, (32, 13, 28, 28)),
    Case(37, 7, {"padding": 3}, (32, 13, 28, 28)),
    Case(64, 7, {"padding": 3, "stride": 2}, (16, 3, 112, 112)),
    Case(20, 7, {"padding": 3}, (64, 1, 28, 28)),
    Case(50, 3, {"padding": 1, "stride": 2}, (32, 17, 33, 33)),
    Case(24, 3, {"padding": 2, "dilation": 2}, (32, 24, 28, 28)),
    Case(48, 3, {"padding": 1, "groups": 4}, (32, 48, 28, 28)),
    Case(64, 3, {"padding": 1, "groups": 64}, (16, 64, 56, 56)),
    Case(96, 1, {}, (16, 40, 56, 56)),
    Case(32, 3, {"padding": 1}, (1, 32, 56, 56)),
)


def contenders(case: Case) -> Iterator[tuple[str, Steps]]:
    """The steps of both kinds; each has its arrays in the layout in which they would reach it inside a net."""
    net = Sequential(Conv2D(case.out_channels, case.kernel_size, **case.options), seed=0)
    out_shape = (case.in_shape[0], *net.build(case.in_shape[1:]))
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(size=shape).astype(np.float32) for shape in (case.in_shape, out_shape))
    ours, peers = _handbrew(net, _samples_last(x), _samples_last(dy)), [_torch(net, x, dy, name) for name in LAYOUTS]
    for i, kind in enumerate(("forward", "forward and backward")):
        steps = {f"PyTorch, {layout}": peer[i] for layout, peer in zip(LAYOUTS, peers, strict=True)}
        yield kind, {"handbrew": ours[i], **steps}


def _handbrew(net: Sequential, x: Array, dy: Array) -> tuple[Callable[[], Any], ...]:
    def both() -> Any:
        net.zero_grad()
        net.forward(x)
        return net.backward(dy)

    return lambda: net.forward(x), both


def _torch(net: Sequential, x: Array, dy: Array, layout: str) -> tuple[Callable[[], Any], ...]:
    model: Any = twin(net)
    model = model.to(memory_format=LAYOUTS[layout])
    inputs, upstream = (torch.from_numpy(a).to(memory_format=LAYOUTS[layout]) for a in (x, dy))
    inputs.requires_grad_()

    def forward() -> Any:
        with torch.no_grad():
            return model(inputs)

    def both() -> Any:
        model.zero_grad()
        inputs.grad = None
        model(inputs).backward(upstream)
        return inputs.grad

    return forward, both


def _samples_last(x: Array) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
