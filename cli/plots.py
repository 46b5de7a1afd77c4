"""The pictures in a run folder. Of matplotlib only objects are used: no windows, no global state."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from handbrew.nets import write_atomically
from handbrew.solvers import History, RangeTest

from .outcome import Outcome, r_squared
from .task import Array

BLUE, ORANGE, INK, PALE = "#0072B2", "#D55E00", "#333333", "#DDDDDD"  # told apart by colour-blind eyes too
COUNTED = 25  # classes; with more, a number would not fit into its cell
PANELS = 6  # quantities that are drawn


def draw_history(
    path: Path,
    name: str,
    history: History,
    per_epoch: int,
    accuracy: float | None = None,
    best_step: int | None = None,
) -> None:
    """Loss and, where there is one, accuracy over the epochs, of ``per_epoch`` steps each.

    ``accuracy`` is what the net came to; ``best_step`` marks the weights that it went back to.
    """
    looks = history.validations
    tested = [look.step / per_epoch for look in looks]
    figure, axes = _figure(1 if accuracy is None else 2)
    _curve(axes[0], [row.epoch for row in history], [row.loss for row in history], BLUE, "training")
    _curve(axes[0], tested, [look.loss for look in looks], ORANGE, "held out")
    axes[0].set_ylim(bottom=0)
    axes[0].set_title(f"{name}: loss", loc="left", parse_math=False)
    if accuracy is not None:
        _curve(axes[1], tested, [look.accuracy for look in looks], ORANGE, "held out")
        axes[1].set_title(f"accuracy, held out: {_percent(accuracy)}", loc="left")
        axes[1].yaxis.set_major_formatter(_percent)
        axes[1].set_ylim(top=min(1.0, axes[1].get_ylim()[1]))
        axes[1].set_xlim(axes[0].get_xlim())
    for look in looks:
        if look.step == best_step:
            _mark(axes[0], best_step / per_epoch, look.loss)
            if accuracy is not None:
                _mark(axes[1], best_step / per_epoch, look.accuracy)
    axes[0].legend(frameon=False)
    _save(figure, path)


def _curve(axes: Any, epochs: Sequence[float], values: Sequence[Any], colour: str, label: str) -> None:
    axes.plot(epochs, values, color=colour, label=label, lw=2, marker="o" if len(epochs) < 16 else "", ms=5)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator("auto", steps=(1, 2, 5, 10), integer=True, min_n_ticks=1))
    axes.grid(color=PALE, lw=0.8)


def _mark(axes: Any, epoch: float, value: Any) -> None:
    axes.plot(
        [epoch], [value], ls="", marker="o", ms=11, mfc="none", mec=INK, mew=1.5, label=f"kept: epoch {epoch:.3g}"
    )


def draw_confusion(path: Path, name: str, outcome: Outcome) -> None:
    """How many samples of each class were taken for which; shaded by the share of the true class."""
    matrix, classes = outcome.confusion(), outcome.task.classes or ()
    n = len(classes)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = min(max(4.5, 2.5 + 0.45 * n), 10)
    figure, (axes,) = _figure(1, (side + 1, side + 0.4))
    # The root makes the few per cent of an error visible beside the diagonal.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    if n <= COUNTED:
        for i, j in np.argwhere(matrix):
            colour = "white" if shares[i, j] > 0.35 else INK
            size = 10 if n <= 16 else 8
            axes.text(j, i, f"{matrix[i, j]:,}", ha="center", va="center", color=colour, fontsize=size)
    _class_ticks(axes, classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(n - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(n - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=1.5 if n <= COUNTED else 0.4)
    axes.tick_params(which="minor", length=0)
    ticks = [0, 0.01, 0.05, 0.2, 0.5, 1]
    bar = figure.colorbar(image, ax=axes, shrink=0.7, ticks=ticks, format=_percent)
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    title = f"{name}: {_percent(outcome.figures['accuracy'])} of {len(outcome.truth):,} right"
    axes.set_title(title, loc="left", parse_math=False)
    _save(figure, path)


def _class_ticks(axes: Any, classes: Sequence[str]) -> None:
    """Names where they can be read: of many classes only every so manieth, on the x axis upright if long."""
    step = -(-len(classes) // 40)
    places = range(0, len(classes), step)
    names = [_short(classes[i]) for i in places]
    long = max(map(len, names)) > (4 if len(names) <= 16 else 2)
    upright = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if long else {}
    axes.set_xticks(places, names, parse_math=False, **upright)
    axes.set_yticks(places, names, parse_math=False)


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def draw_predictions(path: Path, name: str, outcome: Outcome) -> None:
    """Predicted over true numbers, a panel for each quantity that is learned."""
    truth, predicted = outcome.truth[:, :PANELS], outcome.predicted[:, :PANELS]
    count = truth.shape[1]
    figure, panels = _figure(count, (4.8 * count, 4.8))
    for i, (axes, r2) in enumerate(zip(panels, r_squared(truth, predicted), strict=True)):
        low, high = _limits(truth[:, i], predicted[:, i])
        axes.plot((low, high), (low, high), color=INK, lw=1, ls=(0, (4, 4)))
        axes.scatter(truth[:, i], predicted[:, i], s=22, color=BLUE, alpha=0.6, edgecolors="none")
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal", xlabel="true", ylabel="predicted")
        axes.grid(color=PALE, lw=0.8)
        output = f"output {i + 1}: " if count > 1 else ""
        axes.set_title(f"{output}R² = {r2:.3f}", loc="left")
    figure.suptitle(f"{name}: {len(truth):,} held-out samples", parse_math=False)
    _save(figure, path)


def draw_range_test(path: Path, name: str, result: RangeTest) -> None:
    """The loss over the learning rate, with the suggested rate and the one at which the loss ran away."""
    figure, (axes,) = _figure(1, (6.5, 4))
    axes.plot(result.rates, result.losses, color=BLUE, lw=1, alpha=0.35, label="each batch")
    axes.plot(result.rates, result.smoothed, color=BLUE, lw=2, label="smoothed")
    marks = ((result.suggestion, "suggested", ORANGE, "-"), (result.limit, "ran away", INK, (0, (4, 4))))
    for rate, label, colour, style in marks:
        if rate is not None:
            axes.axvline(rate, color=colour, lw=1.5, ls=style, label=f"{label}: {rate:.2g}")
    # Losses about to run away would press the curve flat: they may leave the picture.
    low, high = result.losses.min(), result.smoothed.max()
    high = min(result.losses.max(), high + 0.3 * (high - low))
    margin = 0.05 * (high - low) or 1.0
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=(low - margin, high + margin))
    axes.grid(color=PALE, lw=0.8)
    axes.legend(frameon=False)
    axes.set_title(f"{name}: learning-rate range test", loc="left", parse_math=False)
    _save(figure, path)


def _limits(*values: Array) -> tuple[float, float]:
    both = np.concatenate(values)
    low, high = float(both.min()), float(both.max())
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def _figure(panels: int, size: tuple[float, float] | None = None) -> tuple[Any, list[Any]]:
    figure: Any = Figure(figsize=size or (5 * panels + 0.5, 4), dpi=150, layout="constrained")
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.set_axisbelow(True)
    return figure, axes


def _percent(share: float, position: int | None = None) -> str:
    return f"{100 * share:.4g} %"


def _save(figure: Any, path: Path) -> None:
    with write_atomically(path) as file:
        figure.savefig(file, format="png", bbox_inches="tight", pad_inches=0.15)
