"""Layers, losses, containers, initialisers and ``check_layer``: all that has a forward and a backward."""

if __name__ == "layers":
    raise ImportError("import it as handbrew.layers: under its bare name every class would exist twice")

from .cache import Cache
from .configurable import Configurable
from .containers import Branches, Residual
from .errors import CacheError, DTypeError, LabelError, LayerReuseError, NotBuiltError, ShapeError, StateError
from .flat import FlatBuffer, aligned_zeros, pack
from .inference import inference
from .initializers import (
    CaffeMSRA,
    CaffeXavier,
    Constant,
    Glorot,
    He,
    Initializer,
    LeCun,
    Normal,
    Orthogonal,
    Uniform,
    Zeros,
)
from .layer import Layer
from .linear import Affine
from .loss import Loss
from .merge import Add, Concat
from .param import Buffer, Param
from .rectifiers import ReLU
from .softmax_loss import SoftmaxCrossEntropy
from .store import build_from
from .tree import refuse_reuse

__all__ = [
    "Add",
    "Affine",
    "Branches",
    "Buffer",
    "Cache",
    "CacheError",
    "CaffeMSRA",
    "CaffeXavier",
    "Concat",
    "Configurable",
    "Constant",
    "DTypeError",
    "FlatBuffer",
    "Glorot",
    "He",
    "Initializer",
    "LabelError",
    "Layer",
    "LayerReuseError",
    "LeCun",
    "Loss",
    "Normal",
    "NotBuiltError",
    "Orthogonal",
    "Param",
    "ReLU",
    "Residual",
    "ShapeError",
    "SoftmaxCrossEntropy",
    "StateError",
    "Uniform",
    "Zeros",
    "aligned_zeros",
    "build_from",
    "inference",
    "pack",
    "refuse_reuse",
]
