"""Update rules and the training loop."""

if __name__ == "solvers":
    raise ImportError("import it as handbrew.solvers: under its bare name every class would exist twice")

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

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
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
