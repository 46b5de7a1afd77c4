"""Update rules and the training loop."""

if __name__ == "solvers":
    raise ImportError("import it as handbrew.solvers: under its bare name every class would exist twice")

from .errors import NoGradientError, NonFiniteError
from .history import Epoch, History
from .layout import Layout, RuleState, Stretch
from .progress import duration
from .sgd import SGD
from .solver import Solver

__all__ = [
    "SGD",
    "Epoch",
    "History",
    "Layout",
    "NoGradientError",
    "NonFiniteError",
    "RuleState",
    "Solver",
    "Stretch",
    "duration",
]
