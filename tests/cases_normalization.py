"""Layers that normalise, and Dropout2D, for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

from handbrew.layers import (
    LRN,
    MVN,
    BatchNorm,
    Dropout2D,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    RMSNorm,
)

FEATURES, SEQUENCES, IMAGES, VOLUMES = (4,), (4, 3), (4, 3, 2), (2, 2, 3, 2)


def _frozen(layer: Any, name: str, in_shape: tuple[int, ...]) -> Layer:
    layer.build(in_shape)
    layer.params[name].trainable = False
    return layer


CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("batchnorm", BatchNorm, (FEATURES,)),
    ("batchnorm-sequences", BatchNorm, (SEQUENCES,)),
    ("batchnorm-images", BatchNorm, (IMAGES,)),
    ("batchnorm-volumes", BatchNorm, (VOLUMES,)),
    ("batchnorm-options", lambda: BatchNorm(momentum=0.5, eps=0.1), (IMAGES,)),
    ("batchnorm-plain", lambda: BatchNorm(affine=False), (FEATURES,)),
    ("batchnorm-plain-images", lambda: BatchNorm(affine=False), (IMAGES,)),
    ("batchnorm-statistics", lambda: BatchNorm(frozen_statistics=True), (FEATURES,)),
    ("batchnorm-statistics-images", lambda: BatchNorm(frozen_statistics=True), (IMAGES,)),
    ("batchnorm-statistics-plain", lambda: BatchNorm(affine=False, frozen_statistics=True), (SEQUENCES,)),
    ("batchnorm-gamma-frozen", lambda: _frozen(BatchNorm(), "gamma", IMAGES), (IMAGES,)),
    ("batchnorm-beta-frozen", lambda: _frozen(BatchNorm(), "beta", FEATURES), (FEATURES,)),
    ("layernorm", LayerNorm, (FEATURES,)),
    ("layernorm-sequences", lambda: LayerNorm(eps=0.1), (SEQUENCES,)),
    ("layernorm-images", LayerNorm, (IMAGES,)),
    ("layernorm-plain", lambda: LayerNorm(affine=False), (SEQUENCES,)),
    ("layernorm-gamma-frozen", lambda: _frozen(LayerNorm(), "gamma", FEATURES), (FEATURES,)),
    ("rmsnorm", RMSNorm, (FEATURES,)),
    ("rmsnorm-sequences", lambda: RMSNorm(eps=0.1), (SEQUENCES,)),
    ("rmsnorm-plain", lambda: RMSNorm(affine=False), (IMAGES,)),
    ("groupnorm", lambda: GroupNorm(2), (FEATURES,)),
    ("groupnorm-sequences", lambda: GroupNorm(2), (SEQUENCES,)),
    ("groupnorm-images", lambda: GroupNorm(2, eps=0.1), (IMAGES,)),
    ("groupnorm-one", lambda: GroupNorm(1), (IMAGES,)),
    ("groupnorm-each", lambda: GroupNorm(4), (IMAGES,)),
    ("groupnorm-plain", lambda: GroupNorm(2, affine=False), (VOLUMES,)),
    ("groupnorm-frozen", lambda: _frozen(GroupNorm(2), "beta", IMAGES), (IMAGES,)),
    ("instancenorm", InstanceNorm, (SEQUENCES,)),
    ("instancenorm-affine", lambda: InstanceNorm(eps=0.1, affine=True), (IMAGES,)),
    ("lrn", lambda: LRN(3, alpha=0.5), (FEATURES,)),
    ("lrn-sequences", lambda: LRN(2, alpha=0.5, beta=0.5, k=2.0), (SEQUENCES,)),
    ("lrn-images", lambda: LRN(5, alpha=1.0, average=False), (IMAGES,)),
    ("lrn-within", lambda: LRN(3, alpha=1.0, within_channel=True), (IMAGES,)),
    ("lrn-within-even", lambda: LRN(2, alpha=0.5, k=2.0, within_channel=True, average=False), (IMAGES,)),
    ("mvn", MVN, (SEQUENCES,)),
    ("mvn-across", lambda: MVN(across_channels=True), (FEATURES,)),
    ("mvn-across-images", lambda: MVN(across_channels=True, eps=0.1), (IMAGES,)),
    ("mvn-mean", lambda: MVN(normalize_variance=False), (IMAGES,)),
    ("mvn-mean-across", lambda: MVN(across_channels=True, normalize_variance=False), (IMAGES,)),
    ("mvn-inside", lambda: MVN(eps=0.1, eps_inside=True), (IMAGES,)),
    ("mvn-outside", lambda: MVN(eps=0.5), (IMAGES,)),
    ("dropout-2d", Dropout2D, (IMAGES,)),
    ("dropout-2d-rate", lambda: Dropout2D(0.3), (SEQUENCES,)),
    ("dropout-2d-features", lambda: Dropout2D(0.3), (FEATURES,)),
]
