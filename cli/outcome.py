"""What a net achieves on samples whose answers are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handbrew.data import Dataset
from handbrew.nets import Sequential
from handbrew.nets.table import table

from .task import Array, Task

BATCH = 256  # bounds memory, changes nothing


@dataclass(frozen=True)
class Outcome:
    """True and predicted answers, (N,) labels or (N, outputs) numbers, and the figures that sum them up."""

    task: Task
    truth: Array
    predicted: Array
    figures: dict[str, float]

    def __str__(self) -> str:
        f = self.figures
        if self.task.classes is None:
            return f"R² {f['r2']:.4f}, RMSE {f['rmse']:.4g}, loss {f['loss']:.4f}"
        return f"accuracy {100 * f['accuracy']:.2f} %, loss {f['loss']:.4f}"

    def confusion(self) -> Array:
        """How many samples of each true class (row) were taken for each class (column)."""
        n = self.task.outputs
        return np.bincount(self.truth * n + self.predicted, minlength=n * n).reshape(n, n)

    def table(self) -> str:
        """A line for each class, or for each of several quantities; nothing for a single one."""
        if self.task.classes is not None:
            return self._table_of_classes(self.task.classes)
        return self._table_of_quantities() if self.task.outputs > 1 else ""

    def _table_of_classes(self, classes: tuple[str, ...]) -> str:
        matrix = self.confusion()
        right, true, said = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
        rows = [
            (name, f"{n:,}", _percent(hits, n), _percent(hits, m))
            for name, hits, n, m in zip(classes, right, true, said, strict=True)
        ]
        rows.append(("all", f"{len(self.truth):,}", _percent(right.sum(), len(self.truth)), ""))
        return table(("class", "samples", "found (recall)", "right when said (precision)"), rows, left=1)

    def _table_of_quantities(self) -> str:
        columns = range(self.task.outputs)
        rows = [
            (f"{i + 1}", f"{rmse(self.truth[:, i], self.predicted[:, i]):.4g}", f"{r2:.4f}")
            for i, r2 in zip(columns, r_squared(self.truth, self.predicted), strict=True)
        ]
        rows.append(("all", f"{self.figures['rmse']:.4g}", f"{self.figures['r2']:.4f}"))
        return table(("output", "RMSE", "R²"), rows, left=1)


def evaluate(net: Sequential, task: Task, data: Dataset, source: str) -> Outcome:
    """Let the net answer all samples, and compare; ``source`` is what an error calls them."""
    X, y = task.inputs(data.X, source), task.targets(data.y)
    loss, accuracy = net.evaluate(X, y, BATCH)
    answers = net.predict(X, BATCH)
    if task.target_scale is None:
        return Outcome(task, data.y, answers.argmax(axis=1), {"loss": loss, "accuracy": accuracy or 0.0})
    truth, predicted = task.quantities(data.y), task.target_scale.undo(answers)
    r2 = float(np.mean(r_squared(truth, predicted)))
    return Outcome(task, truth, predicted, {"loss": loss, "rmse": rmse(truth, predicted), "r2": r2})


def rmse(truth: Array, predicted: Array) -> float:
    """√ mean (p - t)², in the unit of t."""
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def r_squared(truth: Array, predicted: Array) -> list[float]:
    """1 - Σ(p - t)² / Σ(t - mean t)² of each column: 1 is perfect, 0 no better than saying the mean."""
    rest = ((predicted - truth) ** 2).sum(axis=0)
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return [1 - r / s if s else float("nan") for r, s in zip(rest.tolist(), spread.tolist(), strict=True)]


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
