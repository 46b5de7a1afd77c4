"""Errors of nets, and the place in the net that every error carries."""

from __future__ import annotations

from typing import Any

import numpy as np

from handbrew.layers import Layer


class EmptyNetError(ValueError):
    """A net without layers."""


class GraphError(ValueError):
    """A graph whose layers and blobs do not fit together."""


def place_note(error: Exception, layer: Layer, given: Any) -> None:
    """Note on an error that does not say so itself in which layer it arose, once, by the innermost net."""
    notes = getattr(error, "__notes__", [])
    if layer.where not in str(error) and not any(note.startswith("in ") for note in notes):
        shape = f", given shape {np.shape(given)}" if hasattr(given, "shape") else ""
        error.add_note(f"in {layer.where}{shape}")
