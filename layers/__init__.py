"""Layers, losses, containers, initialisers and ``check_layer``: everything that has a forward and a backward."""

if __name__ == "layers":
    raise ImportError("import it as handbrew.layers: under its bare name every class would exist twice")

from .linear import Affine
from .rectifiers import ReLU
from .softmax_loss import SoftmaxCrossEntropy
from .layer import Layer
from .loss import Loss
from .param import Buffer, Param
