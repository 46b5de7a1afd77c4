"""What is known of the first array that is not finite, and how it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from handbrew.layers import Layer

from .errors import NonFiniteError

if TYPE_CHECKING:
    from .dump import Dump

Array = np.ndarray[Any, np.dtype[Any]]


class Bad(NamedTuple):
    """The first element of an array that is not finite, and how many there are."""

    index: tuple[int, ...]
    value: float
    count: int
    size: int

    def __str__(self) -> str:
        if not self.index:
            return str(self.value)
        return f"{self.value} at index {self.index} ({self.count} of {self.size} elements are not finite)"


def first_bad(array: Array) -> Bad | None:
    """Return the first element, in C order, that is not finite; ``None`` if all are, or are integers."""
    if array.dtype.kind != "f":
        return None
    finite = np.isfinite(array)
    if finite.all():
        return None
    index = tuple(int(i) for i in np.unravel_index(finite.argmin(), array.shape))
    return Bad(index, float(array[index]), int(array.size - np.count_nonzero(finite)), array.size)


class Finding(NamedTuple):
    """The first array that is not finite; the fields are ``NonFiniteError``'s, and ``text`` says it all."""

    layer: str
    direction: str
    array: str
    bad: Bad
    produced: bool
    text: str

    def error(self, dump: Dump) -> NonFiniteError:
        """Return it as an error."""
        net = "as that update left it" if self.direction == "update" else "as it was before this batch"
        return NonFiniteError(
            f"{dump.what}: {self.text}. The net is {net}; replay(error.dump) repeats the pass",
            layer=self.layer,
            direction=self.direction,
            array=self.array,
            index=self.bad.index,
            produced=self.produced,
            dump=dump,
        )


def in_batch(name: str, bad: Bad) -> Finding:
    """The input, the target or the weight is not finite."""
    text = f"the {name} has {bad}, and the net passed it on. Clean the data before training"
    return Finding("", "forward", name, bad, False, text)


def in_parameter(path: str, layer: Layer, name: str, bad: Bad) -> Finding:
    """A parameter was not finite before the pass."""
    text = (
        f"parameter {name} has {bad}, and {layer.where} passed it on: an earlier update blew up. Go on from before it, "
        f"with a lower learning rate or clip_norm"
    )
    return Finding(path, "update", name, bad, False, text)


def in_buffer(path: str, layer: Layer, name: str, bad: Bad) -> Finding:
    """A buffer was not finite before the pass."""
    text = (
        f"buffer {name} has {bad}, and {layer.where} passed it on: an earlier forward pass left it so. Look at what the "
        f"layer was given then, and at its forward"
    )
    return Finding(path, "forward", name, bad, False, text)


def made_by(path: str, layer: Layer, direction: str, name: str, bad: Bad, read: dict[str, Array]) -> Finding:
    """A layer made it of finite numbers."""
    sizes = [f"{what} at most {np.abs(a).max():.3g}" for what, a in read.items() if a.size and a.dtype.kind == "f"]
    whose = name if "." in name else f"the {name} of {layer.where}"
    text = (
        f"{whose} is the first array with {bad}. {layer.where} produced it in its {direction}, out of finite numbers "
        f"(in size: {', '.join(sizes)}). If these have grown in training, lower the learning rate or set clip_norm; if "
        f"not, look at its {direction}"
    )
    return Finding(path, direction, name, bad, True, text)
