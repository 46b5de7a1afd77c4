"""The errors of handbrew: each says what happened, what was expected, what came, and the fix."""


class ShapeError(ValueError):
    """An array or a layer has another shape than the one expected."""


class DTypeError(TypeError):
    """An array has a data type that the layer cannot work on."""


class LabelError(ValueError):
    """Labels that no class answers to, or that are not labels at all."""


class NotBuiltError(RuntimeError):
    """Parameters were asked for before the layer knew its input's shape."""


class CacheError(AttributeError):
    """``backward`` reads what no ``forward`` has left.

    An ``AttributeError``, so that ``hasattr`` and ``copy`` see a missing name as a missing name.
    """


class LayerReuseError(ValueError):
    """One layer object stands in two places, or a place holds what is no layer."""


class StateError(ValueError):
    """A state of other names or shapes than those of the net it is loaded into."""
