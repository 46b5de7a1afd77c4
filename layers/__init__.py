"""Layers, losses, containers, initialisers and ``check_layer``: all that has a forward and a backward."""

if __name__ == "layers":
    raise ImportError("import it as handbrew.layers: under its bare name every class would exist twice")

import typing as _typing

from ._numerics import column_sum, matrix_product
from .cache import Cache
from .check import check_layer
from .check_report import CheckReport, LayerCheckError
from .class_loss import ClassLoss
from .classification_losses import KLDivergence, NegativeLogLikelihood, SigmoidCrossEntropy
from .configurable import Configurable
from .containers import Branches, Residual
from .dropout import Dropout, Dropout2D
from .elementwise import Abs, Clip, Exp, Log, Power, Threshold
from .embedding_losses import Contrastive, Triplet
from .errors import CacheError, DTypeError, LabelError, LayerReuseError, NotBuiltError, ShapeError, StateError
from .flat import FlatBuffer, aligned_zeros, pack
from .given import build_from
from .hinge_losses import MulticlassHinge, OneVsRestHinge
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
from .merge import Add, Concat, Maximum, Multiply
from .param import Buffer, Param
from .rectifiers import ELU, SELU, PReLU, ReLU
from .regression_losses import EuclideanLoss, Huber, MeanAbsoluteError, MeanSquaredError
from .shape import Flatten, Reshape, Transpose
from .sigmoids import GELU, Sigmoid, SiLU, Softplus, Tanh
from .softmax import LogSoftmax, Softmax
from .softmax_loss import Infogain, SoftmaxCrossEntropy
from .threads import elementwise, in_pieces, share, sharing, worker_threads
from .tree import Tree, refuse_reuse

if _typing.TYPE_CHECKING:
    from .arg_max import ArgMax
    from .augmentation import RandomCrop, RandomFlip
    from .batch_norm import BatchNorm
    from .convolution import Conv1D, Conv2D, ConvTranspose2D
    from .cropping import Crop
    from .embedding import Embedding
    from .global_pooling import GlobalAvgPool2D, GlobalMaxPool2D, SpatialPyramidPool
    from .group_norm import MVN, GroupNorm, InstanceNorm
    from .normalization import LayerNorm, RMSNorm
    from .padding import Pad2D
    from .pooling import AvgPool2D, MaxPool2D
    from .reduction import Reduce
    from .response_norm import LRN
    from .scaling import Bias, Scale
    from .slicing import Slice, Split
    from .standardize import Normalize
    from .stochastic_pooling import StochasticPool2D
    from .unpooling import MaxUnpool2D
    from .upsampling import Tile, Upsample2D

# Layers that most programs do without, those for images above all: with them, importing would take half as long again.
_LATER = (
    ("arg_max", "ArgMax"),
    ("augmentation", "RandomCrop RandomFlip"),
    ("batch_norm", "BatchNorm"),
    ("convolution", "Conv1D Conv2D ConvTranspose2D"),
    ("cropping", "Crop"),
    ("embedding", "Embedding"),
    ("global_pooling", "GlobalAvgPool2D GlobalMaxPool2D SpatialPyramidPool"),
    ("group_norm", "MVN GroupNorm InstanceNorm"),
    ("normalization", "LayerNorm RMSNorm"),
    ("padding", "Pad2D"),
    ("pooling", "AvgPool2D MaxPool2D"),
    ("reduction", "Reduce"),
    ("response_norm", "LRN"),
    ("scaling", "Bias Scale"),
    ("slicing", "Slice Split"),
    ("standardize", "Normalize"),
    ("stochastic_pooling", "StochasticPool2D"),
    ("unpooling", "MaxUnpool2D"),
    ("upsampling", "Tile Upsample2D"),
)


def __getattr__(name: str) -> _typing.Any:
    """Import a family of layers when one of them is first asked for."""
    for module, layers in _LATER:
        names = layers.split()
        if name in names:
            import importlib

            family = importlib.import_module(f".{module}", __name__)
            globals().update({known: getattr(family, known) for known in names})
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "ELU",
    "GELU",
    "LRN",
    "MVN",
    "SELU",
    "Abs",
    "Add",
    "Affine",
    "ArgMax",
    "AvgPool2D",
    "BatchNorm",
    "Bias",
    "Branches",
    "Buffer",
    "Cache",
    "CacheError",
    "CaffeMSRA",
    "CaffeXavier",
    "CheckReport",
    "ClassLoss",
    "Clip",
    "Concat",
    "Configurable",
    "Constant",
    "Contrastive",
    "Conv1D",
    "Conv2D",
    "ConvTranspose2D",
    "Crop",
    "DTypeError",
    "Dropout",
    "Dropout2D",
    "Embedding",
    "EuclideanLoss",
    "Exp",
    "FlatBuffer",
    "Flatten",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "Glorot",
    "GroupNorm",
    "He",
    "Huber",
    "Infogain",
    "Initializer",
    "InstanceNorm",
    "KLDivergence",
    "LabelError",
    "Layer",
    "LayerCheckError",
    "LayerNorm",
    "LayerReuseError",
    "LeCun",
    "Log",
    "LogSoftmax",
    "Loss",
    "MaxPool2D",
    "MaxUnpool2D",
    "Maximum",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "MulticlassHinge",
    "Multiply",
    "NegativeLogLikelihood",
    "Normal",
    "Normalize",
    "NotBuiltError",
    "OneVsRestHinge",
    "Orthogonal",
    "PReLU",
    "Pad2D",
    "Param",
    "Power",
    "RMSNorm",
    "RandomCrop",
    "RandomFlip",
    "ReLU",
    "Reduce",
    "Reshape",
    "Residual",
    "Scale",
    "ShapeError",
    "SiLU",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Slice",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "SpatialPyramidPool",
    "Split",
    "StateError",
    "StochasticPool2D",
    "Tanh",
    "Threshold",
    "Tile",
    "Transpose",
    "Tree",
    "Triplet",
    "Uniform",
    "Upsample2D",
    "Zeros",
    "aligned_zeros",
    "build_from",
    "check_layer",
    "column_sum",
    "elementwise",
    "in_pieces",
    "inference",
    "matrix_product",
    "pack",
    "refuse_reuse",
    "share",
    "sharing",
    "worker_threads",
]
