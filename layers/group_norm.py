"""Layers that normalise each sample by itself, in groups of its channels."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ._axes import refuse_vectors
from ._images import samples_first, samples_last
from ._normalize import Rate, inside, outside, unscaled
from .errors import ShapeError
from .normalization import Normalization
from .param import Array

LANES = 16  # samples: with fewer, their runs in memory are short, and a sample's own numbers are put together


class GroupNorm(Normalization):
    """y = gamma x̂ + beta,  x̂ = (x - m) / s,  s = sqrt(v + eps);  m, v: mean and variance of a group of channels.

    x is (N, C, …); the C channels on axis 1 are cut into groups, each with all positions of its channels, and one
    m and one v for each sample. Gamma and beta are (C,). With g = dy gamma, and means over the group::

        dgamma = Σ dy x̂,    dbeta = Σ dy,    dx = (g - mean of g - x̂ mean of g x̂) / s,

    where Σ runs over all axes but the channels'. Wu and He, "Group normalization", 2018.

    Parameters
    ----------
    groups : int
        1 normalises each sample as a whole; as many as channels is ``InstanceNorm``  [PyTorch: num_groups].
    eps : float
    affine : bool
        Without, y = x̂.

    Raises
    ------
    ShapeError
        If the groups do not divide the channels, a group holds a single number, or the channels are not those it
        was built for.
    """

    def __init__(self, groups: int, eps: float = 1e-5, affine: bool = True) -> None:
        if not isinstance(groups, (int, np.integer)) or isinstance(groups, bool) or groups < 1:
            raise ShapeError(f"GroupNorm: groups: expected an integer from 1 on, got {groups!r:.40}")
        self.groups, self.eps, self.affine = groups, eps, affine

    def groups_of(self, channels: int) -> int:
        """Into how many groups so many channels are cut."""
        if channels % self.groups:
            raise ShapeError(f"{self.where}: {self.groups} groups do not divide the {channels} channels")
        return self.groups

    def build(self, in_shape: Any) -> Any:
        self._check(in_shape)
        self.learn(in_shape[0])
        return in_shape

    def split(self, x: Array) -> tuple[Array, bool]:
        groups = self._check(x.shape[1:])
        if self.affine and x.shape[1:2] != self.gamma.shape:
            raise ShapeError(f"{self.where}: expected {self.gamma.shape[0]} channels, got input of shape {x.shape}")
        n, size = len(x), prod(x.shape[1:]) // groups
        if n >= LANES:
            return samples_last(x).reshape(groups, size, n), True
        return np.ascontiguousarray(x).reshape(n, groups, size).swapaxes(0, 1), False

    def join(self, y: Array, shape: tuple[int, ...]) -> Array:
        if shape[0] >= LANES:
            return samples_first(y.reshape(*shape[1:], shape[0]))
        return y.swapaxes(0, 1).reshape(shape)

    def along(self, v: Array, x: Array) -> Array:
        groups = self.groups_of(len(v))
        return v.repeat(prod(x.shape[2:])).reshape(groups, -1)

    def _check(self, in_shape: Any) -> int:
        refuse_vectors(self.where, in_shape)
        groups = self.groups_of(in_shape[0])
        if prod(in_shape) == groups:
            raise ShapeError(
                f"{self.where}: each of {groups} groups holds a single number of a sample of shape {in_shape}, which "
                f"is its own mean; use fewer groups, or BatchNorm"
            )
        return groups


class InstanceNorm(GroupNorm):
    """y = x̂ = (x - m) / sqrt(v + eps);  m, v: mean and variance of one channel of one sample.

    x is (N, C, …), and this is ``GroupNorm`` with as many groups as channels, gradients and all; without gamma and
    beta unless they are asked for, as in PyTorch. Ulyanov et al., "Instance normalization: the missing ingredient
    for fast stylization", 2016.

    Raises
    ------
    ShapeError
        If a channel holds a single number, or the channels are not those it was built for.
    """

    def __init__(self, eps: float = 1e-5, affine: bool = False) -> None:
        self.eps, self.affine = eps, affine

    def groups_of(self, channels: int) -> int:
        return channels


class MVN(GroupNorm):
    """y = (x - m) / (s + eps),  s = sqrt(v);  m, v: mean and variance of one channel of one sample, or of a sample.

    x is (N, C, …); there is nothing to learn. With x̂ = (x - m) / (s + eps) and means over what m is a mean of,

        dx = (dy - mean of dy) / (s + eps) - x̂ mean of dy x̂ / s.

    [Caffe: MVN, mean-variance normalisation.] Where all numbers are equal s is 0, and this eps of 1e-9 blows the
    rounding errors of m up; ``eps_inside`` with 1e-5 does not.

    Parameters
    ----------
    across_channels : bool
        m and v are those of the whole sample.
    normalize_variance : bool
        False: y = x - m and dx = dy - mean of dy.
    eps : float
    eps_inside : bool
        Divide by sqrt(v + eps), as everybody but Caffe does; dx is then that of ``InstanceNorm``.

    Raises
    ------
    ShapeError
        If m would be the mean of a single number, or the input has no channels.
    """

    def __init__(
        self,
        across_channels: bool = False,
        normalize_variance: bool = True,
        eps: float = 1e-9,
        eps_inside: bool = False,
    ) -> None:
        self.across_channels, self.normalize_variance = across_channels, normalize_variance
        self.eps, self.eps_inside = eps, eps_inside

    def groups_of(self, channels: int) -> int:
        return 1 if self.across_channels else channels

    def rate(self) -> Rate:
        if not self.normalize_variance:
            return unscaled
        return inside(self.eps) if self.eps_inside else outside(self.eps)
