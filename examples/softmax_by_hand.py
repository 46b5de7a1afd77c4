"""A two-layer net and its whole gradient by hand, checked twice.

Five examples of four features, ten hidden units, three classes::

    Z1 = X W1 + b1    O1 = f(Z1)          S = O1 W2 + b2
    U = exp(S)        O2 = U / sum U      L = mean of -log O2[i, y_i]

``backward`` goes back from L to W1, b1 and X in plain NumPy. Each gradient is printed beside the one
that handbrew's layers find and beside central differences, which know nothing of derivatives.

    python examples/softmax_by_hand.py          # f = ReLU
    python examples/softmax_by_hand.py tanh     # or sigmoid
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from handbrew.layers import (
    Affine,
    Layer,
    Log,
    NegativeLogLikelihood,
    ReLU,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    Tanh,
)
from handbrew.nets import Sequential

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]

STEP = 1e-5  # of the central differences
WAYS = ("by hand", "by handbrew", "by central differences")
GRADIENTS = ("O2", "S", "W2", "b2", "O1", "Z1", "W1", "b1", "X")


class Activation(NamedTuple):
    """f, its derivative as a function of Z1 and O1, and the layer that does the same."""

    f: Callable[[Array], Array]
    slope: Callable[[Array, Array], Array]
    layer: type[Layer]


ACTIVATIONS = {
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z, o: (z > 0).astype(z.dtype), ReLU),
    "sigmoid": Activation(lambda z: 1 / (1 + np.exp(-z)), lambda z, o: o * (1 - o), Sigmoid),
    "tanh": Activation(np.tanh, lambda z, o: 1 - o**2, Tanh),
}


def problem(seed: int = 24) -> Arrays:
    """Return X, the labels y and the four parameters, in float64, with few decimals."""
    rng = np.random.default_rng(seed)
    return {
        "X": rng.normal(0, 1, (5, 4)).round(2),
        "y": np.array([0, 2, 1, 1, 0]),
        "W1": rng.normal(0, 0.5, (4, 10)).round(2),
        "b1": rng.normal(0, 0.1, 10).round(2),
        "W2": rng.normal(0, 0.5, (10, 3)).round(2),
        "b2": rng.normal(0, 0.1, 3).round(2),
    }


# --- by hand ----------------------------------------------------------------------------------------


def forward(given: Arrays, activation: Activation) -> Arrays:
    """Compute whatever is not given yet, down to the losses L of the examples; L.mean() is the loss.

    Central differences use that: whoever gives an S of their own gets the loss as a function of S.
    """
    v = dict(given)
    v.setdefault("Z1", v["X"] @ v["W1"] + v["b1"])
    v.setdefault("O1", activation.f(v["Z1"]))
    v.setdefault("S", v["O1"] @ v["W2"] + v["b2"])
    v.setdefault("U", np.exp(v["S"] - v["S"].max(axis=1, keepdims=True)))  # same O2, and no overflow
    v.setdefault("O2", v["U"] / v["U"].sum(axis=1, keepdims=True))
    rows = np.arange(len(v["y"]))
    v.setdefault("L", -np.log(v["O2"][rows, v["y"]]))
    return v


def backward(v: Arrays, activation: Activation) -> Arrays:
    """Go back through every step; a name like dW1 is the gradient of the mean loss with respect to W1."""
    y, O2, O1, Z1, X, W2, W1 = (v[name] for name in ("y", "O2", "O1", "Z1", "X", "W2", "W1"))
    N, rows, onehot = len(y), np.arange(len(y)), np.eye(O2.shape[1])[y]
    g = {}
    # Of one example's loss, to its probabilities: only the label's own is in it.
    g["dLi/dO2"] = -onehot / O2
    # The label's probability O2[y], to each score: O2[y] (1 - O2[y]) at y, -O2[y] O2[k] elsewhere.
    O2_y = O2[rows, y][:, None]
    g["dO2[y]/dS"] = O2_y * (onehot - O2)
    # Together: -1 / O2[y] times that. O2[y] cancels, and what is left is O2 - 1[k = y].
    g["dLi/dS"] = g["dLi/dO2"][rows, y][:, None] * g["dO2[y]/dS"]
    # The loss is the mean over the N examples.
    g["dO2"] = g["dLi/dO2"] / N
    g["dS"] = g["dLi/dS"] / N
    # S = O1 W2 + b2: dS[i, k] / dW2[j, k] = O1[i, j], summed over the examples i; b2 is added to each.
    g["dW2"] = O1.T @ g["dS"]
    g["db2"] = g["dS"].sum(axis=0)
    # And on, back through f to the first layer.
    g["dO1"] = g["dS"] @ W2.T
    g["dZ1"] = g["dO1"] * activation.slope(Z1, O1)
    g["dW1"] = X.T @ g["dZ1"]
    g["db1"] = g["dZ1"].sum(axis=0)
    g["dX"] = g["dZ1"] @ W1.T
    return g


# --- the two witnesses ------------------------------------------------------------------------------


def by_handbrew(v: Arrays, activation: Activation) -> tuple[float, Arrays]:
    """Return the loss and the same gradients from handbrew's layers, called one by one, last to first."""
    affine1, f, affine2, head = Affine(10), activation.layer(), Affine(3), SoftmaxCrossEntropy()
    net = Sequential(affine1, f, affine2, head).astype(np.float64)
    net.build(v["X"].shape[1:])
    for name, array in net.params.items():  # affine1.W, affine1.b, affine2.W, affine2.b
        array.data = v[name[-1] + name[len("affine")]]
    loss = net.forward(v["X"], v["y"])
    dS = head.backward()
    dO1 = affine2.backward(dS)
    dZ1 = f.backward(dO1)
    dX = affine1.backward(dZ1)
    # SoftmaxCrossEntropy never shows dO2; the same loss in three layers does.
    log, nll = Log(), NegativeLogLikelihood()
    nll.forward(log.forward(Softmax().forward(v["S"])), v["y"])
    grads = {"dO2": log.backward(nll.backward()), "dS": dS, "dO1": dO1, "dZ1": dZ1, "dX": dX}
    grads |= {"dW1": affine1.W.grad, "db1": affine1.b.grad, "dW2": affine2.W.grad, "db2": affine2.b.grad}
    return loss, grads


def by_differences(given: Arrays, v: Arrays, name: str, activation: Activation) -> Array:
    """Return (L(a + h) - L(a - h)) / 2h for every element a of the array called ``name``."""

    def loss(nudged: Array) -> float:
        return float(forward(given | {name: nudged}, activation)["L"].mean())

    slopes = np.zeros_like(v[name])
    for index in np.ndindex(slopes.shape):
        nudge = np.zeros_like(slopes)
        nudge[index] = STEP
        slopes[index] = (loss(v[name] + nudge) - loss(v[name] - nudge)) / (2 * STEP)
    return slopes


def difference(found: Array, expected: Array) -> float:
    """Return max |found - expected| / max |expected|."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def compare(given: Arrays, activation: Activation) -> dict[str, tuple[Array, Array, Array]]:
    """Return each gradient by hand, by handbrew and by central differences."""
    v = forward(given, activation)
    by_hand, (_, layers) = backward(v, activation), by_handbrew(v, activation)
    return {
        f"d{name}": (by_hand[f"d{name}"], layers[f"d{name}"], by_differences(given, v, name, activation))
        for name in GRADIENTS
    }


# --- four slips -------------------------------------------------------------------------------------


def slips(given: Arrays, activation: Activation) -> dict[str, str]:
    """Make four slips on purpose; return what each one leads to."""
    v = forward(given, activation)
    y, O1, O2, U = v["y"], v["O1"], v["O2"], v["U"]
    N, rows, onehot = len(y), np.arange(len(y)), np.eye(3)[y]
    dW2 = backward(v, activation)["dW2"]

    minus = -1 / N * O1.T @ (O2 - onehot)

    i, k = 0, (y[0] + 1) % 3  # a score that is not the label's
    slope = -O2[i, y[i]] * O2[i, k]
    of_squares = -U[i, y[i]] * U[i, k] / (U[i] ** 2).sum()

    probabilities = O2.copy()
    dS = probabilities  # a second name, not a second array
    dS[rows, y] -= 1

    scores = np.array([1000.0, 1001.0, 999.0])
    with np.errstate(over="ignore", invalid="ignore"):
        plain = np.exp(scores) / np.exp(scores).sum()
    safe = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    return {
        "-1/N before O1ᵀ dS": f"dW2 is {difference(minus, dW2):.0%} off: the step goes uphill",
        "sum U² for (sum U)²": f"dO2[{i},{y[i]}]/dS[{i},{k}] is {of_squares:.4f}, should be {slope:.4f}",
        "dS an alias of O2": f"the 'probabilities' of example 0 now sum to {abs(probabilities[0].sum()):.0f}",
        "exp without the maximum": f"{scores.astype(int)} give {plain}, should be {safe.round(3)}",
    }


# --- printing ---------------------------------------------------------------------------------------


def main(f: str = "relu") -> None:
    """Print the forward pass, every gradient three times, and what the slips lead to."""
    given, activation = problem(), ACTIVATIONS[f]
    v = forward(given, activation)
    g = backward(v, activation)
    results = compare(given, activation)
    loss, _ = by_handbrew(v, activation)

    print("== given: five examples of four features, their labels, the parameters")
    for name in ("X", "y", "W1", "b1", "W2", "b2"):
        show(name, v[name], decimals=2)
    print("\n== forward")
    show("Z1 = X W1 + b1", v["Z1"])
    show("O1 = f(Z1)", v["O1"])
    show("S = O1 W2 + b2", v["S"])
    show("U = exp(S - row maximum)", v["U"])
    show("O2 = U / sum U", v["O2"])
    show("L_i = -log O2[i, y_i]", v["L"])
    print(f"\nL, by hand {v['L'].mean():.12f}, by handbrew {loss:.12f}")

    print("\n== back through the loss, example by example")
    show("dLi/dO2: -1 / O2 at the label", g["dLi/dO2"])
    show("dO2[y]/dS: O2[y] (1 - O2[y]) at the label, -O2[y] O2[k] elsewhere", g["dO2[y]/dS"])
    show("dLi/dS, their product: O2 - 1[k = y]", g["dLi/dS"])
    for title, names in (
        ("back through the mean", ("dO2", "dS")),
        ("back through S = O1 W2 + b2", ("dW2", "db2", "dO1")),
        ("back through O1 = f(Z1)", ("dZ1",)),
        ("back through Z1 = X W1 + b1", ("dW1", "db1", "dX")),
    ):
        print(f"\n== {title}: {' | '.join(WAYS)}")
        for name in names:
            show(name, *results[name])

    print("\n== largest difference from the gradient by hand, relative to its largest element")
    print(f"{'gradient':10}{'shape':10}{'handbrew':>10}{'differences':>14}")
    for name, (by_hand, layers, numeric) in results.items():
        shape = "x".join(map(str, by_hand.shape))
        print(f"{name:10}{shape:10}{difference(layers, by_hand):10.0e}{difference(numeric, by_hand):14.0e}")

    print("\n== four slips, made on purpose")
    for slip, outcome in slips(given, activation).items():
        print(f"{slip}: {outcome}")


def show(title: str, *arrays: Array, decimals: int = 4) -> None:
    """Print one array, or one by each of the three ways: side by side if they are narrow, else in turn."""
    blocks = [[_line(row, decimals) for row in np.atleast_2d(array)] for array in arrays]
    if len(blocks[0][0]) * len(blocks) <= 80:
        print(f"\n{title}", *map("  |".join, zip(*blocks, strict=True)), sep="\n")
    else:
        for way, block in zip(WAYS, blocks, strict=False):
            print(f"\n{title} {way}" if len(blocks) > 1 else f"\n{title}", *block, sep="\n")


def _line(row: Iterable[Any], decimals: int) -> str:
    return "".join(f"{x:z8.{decimals}f}" if isinstance(x, float) else f"{x:8}" for x in row)


if __name__ == "__main__":
    main(*sys.argv[1:])
