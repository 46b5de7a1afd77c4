"""Small made-up data sets, each with its own seeded generator."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset


def spiral(samples_per_class: int = 100, classes: int = 3, noise: float = 0.2, seed: int = 0) -> Dataset:
    """Arms that wind around the origin, one per class: no line separates them.

    Arm c runs through the angles 2 pi c / classes + 4 r, its radius r growing from 0 to 1; `noise` is the
    standard deviation of the angle in radians. X float32 (classes * samples_per_class, 2), sorted by class.
    """
    _positive(samples_per_class=samples_per_class, classes=classes)
    r = np.linspace(0, 1, samples_per_class)
    start = 2 * np.pi * np.arange(classes)[:, None] / classes
    angle = start + 4 * r + noise * np.random.default_rng(seed).standard_normal((classes, samples_per_class))
    X = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=-1).reshape(-1, 2)
    return _labelled(X, np.arange(classes).repeat(samples_per_class), classes, "spiral")


def moons(samples: int = 200, noise: float = 0.1, seed: int = 0) -> Dataset:
    """Two half circles of radius 1 that reach into each other, around (0, 0) and (1, 0.5).

    `noise` is the standard deviation added to both coordinates. X float32 (samples, 2), sorted by class.
    """
    _positive(samples=samples)
    upper, lower = np.linspace(0, np.pi, samples - samples // 2), np.linspace(0, np.pi, samples // 2)
    x = np.concatenate([np.cos(upper), 1 - np.cos(lower)])
    y = np.concatenate([np.sin(upper), 0.5 - np.sin(lower)])
    X = np.stack([x, y], axis=1) + noise * np.random.default_rng(seed).standard_normal((samples, 2))
    return _labelled(X, np.arange(samples) >= len(upper), 2, "moons")


def blobs(samples: int = 300, classes: int = 3, features: int = 2, spread: float = 1.0, seed: int = 0) -> Dataset:
    """Round clouds with standard deviation `spread` about centres drawn from the cube [-10, 10]^features.

    X float32 (samples, features); sample i belongs to class i % classes.
    """
    _positive(samples=samples, classes=classes, features=features)
    rng = np.random.default_rng(seed)
    centres, y = rng.uniform(-10, 10, (classes, features)), np.arange(samples) % classes
    return _labelled(centres[y] + spread * rng.standard_normal((samples, features)), y, classes, "blobs")


def _labelled(X: NDArray[Any], y: NDArray[Any], classes: int, name: str) -> Dataset:
    return Dataset(X.astype(np.float32), y, tuple(map(str, range(classes))), name)


def _positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
