"""``LiveArrays``: a net's floating-point arrays, for whoever asks for them at every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import Buffer, Layer, Tree

Array = np.ndarray[Any, np.dtype[Any]]


class LiveArrays:
    """The floating-point arrays of a net's buffers, and of its parameters if they are wanted, as they are now.

    Where they are is looked up again only once a layer has come or gone: a walk through a large net takes longer
    than what is done with the arrays.
    """

    def __init__(self, net: Layer, params: bool) -> None:
        self.net, self._params = net, params
        self._tree: Tree | None = None
        self._stamp = 0
        self._holders: dict[str, Buffer] = {}

    def __call__(self) -> dict[str, Array]:
        """Return the arrays by path, not copied."""
        tree = self.net.tree
        if tree is None or tree is not self._tree or tree.stamp != self._stamp:
            self._holders = {**(self.net.params if self._params else {}), **self.net.buffers}
            self._tree, self._stamp = tree, tree.stamp if tree else 0
        return {path: holder.data for path, holder in self._holders.items() if holder.data.dtype.kind == "f"}
