"""ONNX models: written and read."""

__all__: list[str] = []
