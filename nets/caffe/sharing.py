"""Parameters of Caffe's layers: which are shared by name, and what multiplies their learning rate and decay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handbrew.data import FileFormatError
from handbrew.layers import Bias, Layer

from .fillers import initializer
from .places import slots_of
from .spec import Spec

Names = tuple[str, ...]
# Where the types with weights and a bias keep their options.
OPTIONS = {
    "Convolution": "convolution_param",
    "Deconvolution": "convolution_param",
    "InnerProduct": "inner_product_param",
    "Embed": "embed_param",
    "Scale": "scale_param",
}


class Sharing:
    """What the ``param`` entries of a net's layers say.

    Layers whose parameters all have names, and the same ones, share everything, as twins do. Where only some of a
    layer's are shared, its weights and its bias become two layers, each with a twin of its own.

    Raises
    ------
    FileFormatError
        If those who share a parameter say different things of it.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self._said: dict[str, dict[str, float]] = {}  # the first multipliers of each name
        self._users: dict[str, list[Names]] = {}  # the names of all layers that bear this one
        self._owners: dict[Names, tuple[Layer, Spec]] = {}
        for layer in layers:
            names = names_of(layer)
            for name, param in zip(names, layer.param, strict=False):
                if name:
                    self._users.setdefault(name, []).append(names)
                    self._note(name, param, layer)

    def _note(self, name: str, param: Any, layer: Any) -> None:
        said = self._said.setdefault(name, {})
        for field in ("lr_mult", "decay_mult"):
            if param.HasField(field):
                value = getattr(param, field)
                if said.setdefault(field, value) != value:
                    raise FileFormatError(
                        f"layer {layer.name!r}: the shared parameter {name!r} has {field} {value:g} here and "
                        f"{said[field]:g} in a layer before"
                    )

    def splits(self, layer: Any) -> bool:
        """Whether weights and bias have to be layers of their own: others share only a part of them."""
        names = names_of(layer)
        users = [self._users[name] for name in names if name]
        shared, alike = any(len(of) > 1 for of in users), all(set(of) == {names} for of in users)
        return shared and len(names) == 2 and not (alike and all(names))

    def attach(self, spec: Spec, layers: Sequence[Layer], names: Names | None = None) -> None:
        """Give the layers made for ``spec`` that learn their multipliers, and the parameters of others."""
        names = names_of(spec.proto) if names is None else names
        said = [self._multipliers(name, i, spec.proto.param) for i, name in enumerate(names)]
        if len(layers) == 1:
            self._attach(spec, layers[0], names, said)
        else:  # weights and bias apart
            for layer, name, each in zip(layers, names, said, strict=True):
                self._attach(spec, layer, (name,), [each])

    def _attach(self, spec: Spec, layer: Layer, names: Names, said: list[tuple[float, float]]) -> None:
        known = slots_of(layer, len(spec.proto.bottom)) or ()
        layer._multipliers = (*said, *[(1.0, 1.0)] * (len(known) - len(said)))  # Caffe's default, whatever ours is
        if not names or "" in names:
            return
        owner, of = self._owners.setdefault(names, (layer, spec))
        if slots_of(owner, len(of.proto.bottom)) != slots_of(layer, len(spec.proto.bottom)):
            raise spec.error(f"cannot share the parameter {names[0]!r} with {of.where}, where it is another one")
        vars(layer)["_shared"] = owner._shared

    def _multipliers(self, name: str, place: int, params: Any) -> tuple[float, float]:
        own = params[place] if place < len(params) else None
        said = self._said[name] if name else {}
        values = (said.get(f, getattr(own, f) if own is not None else 1.0) for f in ("lr_mult", "decay_mult"))
        lr, decay = values
        return lr, decay


def names_of(layer: Any) -> Names:
    """The names of a layer's parameters, ``""`` for one without."""
    names = [param.name for param in layer.param]
    options = getattr(layer, OPTIONS[layer.type]) if layer.type in OPTIONS else None
    if options is not None:
        count = (0 if layer.type == "Scale" and len(layer.bottom) > 1 else 1) + options.bias_term
        names = (names + [""] * count)[:count]
    return tuple(names)


def split(proto: Any) -> tuple[Any, Bias]:
    """Return a layer without its bias, and that."""
    bare = type(proto)()
    bare.CopyFrom(proto)
    options = getattr(bare, OPTIONS[proto.type])
    options.bias_term = False
    if proto.type == "Scale":
        return bare, Bias(options.axis, options.num_axes, initializer(options.bias_filler))
    return bare, Bias(1 if "conv" in OPTIONS[proto.type] else -1, bias_init=initializer(options.bias_filler))
