"""Nets and solvers written for older versions of Caffe, brought to the form of Caffe 1.0."""

from __future__ import annotations

from typing import Any

from handbrew.data import FileFormatError

from .legacy_fields import V1_TYPES
from .schema import copy_field, messages
from .v0 import drop_padding_layers, v0_to_v1

SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
# In V1, these layers had a transform_param's fields among their own.
_FEEDING = {"Data": "data_param", "ImageData": "image_data_param", "WindowData": "window_data_param"}


def upgrade_net(net: Any) -> None:
    """Bring a ``NetParameter`` to today's form, in place.

    V0 and V1 layers become V2 layers, ``input:`` with ``input_shape:`` or ``input_dim:`` becomes an Input layer in
    first place, and the three ``param`` that BatchNorm once needed go (its blobs are never learned). Inputs
    without a shape give an Input layer without one.

    Raises
    ------
    FileFormatError
        If the net mixes ``layer`` with ``layers``, or its shapes are not one per input.
    """
    if net.layers:
        if net.layer:
            raise FileFormatError("has both layer and layers (of an older Caffe); write it with layer only")
        old = [layer.name or layer.layer.name for layer in net.layers]
        if any(layer.HasField("layer") for layer in net.layers):
            drop_padding_layers(net)
        for position, layer in enumerate(net.layers):
            _upgrade_layer(layer, net.layer.add(), f"layer {position} ({old[position]})")
        net.ClearField("layers")
    if net.input:
        _upgrade_inputs(net)
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == 3:
            layer.ClearField("param")


def upgrade_solver(solver: Any) -> None:
    """Bring a ``SolverParameter`` and the nets in it to today's form, in place.

    Raises
    ------
    FileFormatError
        If it has both ``type`` and ``solver_type``, or as ``upgrade_net``.
    """
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise FileFormatError("has both type and the old solver_type; leave out solver_type")
        solver.type = SOLVER_TYPES[solver.solver_type]
        solver.ClearField("solver_type")
    nets = [getattr(solver, name) for name in ("net_param", "train_net_param") if solver.HasField(name)]
    for net in (*nets, *solver.test_net_param):
        upgrade_net(net)


def _upgrade_layer(old: Any, new: Any, where: str) -> None:
    """Fill the empty V2 layer ``new`` from the V1 layer ``old``."""
    if old.HasField("layer"):
        old = v0_to_v1(old, where)
    if old.type:
        kind = old.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_number[old.type].name
        new.type = V1_TYPES[kind][1]
    params = max(len(old.param), len(old.blob_share_mode), len(old.blobs_lr), len(old.weight_decay))
    specs = [new.param.add() for _ in range(params)]
    for values, field in (
        (old.param, "name"),
        (old.blob_share_mode, "share_mode"),
        (old.blobs_lr, "lr_mult"),
        (old.weight_decay, "decay_mult"),
    ):
        for spec, value in zip(specs, values, strict=False):
            setattr(spec, field, value)
    special = {"type", "param", "blob_share_mode", "blobs_lr", "weight_decay"}
    for field, value in old.ListFields():
        if field.name not in special:
            copy_field(new, field.name, value)
    if new.type in _FEEDING:
        _move_transform(getattr(new, _FEEDING[new.type]), new.transform_param)


def _move_transform(feeding: Any, transform: Any) -> None:
    for name in ("scale", "mean_file", "crop_size", "mirror"):
        if feeding.HasField(name):
            setattr(transform, name, getattr(feeding, name))
            feeding.ClearField(name)


def _upgrade_inputs(net: Any) -> None:
    count = len(net.input)
    if net.input_shape:
        shapes = [list(shape.dim) for shape in net.input_shape]
        if len(shapes) != count:
            raise FileFormatError(f"expected one input_shape for each of {count} inputs, got {len(shapes)}")
    else:
        dims = list(net.input_dim)
        if dims and len(dims) != 4 * count:
            raise FileFormatError(f"expected 4 input_dim for each of {count} inputs, got {len(dims)}")
        shapes = [dims[start : start + 4] for start in range(0, len(dims), 4)]
    rest = messages().NetParameter()
    rest.layer.extend(net.layer)
    net.ClearField("layer")
    layer = net.layer.add(name="input", type="Input", top=net.input)
    for shape in shapes:
        layer.input_param.shape.add(dim=shape)
    net.layer.extend(rest.layer)
    for name in ("input", "input_shape", "input_dim"):
        net.ClearField(name)
