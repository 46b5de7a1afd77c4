"""``save_onnx``: a net as an ONNX model."""

from __future__ import annotations

import copy
from os import PathLike
from typing import Any

from ..files import write_atomically
from ..net import Net
from .free_sizes import is_free


def save_onnx(net: Net, path: str | PathLike[str], in_shape: Any = None, loss: bool = False, dtype: Any = None) -> None:
    """Write a net as an ONNX model, as it is in use: dropout does nothing, and BatchNorm has its running statistics.

    The model's output is what ``net.predict`` returns: for a classifier, probabilities. It is called as the blob, if a
    Graph without loss makes it, else "output", and the loss "loss". The batch may have any size;
    all others are those that the net was built for, unless ``in_shape`` leaves them open. The model is checked
    before it is written, and written atomically.

    Parameters
    ----------
    net : Sequential or Graph
        Of any of handbrew's layers; ``docs/onnx.md`` lists the few that ONNX has no operator for.
    path : path
    in_shape : tuple, optional
        The input's shape without the batch axis, if the net is not built yet. ``None`` in it leaves a size open:
        ``(3, None, None)`` for a built net that takes images of any size. Sizes that a model left open, which the
        net comes from, stay open unless it is given.
    loss : bool
        End in the loss, which takes the target as a further input: for those who go on training elsewhere. Of
        several losses in the weighted sum.

    dtype : float32 or float64, optional
        The model's precision; the net's own, unless given. onnxruntime has float32 for all operators, float64 for few.

    Raises
    ------
    NotBuiltError
        If the net is not built, and ``in_shape`` is not given.
    TypeError
        If the net has layers that no operators do; all of them are listed.
    ValueError
        If a size is left open that a layer depends on; it names the layer.
    ImportError
        Without the onnx package, saying how to get it.
    """
    try:
        from onnx import checker
    except ImportError as error:
        raise ImportError('save_onnx needs onnx: pip install "handbrew[onnx]"') from error
    remembered = in_shape is None and net.open_shape is not None
    in_shape = net.open_shape if remembered else in_shape
    if in_shape is not None and not is_free(in_shape) and net.open_shape is None:
        net.build(in_shape)
    if loss and in_shape is not None and is_free(in_shape):
        raise ValueError(
            f"{net.where}: with loss=True no size can be left open: the target's would be open too; "
            f"pass in_shape={net.in_shape}"
        )
    net.params  # noqa: B018  raises NotBuiltError, which says what to do
    if dtype is not None:
        net = copy.deepcopy(net).astype(dtype)
    from .writing import model_of  # which imports all layers

    try:
        model = model_of(net, loss, in_shape)
    except ValueError as error:
        if remembered:
            raise ValueError(f"{error}; for samples of one size, pass in_shape={net.in_shape}") from error
        raise
    checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    with write_atomically(path) as file:
        file.write(data)
