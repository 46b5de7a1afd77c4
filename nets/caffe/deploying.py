"""A net as it is put to use: without the targets, and what only they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from handbrew.layers import Layer, Loss, Sigmoid, SigmoidCrossEntropy, Softmax, SoftmaxCrossEntropy

from .flat import Names, Step
from .pair_losses import CaffeSigmoidLoss

PROBABILITIES = "prob"  # what Caffe's own nets call the layer


def deployed(steps: Sequence[Step], targets: Names, weights: Mapping[str, float]) -> list[Step]:
    """Return the steps that outputs need which no target is needed for; the main loss's are made probabilities."""
    of_targets, outputs, kept = set(targets), dict[str, None](), list[Step]()
    main = _main_loss(steps, weights)
    for step in steps:
        if step is main:
            scores = tuple(blob for blob in step.reads if blob not in of_targets)
            end = _meaning(step, scores[0], steps)
            if end is not None and end not in steps:
                kept.append(end)
            outputs |= dict.fromkeys(scores if end is None else end.makes)
            of_targets.update(set(step.makes).difference(() if end is None else end.makes))
        elif of_targets.intersection(step.reads) or step.layer.measures:
            of_targets.update(step.makes)
        else:
            kept.append(step)
    read = {blob for step in steps if not step.layer.measures for blob in step.reads}
    outputs |= dict.fromkeys(blob for step in kept for blob in step.makes if blob not in read)
    return _needed(kept, set(outputs))


def _main_loss(steps: Sequence[Step], weights: Mapping[str, float]) -> Step | None:
    """The loss that counts most, the last of several."""
    losses = [step for step in steps if isinstance(step.layer, Loss) and step.makes]
    return max(reversed(losses), key=lambda step: abs(weights.get(step.makes[0], 0.0)), default=None)


def _meaning(loss: Step, scores: str, steps: Sequence[Step]) -> Step | None:
    """What makes probabilities of the scores: a layer that is there already, or a new one; ``None`` if none does."""
    layer: Layer
    if isinstance(loss.layer, SoftmaxCrossEntropy):
        layer = Softmax(loss.layer.axis)
    elif isinstance(loss.layer, (SigmoidCrossEntropy, CaffeSigmoidLoss)):
        layer = Sigmoid()
    else:
        return None
    for step in steps:
        if step.reads == (scores,) and type(step.layer) is type(layer) and step.layer.config() == layer.config():
            return step
    taken = {name for step in steps for name in (step.name, *step.reads, *step.makes)}
    name = PROBABILITIES if PROBABILITIES not in taken else f"{loss.name}/{PROBABILITIES}"
    return Step(name, layer, (scores,), loss.makes[1:] or (name,))


def _needed(steps: Sequence[Step], wanted: set[str]) -> list[Step]:
    kept = list[Step]()
    for step in reversed(steps):
        if wanted.intersection(step.makes):
            kept.append(step)
            wanted.update(step.reads)
    return kept[::-1]
