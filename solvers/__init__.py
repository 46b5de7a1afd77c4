"""Update rules and the training loop."""

if __name__ == "solvers":
    raise ImportError("import it as handbrew.solvers: under its bare name every class would exist twice")

import typing as _typing

from .adam import Adam, AdamW
from .adaptive import AdaDelta, AdaGrad, RMSProp
from .callbacks import Callback
from .diagnosis import Watch
from .dump import Dump, replay
from .early_stopping import EarlyStopping
from .errors import NoGradientError, NonFiniteError
from .history import Epoch, History, Validation
from .layout import Layout, RuleState, Stretch
from .policies import Exponential, Fixed, Inverse, MultiStep, Policy, Polynomial, SigmoidDecay, Step
from .progress import duration
from .range_test import RangeTest, find_lr
from .schedules import Cosine, OneCycle, Plateau, Warmup
from .sgd import SGD
from .snapshots import Snapshots, read_snapshot
from .solver import Solver
from .tensorboard import TensorBoard
from .verify import Verdict

if _typing.TYPE_CHECKING:
    from .caffe import CaffeSolver


def __getattr__(name: str) -> _typing.Any:
    """Import what only few need, with all of Caffe's layers, when it is first asked for."""
    if name == "CaffeSolver":
        from .caffe import CaffeSolver

        globals()[name] = CaffeSolver
        return CaffeSolver
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "CaffeSolver",
    "Callback",
    "Cosine",
    "Dump",
    "EarlyStopping",
    "Epoch",
    "Exponential",
    "Fixed",
    "History",
    "Inverse",
    "Layout",
    "MultiStep",
    "NoGradientError",
    "NonFiniteError",
    "OneCycle",
    "Plateau",
    "Policy",
    "Polynomial",
    "RMSProp",
    "RangeTest",
    "RuleState",
    "SigmoidDecay",
    "Snapshots",
    "Solver",
    "Step",
    "Stretch",
    "TensorBoard",
    "Validation",
    "Verdict",
    "Warmup",
    "Watch",
    "duration",
    "find_lr",
    "read_snapshot",
    "replay",
]
