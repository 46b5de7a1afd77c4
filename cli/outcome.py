"""What a net achieves on samples whose answers are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from handbrew.data import Dataset
from handbrew.nets import Confusion, Net, TopK
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
        shares = ", ".join(f"{name} {100 * f[name]:.2f} %" for name in f if name.startswith(("accuracy", "top-")))
        return f"{shares}, loss {f['loss']:.4f}"

    def confusion(self) -> Array:
        """How many samples of each true class (row) were taken for each class (column)."""
        return self._confusion().value

    def table(self) -> str:
        """A line for each class, or for each of several quantities; nothing for a single one."""
        if self.task.classes is not None:
            return str(self._confusion())
        return self._table_of_quantities() if self.task.outputs > 1 else ""

    def _confusion(self) -> Confusion:
        confusion = Confusion(self.task.classes)
        # As scores, an answer is 1 in its own place and 0 elsewhere.
        confusion.add(np.eye(self.task.outputs, dtype=bool)[self.predicted], self.truth)
        return confusion

    def _table_of_quantities(self) -> str:
        columns = range(self.task.outputs)
        rows = [
            (f"{i + 1}", f"{rmse(self.truth[:, i], self.predicted[:, i]):.4g}", f"{r2:.4f}")
            for i, r2 in zip(columns, r_squared(self.truth, self.predicted), strict=True)
        ]
        rows.append(("all", f"{self.figures['rmse']:.4g}", f"{self.figures['r2']:.4f}"))
        return table(("output", "RMSE", "R²"), rows, left=1)


def evaluate(net: Net, task: Task, data: Dataset, source: str, top_k: Iterable[int] = ()) -> Outcome:
    """Let the net answer all samples, and compare; ``source`` is what an error calls them."""
    X, y, top = task.inputs(data.X, source), task.targets(data.y), top_metrics(top_k)
    loss, accuracy = net.evaluate(X, y, BATCH, metrics=top)
    answers = net.predict(X, BATCH)
    if task.target_scale is None:
        shares = {"accuracy": accuracy or 0.0, **{name: metric.value or 0.0 for name, metric in top.items()}}
        return Outcome(task, data.y, answers.argmax(axis=1), {"loss": loss, **shares})
    truth, predicted = task.quantities(data.y), task.target_scale.undo(answers)
    r2 = float(np.mean(r_squared(truth, predicted)))
    return Outcome(task, truth, predicted, {"loss": loss, "rmse": rmse(truth, predicted), "r2": r2})


def top_metrics(top_k: Iterable[int]) -> dict[str, TopK]:
    """The metrics that count an answer among the k most probable, by name."""
    return {f"top-{k}": TopK(k) for k in top_k}


def rmse(truth: Array, predicted: Array) -> float:
    """√ mean (p - t)², in the unit of t."""
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def r_squared(truth: Array, predicted: Array) -> list[float]:
    """1 - Σ(p - t)² / Σ(t - mean t)² of each column: 1 is perfect, 0 no better than saying the mean."""
    rest = ((predicted - truth) ** 2).sum(axis=0)
    spread = ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    return [1 - r / s if s else float("nan") for r, s in zip(rest.tolist(), spread.tolist(), strict=True)]
