"""The learning-rate range test: which rates a net can be trained with."""

from __future__ import annotations

import copy
import math
from itertools import chain, islice, repeat
from typing import Any, NamedTuple

import numpy as np

from handbrew.data import Batches

from .arguments import as_dataset
from .errors import NonFiniteError
from .solver import Solver

Array = np.ndarray[Any, np.dtype[Any]]
FEWEST = 10  # points that a curve needs
RUNAWAY = 4.0  # times the lowest loss so far
MEMORY = 0.9  # of the running mean that is compared with it


class RangeTest(NamedTuple):
    """What ``find_lr`` has seen; prints as a sentence or two.

    Attributes
    ----------
    rates : array (n,)
        The rates tried, rising.
    losses : array (n,)
        The batch's loss just before the step at each rate.
    smoothed : array (n,)
        Each loss averaged with its neighbours on both sides, so that the curve does not lag behind the rates.
    suggestion : float or None
        The first rate with the smoothed loss halfway down, from its start to its lowest. There it falls about
        fastest, and chance moves this point far less than the steepest one. ``None`` if the whole fall is no
        more than twice the standard deviation of the losses about it.
    limit : float or None
        The rate at which the loss ran away; ``None`` if it never did.
    """

    rates: Array
    losses: Array
    smoothed: Array
    suggestion: float | None
    limit: float | None

    def __str__(self) -> str:
        low, high = self.rates[0], self.rates[-1]
        if self.suggestion is None:
            said = f"no suggestion: from {low:.2g} to {high:.2g}, the loss fell no more than it scatters; "
            said += "try other rates, more steps or larger batches"
        else:
            said = f"suggested learning rate: {self.suggestion:.2g}, halfway down the fall of the loss"
        if self.limit is None:
            return f"{said}\nthe loss never ran away, up to {high:.2g}"
        return f"{said}\nthe loss ran away at {self.limit:.2g}"


def find_lr(
    solver: Solver,
    train: Any,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    seed: int = 0,
) -> RangeTest:
    """Train a copy of the solver and its net with a rate that rises exponentially, a batch a rate.

    It ends at ``high``, or when the loss has run away: when it is not finite, or its running mean is four times
    the lowest so far. The solver given, its net and ``train`` stay as they are. ``train`` is what ``fit`` takes;
    ``Batches`` bring their own batch size, order and position.

    Smith, "Cyclical learning rates for training neural networks", 2017.

    Raises
    ------
    ValueError
        If the loss runs away within the first few steps, so that there is no curve to judge.
    """
    if not isinstance(solver, Solver):
        raise TypeError(f"find_lr: expected a solver, got {type(solver).__name__}; pass the rule too: SGD(net)")
    if not (0 < low < high < math.inf and steps >= FEWEST):
        raise ValueError(
            f"find_lr: expected 0 < low < high and at least {FEWEST} steps, got low={low}, high={high}, steps={steps}"
        )
    rates = np.geomspace(low, high, steps)
    losses, limit = _climb(copy.deepcopy(solver), _batches(train, batch_size, seed), rates)
    if len(losses) < FEWEST:
        raise ValueError(
            f"find_lr: the loss ran away after {len(losses)} of {steps} steps, at a rate of {limit:.2g}; a curve needs "
            f"{FEWEST} points. Pass a lower low than {low:g}; if it is low enough, look for bad numbers in the data"
        )
    rates, points = rates[: len(losses)], np.array(losses)
    smoothed = _smooth(points, width=max(2, steps // 20))
    return RangeTest(rates, points, smoothed, _suggest(rates, points, smoothed), limit)


def _climb(solver: Solver, batches: Batches, rates: Array) -> tuple[list[float], float | None]:
    """Return the losses until they run away, and the rate at which they do."""
    net: Any = solver.net
    losses: list[float] = []
    with np.errstate(all="ignore"):  # what overflows here is what is looked for
        # One batch alone may be lucky, and all others would seem to run away from it.
        mean = lowest = float(np.mean([net.forward(*batch) for batch in islice(copy.copy(batches), FEWEST)]))
        for rate, batch in zip(rates.tolist(), chain.from_iterable(repeat(batches)), strict=False):
            loss = net.forward(*batch)
            mean = MEMORY * mean + (1 - MEMORY) * loss
            lowest = min(lowest, mean)
            if not mean <= lowest + (RUNAWAY - 1) * abs(lowest) < math.inf:
                return losses, rate
            losses.append(loss)
            net.backward()
            solver.lr = rate
            try:
                solver.step()
            except NonFiniteError:
                return losses, rate
    return losses, None


def _smooth(losses: Array, width: int) -> Array:
    """Average each loss with those up to ``width`` places away, weighted by a triangle."""
    kernel = 1.0 + width - np.abs(np.arange(-width, width + 1))
    n = len(losses)
    total, weight = (np.convolve(a, kernel)[width : width + n] for a in (losses, np.ones(n)))
    return total / weight


def _suggest(rates: Array, losses: Array, smoothed: Array) -> float | None:
    bottom = int(smoothed.argmin())
    fall = smoothed[0] - smoothed[bottom]
    if fall <= 2 * np.std((losses - smoothed)[: bottom + 1]):
        return None
    return float(rates[(smoothed <= smoothed[0] - fall / 2).argmax()])


def _batches(train: Any, batch_size: int, seed: int) -> Batches:
    if isinstance(train, Batches):
        return copy.copy(train)  # its position is its own, its data are shared
    return Batches(as_dataset(train, "train"), batch_size=batch_size, seed=seed)
