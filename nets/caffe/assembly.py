"""``Assembly``: a ``NetParameter``'s layers, one after the other, as nodes of a ``Graph``."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from handbrew.data import FileFormatError
from handbrew.layers import Bias, Flatten, Layer

from . import map_activations, map_common, map_losses, map_shape, map_vision
from .custom import Custom, custom_kind
from .own import TYPES
from .passing import StopGradient
from .sharing import Sharing, split
from .spec import Kind, Spec
from .tops import Tops
from .transfer import BIAS

KINDS: dict[str, Kind] = {
    kind: made
    for family in (map_vision, map_common, map_shape, map_activations, map_losses)
    for kind, made in family.KINDS.items()
}
DATA = frozenset(("Input", "Data", "ImageData", "HDF5Data", "MemoryData", "WindowData"))  # give the graph's inputs
DEPTHWISE = frozenset(("DepthwiseConvolution", "ConvolutionDepthwise"))  # others' names of a Convolution with groups
MOST_NAMED = 50  # unknown layers in an error
Names = tuple[str, ...]


def kinds_of(net: Any, custom: Custom) -> list[Kind | None]:
    """What is known of each layer's type; ``None`` for those that give data.

    Raises
    ------
    FileFormatError
        If there are layers that cannot be run; it names them, and says what to do.
    """
    kinds = [custom_kind(layer, custom) or KINDS.get(layer.type) for layer in net.layer]
    unknown = [
        (place, layer)
        for place, (layer, kind) in enumerate(zip(net.layer, kinds, strict=True))
        if kind is None and layer.type not in DATA
    ]
    if unknown:
        layer = unknown[0][1]
        key = (layer.type == "Python" and layer.python_param.layer) or layer.type
        raise FileFormatError(
            "handbrew cannot run "
            + ", ".join(Spec(layer, place).where for place, layer in unknown[:MOST_NAMED])
            + (f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else "")
            + f'; give layers of your own for them: custom={{"{key:.60}": MyLayer}}'
            + "".join(f". {said}" for said in {_meant(layer.type): None for _, layer in unknown[:MOST_NAMED]} if said)
        )
    return kinds


def _meant(kind: str) -> str:
    """What a type that nobody has may be another word for."""
    if kind in DEPTHWISE:
        return f'{kind} is type: "Convolution" with a group for each channel of its bottom: give its group'
    plain = {name.lower(): name for name in TYPES}
    near = difflib.get_close_matches(kind[:60].lower().replace("_", ""), plain, 1, 0.85)
    return f'Did you mean type: "{plain[near[0]]}", where it says "{kind:.60}"?' if near and kind not in TYPES else ""


def renamed(net: Any, custom: Custom) -> Any:
    """The net, or a copy of it in which depthwise convolutions with a group are Convolution layers."""
    places = [
        i
        for i, layer in enumerate(net.layer)
        if layer.type in DEPTHWISE and layer.type not in custom and layer.convolution_param.group > 1
    ]
    if places:
        copy = type(net)()
        copy.CopyFrom(net)
        net = copy
        for i in places:
            net.layer[i].type = "Convolution"
    return net


class Assembly:
    """The nodes made so far, and what the next ones need to know."""

    def __init__(self, net: Any) -> None:
        self.tops = Tops(net.layer)
        self.nodes: list[tuple[Layer, Names, Names]] = []
        self.loss_weights: dict[str, float] = {}
        self._sharing = Sharing(net.layer)
        self._ranks: dict[str, int | None] = {}  # of Caffe's blobs
        self._names: set[str] = set()

    def add(self, proto: Any, place: int, name: str, kind: Kind | None) -> None:
        """Add a layer's nodes; without a kind its tops are inputs."""
        if kind is not None and not proto.top and proto.type in map_losses.LOSSES:
            named = type(proto)(top=[name])  # Caffe names it, too
            named.MergeFrom(proto)
            proto = named
        spec = Spec(proto, place, self._ranks.get(proto.bottom[0]) if proto.bottom else None)
        if kind is None:
            self._give(spec)
            return
        reads = [self.tops.read(spec.where, bottom) for bottom in proto.bottom]
        self._count(spec, kind)
        try:
            chain, learned = self._chain(spec, kind)
            rank = kind.rank(spec)
        except FileFormatError as error:
            raise error if str(error).startswith(spec.where) else spec.error(str(error)) from error
        except (OSError, TypeError, ValueError) as error:
            raise spec.error(str(error)) from error
        self._sharing.attach(spec, learned)
        reads = self._stopped(spec, name, reads)
        makes = [
            self.tops.make(spec.where, name, top, proto.bottom[i] if i < len(proto.bottom) else None)
            for i, top in enumerate(proto.top)
        ]
        if kind.paired:
            self._add_pairs(name, chain, reads, makes)
        else:
            self._add_chain(name, chain, tuple(reads), tuple(makes))
        self._weigh(spec, makes)
        self._ranks.update(dict.fromkeys(proto.top, rank))

    def _give(self, spec: Spec) -> None:
        shapes = [len(shape.dim) for shape in spec.proto.input_param.shape]
        for i, top in enumerate(spec.proto.top):
            self.tops.give(spec.where, top)
            self._ranks[top] = shapes[i if len(shapes) > 1 else 0] if i < len(shapes) or len(shapes) == 1 else None

    def _count(self, spec: Spec, kind: Kind) -> None:
        proto = spec.proto
        for what, count, (least, most) in (
            ("bottom", len(proto.bottom), kind.bottoms),
            ("top", len(proto.top), kind.tops),
        ):
            if not least <= count <= most:
                wanted = str(least) if least == most else f"{least} to {most}" if most < 9 else f"at least {least}"
                raise spec.error(f"expected {wanted} {what} blobs, got {count}")
        if kind.paired and len(proto.bottom) != len(proto.top):
            raise spec.error(f"expected as many tops as bottoms, got {len(proto.top)} and {len(proto.bottom)}")

    def _chain(self, spec: Spec, kind: Kind) -> tuple[tuple[Layer, ...], list[Layer]]:
        """The layers, and those of them that the parameters are in."""
        bias: list[Layer] = []
        if self._sharing.splits(spec.proto):
            bare, own = split(spec.proto)
            spec, bias = spec._replace(proto=bare), [own]
        made = kind.make(spec)
        chain = made if isinstance(made, tuple) else (made,)
        return (*chain, *bias), [*chain[-1:], *bias]

    def _add_pairs(self, name: str, chain: tuple[Layer, ...], reads: Sequence[str], makes: Sequence[str]) -> None:
        """Several bottoms, each with a top of its own, and the same weights for all."""
        for i, (read, make) in enumerate(zip(reads, makes, strict=True)):
            twins = tuple(layer.tied() for layer in chain) if i else chain
            self._add_chain(f"{name}/{i + 1}" if i else name, twins, (read,), (make,))

    def _add_chain(self, name: str, chain: tuple[Layer, ...], reads: Names, makes: Names) -> None:
        for i, layer in enumerate(chain):
            last = i == len(chain) - 1
            flat, own = isinstance(layer, Flatten) and not last, isinstance(layer, Bias) and i > 0
            ending = "/flatten" if flat else BIAS if own else ""
            made = makes if last else (self.tops.own(name + (ending or "/weighted")),)
            self.nodes.append((layer.named(name + ending), reads, made))
            reads = made

    def _stopped(self, spec: Spec, name: str, reads: list[str]) -> list[str]:
        """Keep the gradient from where propagate_down says that it shall not go; inputs get none anyway."""
        wanted = list(spec.proto.propagate_down)
        if wanted and len(wanted) != len(reads):
            raise spec.error(f"propagate_down: expected one for each of {len(reads)} bottoms, got {len(wanted)}")
        inputs = set(self.tops.inputs.values())
        for i, (want, read) in enumerate(zip(wanted, reads, strict=False)):
            if not want and read not in inputs:
                stopped = f"{name}/stop{i + 1}"
                reads[i] = self.tops.own(stopped)
                self.nodes.append((StopGradient().named(stopped), (read,), (reads[i],)))
        return reads

    def _weigh(self, spec: Spec, makes: Sequence[str]) -> None:
        weights = list(spec.proto.loss_weight)
        if weights and len(weights) != len(makes):
            raise spec.error(f"loss_weight: expected one for each of {len(makes)} tops, got {len(weights)}")
        is_loss = spec.proto.type in map_losses.LOSSES
        for i, (blob, weight) in enumerate(zip(makes, weights, strict=False)):
            if weight or (is_loss and i == 0):
                self.loss_weights[blob] = weight
