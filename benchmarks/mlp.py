"""One training step of an MLP (forward, loss, backward, momentum SGD) in handbrew, by hand in NumPy, in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from handbrew.layers import Affine, He, Layer, ReLU, SoftmaxCrossEntropy, Zeros, column_sum
from handbrew.nets import Sequential
from handbrew.solvers import SGD

Array = np.ndarray[Any, np.dtype[Any]]
LR, MOMENTUM = 0.01, 0.9
OWN = "handbrew, user's own layers"
NETS = {
    "4-10-3, batch 5": ((4, 10, 3), 5),
    "784-256-10, batch 128": ((784, 256, 10), 128),
    "784-1024-1024-10, batch 256": ((784, 1024, 1024, 10), 256),
}


class UserReLU(Layer):
    """What a reader of the docs would write."""

    def forward(self, x: Array) -> Array:
        self.cache.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, dy: Array) -> Array:
        return dy * self.cache.mask


class UserAffine(Layer):
    """What a reader of the docs would write."""

    def __init__(self, out_features: int) -> None:
        self.out_features = out_features

    def build(self, in_shape: Any) -> Any:
        n, m = in_shape[-1], self.out_features
        self.W = self.param("W", (n, m), He(), fan_in=n, fan_out=m)
        self.b = self.param("b", (m,), Zeros())
        return (m,)

    def forward(self, x: Array) -> Array:
        self.cache.x = x
        return x @ self.W.data + self.b.data

    def backward(self, dy: Array) -> Array | None:
        self.W.add_grad_product(self.cache.x.T, dy)
        self.b.add_grad(column_sum(dy))
        return dy @ self.W.data.T if self.input_grad else None


def contenders(sizes: tuple[int, ...], batch: int) -> dict[str, Callable[[], float]]:
    """Steps that each train a net of their own, from the same weights on the same batch; each returns its loss."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], batch)
    net = build_net(sizes, Affine, ReLU)
    start = [p.data.copy() for p in net.params.values()]
    return {
        "handbrew": train_net(net, X, y),
        OWN: train_net(build_net(sizes, UserAffine, UserReLU), X, y),
        "NumPy by hand": train_by_hand(start, X, y),
        "PyTorch": train_torch(start, X, y, fused=False),
        "PyTorch, fused SGD": train_torch(start, X, y, fused=True),
    }


def build_net(sizes: tuple[int, ...], affine: Callable[[int], Layer], relu: Callable[[], Layer]) -> Sequential:
    layers: list[Layer] = []
    for i, size in enumerate(sizes[1:], 1):
        layers += [affine(size).named(f"fc{i}"), relu()]
    net = Sequential(*layers[:-1], SoftmaxCrossEntropy(), seed=0)
    net.build((sizes[0],))
    return net


def train_net(net: Sequential, X: Array, y: Array) -> Callable[[], float]:
    solver = SGD(net, lr=LR, momentum=MOMENTUM)

    def step() -> float:
        loss = net.forward(X, y)
        net.backward()
        solver.step()
        return loss

    return step


def train_by_hand(start: list[Array], X: Array, y: Array) -> Callable[[], float]:
    """The same step as one would write it for this net alone, without a framework and without tricks."""
    params = [p.copy() for p in start]
    velocity = [np.zeros_like(p) for p in params]
    weights, biases = params[::2], params[1::2]
    rows = np.arange(len(y))

    def step() -> float:
        activations = [X]
        for W, b in zip(weights[:-1], biases[:-1], strict=True):
            activations.append(np.maximum(activations[-1] @ W + b, 0))
        scores = activations[-1] @ weights[-1] + biases[-1]
        exp = np.exp(scores - scores.max(axis=1, keepdims=True))
        p = exp / exp.sum(axis=1, keepdims=True)
        loss = -np.log(p[rows, y]).mean()
        d = p
        d[rows, y] -= 1
        d /= len(y)
        grads: list[Array] = []
        for i in range(len(weights) - 1, -1, -1):
            grads = [activations[i].T @ d, d.sum(axis=0), *grads]
            if i:
                d = (d @ weights[i].T) * (activations[i] > 0)
        for w, v, g in zip(params, velocity, grads, strict=True):
            v *= MOMENTUM
            v += LR * g
            w -= v
        return float(loss)

    return step


def train_torch(start: list[Array], X: Array, y: Array, fused: bool) -> Callable[[], float]:
    sizes = [start[0].shape[0], *(b.size for b in start[1::2])]
    layers: list[torch.nn.Module] = []
    for n, m in pairwise(sizes):
        layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for p, values in zip(net.parameters(), start, strict=True):
            p.copy_(torch.from_numpy(values.T.copy()))
    solver = torch.optim.SGD(net.parameters(), lr=LR, momentum=MOMENTUM, fused=fused)
    inputs, target = torch.from_numpy(X), torch.from_numpy(y)

    def step() -> float:
        solver.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(net(inputs), target)
        loss.backward()
        solver.step()
        return float(loss.detach())

    return step
