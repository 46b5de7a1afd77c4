"""Nets: layers composed, saved, summarised and timed."""

if __name__ == "nets":
    raise ImportError("import it as handbrew.nets: under its bare name every class would exist twice")

import typing as _typing

from .confusion import Confusion
from .errors import EmptyNetError, GraphError
from .evaluation import Evaluation, RunningLoss
from .files import write_atomically
from .metrics import Accuracy, Metric, TopK
from .net import Net
from .profile import Profile, ProfileRow
from .saving import load_net, read_weights
from .sequential import Sequential
from .summary import Summary, SummaryRow

if _typing.TYPE_CHECKING:
    from .caffe import load_caffe, save_caffe
    from .drawing import draw
    from .export import export_numpy
    from .graph import Graph
    from .onnx import load_onnx, save_onnx
    from .wiring import GraphNode
    from .zoo import cifar10_full, cifar10_quick, lenet, mlp, resnet20, vgg_small

# What most programs do without, some of it with the layers for images.
_LATER = (
    ("caffe", "load_caffe save_caffe"),
    ("drawing", "draw"),
    ("export", "export_numpy"),
    ("graph", "Graph"),
    ("onnx", "load_onnx save_onnx"),
    ("wiring", "GraphNode"),
    ("zoo", "cifar10_full cifar10_quick lenet mlp resnet20 vgg_small"),
)


def __getattr__(name: str) -> _typing.Any:
    """Import a module of this package when one of its names is first asked for."""
    for module, found in _LATER:
        names = found.split()
        if name in names:
            import importlib

            part = importlib.import_module(f".{module}", __name__)
            globals().update({known: getattr(part, known) for known in names})
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "Accuracy",
    "Confusion",
    "EmptyNetError",
    "Evaluation",
    "Graph",
    "GraphError",
    "GraphNode",
    "Metric",
    "Net",
    "Profile",
    "ProfileRow",
    "RunningLoss",
    "Sequential",
    "Summary",
    "SummaryRow",
    "TopK",
    "cifar10_full",
    "cifar10_quick",
    "draw",
    "export_numpy",
    "lenet",
    "load_caffe",
    "load_net",
    "load_onnx",
    "mlp",
    "read_weights",
    "resnet20",
    "save_caffe",
    "save_onnx",
    "vgg_small",
    "write_atomically",
]
