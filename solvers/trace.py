"""A pass through a net with every layer watched, to find where what is not finite comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from handbrew.layers import Layer
from handbrew.nets import Net

from .finding import Bad, Finding, first_bad, in_batch, in_buffer, in_parameter, made_by

Array = np.ndarray[Any, np.dtype[Any]]
Tracked = tuple[Array, Finding]  # an array that is not finite, and where that comes from
HIDDEN = {"forward", "backward", "across"}  # what is hidden while a layer is watched


class Frame:
    """A layer at work: what it read that is finite, and what is not."""

    def __init__(self, path: str, layer: Layer) -> None:
        self.path, self.layer = path, layer
        self.read: dict[str, Array] = {}
        self.bad: list[Tracked] = []

    def source(self, array: Array) -> Finding | None:
        """Where an array that is not finite comes from, if not from this layer itself."""
        return next((finding for other, finding in self.bad if other is array), self.bad[0][1] if self.bad else None)

    def made(self, direction: str, name: str, bad: Bad) -> Finding:
        """Say that the layer itself made an array: nothing that it read comes into question."""
        own = {name: p.data for name, p in self.layer._shared.params.items()}
        return made_by(self.path, self.layer, direction, name, bad, self.read | own)

    def forget(self, arrays: list[Array]) -> None:
        """Take note that a layer made finite numbers of these: infinities may be meant, as before a softmax."""
        self.bad = [(a, finding) for a, finding in self.bad if not any(a is other for other in arrays)]


class Trace:
    """Runs a batch through ``net``, forward and backward, as training does; gradients are cleared.

    Each array that is not finite is followed back through the layers that passed it on, to the one that made it
    of finite numbers, or to the batch, a parameter or a buffer. A layer reads its inputs, its own parameters and
    buffers, what the layers below it return and, in backward, what it read in forward.
    """

    def __init__(self, net: Layer) -> None:
        self.net: Any = net
        self.frames = [Frame("", net)]  # the layers at work, outermost first; below them the caller
        self.names: dict[int, str] = {}  # of parameters and buffers
        self.spoilt = {path: self._look_at_arrays(path, layer) for path, layer in net.walk()}
        self.kept: dict[str, list[Tracked]] = {}  # by layer: what is not finite and backward may read
        self.gradient: Finding | None = None  # what made the first gradient that is not finite

    def run(self, X: Array, y: Array, *weight: Array) -> Finding | None:
        """Return what made the loss or a gradient not finite; ``None`` if they are."""
        self.net.zero_grad()
        try:
            with np.errstate(all="ignore"), self._watching():
                return self._run(X, y, *weight)
        finally:
            self.net.zero_grad()

    def _run(self, *given: Array) -> Finding | None:
        net, caller = self.net, self.frames[0]
        batch = (net.enter(given[0]) if isinstance(net, Net) else given[0], *given[1:])
        caller.bad = [
            (array, in_batch(name, bad, "" if first_bad(np.asarray(raw)) else f", as {array.dtype},"))
            for name, raw, array in zip(("input", "target", "weight"), given, batch, strict=False)
            if (bad := first_bad(array))
        ]
        if not np.isfinite(net.forward(*batch)):
            return caller.bad[-1][1]
        net.backward()
        return self.gradient

    def _look_at_arrays(self, path: str, layer: Layer) -> list[Tracked]:
        """Find what of a layer's own parameters and buffers is not finite before the pass."""
        spoilt: list[Tracked] = []
        for arrays, in_array in ((layer._shared.params, in_parameter), (layer._shared.buffers, in_buffer)):
            for name, array in arrays.items():
                address = self.names.setdefault(id(array), f"{path}.{name}".lstrip("."))  # tied: the first one's
                if bad := first_bad(array.data):
                    spoilt.append((array.data, in_array(path, layer, address, bad)))
        return spoilt

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Inside, every layer's forward and backward are watched."""
        layers = list(self.net.walk())
        before = [
            (vars(layer), {name: vars(layer)[name] for name in HIDDEN & vars(layer).keys()}) for _, layer in layers
        ]
        try:
            for path, layer in layers:
                members = vars(layer)  # past __setattr__, as none of these is a layer that comes or goes
                members["forward"] = self._watched(path, layer, "forward")
                members["backward"] = self._watched(path, layer, "backward")
                if "across" in members:
                    members["across"] = None  # the other processes do not run this pass
            yield
        finally:
            for members, hidden in before:
                for name in HIDDEN:
                    members.pop(name, None)
                members.update(hidden)

    def _watched(self, path: str, layer: Layer, verb: str) -> Callable[..., Any]:
        method, forward = getattr(layer, verb), verb == "forward"

        def watched(*inputs: Any, **options: Any) -> Any:
            above, frame = self.frames[-1], Frame(path, layer)
            given = arrays_in((*inputs, *options.values()), "input" if forward else "dy")
            for name, array in given.items():
                if bad := first_bad(array):
                    frame.bad.append((array, above.source(array) or above.made(verb, f"{path}.{name}", bad)))
                else:
                    frame.read[name] = array
            frame.bad += self.spoilt[path] if forward else self.kept.get(path, self.spoilt[path])
            self.frames.append(frame)
            try:
                output = method(*inputs, **options)
            finally:
                self.frames.pop()
            found = [
                (array, frame.source(array) or frame.made(verb, name, bad))
                for name, array in arrays_in(output, "output" if forward else "dx").items()
                if (bad := first_bad(array))
            ]
            if forward:
                self.kept[path] = frame.bad + found
            else:
                self._look_at_gradients(frame)
            above.bad += found
            if not found:
                above.forget([*given.values()])
            return output

        return watched

    def _look_at_gradients(self, frame: Frame) -> None:
        """Look at what a backward has added to gradients, a container's to those below it too."""
        for p in (p for _, part in frame.layer.walk() for p in part._shared.params.values()):
            if self.gradient is None and p.trainable and not p.fresh and (bad := first_bad(p.grad)):
                name = f"{self.names.get(id(p), p.name)}.grad"
                self.gradient = frame.source(p.grad) or frame.made("backward", name, bad)


def arrays_in(value: Any, name: str) -> dict[str, Array]:
    """Return the floating-point arrays and numbers in what a layer was given or has returned, by name."""
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            return arrays_in(value[0], name)
        return {k: a for i, item in enumerate(value) for k, a in arrays_in(item, f"{name}[{i}]").items()}
    array = np.asarray(value)
    return {name: array} if array.dtype.kind == "f" else {}
