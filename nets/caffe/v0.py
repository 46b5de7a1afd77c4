"""Caffe's first way to write a layer, V0: one message with the fields of all types, inside a V1 layer."""

from __future__ import annotations

from typing import Any

from handbrew.data import FileFormatError

from .legacy_fields import V1_TYPES
from .schema import copy_field, messages

_FEED = {"source": "source", "batchsize": "batch_size"}
_AFFINE = {"num_output": "num_output", "biasterm": "bias_term"} | {
    name: name for name in ("weight_filler", "bias_filler")
}
_WINDOW = {"pad": "pad", "kernelsize": "kernel_size", "stride": "stride"}
# V0 type: V1 type, and what became of its fields: the message that has them now, old name to new name.
_TYPES: dict[str, tuple[str, str, dict[str, str]]] = {
    "concat": ("CONCAT", "concat_param", {"concat_dim": "concat_dim"}),
    "conv": ("CONVOLUTION", "convolution_param", {**_AFFINE, **_WINDOW, "group": "group"}),
    "data": ("DATA", "data_param", {**_FEED, "rand_skip": "rand_skip"}),
    "dropout": ("DROPOUT", "dropout_param", {"dropout_ratio": "dropout_ratio"}),
    "hdf5_data": ("HDF5_DATA", "hdf5_data_param", _FEED),
    "images": (
        "IMAGE_DATA",
        "image_data_param",
        {**_FEED, "shuffle_images": "shuffle"} | {name: name for name in ("rand_skip", "new_height", "new_width")},
    ),
    "infogain_loss": ("INFOGAIN_LOSS", "infogain_loss_param", {"source": "source"}),
    "innerproduct": ("INNER_PRODUCT", "inner_product_param", _AFFINE),
    "lrn": ("LRN", "lrn_param", {name: name for name in ("local_size", "alpha", "beta", "k")}),
    "pool": ("POOLING", "pooling_param", {**_WINDOW, "pool": "pool"}),
    "window_data": (
        "WINDOW_DATA",
        "window_data_param",
        _FEED
        | {f"det_{name}": name for name in ("fg_threshold", "bg_threshold", "fg_fraction", "context_pad", "crop_mode")},
    ),
}
_PLAIN = """accuracy bnll euclidean_loss flatten hdf5_output im2col multinomial_logistic_loss relu sigmoid softmax
    softmax_loss split tanh"""
_TYPES |= {name: (name.upper(), "", {}) for name in _PLAIN.split()}
_TRANSFORM = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
_KEPT = ("name", "blobs", "blobs_lr", "weight_decay", "hdf5_output_param")  # these a V1 layer has itself


def type_of_v0(name: str) -> str:
    """Today's name of a V0 type; a name that none has stays as it is."""
    return V1_TYPES[_TYPES[name][0]][1] if name in _TYPES else name


def v0_to_v1(connection: Any, where: str) -> Any:
    """Return the V1 layer for a V0 layer and its ``bottom`` and ``top``.

    Raises
    ------
    FileFormatError
        If it is of no type that V0 had, or has a field that its type did not.
    """
    old, new = connection.layer, messages().V1LayerParameter()
    new.CopyFrom(connection)
    new.ClearField("layer")
    if old.type not in _TYPES:
        raise FileFormatError(f"{where}: unknown type {old.type!r}; V0 layers are {', '.join(sorted(_TYPES))}")
    kind, param, names = _TYPES[old.type]
    new.type = new.DESCRIPTOR.fields_by_name["type"].enum_type.values_by_name[kind].number
    for field, value in old.ListFields():
        if field.name in names:
            message, name = getattr(new, param), names[field.name]
            if hasattr(getattr(message, name), "append"):
                value = [value]  # a convolution's window may have one size per axis now
            copy_field(message, name, value)
        elif field.name in _TRANSFORM:
            setattr(new.transform_param, _TRANSFORM[field.name], value)
        elif field.name in _KEPT:
            copy_field(new, field.name, value)
        elif field.name != "type":
            raise FileFormatError(f"{where}: a V0 layer of type {old.type} has no {field.name}")
    return new


def drop_padding_layers(net: Any) -> None:
    """Give the pad of V0's padding layers to the convolutions and poolings that read them, in place."""
    source: dict[str, Any] = {}  # of each blob, the layer that wrote it last
    kept = messages().NetParameter()
    for layer in net.layers:
        kind = layer.layer.type
        new = None if kind == "padding" else kept.layers.add()
        if new is not None:
            new.CopyFrom(layer)
        for bottom in layer.bottom:
            before = source.get(bottom)
            if before is None or before.layer.type != "padding":
                continue
            if new is None or kind not in ("conv", "pool") or len(layer.bottom) != 1 or len(before.bottom) != 1:
                raise FileFormatError(
                    f"layer {layer.layer.name} ({kind}) reads {bottom} of a padding layer, which only "
                    "a conv or pool layer with one input can"
                )
            new.layer.pad = before.layer.pad
            new.bottom[0] = before.bottom[0]
        source.update(dict.fromkeys(layer.top, layer))
    net.ClearField("layers")
    net.layers.extend(kept.layers)
