"""The nets that a Caffe solver trains and tests, and running them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from handbrew.data import FileFormatError
from handbrew.layers import inference
from handbrew.nets import Graph
from handbrew.nets.caffe.load import build, to_graph
from handbrew.nets.caffe.select import select
from handbrew.nets.caffe.text import read_net

from .caffe_feed import READERS, make_feeds
from .caffe_files import find
from .caffe_lines import Values, values_of

Array = np.ndarray[Any, np.dtype[Any]]


class FedNet:
    """A net with what its data layers give it.

    Parameters
    ----------
    net : NetParameter
        With the layers of one phase only.
    samples
        As ``make_feeds`` takes them.
    folder : Path
        Where the files that it names may lie.

    Attributes
    ----------
    param, graph, feeds
        The description, the net, and a feed for each data layer.
    outputs : dict
        What the last pass made of the blobs that nobody reads.
    """

    def __init__(
        self,
        net: Any,
        samples: Any,
        folder: Path,
        *,
        training: bool,
        seed: int,
        custom: Mapping[str, Any] | None = None,
    ) -> None:
        self.param, self.graph = net, to_graph(net, custom)
        self.graph.seed = seed
        self.graph.train(training)
        self.feeds = make_feeds(net, samples, folder, training=training, seed=seed)
        tops = [top for layer in net.layer if layer.type == "Input" or layer.type in READERS for top in layer.top]
        self._tops = dict(zip(self.graph.inputs, tops, strict=True))
        fed = {top: shape for feed in self.feeds for top, shape in feed.shapes().items()}
        if unfed := [top for top in tops if top not in fed]:
            raise FileNotFoundError(f"nothing to feed the blob {unfed[0]!r} with; pass --data")
        build(self.graph, [fed[top] for top in tops])
        self.outputs: dict[str, Any] = {}

    def forward(self) -> float:
        """Run the next batch; return the total loss, 0 for a net without."""
        batch = {top: array for feed in self.feeds for top, array in feed.next().items()}
        inputs: dict[str, Any] = {name: batch[top] for name, top in self._tops.items()}
        self.graph.forward(**inputs)
        blobs, weights = self.graph.blobs, self.graph.loss_weights
        self.outputs = {name: blobs[name] for name in self.graph.outputs}
        return float(sum(weight * np.sum(blobs[name], dtype=np.float64) for name, weight in weights.items()))

    def test(self, batches: int) -> Iterator[tuple[float, Values]]:
        """Run so many batches, leaving no trace in the layers; yield each one's loss and outputs."""
        for _ in range(batches):
            with inference(self.graph):
                loss = self.forward()
            yield loss, values_of(self.outputs)

    def share(self, other: Graph) -> None:
        """Take over the parameters and buffers of the other's layers of the same names.

        Raises
        ------
        FileFormatError
            If the two describe such a layer differently.
        """
        theirs = {**other.params, **other.buffers}
        for path, mine in {**self.graph.params, **self.graph.buffers}.items():
            if path in theirs:
                if theirs[path].shape != mine.shape:
                    raise FileFormatError(
                        f"test net: {path} has shape {mine.shape}, in the train net {theirs[path].shape}"
                    )
                mine.data = theirs[path].data


def train_description(param: Any, folder: Path, level: int = 0, stages: Sequence[str] = ()) -> Any:
    """The ``NetParameter`` that a solver trains."""
    given = [name for name in ("net", "net_param", "train_net", "train_net_param") if param.HasField(name)]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise FileFormatError(f"solver: expected one of net, net_param, train_net, train_net_param; got {found}")
    return _selected(_net(param, given[0], folder), "train", [param.train_state], level, stages)


def test_descriptions(param: Any, folder: Path) -> list[Any]:
    """The ``NetParameter`` of each test net: those of ``test_net_param``, ``test_net``, then those of ``net``.

    Raises
    ------
    FileFormatError
        If their number is not that of ``test_iter``, or they are never tested.
    """
    nets = [*param.test_net_param, *(read_net(find(name, folder)) for name in param.test_net)]
    own, wanted = [name for name in ("net_param", "net") if param.HasField(name)], len(param.test_iter)
    if wanted < len(nets) or (wanted > len(nets) and not own):
        raise FileFormatError(f"solver: test_iter: expected one for each of {len(nets)} test nets, got {wanted}")
    nets += [_net(param, own[0], folder) for _ in range(wanted - len(nets))]
    if len(param.test_state) not in (0, len(nets)):
        raise FileFormatError(f"solver: test_state: expected none or {len(nets)}, got {len(param.test_state)}")
    if nets and param.test_interval < 1:
        raise FileFormatError("solver: test_interval: expected at least 1, with test nets, got none")
    states = list(param.test_state) or [None] * len(nets)
    return [_selected(net, "test", [state], 0, ()) for net, state in zip(nets, states, strict=True)]


def _net(param: Any, field: str, folder: Path) -> Any:
    value = getattr(param, field)
    return read_net(find(value, folder)) if isinstance(value, str) else value


def _selected(net: Any, phase: str, states: list[Any], level: int, stages: Sequence[str]) -> Any:
    """The layers of a phase; each state's level replaces those before, its stages are added."""
    stages = list(stages)
    for state in (net.state, *states):
        if state is not None:
            level, stages = state.level if state.HasField("level") else level, [*state.stage, *stages]
    return select(net, phase, level, tuple(stages))
