"""Pooling layers for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from handbrew.layers import (
    AvgPool2D,
    GlobalAvgPool2D,
    GlobalMaxPool2D,
    Layer,
    MaxPool2D,
    MaxUnpool2D,
    SpatialPyramidPool,
    StochasticPool2D,
)


def _places(batch: int, channels: int, size: tuple[int, int], count: tuple[int, int]) -> Any:
    """Different places in images of ``size``, for maxima of ``count``."""
    rng = np.random.default_rng(0)
    rows, columns = count
    each = [rng.permutation(size[0] * size[1])[: rows * columns] for _ in range(batch * channels)]
    return np.array(each).reshape(batch, channels, rows, columns)


_ACTIVE = np.random.default_rng(0).exponential(size=(6, 2, 5, 4))
_SHARED = np.array([[[[3, 0], [3, 8]], [[1, 2], [2, 2]]]] * 3)  # some windows had one maximum between them

CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("max-pool", lambda: MaxPool2D(2), ((3, 4, 6),)),
    ("max-pool-overlapping", lambda: MaxPool2D(3, stride=1), ((2, 4, 5),)),
    ("max-pool-padded", lambda: MaxPool2D(3, stride=2, padding=1), ((2, 5, 6),)),
    ("max-pool-ceil", lambda: MaxPool2D(3, stride=2, ceil_mode=True), ((2, 6, 4),)),
    ("max-pool-pairs", lambda: MaxPool2D((2, 3), (3, 1), (1, 0)), ((2, 5, 4),)),
    ("max-pool-gaps", lambda: MaxPool2D(1, stride=2), ((2, 4, 5),)),
    ("max-pool-indices", lambda: MaxPool2D(3, stride=2, padding=1, return_indices=True), ((2, 4, 5),)),
    ("avg-pool", lambda: AvgPool2D(2), ((3, 4, 6),)),
    ("avg-pool-overlapping", lambda: AvgPool2D(3, stride=1), ((2, 4, 5),)),
    ("avg-pool-padded", lambda: AvgPool2D(3, stride=2, padding=1), ((2, 5, 6),)),
    ("avg-pool-real-pixels", lambda: AvgPool2D(3, stride=2, padding=1, count_include_pad=False), ((2, 5, 6),)),
    ("avg-pool-ceil", lambda: AvgPool2D(3, stride=2, ceil_mode=True), ((2, 6, 4),)),
    ("avg-pool-pairs", lambda: AvgPool2D((2, 3), (3, 1), (1, 0)), ((2, 5, 4),)),
    ("global-avg-pool", GlobalAvgPool2D, ((3, 4, 5),)),
    ("global-avg-pool-keepdims", lambda: GlobalAvgPool2D(keepdims=True), ((3, 4, 5),)),
    ("global-max-pool", GlobalMaxPool2D, ((3, 4, 5),)),
    ("global-max-pool-keepdims", lambda: GlobalMaxPool2D(keepdims=True), ((3, 4, 5),)),
    ("spatial-pyramid", lambda: SpatialPyramidPool(3), ((2, 7, 8),)),
    ("spatial-pyramid-average", lambda: SpatialPyramidPool(2, average=True), ((2, 5, 4),)),
    ("stochastic-pool", lambda: StochasticPool2D(2), (_ACTIVE[..., :4, :],)),
    ("stochastic-pool-ceil", lambda: StochasticPool2D(3, stride=2, ceil_mode=True), (_ACTIVE,)),
    ("stochastic-pool-pairs", lambda: StochasticPool2D((2, 3), (3, 1), (1, 0)), (_ACTIVE,)),
    ("max-unpool", lambda: MaxUnpool2D(2), ((2, 2, 3), _places(7, 2, (4, 6), (2, 3)))),
    ("max-unpool-size", lambda: MaxUnpool2D(2, output_size=(5, 7)), ((2, 2, 3), _places(7, 2, (5, 7), (2, 3)))),
    ("max-unpool-shared", lambda: MaxUnpool2D(2, stride=1), ((2, 2, 2), _SHARED)),
]
