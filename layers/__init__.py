"""Layers, losses, containers, initialisers and ``check_layer``: all that has a forward and a backward."""

if __name__ == "layers":
    raise ImportError("import it as handbrew.layers: under its bare name every class would exist twice")

from ._numerics import column_sum
from .cache import Cache
from .check import check_layer
from .check_report import CheckReport, LayerCheckError
from .class_loss import ClassLoss
from .classification_losses import KLDivergence, NegativeLogLikelihood, SigmoidCrossEntropy
from .configurable import Configurable
from .containers import Branches, Residual
from .dropout import Dropout
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
from .merge import Add, Concat
from .param import Buffer, Param
from .rectifiers import ELU, SELU, PReLU, ReLU
from .regression_losses import EuclideanLoss, Huber, MeanAbsoluteError, MeanSquaredError
from .shape import Flatten, Reshape
from .sigmoids import GELU, Sigmoid, SiLU, Softplus, Tanh
from .softmax import LogSoftmax, Softmax
from .softmax_loss import Infogain, SoftmaxCrossEntropy
from .tree import Tree, refuse_reuse

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Abs",
    "Add",
    "Affine",
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
    "DTypeError",
    "Dropout",
    "EuclideanLoss",
    "Exp",
    "FlatBuffer",
    "Flatten",
    "Glorot",
    "He",
    "Huber",
    "Infogain",
    "Initializer",
    "KLDivergence",
    "LabelError",
    "Layer",
    "LayerCheckError",
    "LayerReuseError",
    "LeCun",
    "Log",
    "LogSoftmax",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "MulticlassHinge",
    "NegativeLogLikelihood",
    "Normal",
    "NotBuiltError",
    "OneVsRestHinge",
    "Orthogonal",
    "PReLU",
    "Param",
    "Power",
    "ReLU",
    "Reshape",
    "Residual",
    "ShapeError",
    "SiLU",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "StateError",
    "Tanh",
    "Threshold",
    "Tree",
    "Triplet",
    "Uniform",
    "Zeros",
    "aligned_zeros",
    "build_from",
    "check_layer",
    "column_sum",
    "inference",
    "pack",
    "refuse_reuse",
]
