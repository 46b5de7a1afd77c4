"""``Graph``: layers that read and make named blobs, in any arrangement without circles; itself a layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import Cache, ShapeError

from .errors import GraphError
from .graph_passes import Pass, backward_through, forward_through
from .net import Net, at_work
from .wired import HEAD, Wired, one_or_all

Array = np.ndarray[Any, np.dtype[Any]]


class Graph(Wired):
    """Each layer reads some blobs and makes others. The gradient of a blob is the sum of what its readers return.

    ::

        net = Graph(
            ("image", "label"),
            (Conv2D(16, 3, padding=1).named("conv"), "image", "a"),
            (Conv2D(16, 3, padding=1), "a", "b"),
            (Add(), ("a", "b"), "sum"),
            (Flatten(), "sum", "flat"),
            (Affine(10), "flat", "scores"),
            (SoftmaxCrossEntropy(), ("scores", "label"), "loss"),
        )
        loss = net.forward(X, y)
        net.backward()
        net.blobs["sum"], net.grads["sum"]     # the last pass's

    With all inputs, ``forward`` returns the total loss, the sum of weight x loss, if there is a loss with a weight;
    else the outputs, one array or a tuple. Without a target it runs what can be run, and returns what that leaves
    unread: the scores; ``backward`` then takes their gradient. *Targets* are inputs that losses read, and nobody in
    first place. Inputs are cast once, at the entry: floating-point numbers and uint8 to the parameters' dtype,
    targets not at all.

    ``backward`` runs a layer only if a loss depends on it, and something below it is to learn.

    Parameters
    ----------
    inputs : str or sequence of str
        The blobs that ``forward`` is given.
    *nodes : (layer, inputs, outputs)
        A layer, the name of what it reads and of what it makes; several are a tuple, none ``()``. In any order. Names
        are words without dots.
    outputs : str or sequence of str, optional
        The blobs that ``forward`` returns; those that nobody reads, unless given.
    loss_weights : dict, optional
        What a loss counts for in the total, by the name of its blob: 1 unless given, and 0 leaves it out. Any other
        blob that is named counts by the sum of its elements, as in Caffe.
    seed : int, optional
        As in ``Sequential``.

    Raises
    ------
    GraphError
        If a blob is unknown or made twice, or the blobs run in a circle; it names blob and layer.
    LayerReuseError
        If one object stands in two places; ``tied()`` shares weights.

    Attributes
    ----------
    nodes : tuple of GraphNode
        In the order of running.
    inputs, outputs, targets : tuple of str
    keep_grads : bool
        Whether the gradients of blobs stay in ``grads`` after ``backward``. False frees each as soon as it has been
        used; set it for a net whose activations hardly fit into memory.
    """

    keep_grads: bool = True

    def forward(
        self,
        /,
        *inputs: Any,
        weight: Array | None = None,
        start: str | None = None,
        end: str | None = None,
        **blobs: Any,
    ) -> Any:
        """Return the total loss, or the outputs.

        Parameters
        ----------
        *inputs, **blobs : arrays
            The inputs in their order, or any blobs by name; what makes a blob that is given is not run.
        weight : array, optional
            What each sample, or position, counts for in the losses; it may also follow the inputs.
        start, end : str, optional
            Run only the layers from the one to the other, both included, in the order of ``nodes``, and return what
            the last one makes. With ``start``, blobs from before that are not given are those of the last pass.

        Raises
        ------
        GraphError
            If inputs are missing or unknown.
        """
        tree = self.tree
        if tree is not None and tree.uses_threads and not tree.at_work:
            with at_work(tree):
                return Graph.forward(self, *inputs, weight=weight, start=start, end=end, **blobs)
        if weight is None and len(inputs) == len(self.inputs) + 1 and self.takes_target:
            *inputs, weight = inputs  # type: ignore[assignment]
        values = self._values(inputs, blobs, start)
        way = self.plan(tuple(values), start, end)
        c = self._begin()
        if not way.steps:
            raise GraphError(f"{self.where}: nothing to run: forward takes {', '.join(self.inputs)}")
        keep = "scratch" not in vars(c) or self.in_shape is None or "forward" in vars(self)  # first, for their shapes
        forward_through(self, way, values, weight, keep)
        if weight is not None and not any(node.ends_in_loss for node in way.steps):
            raise GraphError(f"{self.where}: got weights, but ran no loss that they could count in")
        c.way, c.blobs, c.grads = way, values, {}
        if self._head is not None and self._head.inputs[0] in values:
            c.scores_shape = np.shape(values[self._head.inputs[0]])
        if way.total:
            return sum(w * self._sum(blob) for blob, w in self._weights.items())
        return one_or_all([values[blob] for blob in way.outputs])

    def _begin(self) -> Cache:
        """Leave the last pass behind; whether the cache is a scratch one stays."""
        before, cache = vars(self.cache), Cache(type(self).__name__)
        if "scratch" in before:
            cache.scratch = True
        self.cache = cache
        return cache

    def _sum(self, blob: str) -> float:
        value = self.cache.blobs[blob]
        if isinstance(value, float):
            return value
        if value.dtype.kind != "f":
            raise GraphError(f"{self.where}: {blob!r} counts as a loss, but holds {value.dtype}, not real numbers")
        return float(np.sum(value, dtype=np.float64))

    def backward(
        self, dy: Any = None, input_grad: bool | None = None, start: str | None = None, end: str | None = None
    ) -> Any:
        """Return the gradients of the inputs, or ``None`` where they are not wanted; add each parameter's to its own.

        After the loss these are the gradients of the floating-point inputs, as those of a loss; else of all inputs
        that were given, ``None`` for integers. One is an array, several are a tuple.

        Parameters
        ----------
        dy : number or array, or a tuple of them
            The gradient of what ``forward`` returned: 1.0 if that was the loss. With ``start``, of what that layer
            makes.
        input_grad : bool, optional
            Whether to go on to the inputs; without it, if the net has no loss.
        start, end : str, optional
            Run only the layers from the one down to the other, both included, in the reverse order of ``nodes``, and
            return the gradient of what the last one reads.
        """
        tree = self.tree
        if tree is not None and tree.uses_threads and not tree.at_work:
            with at_work(tree):
                return Graph.backward(self, dy, input_grad, start, end)
        c = self.cache
        way: Pass = c.way
        steps = way.between(self, start, end)
        wanted = (self.input_grad if input_grad is None else input_grad) or end is not None
        first = None if start is None else steps[-1].outputs
        seeds = self._seeds(dy, way, first)
        read = self._answered(way) if end is None else steps[0].inputs
        needs = way.needs(self, steps, frozenset(read) if wanted else frozenset())
        c.grads = backward_through(self, steps, seeds, needs)
        return one_or_all([c.grads.get(blob) for blob in read]) if wanted else None

    def scores(self, *inputs: Any) -> Any:
        """Return what the main loss reads, for the inputs that are no targets; the outputs, of a net without loss."""
        if not self.data:
            raise GraphError(f"{self.where}: has no inputs that are given samples; forward() runs it")
        given = dict(zip(self.data, inputs, strict=True))
        if self._head is None or self.in_shape is None or "forward" in vars(self):
            output = self.forward(**given)  # which builds
            if self._head is None:
                return output
        tree = self.tree
        if tree is not None and tree.uses_threads and not tree.at_work:
            with at_work(tree):
                return Graph.scores(self, *inputs)
        values = self._values((), given, None)
        head, scored = self._head.layer, self._head.scored
        self._begin()
        forward_through(self, self.plan(tuple(values), None, None, scored), values, None, keep=False)
        return head.scores(*[values[blob] for blob in scored]) if isinstance(head, Net) else values[scored[0]]

    @property
    def blobs(self) -> dict[str, Any]:
        """What the last ``forward`` left: arrays by blob."""
        return self.cache.blobs

    @property
    def grads(self) -> dict[str, Any]:
        """What the last ``backward`` left: the gradient of each blob that it came by."""
        return self.cache.grads

    def _answered(self, way: Pass) -> tuple[str, ...]:
        """The inputs whose gradient ``backward`` returns."""
        blobs = self.cache.blobs
        return tuple(
            name
            for name in self.inputs
            if name in blobs and (np.asarray(blobs[name]).dtype.kind == "f" or not (way.total or name in self.targets))
        )

    def _values(self, inputs: tuple[Any, ...], blobs: dict[str, Any], start: str | None) -> dict[str, Any]:
        """The blobs that a pass begins with."""
        if any(x is not None for x in inputs[len(self.inputs) :]):
            raise GraphError(f"{self.where}: expected {len(self.inputs)} inputs, {self.inputs}, got {len(inputs)}")
        given = dict(zip(self.inputs, inputs, strict=False))
        if blobs:
            known = {*self.inputs, *(blob for _, _, makes in self._wires for blob in makes)}
            if wrong := [name for name in blobs if name not in known or name in given]:
                raise GraphError(
                    f"{self.where}: forward got {wrong[0]!r}, which is no blob of this graph, or given twice; "
                    f"there are {', '.join(sorted(known))}"
                )
            given |= blobs
        before = {} if start is None else self._before(start)
        return before | {
            name: np.asarray(x) if name in self.targets else self.enter(x) for name, x in given.items() if x is not None
        }

    def _before(self, start: str) -> dict[str, Any]:
        """The last pass's blobs that are made before a layer."""
        later = {blob for node in self.nodes[self.place_of(start) :] for blob in node.outputs}
        return {blob: value for blob, value in vars(self.cache).get("blobs", {}).items() if blob not in later}

    def _seeds(self, dy: Any, way: Pass, first: tuple[str, ...] | None) -> dict[str, Any]:
        """The gradients that backward begins with, by blob."""
        blobs = self.cache.blobs
        if first is None and way.total:
            dloss = 1.0 if dy is None else self.check_dloss(dy)
            return {
                blob: w * dloss if isinstance(blobs[blob], float) else np.full_like(blobs[blob], w * dloss)
                for blob, w in self._weights.items()
            }
        names = way.outputs if first is None else first
        dys = dy if isinstance(dy, (tuple, list)) and len(names) > 1 else (dy,)
        if len(dys) != len(names):
            raise ShapeError(f"{self.where}: backward needs the gradient of each of {names}, got {len(dys)}")
        if any(d is not None for d in dys):
            dys, names = zip(*[(d, blob) for d, blob in zip(dys, names, strict=True) if d is not None], strict=True)
        seeds: dict[str, Any] = {}
        for blob, d in zip(names, dys, strict=True):  # an output may be named twice
            seed = self._seed_of(blob, d)
            seeds[blob] = seeds[blob] + seed if blob in seeds else seed
        return seeds

    def _seed_of(self, blob: str, dy: Any) -> Any:
        value = self.cache.blobs[blob]
        if isinstance(value, float):  # a loss
            return 1.0 if dy is None else self.check_dloss(dy)
        return self.check_dy(dy, np.shape(value))

    def _first_forward(self, *inputs: Any, **options: Any) -> Any:
        self.place_as_top()
        output = type(self).forward(self, *inputs, **options)
        shapes = {name: np.shape(value)[1:] for name, value in vars(self.cache).get("blobs", {}).items()}
        if shapes.keys() >= {*self.data, *self.plan(self.data).outputs}:  # a whole pass
            if self._head is not None and isinstance(self._head.layer, Net):
                shapes[HEAD] = self._head.layer.out_shape
            self.in_shape = one_or_all([shapes[name] for name in self.data])
            self.out_shape = self.shape_left(shapes)
            self.__dict__.pop("forward", None)
        return output
