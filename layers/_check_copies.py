"""``check_layer``'s rules on building, saving and making anew, one function each."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from operator import attrgetter

from ._check_bench import Bench, rebuilt
from ._check_specimen import NotApplicableError, Specimen, ViolationError, difference, mode
from .layer import Layer


def build(bench: Bench) -> Iterator[str]:
    """What ``build`` says of the output's shape is true."""
    if bench.is_net_with_loss:
        raise NotApplicableError("of a net that ends in a loss, build tells the scores' shape")
    said = bench.build(bench.unbuilt())
    shapes = tuple(y.shape[1:] for y in bench.output)
    made = shapes if isinstance(bench.dy, tuple) else shapes[0]
    if said != made:
        yield f"build says the output's shape is {said}, forward makes {made}; let build(in_shape) return it"


def state(bench: Bench) -> Iterator[str]:
    """``state()`` holds all that tells a trained layer from a new one."""
    for wrong in _strays(bench, bench.fresh()):
        yield f"after load_state(state()) {wrong}; keep what lasts in self.param(…) or self.buffer(…)"


def config(bench: Bench) -> Iterator[str]:
    """``config()`` makes an equal layer."""
    arguments = bench.original.config()
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    call = f"{type(bench.original).__name__}({shown}), made of config(),"
    fix = "an attribute that bears an argument's name must hold that argument unchanged"
    try:
        layer = bench.placed(rebuilt(bench.original))
        bench.build(layer)
    except Exception as error:
        raise ViolationError(f"{call} fails: {error}; {fix}") from error
    for wrong in _strays(bench, layer):
        yield f"{call} differs, {wrong}; {fix}"


def pickling(bench: Bench) -> Iterator[str]:
    """A pickled layer comes back the same."""
    for _, part in bench.layer.walk():
        if not _importable(type(part)):
            raise NotApplicableError(f"{type(part).__qualname__} is not importable")
    again = Specimen(bench, pickle.loads(pickle.dumps(bench.layer)))
    if wrong := difference(bench.reference(), again.run()):
        yield f"after pickling {wrong}"


def _strays(bench: Bench, layer: Layer) -> Iterator[str]:
    """Where a new layer, with the state of the one on the bench, gives something else."""
    for training in (False, True):  # evaluation first: training moves what is kept outside the state too
        layer.load_state(bench.layer.state())
        got = Specimen(bench, layer.train(training)).run()
        if wrong := difference(bench.reference(training), got):
            yield f"in {mode(training)} {wrong}"
            return


def _importable(cls: type) -> bool:
    try:
        return attrgetter(cls.__qualname__)(sys.modules[cls.__module__]) is cls
    except (AttributeError, KeyError):
        return False
