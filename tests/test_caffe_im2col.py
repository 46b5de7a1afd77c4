"""Im2col against a loop over windows, and against a convolution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import layouts, normal

from handbrew.layers import Conv2D, ShapeError, check_layer
from handbrew.nets.caffe.im2col import Im2col

PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))


@given(kernel=PAIR, stride=PAIR, padding=PAIR, dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)), layout=layouts)
def test_against_a_loop(kernel, stride, padding, dilation, layout):
    x = layout(normal((2, 2, 5, 6)))
    layer = Im2col(kernel, stride, padding, dilation)
    y = layer.forward(x)
    assert y.shape[1:] == layer.build((2, 5, 6))
    dy = normal(y.shape)
    dx = np.zeros_like(x)
    for n, channel, i, j in np.ndindex(y.shape):
        c, tap = divmod(channel, kernel[0] * kernel[1])
        row = i * stride[0] - padding[0] + tap // kernel[1] * dilation[0]
        column = j * stride[1] - padding[1] + tap % kernel[1] * dilation[1]
        inside = 0 <= row < 5 and 0 <= column < 6
        assert y[n, channel, i, j] == (x[n, c, row, column] if inside else 0)
        if inside:
            dx[n, c, row, column] += dy[n, channel, i, j]
    np.testing.assert_allclose(layer.backward(dy), dx)


def test_it_is_what_a_convolution_multiplies_with_its_weights():
    x = normal((2, 3, 6, 5), np.float32)
    conv = Conv2D(4, 3, stride=2, padding=1, bias=False)
    columns = Im2col(3, 2, 1).forward(x)
    y = conv.forward(x)
    np.testing.assert_allclose(np.einsum("om,nmij->noij", conv.W.data.reshape(4, 27), columns), y, atol=1e-5)


def test_contract():
    check_layer(Im2col(2), (2, 3, 4))
    check_layer(Im2col((3, 2), (2, 1), (1, 0), (1, 2)), (2, 5, 6))
    assert Im2col(2).flops() == 0


def test_what_is_refused():
    for arguments, name in (((0,), "kernel_size"), ((1, 0), "stride"), ((1, 1, -1), "padding"), ((1, 1, 0, 0), "dil")):
        with pytest.raises(ShapeError, match=f"Im2col: {name}"):
            Im2col(*arguments)
    with pytest.raises(ShapeError, match="expected an integer or a pair"):
        Im2col((1, 2, 3))
    with pytest.raises(ShapeError, match=r"kernel of \(4, 4\) does not fit into images of \(3, 5\)"):
        Im2col(4).forward(normal((1, 1, 3, 5)))
    with pytest.raises(ShapeError, match=r"expected images \(N, C, H, W\)"):
        Im2col(2).forward(normal((1, 3, 5)))
