"""Snapshots of a Caffe training: the weights as Caffe writes them, and all else that the next steps depend on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from handbrew.data import FileFormatError
from handbrew.layers import StateError
from handbrew.nets import Graph
from handbrew.nets.caffe.hdf5_weights import write_hdf5
from handbrew.nets.caffe.sniff import STATE
from handbrew.nets.caffe.transfer import load_weights, save_caffemodel, weights_of
from handbrew.nets.caffe.weights import read_caffemodel
from handbrew.nets.safetensors import SNAPSHOT
from handbrew.nets.saving import fitting

from .snapshots import read_snapshot
from .tree_file import write_tree

if TYPE_CHECKING:
    from .caffe import CaffeSolver


def prefix_of(param: Any, solver: Path) -> Path:
    """Where snapshots go: ``snapshot_prefix`` seen from here, else from the solver's folder, else right in that.

    Its folder is made if only that is missing, with the first snapshot. A solver without a prefix, or with a folder
    for one, has its own file's name, as in Caffe.
    """
    given, folder = param.snapshot_prefix, solver.parent
    prefix = Path(given) if given else solver.with_suffix("")
    places = (prefix, folder / prefix, folder / prefix.name)
    there = [place for place in places[:2] if place.parent.is_dir()]
    nearly = [place for place in places[:2] if place.parent.parent.is_dir()]
    prefix = next(iter([*there, *nearly, places[-1]]))
    return prefix / solver.stem if prefix.is_dir() else prefix


def refuse_unwritable(param: Any, prefix: Path) -> None:
    """Say before the training, not after it, that its snapshots have no place."""
    if param.snapshot or param.snapshot_after_train:
        folder = prefix.parent if prefix.parent.is_dir() else prefix.parent.parent
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"snapshot_prefix: {folder} cannot be written into")


def write_snapshot(solver: CaffeSolver) -> None:
    """See ``CaffeSolver.snapshot``."""
    name = f"{solver.prefix}_iter_{solver.iteration}"
    model, state = Path(f"{name}.caffemodel"), Path(f"{name}{STATE}")
    model.parent.mkdir(exist_ok=True)
    if solver.param.snapshot_format == solver.param.HDF5:
        solver.log(f"Snapshotting to HDF5 file {model}.h5")
        write_hdf5(f"{model}.h5", weights_of(solver.net))
    else:
        solver.log(f"Snapshotting to binary proto file {model}")
        save_caffemodel(model, solver.train.param, solver.net)
    solver.log(f"Snapshotting solver state to safetensors file {state}")
    nets = [solver.train, *solver.tests]
    tree = {
        "caffe": solver.train.param.name,
        "net": solver.net.state(),
        "solver": solver.rule.state(),
        "generators": [fed.graph.generator_states() for fed in nets],
        "feeds": [[feed.state() for feed in fed.feeds] for fed in nets],
    }
    write_tree(state, SNAPSHOT, tree)


def restore(solver: CaffeSolver, path: Path) -> list[str]:
    """See ``CaffeSolver.restore``; return what differs of the rule's settings, as sentences."""
    tree = read_snapshot(state_beside(path))
    nets = [solver.train, *solver.tests]
    if "caffe" not in tree:
        raise FileFormatError(f"{path}: a snapshot of another kind of training; handbrew resume goes on with that")
    with fitting(path):
        feeds = tree["feeds"]
        if [len(of_net) for of_net in feeds] != [len(fed.feeds) for fed in nets]:
            raise StateError(f"{path}: a snapshot of other nets: it feeds {len(feeds)}, here there are {len(nets)}")
        solver.net.load_state(tree["net"])
        differ = solver.rule.restore(tree["solver"])
        for fed, generators, states in zip(nets, tree["generators"], feeds, strict=True):
            fed.graph.load_generator_states(generators)
            for feed, state in zip(fed.feeds, states, strict=True):
                feed.restore(state)
    return differ


def state_beside(path: Path) -> Path:
    """The file with the solver's state, for one who names the weights, or Caffe's own kind of state.

    Raises
    ------
    FileFormatError
        If there is none.
    """
    if path.name.endswith(STATE):
        return path
    for ending in (".caffemodel", ".solverstate"):
        beside = Path(str(path).removesuffix(ending) + STATE)
        if str(path).endswith(ending) and beside.is_file():
            return beside
    raise FileFormatError(
        f"{path}: expected a snapshot such as lenet_iter_5000{STATE}; weights alone, such as a caffemodel, are what "
        f"--weights starts from"
    )


def load_into(graph: Graph, *paths: Path, tell: bool = True) -> None:
    """Load the weights of caffemodels, or of their HDF5 form, in order into the layers of the same names.

    A warning names the layers that found none, if ``tell``.
    """
    load_weights(graph, *(read_caffemodel(path) for path in paths), tell=tell)
