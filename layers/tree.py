"""Layers that hold layers: children, paths, names, and the random numbers that depend on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np

from .configurable import Configurable
from .errors import LayerReuseError, StateError

INITIAL_VALUES, FORWARD_PASSES = 0, 1  # streams of random numbers


class Tree:
    """What all layers below one top have in common.

    ``stamp`` grows whenever a layer comes or goes; ``uses_threads``: whether any of them does.
    """

    def __init__(self, top: Node) -> None:
        self.top, self.stamp = top, -1
        self.at_work = False  # whether a net in it has turned ``worker_threads`` on
        self.change()

    def change(self) -> None:
        """Take note that a layer has come or gone."""
        self.stamp += 1
        self.uses_threads = any(node.uses_threads for _, node in self.top.walk())


class Node(Configurable):
    """A place in the tree that a net is.

    Whatever is kept in an attribute, or in a list, tuple or dict there, is a child. ``seed`` is that of the
    random numbers of a node and all below it (``None``: the parent's, 0 at the top).
    """

    seed: int | None = None
    uses_threads: bool = False
    _name: str | None = None
    _seed: int | None = None  # seed and path that the random numbers come from; None: not placed yet
    _path: str = ""
    _where: str | None = None
    tree: Tree | None = None

    @property
    def children(self) -> dict[str, Self]:
        """The layers this one holds, by name, in the order of their assignment."""
        members = [(name, value) for name, value in vars(self).items() if isinstance(value, _MAY_HOLD)]  # few do
        return {key: node for name, value in members for key, node in nodes_in(name, value)}

    def walk(self, path: str = "") -> Iterator[tuple[str, Self]]:
        """Yield this layer and all below it, with their paths: ``("", net), ("affine1", …), …``."""
        yield path, self
        for name, child in self.children.items():
            yield from child.walk(join(path, name))

    def named(self, name: str) -> Self:
        """Give the layer the name it bears in a net: a word without dots; returns the layer."""
        if not isinstance(name, str) or not name.isprintable() or "." in name or name.split() != [name]:
            raise ValueError(f"a layer's name is a word without dots, like 'fc' or 'conv1_2', got {name!r}")
        self._name = name
        return self

    @property
    def where(self) -> str:
        """The layer's place for error messages: ``Sequential > affine1 (Affine)``."""
        return self._where or type(self).__name__

    def place(self, seed: int, path: str, where: str, tree: Tree | None = None) -> None:
        """Tell this layer and all below it where they stand: their random numbers depend on it."""
        if self.seed is not None:
            seed, path = self.seed, ""
        if (seed, path) != (self._seed, self._path):
            vars(self).pop("_rng", None)  # a copy elsewhere draws other numbers
        members = vars(self)
        members["_seed"], members["_path"], members["_where"] = seed, path, where
        members["tree"] = tree = tree or Tree(self)
        for name, child in self.children.items():
            child.place(seed, join(path, name), f"{where} > {name} ({type(child).__name__})", tree)

    def place_as_top(self) -> None:
        """Place a layer that no parent has placed: it is the top of its tree."""
        if self.tree is None:
            refuse_reuse(self)
            self.place(0, "", type(self).__name__)

    def __setattr__(self, name: str, value: Any) -> None:
        tree, before = self.tree, vars(self).get(name)
        super().__setattr__(name, value)
        if tree is None or not (any(nodes_in("", value)) or any(nodes_in("", before))):
            return
        try:
            refuse_reuse(tree.top)
        except LayerReuseError:
            vars(self)[name] = before
            raise
        for _, node in nodes_in("", value):
            if node.tree is not tree:
                self.welcome(node)
        tree.change()
        self.place(self._seed or 0, self._path, self.where, tree)

    def welcome(self, newcomer: Node) -> None:
        """Prepare a layer that comes into a tree in use; called before it is placed."""

    def generator(self, stream: int, name: str = "") -> np.random.Generator:
        """Return a new generator, seeded by the seed, the path and the stream: no layer disturbs another's."""
        self.place_as_top()
        return np.random.default_rng([self._seed or 0, stream, *join(self._path, name).encode()])

    @property
    def rng(self) -> np.random.Generator:
        """The only source of random numbers for ``forward``."""
        if "_rng" not in self.__dict__:
            self.__dict__["_rng"] = self.generator(FORWARD_PASSES)
        return self.__dict__["_rng"]

    def generator_states(self) -> dict[str, dict[str, Any]]:
        """Where the random numbers for ``forward`` stand: NumPy's ``bit_generator.state``, by path.

        Layers that have drawn none yet are left out.
        """
        return {
            path: node.__dict__["_rng"].bit_generator.state for path, node in self.walk() if "_rng" in node.__dict__
        }

    def load_generator_states(self, states: Mapping[str, Any]) -> None:
        """Go on drawing from where ``generator_states`` was asked; layers that it left out start afresh.

        Raises
        ------
        StateError
            If a path is no layer's, or a state none of NumPy's; it lists them all, and nothing has been changed.
        """
        self.place_as_top()
        nodes = dict(self.walk())
        wrong = [f"unknown: {path}" for path in states if path not in nodes]
        generators = {path: nodes[path].generator(FORWARD_PASSES) for path in states if path in nodes}
        for path, generator in generators.items():
            try:
                generator.bit_generator.state = states[path]
                fits = generator.bit_generator.state == states[path]  # NumPy takes a few things that it cannot hold
            except (ArithmeticError, LookupError, TypeError, ValueError):
                fits = False
            if not fits:
                wrong.append(f"{path}: expected a state of {type(generator.bit_generator).__name__}")
        if wrong:
            raise StateError(f"{self.where}: these are the generators of another net\n  " + "\n  ".join(wrong))
        for path, node in nodes.items():
            vars(node).pop("_rng", None)
            if path in generators:
                vars(node)["_rng"] = generators[path]


def refuse_reuse(top: Node) -> None:
    """Raise ``LayerReuseError`` if one layer object stands in two places below ``top``."""
    seen: dict[int, str] = {}
    for path, layer in top.walk():
        if id(layer) in seen:
            raise LayerReuseError(
                f"{type(top).__name__}: one {type(layer).__name__} object stands at {seen[id(layer)]!r} and at "
                f"{path!r}; make a second layer, or share its weights with tied()"
            )
        seen[id(layer)] = path


def nodes_in(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the nodes in an attribute's value, a node or a nest of lists, tuples and dicts, with their names."""
    if isinstance(value, Node):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from nodes_in(f"{name}.{key}", item)


_MAY_HOLD = (Node, list, tuple, dict)


def join(path: str, name: str) -> str:
    """Join the parts of a path with a dot."""
    return f"{path}.{name}" if path and name else path or name
