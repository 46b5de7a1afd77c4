"""What is not built on a file's word."""

import numpy as np
import pytest

from handbrew.layers import Affine, Pad2D, ReLU, Residual
from handbrew.nets import Graph, Sequential
from handbrew.nets.caffe.limits import LARGEST_BLOB, TooLargeError, limited


def net(*layers):
    blobs = ["x", *(f"b{i}" for i in range(len(layers)))]
    return Graph("x", *zip(layers, blobs, blobs[1:], strict=False), seed=0)


def test_parameters_are_counted_together():
    small = net(Affine(10), Affine(10))
    with limited(small, 1, parameters=220):
        small.build((10,))
    large = net(Affine(10), ReLU(), Affine(10))
    said = r"affine2 \(Affine\): wants b of shape \(10,\); .* more than 219 parameters"
    with pytest.raises(TooLargeError, match=said), limited(large, 1, parameters=219):
        large.build((10,))


def test_nothing_is_made_before_it_is_counted():
    huge = net(Affine(1 << 40))
    with pytest.raises(TooLargeError, match="affine1"), limited(huge, 1):
        huge.build((1 << 20,))


def test_layers_in_layers_count():
    nested = net(Residual(Sequential(Affine(10), ReLU())))
    with pytest.raises(TooLargeError, match="affine1"), limited(nested, 1, parameters=50):
        nested.build((10,))


def test_blobs():
    padded = net(Pad2D(30_000), ReLU())
    said = rf"pad2d1 .*\(2, 1, 60001, 60001\) has more than {LARGEST_BLOB} values"
    with pytest.raises(TooLargeError, match=said), limited(padded, 2):
        padded.build((1, 1, 1))


def test_afterwards_layers_are_as_they_were():
    there = net(Affine(3), ReLU())
    with limited(there, 1):
        pass
    for layer in there.layers:
        assert "param" not in vars(layer)
        assert vars(layer)["build"] == layer._build_once
    assert there.forward(np.ones((2, 4), np.float32)).shape == (2, 3)
