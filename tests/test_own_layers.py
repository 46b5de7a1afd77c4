"""Built-in layers have no privileges: rebuilt from the docs by a user, an MLP gives the same bits."""

import numpy as np

from handbrew.data import digits
from handbrew.layers import Affine, He, Layer, ReLU, SoftmaxCrossEntropy, Zeros, column_sum
from handbrew.nets import Sequential
from handbrew.solvers import SGD


class OwnReLU(Layer):
    def forward(self, x):
        self.cache.mask = x > 0
        return np.maximum(x, 0)

    def backward(self, dy):
        return dy * self.cache.mask


class OwnAffine(Layer):
    def __init__(self, out_features):
        self.out_features = out_features

    def build(self, in_shape):
        n, m = in_shape[-1], self.out_features
        self.W = self.param("W", (n, m), He(), fan_in=n, fan_out=m)
        self.b = self.param("b", (m,), Zeros())
        return (m,)

    def forward(self, x):
        self.cache.x = x
        return x @ self.W.data + self.b.data

    def backward(self, dy):
        self.W.add_grad_product(self.cache.x.T, dy)
        self.b.add_grad(column_sum(dy))
        return dy @ self.W.data.T


def train(affine, relu):
    # The layers get equal names, as initial values depend on them.
    layers = [affine(64).named("fc1"), relu().named("r1"), affine(32).named("fc2"), relu().named("r2")]
    net = Sequential(*layers, affine(10).named("fc3"), SoftmaxCrossEntropy(), seed=0)
    history = SGD(net, lr=0.1, momentum=0.9, weight_decay=1e-4).fit(digits(), epochs=3, progress=False)
    return net.state(), [row.loss for row in history]


def test_a_users_own_layers_give_the_same_bits():
    (ours, our_losses), (theirs, their_losses) = train(Affine, ReLU), train(OwnAffine, OwnReLU)
    assert our_losses == their_losses
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
