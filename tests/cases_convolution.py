"""Layers of convolution for the contract test: (name, factory, inputs for check_layer)."""

from collections.abc import Callable
from typing import Any

from handbrew.layers import Conv1D, Conv2D, ConvTranspose2D, Layer

CASES: list[tuple[str, Callable[[], Layer], tuple[Any, ...]]] = [
    ("conv", lambda: Conv2D(3, 3), ((2, 5, 6),)),
    ("conv-one-pixel", lambda: Conv2D(3, 1), ((2, 3, 4),)),
    ("conv-one-pixel-strided", lambda: Conv2D(3, 1, stride=2), ((2, 4, 5),)),
    ("conv-no-bias", lambda: Conv2D(2, 2, bias=False), ((2, 3, 4),)),
    ("conv-strided", lambda: Conv2D(2, 3, stride=2, padding=1), ((2, 6, 5),)),
    ("conv-gaps", lambda: Conv2D(2, 2, stride=3), ((2, 6, 5),)),
    ("conv-same", lambda: Conv2D(2, (2, 3), padding="same"), ((2, 4, 5),)),
    ("conv-four-paddings", lambda: Conv2D(2, 3, padding=(0, 3, 4, 1)), ((2, 4, 3),)),
    ("conv-dilated", lambda: Conv2D(2, 2, dilation=2), ((2, 5, 4),)),
    ("conv-strided-dilated", lambda: Conv2D(2, 3, stride=(2, 3), padding=2, dilation=(3, 2)), ((1, 6, 7),)),
    ("conv-pairs", lambda: Conv2D(2, (1, 4), (2, 1), (0, 2), (1, 2)), ((2, 4, 5),)),
    ("conv-groups", lambda: Conv2D(4, 3, padding=1, groups=2), ((6, 3, 4),)),
    ("conv-depthwise", lambda: Conv2D(3, 3, padding=1, groups=3), ((3, 4, 5),)),
    ("conv-depthwise-multiplied", lambda: Conv2D(6, 2, stride=2, groups=3, bias=False), ((3, 4, 5),)),
    ("conv-one-channel", lambda: Conv2D(1, 2), ((1, 3, 3),)),
    ("conv-frozen", lambda: _frozen(Conv2D(2, 3), "W"), ((2, 4, 5),)),
    ("conv-frozen-bias", lambda: _frozen(Conv2D(2, 3), "b"), ((2, 4, 5),)),
    ("conv1d", lambda: Conv1D(3, 3), ((2, 7),)),
    ("conv1d-strided", lambda: Conv1D(2, 3, stride=2, padding=(1, 2), dilation=2), ((3, 8),)),
    ("conv1d-same", lambda: Conv1D(4, 4, padding="same", groups=2, bias=False), ((2, 5),)),
    ("conv1d-depthwise", lambda: Conv1D(4, 3, groups=2), ((2, 6),)),
    ("conv-transpose", lambda: ConvTranspose2D(3, 3), ((2, 3, 4),)),
    ("conv-transpose-one-pixel", lambda: ConvTranspose2D(3, 1, stride=2), ((2, 3, 4),)),
    ("conv-transpose-strided", lambda: ConvTranspose2D(2, 3, stride=2, padding=1, output_padding=1), ((2, 3, 4),)),
    ("conv-transpose-dilated", lambda: ConvTranspose2D(2, 2, 2, 1, (0, 2), (2, 3), bias=False), ((2, 3, 3),)),
    ("conv-transpose-groups", lambda: ConvTranspose2D(4, 2, stride=2, groups=2), ((6, 2, 3),)),
    ("conv-transpose-depthwise", lambda: ConvTranspose2D(3, 3, stride=2, padding=1, groups=3), ((3, 3, 2),)),
    ("conv-transpose-four-paddings", lambda: ConvTranspose2D(2, 4, padding=(0, 1, 3, 2)), ((2, 3, 4),)),
    ("conv-transpose-frozen", lambda: _frozen(ConvTranspose2D(2, 3), "W"), ((2, 4, 5),)),
]


def _frozen(layer: Layer, name: str) -> Layer:
    layer.build((2, 4, 5))
    layer.params[name].trainable = False
    return layer
