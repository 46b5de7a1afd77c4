"""Caffe's models: read, run, trained on and written."""

__all__: list[str] = []
