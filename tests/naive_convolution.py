"""Convolution from its definition: one number at a time, over every index, in float64 and in Python's own loops.

y[n, o, h, w] = b[o] + Σ W[o, c, i, j] x[n, g C + c, s h + d i - p, s w + d j - p]: g is the group of o, C the channels
of a group, and x is 0 outside the image. Everything is (N, channels, height, width), options are pairs, and padding is
(top, bottom, left, right).
"""

import itertools

import numpy as np


def indices(*sizes):
    return itertools.product(*map(range, sizes))


def out_size(size, kernel, stride, padding, dilation):
    """How often the kernel fits into the padded image, by trying every place."""
    top, bottom, left, right = padding
    counts = []
    for n, k, s, d, before, after in zip(size, kernel, stride, dilation, (top, left), (bottom, right), strict=True):
        places = [p for p in range(0, before + n + after, s) if p + d * (k - 1) < before + n + after]
        counts.append(len(places))
    return tuple(counts)


def meetings(x_shape, W_shape, y_size, stride, padding, dilation, groups):
    """Every (n, o, c of x, c of W, h, w, i, j, row, column) where weight, input and output meet, within the image."""
    samples, _, height, width = x_shape
    O, C, kh, kw = W_shape
    for n, o, c, h, w, i, j in indices(samples, O, C, *y_size, kh, kw):
        row = stride[0] * h + dilation[0] * i - padding[0]
        column = stride[1] * w + dilation[1] * j - padding[2]
        if 0 <= row < height and 0 <= column < width:
            group = o // (O // groups)
            yield n, o, group * C + c, c, h, w, i, j, row, column


def convolve(x, W, b=None, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    size = out_size(x.shape[2:], W.shape[2:], stride, padding, dilation)
    y = np.zeros((len(x), len(W), *size))
    X, K = x.astype(np.float64), W.astype(np.float64)
    for n, o, cx, c, h, w, i, j, row, column in meetings(x.shape, W.shape, size, stride, padding, dilation, groups):
        y[n, o, h, w] += K[o, c, i, j] * X[n, cx, row, column]
    if b is not None:
        for o in range(len(W)):
            y[:, o] += float(b[o])
    return y


def input_gradient(dy, W, size, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    """Of Σ dy y, for images of a (height, width)."""
    dx = np.zeros((len(dy), W.shape[1] * groups, *size))
    G, K = dy.astype(np.float64), W.astype(np.float64)
    places = meetings(dx.shape, W.shape, dy.shape[2:], stride, padding, dilation, groups)
    for n, o, cx, c, h, w, i, j, row, column in places:
        dx[n, cx, row, column] += K[o, c, i, j] * G[n, o, h, w]
    return dx


def weight_gradient(x, dy, kernel, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    """Of Σ dy y, for a kernel of (height, width)."""
    dW = np.zeros((dy.shape[1], x.shape[1] // groups, *kernel))
    X, G = x.astype(np.float64), dy.astype(np.float64)
    places = meetings(x.shape, dW.shape, dy.shape[2:], stride, padding, dilation, groups)
    for n, o, cx, c, h, w, i, j, row, column in places:
        dW[o, c, i, j] += G[n, o, h, w] * X[n, cx, row, column]
    return dW


def paintings(x_shape, W_shape, stride, padding, dilation, groups, y_size):
    """Every (n, c, o of y, o of W, h, w, i, j, row, column): where input, weight and output of a transposed one meet.

    Each input paints the kernel on a canvas without borders, of which the padding is cut off.
    """
    samples, channels, height, width = x_shape
    _, O, kh, kw = W_shape
    for n, c, o, h, w, i, j in indices(samples, channels, O, height, width, kh, kw):
        row = stride[0] * h + dilation[0] * i - padding[0]
        column = stride[1] * w + dilation[1] * j - padding[2]
        if 0 <= row < y_size[0] and 0 <= column < y_size[1]:
            yield n, c, c // (channels // groups) * O + o, o, h, w, i, j, row, column


def transposed_size(size, kernel, stride, padding, dilation, output_padding):
    """Of the canvas, less what is cut off, and what is asked for beyond it."""
    cut = (padding[0] + padding[1], padding[2] + padding[3])
    return tuple(
        s * (n - 1) + d * (k - 1) + 1 - less + more
        for n, k, s, d, less, more in zip(size, kernel, stride, dilation, cut, output_padding, strict=True)
    )


def convolve_transposed(x, W, b, stride, padding, dilation, groups, output_padding):
    size = transposed_size(x.shape[2:], W.shape[2:], stride, padding, dilation, output_padding)
    y = np.zeros((len(x), W.shape[1] * groups, *size))
    for n, c, oy, o, h, w, i, j, row, column in paintings(x.shape, W.shape, stride, padding, dilation, groups, size):
        y[n, oy, row, column] += float(W[c, o, i, j]) * float(x[n, c, h, w])
    if b is not None:
        for o in range(y.shape[1]):
            y[:, o] += float(b[o])
    return y


def transposed_gradients(x, W, dy, stride, padding, dilation, groups):
    """dx and dW of Σ dy y."""
    dx, dW = np.zeros(x.shape), np.zeros(W.shape)
    places = paintings(x.shape, W.shape, stride, padding, dilation, groups, dy.shape[2:])
    for n, c, oy, o, h, w, i, j, row, column in places:
        dx[n, c, h, w] += float(W[c, o, i, j]) * float(dy[n, oy, row, column])
        dW[c, o, i, j] += float(x[n, c, h, w]) * float(dy[n, oy, row, column])
    return dx, dW
