"""The errors of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dump import Dump


class NoGradientError(RuntimeError):
    """A step without a backward pass before it."""


class NonFiniteError(ArithmeticError):
    """A loss, a gradient or a parameter is not a number, or infinite.

    Attributes are ``None`` where it is not known.

    Attributes
    ----------
    layer : str
        The path of the layer that the first such array belongs to; ``""`` is the net itself.
    direction : str
        ``"forward"``, ``"backward"`` or ``"update"``: which of them made the array.
    array : str
        ``"input"``, ``"target"`` or ``"weight"`` of the batch; a layer's ``"output"`` or ``"dx"``; a parameter, a
        buffer or a gradient by its address, such as ``"fc.W"``, ``"norm.var"``, ``"fc.W.grad"``.
    index : tuple of int
        Its first element that is not finite.
    produced : bool
        Whether the layer made it out of finite numbers (in an update: the rule did). If not, it was there before,
        and the layer passed it on.
    dump : Dump
        The batch, and all that its pass depends on; see ``replay``.
    """

    def __init__(
        self,
        message: str,
        *,
        layer: str | None = None,
        direction: str | None = None,
        array: str | None = None,
        index: tuple[int, ...] | None = None,
        produced: bool | None = None,
        dump: Dump | None = None,
    ) -> None:
        super().__init__(message)
        self.layer, self.direction, self.array, self.index = layer, direction, array, index
        self.produced, self.dump = produced, dump
