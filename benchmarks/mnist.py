"""Epochs of MNIST through ``fit``, against scikit-learn's MLPClassifier."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from handbrew.data import load
from handbrew.layers import Affine, Flatten, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD

HIDDEN, BATCH, LR, MOMENTUM = 256, 128, 0.1, 0.9


class Result(NamedTuple):
    """Median seconds of an epoch, the ratio within each pair of epochs, and the accuracies at the end."""

    handbrew: float
    sklearn: float
    ratio: float
    handbrew_accuracy: float
    sklearn_accuracy: float


def compare(folder: str, epochs: int = 5) -> Result:
    """Train both, epoch by epoch in turn, on the same float32 arrays."""
    train, test = load(folder)
    if test is None:
        raise ValueError(f"{folder}: no test set")
    X, X_test = (np.ascontiguousarray(d.X.reshape(len(d), -1), np.float32) for d in (train, test))
    net = Sequential(Flatten(), Affine(HIDDEN), ReLU(), Affine(10), SoftmaxCrossEntropy(), seed=0)
    ours = _handbrew_epochs(SGD(net, lr=LR, momentum=MOMENTUM), X, train.y)
    peer = MLPClassifier(
        (HIDDEN,),
        solver="sgd",
        alpha=0,
        batch_size=BATCH,
        learning_rate_init=LR,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        random_state=0,
    )
    theirs = _sklearn_epochs(peer, X, train.y)
    times = [(next(ours), next(theirs)) for _ in range(epochs)]
    right = (peer.predict(X_test) == test.y).mean()
    accuracy = net.evaluate(X_test, test.y).accuracy
    mine, other = (median(column) for column in zip(*times, strict=True))
    return Result(mine, other, median(b / a for a, b in times), float(accuracy or 0), float(right))


def _handbrew_epochs(solver: SGD, X: np.ndarray, y: np.ndarray) -> Iterator[float]:
    epoch = 0
    while True:
        start = perf_counter()
        solver.fit((X, y), epochs=1, batch_size=BATCH, seed=epoch, progress=False)
        yield perf_counter() - start
        epoch += 1


def _sklearn_epochs(peer: MLPClassifier, X: np.ndarray, y: np.ndarray) -> Iterator[float]:
    classes = np.unique(y)
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            start = perf_counter()
            peer.partial_fit(X, y, classes=classes)
            yield perf_counter() - start
