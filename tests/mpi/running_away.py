"""One sample of the last rank's part makes the loss or a gradient no number: running_away.py sync|own loss|gradient"""

import sys

import numpy as np

from handbrew.layers import Affine, BatchNorm, Layer, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD
from handbrew.solvers.parallel import world


class Brittle(Layer):
    """y = x between -1000 and 1000; the gradient of larger ones is no number."""

    def forward(self, x):
        self.cache.x = x
        return x.clip(-1000, 1000)

    def backward(self, dy):
        return np.where(abs(self.cache.x) > 1000, np.nan, dy)


statistics, what = sys.argv[1:]
X, y = np.random.default_rng(0).normal(size=(80, 4)), np.arange(80) % 3
X[77] = np.nan if what == "loss" else 1e6
net = Sequential(Affine(5, bias=False), Brittle(), BatchNorm(), ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=0)
solver = SGD(net, 0.01, comm=world(), sync_batch_norm=statistics == "sync")
solver.fit((X, y), epochs=1, batch_size=16, shuffle=False, progress=False)
