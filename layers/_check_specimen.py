"""What ``check_layer`` runs: a copy of the layer that starts from the same point every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .layer import Layer
from .param import Array

if TYPE_CHECKING:
    from ._check_bench import Bench

Layout = Callable[[Array], Array]


class ViolationError(Exception):
    """A broken rule; the message stands alone in the report."""


class NotApplicableError(Exception):
    """Why a check says nothing about this layer."""


class Pass(NamedTuple):
    """What one forward and backward pass gave."""

    outputs: tuple[Array, ...]
    gradients: dict[str, Array]  # of the inputs by argument name, of the trainable parameters by path


class Specimen:
    """A copy of the layer, with buffers and generators set back before every forward pass.

    ``given``, ``output``, ``given_dy`` and ``answer`` are the very objects that went into and came out
    of the last two calls; everything returned is a copy.
    """

    def __init__(self, bench: Bench, layer: Layer) -> None:
        self.bench, self.layer = bench, layer
        self._start: list[tuple[Any, Array]] | None = None

    def forward(self, inputs: tuple[Array, ...] | None = None, layout: Layout = np.copy) -> tuple[Array, ...]:
        """Outputs for the bench's inputs or others, each handed over as ``layout`` makes it."""
        self.rewind()
        given = self.bench.inputs if inputs is None else inputs
        self.given = tuple(layout(self._cast(x)) for x in given)
        self.output = self.layer.forward(*self.given)
        return outputs(self.output)

    def call_backward(self, dy: Any = None, layout: Layout = np.copy) -> None:
        """Run ``backward`` with the bench's upstream gradient or another."""
        dy = self.bench.dy if dy is None else dy
        self.given_dy = tuple(layout(self._cast(d)) if np.ndim(d) else d for d in as_tuple(dy))
        self.answer = self.layer.backward(self.given_dy if isinstance(dy, tuple) else self.given_dy[0])

    def backward(self, dy: Any = None, layout: Layout = np.copy) -> dict[str, Array]:
        """Gradients by name, those of the parameters as they have accumulated."""
        self.call_backward(dy, layout)
        return dict(self._input_gradients()) | self.parameter_gradients()

    def run(self, inputs: Any = None, dy: Any = None, layout: Layout = np.copy) -> Pass:
        """One forward and one backward pass, from cleared gradients."""
        result = self.forward(inputs, layout)
        self.layer.zero_grad()
        return Pass(result, self.backward(dy, layout))

    def parameter_gradients(self) -> dict[str, Array]:
        """What has accumulated."""
        return {path: p.grad.copy() for path, p in self.layer.params.items() if p.trainable}

    def rewind(self) -> None:
        """Set buffers and generators back to where they were before the first pass."""
        parts = [part for _, part in self.layer.walk()]
        if self._start is None and all(part.built for part in parts):
            self._start = [(buffer, buffer.data.copy()) for buffer in self.layer.buffers.values()]
        for buffer, data in self._start or ():
            buffer.data = data
        for part in parts:
            vars(part).pop("_rng", None)  # made anew, from the same seed, when it is next asked for

    def _cast(self, x: Array) -> Array:
        return x.astype(self.layer.dtype) if is_float(x) else x

    def _input_gradients(self) -> Iterator[tuple[str, Array]]:
        bench, answer = self.bench, self.answer
        names = ", ".join(bench.names[i] for i in bench.answered)
        if len(bench.answered) == 1:
            answer = (answer,)
        elif not isinstance(answer, tuple) or len(answer) != len(bench.answered):
            raise ViolationError(f"expected a tuple, one gradient for each of {names}; got {kind(answer)}")
        for i, gradient in zip(bench.answered, answer, strict=True):
            name, shape = bench.names[i], self.given[i].shape
            if i not in bench.differentiable:
                if gradient is not None:
                    came = f"{self.given[i].dtype} input {name}"
                    raise ViolationError(f"gradient of {came}: expected None, got {kind(gradient)}")
            elif not isinstance(gradient, np.ndarray) or gradient.shape != shape:
                expected = f"an array of the input's shape {shape}"
                raise ViolationError(f"gradient of {name}: expected {expected}, got {kind(gradient)}")
            else:
                yield name, gradient.copy()


def outputs(result: Any) -> tuple[Array, ...]:
    """Copies of what ``forward`` returned: arrays, or numbers as arrays without axes."""
    for y in as_tuple(result):
        if not isinstance(y, (np.ndarray, np.number, float)):
            raise ViolationError(f"forward: expected an array, a tuple of arrays or a float, got {kind(y)}")
    return tuple(np.array(y) for y in as_tuple(result))


def difference(expected: Pass, got: Pass, tolerance: float = 1e-7) -> str:
    """The first array of two passes that differs, and where it does so most; empty if none does.

    The tolerance is relative to the array's largest element: the order of a sum may change.
    """
    several = len(expected.outputs) > 1
    for i, (a, b) in enumerate(zip(expected.outputs, got.outputs, strict=True)):
        if found := difference_of(f"output {i}" if several else "the output", a, b, tolerance):
            return found
    for name, gradient in expected.gradients.items():
        if found := difference_of(f"the gradient of {name}", gradient, got.gradients[name], tolerance):
            return found
    return ""


def difference_of(name: str, expected: Array, got: Array, tolerance: float = 1e-7) -> str:
    """Where two arrays differ most, if they do."""
    if expected.shape != got.shape:
        return f"{name}: expected shape {expected.shape}, got {got.shape}"
    a, b = np.asarray(expected, np.float64), np.asarray(got, np.float64)
    with np.errstate(all="ignore"):
        error = np.nan_to_num(np.abs(a - b), nan=np.inf)
        if not error.size or error.max() <= tolerance * np.abs(a).max() + 1e-3 * tolerance:
            return ""
    at = np.unravel_index(error.argmax(), a.shape)
    return f"{name}{index(at)}: expected {a[at]:.6g}, got {b[at]:.6g}"


def mode(training: bool) -> str:
    """The mode's name in a message."""
    return "training" if training else "evaluation"


def index(at: tuple[Any, ...]) -> str:
    """``[2, 0]``, or nothing for an array without axes."""
    return f"[{', '.join(str(int(i)) for i in at)}]" if at else ""


def kind(value: Any) -> str:
    """What a value is, in an error message."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"


def as_tuple(value: Any) -> tuple[Any, ...]:
    """One output as a tuple of one."""
    return value if isinstance(value, tuple) else (value,)


def is_float(x: Array) -> bool:
    """Whether an array can have a gradient."""
    return x.dtype.kind == "f"
