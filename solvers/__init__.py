"""Update rules and the training loop."""

if __name__ == "solvers":
    raise ImportError("import it as handbrew.solvers: under its bare name every class would exist twice")

from .errors import NoGradientError, NonFiniteError
from .history import Epoch, History
from .sgd import SGD
from .solver import RuleState, Solver

__all__ = ["SGD", "Epoch", "History", "NoGradientError", "NonFiniteError", "RuleState", "Solver"]
