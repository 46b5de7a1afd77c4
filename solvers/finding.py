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

    at: tuple[int, ...]
    value: float
    number: int
    size: int

    def __str__(self) -> str:
        if not self.at:
            return str(self.value)
        return f"{self.value} at index {self.at} ({self.number} of {self.size} elements are not finite)"


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
        kept = "Buffers and generators are" if self.direction == "update" else "The net is"
        return NonFiniteError(
            f"{dump.what}: {self.text}. {kept} as before this batch; replay(error.dump) repeats the pass",
            layer=self.layer,
            direction=self.direction,
            array=self.array,
            index=self.bad.at,
            produced=self.produced,
            dump=dump,
        )


def in_batch(name: str, bad: Bad, cast: str = "") -> Finding:
    """The input, the target or the weight is not finite, perhaps only once it was cast."""
    text = f"the {name}{cast} has {bad}, and the net passes it on. Clean the data before training"
    return Finding("", "forward", name, bad, False, text)


def in_parameter(path: str, layer: Layer, name: str, bad: Bad) -> Finding:
    """A parameter was not finite before the pass."""
    text = (
        f"parameter {name} has {bad}: an update, or whoever set it, left it so, and {layer.where} passes it on. Go "
        f"back to before that, with a lower learning rate or clip_norm"
    )
    return Finding(path, "update", name, bad, False, text)


def in_buffer(path: str, layer: Layer, name: str, bad: Bad) -> Finding:
    """A buffer was not finite before the pass."""
    text = (
        f"buffer {name} has {bad}: an earlier forward, or whoever set it, left it so, and {layer.where} passes it on. "
        f"Look at what that layer keeps there, and of what"
    )
    return Finding(path, "forward", name, bad, False, text)


def made_by(path: str, layer: Layer, direction: str, name: str, bad: Bad, read: dict[str, Array]) -> Finding:
    """A layer made it of finite numbers."""
    sizes = [f"{what} at most {np.abs(a).max():.3g}" for what, a in read.items() if a.size and a.dtype.kind == "f"]
    one, other = (name, layer.where) if "." in name else (f"the {name} of {layer.where}", "that layer")
    text = (
        f"first of all arrays, {one} has {bad}: {other} produced it in its {direction}, out of finite numbers "
        f"(in size: {', '.join(sizes)}). If these have grown in training, lower the learning rate or set clip_norm; "
        f"if not, look at its {direction}"
    )
    return Finding(path, direction, name, bad, True, text)
