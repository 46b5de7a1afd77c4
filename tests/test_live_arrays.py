"""What is kept of a net's arrays is never an old one."""

import numpy as np

from handbrew.layers import Affine, BatchNorm, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD
from handbrew.solvers.live_arrays import LiveArrays


def test_they_follow_the_net():
    net = Sequential(Affine(5), BatchNorm(), ReLU(), Affine(3), SoftmaxCrossEntropy())
    net.build((4,))
    arrays, buffers = LiveArrays(net, params=True), LiveArrays(net, params=False)

    def check():
        for live, expected in ((arrays, {**net.params, **net.buffers}), (buffers, net.buffers)):
            found = live()
            assert list(found) == list(expected)
            assert all(found[path] is array.data for path, array in expected.items())

    check()
    SGD(net, 0.1).attach()  # parameters move into one stretch of memory
    check()
    net.astype(np.float64)
    check()
    net.replace("affine2", Affine(7))
    check()
    net.replace("batchnorm1", ReLU())
    check()
