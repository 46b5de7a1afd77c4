"""Nets: layers composed, saved, summarised and timed."""

if __name__ == "nets":
    raise ImportError("import it as handbrew.nets: under its bare name every class would exist twice")

import typing as _typing

from .confusion import Confusion
from .errors import EmptyNetError
from .evaluation import Evaluation, RunningLoss
from .files import write_atomically
from .metrics import Accuracy, Metric, TopK
from .net import Net
from .profile import Profile, ProfileRow
from .saving import load_net, read_weights
from .sequential import Sequential
from .summary import Summary, SummaryRow

if _typing.TYPE_CHECKING:
    from .zoo import cifar10_full, cifar10_quick, lenet, mlp, resnet20, vgg_small

_ZOO = ("cifar10_full", "cifar10_quick", "lenet", "mlp", "resnet20", "vgg_small")


def __getattr__(name: str) -> _typing.Any:
    """Import the ready-made nets, and with them the layers for images, when one is first asked for."""
    if name not in _ZOO:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    zoo = importlib.import_module(".zoo", __name__)
    globals().update({known: getattr(zoo, known) for known in _ZOO})
    return globals()[name]


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "Accuracy",
    "Confusion",
    "EmptyNetError",
    "Evaluation",
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
    "lenet",
    "load_net",
    "mlp",
    "read_weights",
    "resnet20",
    "vgg_small",
    "write_atomically",
]
