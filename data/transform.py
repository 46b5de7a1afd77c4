"""What Caffe's data layers do to each sample on its way into the net: `transform_param`."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Transform:
    """y = scale (crop(x) - mean), and half of the samples mirrored: X (N, C, H, W), of any kind, to float32.

    - `scale`: a number, such as 1 / 256.
    - `mean`: what is taken away: an image (C, H, W), which is cropped as each sample is; C numbers, one a channel; or
      a single one.
    - `crop`: the height and width that are left, 0 for all. In training each sample's place is random, else it is
      the centre.
    - `mirror`: turn left and right about with probability 1/2, in tests too, as Caffe does.
    - `training`: see `crop`.

    Random numbers come from a generator of its own, whose place `state()` tells and `restore(state)` goes back to.
    With neither crop nor mirror it takes arrays of any shape (N, ...).

    Raises ValueError for settings that make no sense, or samples that do not fit.

    >>> Transform(scale=0.5, mean=[10.0])(np.full((1, 1, 1, 2), 20, np.uint8))
    array([[[[5., 5.]]]], dtype=float32)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mean: ArrayLike | None = None,
        crop: int = 0,
        mirror: bool = False,
        *,
        training: bool = True,
        seed: int | None = 0,
    ) -> None:
        if crop < 0 or not math.isfinite(scale):
            raise ValueError(f"Transform: expected a finite scale and a crop of at least 0, got {scale} and {crop}")
        self.scale, self.crop, self.mirror, self.training = float(scale), int(crop), bool(mirror), training
        self.mean = None if mean is None else np.asarray(mean, np.float32)
        if self.mean is not None and self.mean.ndim not in (1, 3):
            raise ValueError(f"Transform: expected a mean image (C, H, W) or numbers, got shape {self.mean.shape}")
        self._rng = np.random.default_rng(seed)

    def __call__(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """A new array, float32; `X` stays as it is."""
        images = self.crop or self.mirror or self.mean is not None
        if images and X.ndim != 4:
            raise ValueError(f"Transform: mean, crop and mirror need images of shape (N, C, H, W), got {X.shape}")
        Y = X.astype(np.float32)
        if self.mean is not None:
            Y -= self._mean_for(X.shape[1:])
        flip = self._rng.random(len(X)) < 0.5 if self.mirror else None
        if self.crop:
            Y = self._cropped(Y)
        if flip is not None:
            Y[flip] = Y[flip, ..., ::-1]
        Y *= np.float32(self.scale)
        return Y

    def _mean_for(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        mean = self.mean
        assert mean is not None
        if mean.ndim == 1 and len(mean) in (1, shape[0]):
            return mean[:, None, None]
        if mean.shape != shape:
            raise ValueError(f"Transform: a mean of shape {mean.shape} does not fit samples of shape {shape}")
        return mean

    def _cropped(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        size = self.crop
        rows, columns = (length - size for length in X.shape[2:])
        if min(rows, columns) < 0:
            raise ValueError(f"Transform: a crop of {size} does not fit samples of shape {X.shape[1:]}")
        if not self.training:
            return X[:, :, rows // 2 : rows // 2 + size, columns // 2 : columns // 2 + size].copy()
        Y = np.empty((*X.shape[:2], size, size), np.float32)
        tops, lefts = self._rng.integers(rows + 1, size=len(X)), self._rng.integers(columns + 1, size=len(X))
        for x, y, top, left in zip(X, Y, tops, lefts, strict=True):
            y[...] = x[:, top : top + size, left : left + size]
        return Y

    def state(self) -> dict[str, Any]:
        """Where the random numbers stand."""
        return dict(self._rng.bit_generator.state)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state` was taken. Raises ValueError if it is no such state."""
        try:
            self._rng.bit_generator.state = dict(state)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f"Transform: no state of its random numbers ({error})") from error
