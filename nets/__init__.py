"""Nets: layers composed, saved, summarised and timed."""

if __name__ == "nets":
    raise ImportError("import it as handbrew.nets: under its bare name every class would exist twice")

from .errors import EmptyNetError
from .evaluation import Evaluation, RunningLoss
from .files import write_atomically
from .net import Net
from .profile import Profile, ProfileRow
from .saving import load_net, read_weights
from .sequential import Sequential
from .summary import Summary, SummaryRow
from .zoo import cifar10_full, cifar10_quick, lenet, mlp, resnet20, vgg_small

__all__ = [
    "EmptyNetError",
    "Evaluation",
    "Net",
    "Profile",
    "ProfileRow",
    "RunningLoss",
    "Sequential",
    "Summary",
    "SummaryRow",
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
