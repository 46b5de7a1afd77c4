"""Layers that hand on what they get."""

import numpy as np

from handbrew.layers import Affine, check_layer
from handbrew.nets import Graph
from handbrew.nets.caffe import CaffeSplit, StopGradient

X = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)


def test_split():
    for copies in (1, 2, 3):
        check_layer(CaffeSplit(copies), (3, 4))
    a, b = CaffeSplit(2).forward(X)
    assert a is X
    assert b is X
    assert CaffeSplit(1).forward(X) is X


def test_split_of_integers_has_no_gradient():
    layer = CaffeSplit(2)
    layer.forward(np.arange(3))
    assert layer.backward((None, None)) is None


def test_stop_gradient():
    layer = StopGradient()
    assert layer.forward(X) is X
    assert not layer.backward(X).any()
    net = Graph("x", (Affine(3), "x", "a"), (StopGradient(), "a", "b"), (Affine(2), "b", "y"))
    net.forward(X)
    net.backward(np.ones((2, 2), np.float32))
    assert not net.params["affine1.W"].grad.any()
    assert net.params["affine2.W"].grad.any()
