"""Whole nets of Caffe's as plain NumPy, in use and with the gradients of their losses."""

import caffe_nets
import numpy as np
import pytest
from exported import export

from handbrew.nets import load_caffe


@pytest.mark.parametrize(("name", "size"), [("resnet", 224), ("googlenet", 224), ("squeezenet", 224), ("fcn", 64)])
def test_a_net(name, size, tmp_path):
    text = getattr(caffe_nets, name)(thin=16)
    net = load_caffe(text)
    net.build((3, size, size))
    x = np.random.default_rng(0).normal(size=(2, 3, size, size)).astype(np.float32)
    net.train().forward(x)  # so that there are statistics
    net.eval()
    found, expected = export(net, tmp_path, backward=False).predict(x), net.predict(x)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_a_net_with_its_loss(tmp_path):
    net = load_caffe(caffe_nets.resnet(thin=16), phase="train").eval()
    net.build((3, 64, 64))
    export(net, tmp_path)  # whose self-test compares all gradients
