"""``Watch``: why a loss, a gradient or a parameter is not finite, told the moment it is."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from handbrew.layers import Buffer, Layer, Tree

from .dump import Dump
from .errors import NonFiniteError

Array = np.ndarray[Any, np.dtype[Any]]
SEEN = ("layer", "direction", "array", "index", "produced")
UNREPEATED = (
    "Run again, the batch gave a finite loss and finite gradients. Does a layer keep what it computes with in plain "
    "attributes, or draw from another generator than self.rng? Where the gradients of several batches or processes are "
    "summed, look at the others"
)
BY_THE_RULE = (
    "The rule made it out of finite numbers, and the parameters have changed: go back to a snapshot, and lower the "
    "learning rate or set clip_norm; if that is no help, look at the rule's update"
)


class Watch:
    """Remembers, before each forward pass, what the pass will change, so that it can be run again.

    For a training loop of your own::

        watch = Watch(net)
        for X, y in batches:
            watch.note()
            loss = net.forward(X, y)
            if not math.isfinite(loss):
                raise watch.explain(f"the loss is {loss}", X, y)
            net.backward()
            try:
                solver.step()
                solver.check_results()  # another look, at the parameters
            except NonFiniteError as error:
                raise watch.explain(str(error), X, y, error=error) from None

    ``solver.fit`` does so. What is remembered is small: where the generators of random numbers stand, and the
    buffers; ``note`` takes a few microseconds for a net of a few layers.
    """

    def __init__(self, net: Layer) -> None:
        self.net = net
        self._tree: Tree | None = None
        self._stamp = 0
        self._layers: list[tuple[str, Layer]] = []
        self._generators: dict[str, Any] = {}
        self._buffers: list[tuple[Buffer, Array]] = []

    def note(self) -> None:
        """Remember generators and buffers as they are now; called before every pass, so it must be quick."""
        tree = self.net.tree
        if tree is None or tree is not self._tree or tree.stamp != self._stamp:
            self._tree, self._stamp = tree, tree.stamp if tree else 0
            self._layers = list(self.net.walk())
        self._generators, self._buffers = {}, []
        for path, layer in self._layers:
            if "_rng" in vars(layer):
                self._generators[path] = layer.rng.bit_generator.state
            for buffer in layer._shared.buffers.values():
                self._buffers.append((buffer, buffer.data.copy()))

    def explain(
        self,
        what: str,
        X: Array,
        y: Array,
        *weight: Array,
        error: NonFiniteError | None = None,
        solver: dict[str, Any] | None = None,
    ) -> NonFiniteError:
        """Return an error that says where what is not finite comes from; the net is then as before the last ``note``.

        The batch is run again with every layer watched. Gradients are cleared. What ``note`` does not know stays as
        it is: a parameter that an update has spoilt, or what a layer keeps in plain attributes.

        Parameters
        ----------
        what : str
            What was seen, and where in the training; the message begins with it.
        X, y, weight : arrays
            The batch that was at work.
        error : NonFiniteError, optional
            What ``Solver.step`` raised, if that saw it.
        solver : dict, optional
            The solver's settings, for the dump.
        """
        in_update = error is not None and error.direction == "update"
        self._buffers += self._made_since()
        self._put_back()
        dump = Dump.take(self.net, (X, y, *weight), what, solver or {})
        try:
            finding, said = dump.trace(self.net), BY_THE_RULE if in_update else UNREPEATED
        except Exception as failure:  # must not hide what it was to explain
            finding, said = None, f"Run again, the batch failed with {type(failure).__name__}: {failure}"
        finally:
            self._put_back()
        # With the parameters that a rule has spoilt, the pass may well run away elsewhere first.
        if finding and not (in_update and finding.direction != "update"):
            return finding.error(dump)
        seen = {} if error is None else {name: getattr(error, name) for name in SEEN}
        return NonFiniteError(f"{what}. {said}", **seen, dump=dump)

    def _put_back(self) -> None:
        self.net.load_generator_states(self._generators)
        for buffer, values in self._buffers:
            buffer.data = values

    def _made_since(self) -> list[tuple[Buffer, Array]]:
        """Buffers that the pass itself has made, a net's first, with their initial values."""
        noted, found = {id(buffer) for buffer, _ in self._buffers}, []
        for _, layer in self.net.walk():
            new = {name: buffer for name, buffer in layer._shared.buffers.items() if id(buffer) not in noted}
            if new:
                twin = copy.deepcopy(layer)
                vars(twin)["tree"] = layer.tree  # it keeps its place, which initial values depend on
                twin.unbuild()
                twin.build(layer.in_shape)
                found += [(buffer, twin._shared.buffers[name].data) for name, buffer in new.items()]
        return found
