"""A net as one readable Python file that needs NumPy only."""

from __future__ import annotations

from .exporting import export_numpy

__all__ = ["export_numpy"]
