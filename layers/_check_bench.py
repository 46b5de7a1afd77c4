"""The test bench of ``check_layer``: the layer, its inputs and an upstream gradient, all in float64."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

import numpy as np

from ._check_inputs import argument_names
from ._check_specimen import (
    NotApplicableError,
    Pass,
    Specimen,
    ViolationError,
    as_tuple,
    index,
    is_float,
    outputs,
)
from .layer import Layer
from .loss import Loss
from .param import Array


class Bench:
    """What a layer is checked with. Nothing here touches the caller's layer, ``original``.

    ``layer`` is a copy whose parameters are moved a little, so that a forgotten factor of 1 or a
    forgotten term of 0 shows, and which has seen the inputs in training, so that running statistics
    differ from their initial values. Checks run specimens of it.
    """

    def __init__(self, layer: Layer, inputs: tuple[Array, ...], seed: int) -> None:
        rng = np.random.default_rng([seed, 1])
        self.original, self.seed, self.inputs = layer, seed, inputs
        arguments = argument_names(layer, len(inputs))
        beside = {"weight", "target"} if layer.takes_target else set()
        # To a loss its weights are constants, to a net that ends in a loss the target is too.
        constant = {"weight"} if isinstance(layer, Loss) else beside
        variable = [i for i, name in enumerate(arguments) if name not in constant]
        self.differentiable = [i for i in variable if is_float(inputs[i])]
        self.answered = self.differentiable if layer.takes_target else variable  # what backward returns
        self.scalable = [i for i in self.differentiable if arguments[i] not in beside]

        self.layer = copy.deepcopy(layer).astype(np.float64).train()
        self.layer.input_grad = True
        first = Specimen(self, self.layer)
        first.forward()
        for p in self.layer.params.values():
            p.data += rng.uniform(0.05, 0.15, p.shape)  # upwards, so that what is positive stays so
        self.layer.zero_grad()
        self.output = outputs(self.layer.forward(*map(np.copy, self.inputs)))
        self._refuse_non_finite()
        gradients = tuple(_upstream(y, rng) for y in self.output)
        self.dy: Any = gradients if isinstance(first.output, tuple) else gradients[0]
        self.names = [f"input {name}" if name in self.layer.params else name for name in arguments]

    def specimen(self, dtype: Any = np.float64, training: bool = True) -> Specimen:
        """A copy to run."""
        return Specimen(self, copy.deepcopy(self.layer).astype(dtype).train(training))

    def reference(self, training: bool = True) -> Pass:
        """What every run with the same inputs has to give."""
        return self._trained if training else self._evaluated

    @cached_property
    def _trained(self) -> Pass:
        return self.specimen().run()

    @cached_property
    def _evaluated(self) -> Pass:
        return self.specimen(training=False).run()

    @property
    def random(self) -> bool:
        """Whether the layer draws random numbers in training."""
        return any("_rng" in vars(part) for _, part in self.layer.walk())

    @property
    def coupled(self) -> bool:
        """Whether a sample's output may depend on the other samples."""
        one_number = not all(y.ndim for y in self.output)
        return one_number or any(part.batch_coupled for _, part in self.layer.walk())

    def count(self) -> int:
        """The number of samples; inputs that differ in it cannot be taken apart."""
        lengths = sorted({len(x) for x in self.inputs})
        if len(lengths) > 1:
            raise NotApplicableError(f"the inputs hold {lengths[0]} and {lengths[-1]} samples")
        return lengths[0]

    def take(self, rows: slice) -> tuple[tuple[Array, ...], Any]:
        """Inputs and upstream gradient of some samples."""
        self.count()
        parts = tuple(d[rows] if np.ndim(d) else d for d in as_tuple(self.dy))
        return tuple(x[rows] for x in self.inputs), parts if isinstance(self.dy, tuple) else parts[0]

    def other_inputs(self) -> tuple[Array, ...]:
        """The same samples in another order: other inputs that are in the layer's domain."""
        return tuple(np.roll(x, 1, axis=0) for x in self.inputs)

    def build(self, layer: Layer) -> Any:
        """Build a layer by hand for the inputs' shapes; return what it says of the output's.

        A net that ends in a loss is built for its input, and says the shape of its scores.
        """
        shapes = tuple(x.shape[1:] for x in self.inputs)
        of_samples = self.layer.in_shape if self.is_net_with_loss else shapes
        said = layer.build(shapes[0] if len(shapes) == 1 else of_samples)
        layer.out_shape = self.layer.out_shape  # if they differ, ``build`` says so, once
        return said

    @property
    def is_net_with_loss(self) -> bool:
        """Whether the layer is a net that takes the target for the loss at its end."""
        return self.original.takes_target and not isinstance(self.original, Loss)

    def unbuilt(self) -> Layer:
        """A layer like the caller's, without parameters yet."""
        if not any(part.in_shape is not None for _, part in self.original.walk()):
            return self.placed(copy.deepcopy(self.original))
        try:
            return self.placed(rebuilt(self.original))
        except Exception as error:
            raise NotApplicableError("config() makes no new layer") from error

    def fresh(self) -> Layer:
        """A new layer with the parameters and buffers of the one on the bench."""
        layer = self.unbuilt()
        self.build(layer)
        layer.load_state(self.layer.state())
        for name, p in layer.params.items():
            p.trainable = self.layer.params[name].trainable
        return layer

    def placed(self, layer: Layer) -> Layer:
        """The layer as a specimen would be: with the same random numbers, in float64."""
        layer.place(self.layer._seed or 0, self.layer._path, self.layer.where)
        layer.input_grad = True
        return layer.astype(np.float64).train()

    def _refuse_non_finite(self) -> None:
        for y in self.output:
            if not np.isfinite(y).all():
                at = tuple(np.argwhere(~np.isfinite(y))[0])
                raise ViolationError(
                    f"the output{index(at)} is {y[at]}, so there is nothing to compare; "
                    f"if such inputs are not meant for the layer, pass an array of those that are"
                )


def rebuilt(value: Any) -> Any:
    """A layer made anew from its ``config()``, and those among its arguments too."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(rebuilt, value))
    if not isinstance(value, Layer):
        return copy.deepcopy(value)
    layer = type(value).from_config({name: rebuilt(argument) for name, argument in value.config().items()})
    layer._name = value._name
    return layer


def _upstream(y: Array, rng: np.random.Generator) -> Any:
    """A gradient for an output in which no two elements are alike: ones would hide a lost ``dy``."""
    if not is_float(y):
        return None
    return rng.normal(size=y.shape) if y.ndim else float(rng.uniform(1.2, 1.8))
