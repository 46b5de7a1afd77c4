"""``Dump``: a batch with all that its pass depends on, to run it again elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from handbrew.data import FileFormatError, decoding
from handbrew.layers import Configurable, Layer
from handbrew.nets.architecture import Decoder
from handbrew.nets.safetensors import OWN, read_safetensors
from handbrew.nets.saving import describe, fitting, make_net

from .environment import environment
from .finding import Finding
from .trace import Trace
from .tree_file import parse_tree, write_tree

Array = np.ndarray[Any, np.dtype[Any]]
KEY = f"{OWN}.non-finite"
KINDS: dict[str, Any] = {  # of its fields, as a file may claim them
    "what": str,
    "X": np.ndarray,
    "y": np.ndarray,
    "weight": np.ndarray | None,
    "arrays": dict,
    "generators": dict,
    "evaluating": list,
    "architecture": str | None,
    "solver": dict,
    "environment": dict,
}


class Dump(NamedTuple):
    """A batch, and all that its pass through the net depends on, as it was before it.

    Attributes
    ----------
    what : str
        What happened, and where in the training.
    X, y, weight : arrays
        The batch; ``weight`` is ``None`` if there is none.
    arrays : dict of arrays
        The net's parameters and buffers by path, as ``net.state()``.
    generators : dict
        The states of the layers that draw random numbers, as ``net.generator_states()``.
    evaluating : list of str
        Paths of the layers in evaluation mode.
    architecture : str or None
        The net as data, as ``Net.save`` writes it; ``None`` if it cannot be written so.
    solver : dict
        Rule, settings and steps done.
    environment : dict
        Versions and numbers of threads, which the last digits depend on.
    """

    what: str
    X: Array
    y: Array
    weight: Array | None
    arrays: dict[str, Array]
    generators: dict[str, Any]
    evaluating: list[str]
    architecture: str | None
    solver: dict[str, Any]
    environment: dict[str, Any]

    @classmethod
    def take(cls, net: Layer, batch: Sequence[Array], what: str, solver: dict[str, Any]) -> Dump:
        """Return the dump of a batch (X, y, and perhaps weights) and of the net as it is now; all are copies."""
        X, y, *weight = map(np.array, batch)
        return cls(
            what,
            X,
            y,
            weight[0] if weight else None,
            net.state(),
            net.generator_states(),
            [path for path, layer in net.walk() if not layer.training],
            _architecture(net),
            solver,
            environment(),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file, atomically and with a checksum: safetensors, whatever its name."""
        write_tree(Path(path), KEY, self._asdict())

    @classmethod
    def read(cls, path: str | PathLike[str]) -> Dump:
        """Read what ``save`` wrote. Nothing is run or imported on the file's word.

        Raises
        ------
        FileFormatError
            If the file is damaged, cut short, or no dump.
        """
        path = Path(path)
        arrays, texts = read_safetensors(path)
        if KEY not in texts:
            raise FileFormatError(f"{path}: expected the dump of a NonFiniteError, got another file")
        with decoding(path):
            dump = cls(**parse_tree(texts[KEY], arrays))
            for name, kind in KINDS.items():
                if not isinstance(getattr(dump, name), kind):
                    raise ValueError(f"its {name} is a {type(getattr(dump, name)).__name__}")
            return dump

    def make_net(self, path: Path, custom: Iterable[type[Configurable]] = ()) -> Layer:
        """Make the net that the dump describes; ``path`` is what errors call it."""
        decoder = Decoder(custom)
        if self.architecture is None:
            raise ValueError(
                f"{path}: its net holds what is no data, such as a function: make it, and replay(dump, net)"
            )
        with fitting(path):
            return make_net(self.architecture, self.arrays, decoder)

    def restore(self, net: Layer) -> None:
        """Make the parameters, buffers, generators and modes of a net those of the dump.

        Raises
        ------
        StateError
            If it is another net.
        """
        if net.in_shape is None:
            net.build(self.X.shape[1:])
        net.load_state(self.arrays)
        net.load_generator_states(self.generators)
        for path, layer in net.walk():
            vars(layer)["training"] = path not in self.evaluating

    def trace(self, net: Layer) -> Finding | None:
        """Run the batch through a net that ``restore`` has prepared, and say what made it not finite."""
        return Trace(net).run(self.X, self.y, *([] if self.weight is None else [self.weight]))


def replay(
    dump: Dump | str | PathLike[str],
    net: Layer | None = None,
    custom: Iterable[type[Configurable]] = (),
) -> None:
    """Run a dump's batch again, forward and backward, and raise the same ``NonFiniteError``.

    If all is finite this time, it returns: the computation then depends on something else than the batch, the
    net's arrays, generators and modes.

    Parameters
    ----------
    dump : Dump or path
    net : Layer, optional
        A net of the same architecture, which takes over the dump's arrays, generators and modes. By default the
        net that the dump describes.
    custom : classes
        Those of your own in that net, as for ``load_net``.

    Raises
    ------
    NonFiniteError
        As before, so that a debugger may be set where it says.
    FileFormatError
        If the file is damaged, or its net has classes that are neither handbrew's nor in ``custom``.
    StateError
        If ``net`` is another net.
    ValueError
        If the dump does not describe its net and ``net`` is not given.
    """
    path = Path("the dump") if isinstance(dump, Dump) else Path(dump)
    dump = dump if isinstance(dump, Dump) else Dump.read(path)
    if net is None:
        net = dump.make_net(path, custom)
    dump.restore(net)
    if finding := dump.trace(net):
        raise finding.error(dump)


def _architecture(net: Layer) -> str | None:
    try:
        return describe(net)
    except TypeError:  # an argument that is no data, such as a function
        return None
