"""Which layers do what ONNX's operators that resize images do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from handbrew.layers import Upsample2D

from .attributes import Operator
from .resizing import OnnxResize
from .rules import MISSING, Made, Rule, filled

REPEATING = (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"))


def resize(op: Operator) -> Made:
    """``Upsample2D``, if images are enlarged by whole numbers."""
    a = op.attributes
    mode, old = a.text("mode", "nearest"), op.version < 11
    coordinates = a.text("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    coordinates = {"tf_crop_and_resize": "crop"}.get(coordinates, coordinates)
    nearest = a.text("nearest_mode", "floor" if old else "round_prefer_floor")
    axes = a.integers("axes")
    layer = OnnxResize(
        mode,
        coordinates,
        nearest,
        a.number("cubic_coeff_a", -0.75),
        bool(a.integer("exclude_outside", 0)),
        a.number("extrapolation_value", 0.0),
        bool(a.integer("antialias", 0)),
        a.text("keep_aspect_ratio_policy", "stretch"),
        axes,
    )
    op.expect(2 if old else 1, 2 if old else 4)
    places = {"scales": 1} if old else {"roi": 1, "scales": 2, "sizes": 3}
    if not op.known(list(places.values())):
        reads = (op.inputs[0], MISSING, op.inputs[1], MISSING) if old else filled(op, 0, 4)
        return Made(layer, reads)
    given = {name: op.constant(place) for name, place in places.items()}
    values = {name: value.reshape(-1).tolist() for name, value in given.items() if value is not None and value.size}
    return _with(op, layer, values)


def upsample(op: Operator) -> Made:
    """Resize, as it was called before version 10."""
    scales = op.attributes.numbers("scales")
    mode = op.attributes.text("mode", "nearest")
    layer = OnnxResize(mode, "asymmetric", "floor")
    if op.version >= 9 and op.constant(1) is None:
        op.expect(2, 2)
        return Made(layer, (op.inputs[0], MISSING, op.inputs[1], MISSING))
    known = op.constant(1) if op.version >= 9 else np.array(scales or ())
    return _with(op, layer, {"scales": [] if known is None else known.reshape(-1).tolist()})


def _with(op: Operator, layer: OnnxResize, values: dict[str, list[float]]) -> Made:
    scales, shape = values.get("scales", []), op.shape(0)
    whole = len(scales) == 4 and scales[:2] == [1, 1] and all(s == int(s) >= 1 for s in scales[2:])
    if whole and shape is not None and len(shape) == 4 and layer.axes is None and op.holds(0, "f"):
        times = int(scales[2]), int(scales[3])
        plain = not (layer.inside or layer.antialias)
        if layer.mode == "nearest" and (layer.coordinates, layer.nearest) in REPEATING:
            return Made(Upsample2D(times), op.inputs[:1])
        if layer.mode == "linear" and layer.coordinates in ("half_pixel", "align_corners") and plain:
            return Made(Upsample2D(times, "bilinear", layer.coordinates == "align_corners"), op.inputs[:1])
    layer.scales, layer.sizes, layer.roi = values.get("scales"), values.get("sizes"), values.get("roi")
    return Made(layer, op.inputs[:1])


RULES: Mapping[str, Rule] = {"Resize": resize, "Upsample": upsample}
