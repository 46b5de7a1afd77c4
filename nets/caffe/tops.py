"""Caffe's blobs, which layers may change in place, as blobs of a ``Graph``, each with one producer."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from handbrew.data import FileFormatError

from .naming import clean, unique


class Tops:
    """The present name, in the graph, of each of Caffe's blobs, layer after layer.

    A blob that layers change in place is a blob of the graph for each of them: the last one bears its name, and
    the others that of their layer too, ``conv1/conv1`` before ``relu1`` changes ``conv1``. An input keeps its name.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self.inputs: dict[str, str] = {}  # the graph's names of its inputs, by Caffe's
        self._left: dict[str, int] = {}  # how many layers are still to make the blob
        self._now: dict[str, str] = {}
        self._makers: dict[str, str] = {}
        self._taken: set[str] = set()
        for top in (top for layer in layers for top in layer.top):
            self._left[top] = self._left.get(top, 0) + 1
        self._reserved = {clean(top) for top in self._left}

    def read(self, where: str, bottom: str) -> str:
        """The graph's name of what a layer reads.

        Raises
        ------
        FileFormatError
            If no layer before it makes such a blob.
        """
        if bottom not in self._now:
            close = get_close_matches(bottom, self._now, 1)
            fix = f"did you mean {close[0]!r}?" if close else f"so far there are {', '.join(self._now) or 'none'}"
            later = "a layer further down makes it, and has to come first" if bottom in self._left else fix
            raise FileFormatError(f"{where}: unknown bottom blob {bottom!r:.80}; {later}")
        return self._now[bottom]

    def make(self, where: str, name: str, top: str, changed: str | None = None) -> str:
        """The graph's name of what the layer called ``name`` makes; ``changed`` is the bottom in that place.

        Raises
        ------
        FileFormatError
            If another layer has made that blob.
        """
        self._note(where, top, changed)
        blob = clean(top)
        return self._name(top, blob if not self._left.get(top) and top not in self.inputs else f"{blob}/{name}")

    def give(self, where: str, top: str) -> str:
        """The name of an input."""
        self._note(where, top)
        self.inputs[top] = self._name(top, clean(top))
        return self.inputs[top]

    def own(self, name: str) -> str:
        """A name for a blob that Caffe does not have."""
        found = unique(name, self._taken | self._reserved)
        self._taken.add(found)
        return found

    def _note(self, where: str, top: str, changed: str | None = None) -> None:
        if top in self._now and changed != top:
            raise FileFormatError(
                f"{where}: the top blob {top!r:.80} has two producers, this layer and {self._makers[top]}; "
                f"rename one of them"
            )
        self._makers[top] = where
        self._left[top] = self._left.get(top, 1) - 1

    def _name(self, top: str, blob: str) -> str:
        others = self._taken if blob in self._reserved and blob == clean(top) else self._taken | self._reserved
        self._now[top] = unique(blob, others)
        self._taken.add(self._now[top])
        return self._now[top]
