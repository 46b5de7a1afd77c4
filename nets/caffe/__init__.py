"""Caffe's models, read, run, trained on and written, and the layers for conventions that are Caffe's alone."""

from .accuracy import CaffeAccuracy
from .batch_norm import CaffeBatchNorm
from .blobs import read_mean
from .class_losses import CaffeHingeLoss, CaffeInfogainLoss, CaffeMultinomialLoss, CaffeSoftmaxLoss
from .fillers import Bilinear, ByShape, PositiveUnitBall, SparseNormal, Transposed
from .gathering import BatchReindex, CaffeEmbed, Filter
from .im2col import Im2col
from .inner_product import InnerProduct
from .load import load_caffe, to_graph
from .pair_losses import CaffeContrastiveLoss, CaffeEuclideanLoss, CaffeSigmoidLoss
from .passing import CaffeSplit, StopGradient
from .reducing import CaffeArgMax, CaffeReduction
from .save import save_caffe
from .select import select
from .shaping import CaffeConcat, CaffeReshape, CaffeSlice
from .sources import DummyData, Parameter, Silence
from .text import read_net, read_solver, write_net
from .transfer import load_weights, save_caffemodel, weights_of
from .weights import LayerWeights, read_caffemodel, write_caffemodel

__all__ = [
    "BatchReindex",
    "Bilinear",
    "ByShape",
    "CaffeAccuracy",
    "CaffeArgMax",
    "CaffeBatchNorm",
    "CaffeConcat",
    "CaffeContrastiveLoss",
    "CaffeEmbed",
    "CaffeEuclideanLoss",
    "CaffeHingeLoss",
    "CaffeInfogainLoss",
    "CaffeMultinomialLoss",
    "CaffeReduction",
    "CaffeReshape",
    "CaffeSigmoidLoss",
    "CaffeSlice",
    "CaffeSoftmaxLoss",
    "CaffeSplit",
    "DummyData",
    "Filter",
    "Im2col",
    "InnerProduct",
    "LayerWeights",
    "Parameter",
    "PositiveUnitBall",
    "Silence",
    "SparseNormal",
    "StopGradient",
    "Transposed",
    "load_caffe",
    "load_weights",
    "read_caffemodel",
    "read_mean",
    "read_net",
    "read_solver",
    "save_caffe",
    "save_caffemodel",
    "select",
    "to_graph",
    "weights_of",
    "write_caffemodel",
    "write_net",
]
