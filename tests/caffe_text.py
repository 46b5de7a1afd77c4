"""Prototxts in few words, for tests."""

import numpy as np

from handbrew.layers import Layer

RNG = np.random.default_rng(0)


def layer(name, kind, bottoms="", tops=None, options=""):
    ends = [f'bottom: "{blob}"' for blob in bottoms.split()]
    ends += [f'top: "{blob}"' for blob in (name if tops is None else tops).split()]
    return f'layer {{ name: "{name}" type: "{kind}" {" ".join(ends)} {options} }}\n'


def entry(name, *sizes):
    dims = " ".join(f"dim: {size}" for size in sizes)
    return layer(name, "Input", options=f"input_param {{ shape {{ {dims} }} }}")


def dense(name, bottom, outputs, options="", tops=None):
    weights = "weight_filler { type: 'gaussian' }"
    return layer(
        name, "InnerProduct", bottom, tops, f"inner_product_param {{ num_output: {outputs} {weights} }} {options}"
    )


def conv(name, bottom, outputs=3, options="", tops=None):
    p = f"convolution_param {{ num_output: {outputs} kernel_size: 3 weight_filler {{ type: 'msra' }} }}"
    return layer(name, "Convolution", bottom, tops, p + options)


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


class Doubled(Layer):
    """y = factor x."""

    backward_uses = ()

    def __init__(self, factor=2):
        self.factor = factor

    def forward(self, x):
        return self.factor * x

    def backward(self, dy):
        return self.factor * dy
