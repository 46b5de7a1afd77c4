"""The errors of training."""


class NoGradientError(RuntimeError):
    """A step without a backward pass before it."""


class NonFiniteError(ArithmeticError):
    """A loss or a gradient is not a number, or infinite."""
