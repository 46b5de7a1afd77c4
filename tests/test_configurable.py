"""Constructor arguments: remembered, shown, returned."""

import numpy as np
import pytest

from handbrew.layers import Affine, Branches, Concat, He, Layer, Normal, ReLU, Residual, SoftmaxCrossEntropy


class Plain(Layer):
    """No constructor at all."""


class Keywords(Layer):
    def __init__(self, rate=0.5, *, mode="a", **rest):
        self.rate, self.kind = rate, mode
        self.rest = rest


class Made(Layer):
    """An attribute of an argument's name that is no longer the argument."""

    def __init__(self, bias=True):
        self.wanted = bias

    def build(self, in_shape):
        self.bias = self.param("bias", in_shape, Normal())
        return in_shape

    def forward(self, x):
        return x + self.bias.data


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (Plain(), "Plain()"),
        (Affine(3), "Affine(3)"),
        (Affine(out_features=3, bias=False), "Affine(3, bias=False)"),
        (Affine(3, weight_init=Normal(std=0.1)), "Affine(3, weight_init=Normal(std=0.1))"),
        (He(), "He()"),
        (He("uniform"), "He(distribution='uniform')"),
        (ReLU(0.1), "ReLU(negative_slope=0.1)"),
        (Residual(Affine(3), ReLU()), "Residual(Affine(3), shortcut=ReLU())"),
        (Branches(ReLU(), Affine(2), merge=Concat(2)), "Branches(ReLU(), Affine(2), merge=Concat(axis=2))"),
        (SoftmaxCrossEntropy(class_weight=[1, 2]), "SoftmaxCrossEntropy(class_weight=[1, 2])"),
        (Keywords(), "Keywords()"),
        (Keywords(0.2, mode="b", extra=1), "Keywords(rate=0.2, mode='b', extra=1)"),
    ],
)
def test_repr_reads_like_the_call(layer, text):
    assert repr(layer) == text


def test_config_holds_what_differs_from_the_defaults():
    assert Affine(3).config() == {"out_features": 3}
    assert Keywords(0.2, extra=1).config() == {"rate": 0.2, "extra": 1}


def test_config_follows_attributes_that_were_changed():
    layer = Keywords()
    layer.rate = 0.25
    assert layer.config() == {"rate": 0.25}


def test_config_is_not_misled_by_an_array_of_the_same_name():
    layer = Made(bias=False)
    layer.forward(np.ones((2, 3), np.float32))
    assert layer.config() == {"bias": False}


def test_arguments_that_are_layers_are_not_children_twice():
    body = Affine(3)
    assert list(Residual(body).children) == ["body"]
