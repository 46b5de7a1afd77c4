"""``select``: the layers of a net that a phase, a level and stages leave in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from handbrew.data import FileFormatError

from .schema import messages

PHASES = ("train", "test")  # numbered as in Caffe


def select(net: Any, phase: str = "test", level: int = 0, stages: Iterable[str] = ()) -> Any:
    """Return a ``NetParameter`` with the layers whose rules the state meets, and that state in it.

    A layer with ``include`` rules is in if the state meets one of them; one with ``exclude`` rules is in unless
    it meets one; others always are. A rule is met if its phase is the state's, ``min_level <= level <=
    max_level``, and the state has all of its ``stage`` and none of its ``not_stage``, whichever of these it
    gives. Stages that the net's own ``state`` names count too.

    Raises
    ------
    FileFormatError
        If a layer has both include and exclude rules.
    ValueError
        If ``phase`` is neither "train" nor "test".
    """
    phase = phase_of(phase)
    selected = messages().NetParameter()
    selected.CopyFrom(net)
    selected.ClearField("layer")
    state = selected.state
    state.phase, state.level = PHASES.index(phase), level
    state.stage.extend(stages)
    for position, layer in enumerate(net.layer):
        if layer.include and layer.exclude:
            raise FileFormatError(f"layer {position} ({layer.name}): has both include and exclude rules; use one kind")
        met = any(meets(state, rule) for rule in (*layer.include, *layer.exclude))
        if met == bool(layer.include):
            selected.layer.append(layer)
    return selected


def phase_of(phase: str) -> str:
    """Return "train" or "test" for the same word in any case.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if str(phase).lower() not in PHASES:
        raise ValueError(f'phase must be "train" or "test", got {phase!r}')
    return phase.lower()


def meets(state: Any, rule: Any) -> bool:
    """Whether a ``NetState`` meets a ``NetStateRule``."""
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or rule.phase == state.phase)
        and (not rule.HasField("min_level") or rule.min_level <= state.level)
        and (not rule.HasField("max_level") or rule.max_level >= state.level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )
