"""Three arms of a spiral, a net that learns to tell them apart, and a picture of what it has learned.

The picture goes to spiral.png, or wherever you say::

    python examples/spiral.py
    python examples/spiral.py picture.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import Dataset, spiral
from handbrew.layers import Affine, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD

Array = np.ndarray[Any, np.dtype[Any]]
COLOURS = ("#c8553d", "#3d7ea6", "#6a994e")  # one for each arm


def train(layers: int = 2, epochs: int = 60, seed: int = 0) -> tuple[Sequential, Dataset]:
    """Train a net with so many hidden layers (0 for a linear classifier); return it and its data."""
    data = spiral()
    hidden = [layer for _ in range(layers) for layer in (Affine(64), ReLU())]
    net = Sequential(*hidden, Affine(3), SoftmaxCrossEntropy(), seed=seed)
    SGD(net, lr=0.1, momentum=0.9).fit(data, epochs=epochs, progress=False)
    return net, data


def plane(net: Sequential, steps: int = 200, reach: float = 1.25) -> tuple[Array, Array]:
    """Return the steps of both axes and the class of every point, steps x steps."""
    axis = np.linspace(-reach, reach, steps)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    return axis, net.predict(points).argmax(axis=1).reshape(steps, steps)


def draw(nets: dict[str, Sequential], data: Dataset, path: str | Path, dark: bool = False) -> None:
    """Draw the regions of each net's classes side by side, with the data upon them."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    with plt.style.context("dark_background" if dark else "default"):
        figure, places = plt.subplots(1, len(nets), figsize=(4 * len(nets), 4.3), squeeze=False)
        for place, (title, net) in zip(places[0], nets.items(), strict=True):
            axis, classes = plane(net)
            place.contourf(axis, axis, classes, levels=[-0.5, 0.5, 1.5, 2.5], colors=COLOURS, alpha=0.35)
            for c, colour in enumerate(COLOURS):
                place.scatter(*data.X[data.y == c].T, s=12, color=colour, edgecolors="white", linewidths=0.4)
            place.set_title(f"{title}: {net.evaluate(*data).accuracy:.0%}", fontsize=11)
            place.set_aspect("equal")
            place.axis("off")
        figure.tight_layout()
        figure.savefig(path, dpi=120, transparent=True, metadata={"Software": None})
        plt.close(figure)


def main(path: str = "spiral.png") -> None:
    """Train without and with hidden layers; print how well both do, and draw them."""
    line, data = train(layers=0)
    net, _ = train(layers=2)
    for title, trained in (("a linear classifier", line), ("two hidden layers", net)):
        loss, accuracy = trained.evaluate(*data)
        print(f"{title:20} loss {loss:.3f}, {accuracy:.1%} right")
    try:
        draw({"A linear classifier": line, "Two hidden layers": net}, data, path)
    except ImportError:
        print("no picture without matplotlib: pip install 'handbrew[plot]'")
    else:
        print(f"see {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
