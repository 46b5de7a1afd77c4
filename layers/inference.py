"""Running a layer as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .cache import Cache
from .layer import Layer


@contextmanager
def inference(layer: Layer) -> Iterator[None]:
    """Put ``layer`` and all below it in evaluation mode with a scratch cache; restore both afterwards.

    A backward pass that is pending when it begins is still possible when it ends, and a layer that was
    frozen in evaluation mode stays so.
    """
    before = [(part, part.cache, part.training) for _, part in layer.walk()]
    try:
        for part, _, _ in before:
            vars(part).update(cache=Cache(type(part).__name__), training=False)  # neither is a layer that comes or goes
            part.cache.scratch = True
        yield
    finally:
        for part, cache, training in before:
            vars(part).update(cache=cache, training=training)
