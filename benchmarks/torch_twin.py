"""A handbrew net as a PyTorch user would write it: layer for layer, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from handbrew.layers import (
    Affine,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    Loss,
    MaxPool2D,
    ReLU,
    Residual,
)
from handbrew.nets import Sequential


class Sum(nn.Module):
    """A residual block; it adds in place, as torchvision's do."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        y += self.shortcut(x)
        return y


def twin(layer: Layer) -> nn.Module:
    """The module that does what a built layer does, but for a loss at the end of a net."""
    match layer:
        case Sequential():
            return nn.Sequential(*(twin(part) for part in layer.layers if not isinstance(part, Loss)))
        case Residual():
            return Sum(twin(layer.body), twin(layer.shortcut) if layer.shortcut else nn.Identity())
        case Conv2D():
            w = layer.window
            conv = nn.Conv2d(
                layer.channels, layer.out_channels, w.kernel, w.stride, w.start, w.dilation, layer.groups, layer.bias
            )
            return _with(conv, weight=layer.W.data, **({"bias": layer.b.data} if layer.bias else {}))
        case Affine():
            n, m = layer.W.shape
            return _with(nn.Linear(n, m), weight=layer.W.data.T, bias=layer.b.data)
        case BatchNorm():
            channels = (layer.in_shape or ())[0]
            return nn.BatchNorm2d(channels, layer.eps, momentum=1 - layer.momentum)  # starts with scale 1 and shift 0
        case MaxPool2D():
            return nn.MaxPool2d(*layer.geometry(), ceil_mode=layer.ceil_mode)
        case AvgPool2D():
            return nn.AvgPool2d(*layer.geometry(), ceil_mode=layer.ceil_mode)
        case GlobalAvgPool2D():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case ReLU():
            return nn.ReLU(inplace=True)
        case Dropout():
            return nn.Dropout(layer.rate)
        case Flatten():
            return nn.Flatten()
    raise TypeError(f"no twin of {layer!r}")


def _with(module: nn.Module, **values: np.ndarray[Any, Any]) -> nn.Module:
    with torch.no_grad():
        for name, array in values.items():
            getattr(module, name).copy_(torch.from_numpy(array.copy()))
    return module
