"""Training data of which the last rank's part has a number that is none: running_away.py [sync]"""

import sys

import numpy as np

from handbrew.layers import Affine, BatchNorm, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD
from handbrew.solvers.parallel import world

X, y = np.random.default_rng(0).normal(size=(80, 4)), np.arange(80) % 3
X[77] = np.nan
net = Sequential(Affine(5, bias=False), BatchNorm(), ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=0)
solver = SGD(net, 0.01, comm=world(), sync_batch_norm="sync" in sys.argv)
solver.fit((X, y), epochs=1, batch_size=16, shuffle=False, progress=False)
