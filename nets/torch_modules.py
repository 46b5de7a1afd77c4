"""Which array of ours a name of PyTorch's means."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING

from handbrew.layers import Layer

if TYPE_CHECKING:
    from .net import Net

OURS = {  # the names that a layer may have for PyTorch's; the first that it has is meant
    "weight": ("W", "gamma", "slope"),
    "bias": ("b", "beta"),
    "running_mean": ("mean",),
    "running_var": ("var",),
}


class Finder:
    """Knows our path of PyTorch's names; ``modules`` has the layers that some of them mean."""

    def __init__(self, net: Net, modules: Mapping[str, str]) -> None:
        self.net, self.modules, self.layers = net, modules, dict(net.walk())
        both = {**net.params, **net.buffers}
        self.path_of = {id(array): path for path, array in both.items()}  # of tied ones the first

    def find(self, name: str) -> str | None:
        """Our path of a name like ``features.0.weight``; None if no layer of ours is meant."""
        module, _, last = name.rpartition(".")
        layer = self._layer(module)
        if layer is None:
            return None
        own = {**layer._shared.params, **layer._shared.buffers}
        ours = next((mine for mine in (last, *OURS.get(last, ())) if mine in own), None)
        return None if ours is None else self.path_of.get(id(own[ours]))

    def unknown(self) -> list[str]:
        """What ``modules`` says of layers that the net has not."""
        said = []
        for module, path in self.modules.items():
            if path not in self.layers:
                close = get_close_matches(path[:80], filter(None, self.layers), 1)
                fix = f"; did you mean {close[0]!r}?" if close else ""
                said.append(f"unknown: torch_names has {module!r}: {path!r}, a layer which the net has not{fix}")
        return said

    def prefix(self, names: Collection[str]) -> list[str]:
        """What to do if there is something before all names, without which they mean something."""
        modules = [name.split(".")[:-1] for name in names]
        if not modules or any(map(self.find, names)):
            return []
        shared = [parts[0] for parts in zip(*modules, strict=False) if len({*parts}) == 1]
        for length in range(1, len(shared) + 1):
            prefix = ".".join(shared[:length])
            if any(self.find(name.removeprefix(f"{prefix}.")) for name in names if name.startswith(f"{prefix}.")):
                return [f"all of the file's names begin with {prefix}.; torch_names={{{prefix!r}: ''}} takes that away"]
        return []

    def said_of(self, *names: str) -> str:
        """What ``modules`` says of the modules of these names, in brackets; nothing if it says nothing."""
        said = [f"{at!r}: {self.modules[at]!r}" for name in names if (at := self._mapped(name.split("."))) is not None]
        return f" (torch_names has {', '.join(said)})" if said else ""

    def _mapped(self, parts: list[str], besides: Iterable[str] = ()) -> str | None:
        """The longest beginning that the map has."""
        beginnings = (".".join(parts[:length]) for length in range(len(parts), -1, -1))
        return next((name for name in beginnings if name in self.modules and name not in besides), None)

    def _layer(self, module: str) -> Layer | None:
        """The layer that a module's name means: what the map says of its beginning, then names or numbers.

        Where that takes a prefix away, the map says what the rest means too.
        """
        parts = module.split(".") if module else []
        layer: Layer | None = self.net
        used: list[str] = []
        while (beginning := self._mapped(parts, used)) is not None:
            used.append(beginning)
            layer = self.layers.get(self.modules[beginning])
            parts = parts[len(beginning.split(".")) :] if beginning else parts
            if layer is not self.net:
                break
        for part in parts:
            if layer is None:
                return None
            layer = _child(layer, part)
        return layer


def _child(layer: Layer, part: str) -> Layer | None:
    """The layer of that name in another, or in that place, as in ``nn.Sequential``."""
    children = layer.children
    if part in children:
        return children[part]
    if part.isascii() and part.isdecimal() and len(part) < 10 and int(part) < len(children):
        return list(children.values())[int(part)]
    return None
