"""Activations, dropout and shape layers for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from handbrew.layers.dropout import Dropout
from handbrew.layers.elementwise import Abs, Clip, Exp, Log, Power, Threshold
from handbrew.layers.layer import Layer
from handbrew.layers.rectifiers import ELU, SELU, PReLU, ReLU
from handbrew.layers.shape import Flatten, Reshape
from handbrew.layers.sigmoids import GELU, Sigmoid, SiLU, Softplus, Tanh
from handbrew.layers.softmax import LogSoftmax, Softmax

MATRIX, IMAGES, SEQUENCES = (3,), (2, 3, 4), (5, 3)
POSITIVE = np.random.default_rng(0).uniform(0.5, 2.0, (4, 3))

CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("relu", ReLU, (MATRIX,)),
    ("relu-images", ReLU, (IMAGES,)),
    ("relu-leaky", lambda: ReLU(0.1), (IMAGES,)),
    ("relu-steep", lambda: ReLU(-2.0), (MATRIX,)),
    ("prelu", PReLU, (MATRIX,)),
    ("prelu-images", PReLU, (IMAGES,)),
    ("prelu-sequences", lambda: PReLU(init=-0.5), (SEQUENCES,)),
    ("prelu-shared", lambda: PReLU(shared=True), (IMAGES,)),
    ("prelu-shared-vector", lambda: PReLU(shared=True, init=1.5), ((),)),
    ("elu", ELU, (MATRIX,)),
    ("elu-alpha", lambda: ELU(alpha=0.3), (IMAGES,)),
    ("selu", SELU, (IMAGES,)),
    ("sigmoid", Sigmoid, (MATRIX,)),
    ("sigmoid-images", Sigmoid, (IMAGES,)),
    ("tanh", Tanh, (MATRIX,)),
    ("tanh-images", Tanh, (IMAGES,)),
    ("softplus", Softplus, (IMAGES,)),
    ("silu", SiLU, (IMAGES,)),
    ("silu-beta", lambda: SiLU(beta=2.0), (MATRIX,)),
    ("silu-negative-beta", lambda: SiLU(beta=-0.5), (MATRIX,)),
    ("gelu", GELU, (IMAGES,)),
    ("gelu-tanh", lambda: GELU(approximate="tanh"), (IMAGES,)),
    ("softmax", Softmax, (MATRIX,)),
    ("softmax-one-class", Softmax, ((1,),)),
    ("softmax-channels", Softmax, (IMAGES,)),
    ("softmax-rows", lambda: Softmax(axis=-1), (IMAGES,)),
    ("log-softmax", LogSoftmax, (MATRIX,)),
    ("log-softmax-channels", LogSoftmax, (IMAGES,)),
    ("log-softmax-rows", lambda: LogSoftmax(axis=-1), (IMAGES,)),
    ("abs", Abs, (IMAGES,)),
    ("power", Power, (MATRIX,)),
    ("power-square", lambda: Power(power=2.0, scale=0.5, shift=-1.0), (IMAGES,)),
    ("power-root", lambda: Power(power=0.5, scale=2.0, shift=1.0), (POSITIVE,)),
    ("power-reciprocal", lambda: Power(power=-1.0), (POSITIVE,)),
    ("power-zero", lambda: Power(power=0.0), (MATRIX,)),
    ("exp", Exp, (MATRIX,)),
    ("exp-base", lambda: Exp(base=2.0, scale=0.5, shift=-1.0), (IMAGES,)),
    ("log", Log, (POSITIVE,)),
    ("log-base", lambda: Log(base=10.0, scale=2.0, shift=1.0), (POSITIVE,)),
    ("clip", lambda: Clip(-0.5, 0.5), (IMAGES,)),
    ("threshold", lambda: Threshold(0.25), (MATRIX,)),
    ("dropout", Dropout, (IMAGES,)),
    ("dropout-rate", lambda: Dropout(rate=0.2), (MATRIX,)),
    ("dropout-eval", lambda: Dropout().eval(), (MATRIX,)),
    ("flatten", Flatten, (IMAGES,)),
    ("flatten-middle", lambda: Flatten(axis=2, end_axis=3), ((2, 3, 4, 2),)),
    ("reshape", lambda: Reshape(4, -1), (IMAGES,)),
    ("reshape-copy", lambda: Reshape(0, -1), (IMAGES,)),
    ("reshape-scalar", Reshape, ((1,),)),
]

# Keyword arguments for check_layer by name: what is no error there.
OPTIONS: dict[str, dict[str, Any]] = {
    "exp": {"large_inputs": False},
    "power-zero": {"allow_constant": ("x",)},
    "softmax-one-class": {"allow_constant": ("x",)},
    "threshold": {"allow_constant": ("x",)},
}
