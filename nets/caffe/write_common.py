"""handbrew's layers with weights, of statistics and of several inputs as Caffe's."""

from __future__ import annotations

from typing import Any

from handbrew.layers import MVN, Add, Affine, Bias, Embedding, Maximum, Multiply, Scale

from .batch_norm import CaffeBatchNorm
from .fillers import describe_filler
from .gathering import CaffeEmbed
from .inner_product import InnerProduct
from .map_common import MAX, PROD
from .sources import DummyData, Parameter, Silence
from .spec import InexpressibleError
from .write_vision import Write


def _affine(layer: Any, proto: Any) -> None:
    p = proto.inner_product_param
    p.axis = len(layer.in_shape)  # its last one
    _inner_product_weights(layer, p)


def _inner_product(layer: Any, proto: Any) -> None:
    p = proto.inner_product_param
    p.axis, p.transpose = layer.axis, layer.transpose
    _inner_product_weights(layer, p)


def _inner_product_weights(layer: Any, p: Any) -> None:
    p.num_output, p.bias_term = layer.out_features, layer.bias
    describe_filler(layer.weight_init, p.weight_filler)
    describe_filler(layer.bias_init, p.bias_filler)


def _embed(layer: Any, proto: Any) -> None:
    p = proto.embed_param
    p.input_dim, p.num_output, p.bias_term = layer.num_embeddings, layer.embedding_dim, layer.bias
    describe_filler(layer.weight_init, p.weight_filler)
    describe_filler(layer.bias_init, p.bias_filler)


def _batch_norm(layer: Any, proto: Any) -> None:
    p = proto.batch_norm_param
    p.moving_average_fraction, p.eps = layer.moving_average_fraction, layer.eps
    if layer.use_global_stats is not None:
        p.use_global_stats = layer.use_global_stats


def _scale(layer: Any, proto: Any) -> None:
    p = proto.scale_param
    p.axis, p.num_axes, p.bias_term = layer.axis, layer.num_axes, layer.bias
    describe_filler(layer.weight_init, p.filler)
    describe_filler(layer.bias_init, p.bias_filler)


def _bias(layer: Any, proto: Any) -> None:
    p = proto.bias_param
    p.axis, p.num_axes = layer.axis, layer.num_axes
    describe_filler(layer.bias_init, p.filler)


def _mvn(layer: Any, proto: Any) -> None:
    p = proto.mvn_param
    if layer.eps_inside:
        raise InexpressibleError("Caffe adds eps to the standard deviation, not to the variance")
    p.across_channels, p.normalize_variance, p.eps = layer.across_channels, layer.normalize_variance, layer.eps


def _add(layer: Any, proto: Any) -> None:
    proto.eltwise_param.coeff.extend(layer.coefficients or ())


def _multiply(layer: Any, proto: Any) -> None:
    proto.eltwise_param.operation = PROD


def _maximum(layer: Any, proto: Any) -> None:
    proto.eltwise_param.operation = MAX


def _parameter(layer: Any, proto: Any) -> None:
    proto.parameter_param.shape.dim.extend(layer.shape)


def _dummy_data(layer: Any, proto: Any) -> None:
    for shape in layer.shapes:
        proto.dummy_data_param.shape.add(dim=shape)
    for init in layer.inits:
        describe_filler(init, proto.dummy_data_param.data_filler.add())


WRITE: dict[type, tuple[str, Write]] = {
    Affine: ("InnerProduct", _affine),
    InnerProduct: ("InnerProduct", _inner_product),
    Embedding: ("Embed", _embed),
    CaffeEmbed: ("Embed", _embed),
    CaffeBatchNorm: ("BatchNorm", _batch_norm),
    Scale: ("Scale", _scale),
    Bias: ("Bias", _bias),
    MVN: ("MVN", _mvn),
    Add: ("Eltwise", _add),
    Multiply: ("Eltwise", _multiply),
    Maximum: ("Eltwise", _maximum),
    Parameter: ("Parameter", _parameter),
    DummyData: ("DummyData", _dummy_data),
    Silence: ("Silence", lambda layer, proto: None),
}
