"""The same steps in PyTorch, eager, with images contiguous or channels last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from convnets import LR, MOMENTUM
from torch.nn.functional import cross_entropy
from torch_twin import twin

from handbrew.nets import Sequential

Array = np.ndarray[Any, np.dtype[Any]]
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}


def model_and_input(net: Sequential, X: Array, layout: str) -> tuple[torch.nn.Module, torch.Tensor]:
    """Both are in the layout before the clock starts."""
    memory_format = LAYOUTS[layout]
    model: Any = twin(net)  # PyTorch's annotations do not know of memory_format
    return model.to(memory_format=memory_format), torch.from_numpy(X).to(memory_format=memory_format)


def training_step(net: Sequential, X: Array, y: Array, layout: str, fused: bool) -> Callable[[], float]:
    """``fused``: the update as one kernel for all parameters."""
    model, inputs = model_and_input(net, X, layout)
    solver = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, fused=fused)
    target = torch.from_numpy(y)

    def step() -> float:
        solver.zero_grad(set_to_none=True)
        loss = cross_entropy(model(inputs), target)
        loss.backward()
        solver.step()
        return float(loss.detach())

    return step


def training_steps(net: Sequential, X: Array, y: Array) -> dict[str, Callable[[], float]]:
    """Every way of PyTorch, each with a net of its own."""
    return {
        f"PyTorch, {layout}{', fused SGD' if fused else ''}": training_step(net, X, y, layout, fused)
        for layout in LAYOUTS
        for fused in (False, True)
    }


def inference_steps(net: Sequential, X: Array) -> dict[str, Callable[[], Array]]:
    """Probabilities, as ``predict`` returns them."""
    return {f"PyTorch, {layout}": _inference_step(*model_and_input(net, X, layout)) for layout in LAYOUTS}


def _inference_step(model: torch.nn.Module, inputs: torch.Tensor) -> Callable[[], Array]:
    model.eval()

    def step() -> Array:
        with torch.inference_mode():
            return torch.softmax(model(inputs), dim=1).numpy()

    return step
