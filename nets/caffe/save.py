"""``save_caffe``: handbrew's nets as Caffe's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from handbrew.layers import ClassLoss, Loss, NotBuiltError, Param

from ..graph import Graph
from ..net import Net
from . import write_activations, write_common, write_losses, write_shape, write_vision
from .deploying import deployed
from .flat import Step, flatten
from .places import places_of
from .schema import messages
from .spec import InexpressibleError
from .text import write_net
from .weights import LayerWeights, write_caffemodel

WRITE = {
    kind: written
    for family in (write_vision, write_common, write_shape, write_activations, write_losses)
    for kind, written in family.WRITE.items()
}
DATA, TARGET = "data", "label"  # what a Sequential's blobs are called
WEIGHTS, TEXTS = (".caffemodel", ".h5", ".hdf5"), (".prototxt", ".pbtxt", ".txt")


def save_caffe(
    net: Net, prototxt: str | PathLike[str], caffemodel: str | PathLike[str] | None = None, deploy: bool = False
) -> None:
    """Write a net as Caffe's: the layers as text, and the weights in binary form, each atomically.

    ``load_caffe`` reads a net back that computes the same. Layers and blobs have the names they have here, those in
    containers with the container's before, and a ``/``; one sample is what the inputs' shapes are for. Learning rates'
    and decays' multipliers are in it, and fillers where Caffe has such an initialiser.

    Parameters
    ----------
    net : Sequential or Graph
        Built.
    prototxt : path
    caffemodel : path, optional
    deploy : bool
        Write the net as it is put to use: without targets, and without the losses and accuracies that read them. In
        the place of the main loss stands what makes probabilities of its scores, a Softmax or Sigmoid called "prob";
        what only other losses need is left out.

    Raises
    ------
    NotBuiltError
        If it is not.
    ValueError
        If Caffe has no such layers; it names them all. Or if one path ends as the other one should. Then nothing is
        written.
    """
    _refuse_swapped(prototxt, caffemodel)
    if net.in_shape is None:
        raise NotBuiltError(f"{net.where}: not built; call build(in_shape), batch axis left out, or forward once")
    steps = flatten(net, (DATA, TARGET), ())
    weights_of_losses = net.loss_weights if isinstance(net, Graph) else {}
    inputs = _inputs(net, steps)
    if deploy:
        targets = net.targets if isinstance(net, Graph) else (TARGET,)
        steps, weights_of_losses = deployed(steps, targets, weights_of_losses), {}
        inputs = {name: shape for name, shape in inputs.items() if any(name in step.reads for step in steps)}
    message = messages().NetParameter(name=Path(prototxt).stem)
    for name, shape in inputs.items():
        layer = message.layer.add(name=name, type="Input", top=[name])
        layer.input_param.shape.add(dim=shape)
    wrong, weights = list[str](), list[LayerWeights]()
    shared = _shared(steps)
    for step in steps:
        layer = message.layer.add(name=step.name, bottom=step.reads, top=step.makes)
        try:
            _write(step, layer, weights_of_losses if isinstance(net, Graph) else None, shared)
        except InexpressibleError as reason:
            wrong.append(f"{step.name} ({type(step.layer).__name__}): {reason}")
        else:
            blobs = [place.get() for place in places_of(step.name, step.layer, len(step.reads))]
            weights += [LayerWeights(step.name, layer.type, blobs)] if blobs else []
    if wrong:
        raise ValueError(f"{prototxt}: Caffe has no layers for these:\n  " + "\n  ".join(wrong))
    if caffemodel is not None:
        write_caffemodel(caffemodel, message, weights)
    write_net(prototxt, message)


def _refuse_swapped(prototxt: str | PathLike[str], caffemodel: str | PathLike[str] | None) -> None:
    """Raise a ``ValueError`` for a path that is called as the other file."""
    for path, wrong, what in ((prototxt, WEIGHTS, "prototxt"), (caffemodel, TEXTS, "caffemodel")):
        if path is not None and Path(path).suffix.lower() in wrong:
            raise ValueError(f"{path}: is no name for a {what}: save_caffe takes the prototxt, then the caffemodel")


def _write(step: Step, layer: Any, given: Mapping[str, float] | None, shared: dict[tuple[int, str], str]) -> None:
    """Fill in a ``LayerParameter``; ``given`` are a graph's weights of losses."""
    if type(step.layer) not in WRITE:
        raise InexpressibleError("Caffe has no such layer")
    layer.type, write = WRITE[type(step.layer)]
    write(step.layer, layer)
    if step.stopped:
        layer.propagate_down.extend(i not in step.stopped for i in range(len(step.reads)))
    is_loss = isinstance(step.layer, Loss)
    given = dict.fromkeys(step.makes[:1], float(is_loss)) if given is None else given
    weights = [given.get(top, 0.0) for top in step.makes]
    if weights != [float(is_loss and not i) for i in range(len(weights))] or (is_loss and len(weights) > 1):
        layer.loss_weight.extend(weights)
    _write_params(step, layer, shared)
    for field, options in layer.ListFields():
        if field.name.endswith("_param") and field.name != "loss_param":  # whose default depends on the loss
            _leave_out_defaults(options)


def _leave_out_defaults(message: Any) -> None:
    for field, value in message.ListFields():
        if field.has_default_value and value == field.default_value and field.name not in ("pad_h", "pad_w"):
            message.ClearField(field.name)
        elif hasattr(value, "ListFields"):
            _leave_out_defaults(value)


def _write_params(step: Step, layer: Any, shared: dict[tuple[int, str], str]) -> None:
    """What multiplies the learning rate and the decay, and the names of what others have too; if there is any."""
    rows = []
    for place in places_of(step.name, step.layer, len(step.reads)):
        array = place.array
        if isinstance(array, Param):  # no sum, of which Caffe wants to hear nothing
            name = shared.get((id(step.layer._shared), place.slot), "")
            rows.append((name, array.lr_mult * array.trainable, array.decay_mult))
    if any(row != ("", 1, 1) for row in rows):
        for name, lr, decay in rows:
            layer.param.add(lr_mult=lr, decay_mult=decay, **({"name": name} if name else {}))


def _shared(steps: list[Step]) -> dict[tuple[int, str], str]:
    """A name for each array that several layers have."""
    users: Counter[tuple[int, str]] = Counter()
    names: dict[tuple[int, str], str] = {}
    for step in steps:
        for place in places_of(step.name, step.layer, len(step.reads)):
            key = id(step.layer._shared), place.slot
            users[key] += 1
            names.setdefault(key, f"{step.name}/{place.slot}")
    return {key: names[key] for key, count in users.items() if count > 1}


def _inputs(net: Net, steps: list[Step]) -> dict[str, tuple[int, ...]]:
    """The shapes of the inputs, for one sample."""
    shape: Any = net.in_shape
    if isinstance(net, Graph):
        shapes = [shape] if len(net.data) == 1 else shape
        found = {name: (1, *sample) for name, sample in zip(net.data, shapes, strict=True)}
        return {name: found.get(name) or _target_shape(name, steps) for name in net.inputs}
    ends = {TARGET: _target_shape(TARGET, steps)} if net.takes_target else {}
    return {DATA: (1, *shape), **ends}


def _target_shape(name: str, steps: list[Step]) -> tuple[int, ...]:
    """What the loss that reads a target asks for, as far as the scores' shape is known."""
    reader = next(step for step in steps if name in step.reads and isinstance(step.layer, Loss))
    maker = next((step.layer for step in steps if reader.reads[0] in step.makes), None)
    scores = maker.out_shape if maker is not None else None
    if not scores or isinstance(scores[0], tuple):
        return (1,)
    if isinstance(reader.layer, ClassLoss):
        whole = (1, *scores)
        axis = reader.layer.axis % len(whole)
        return whole[:axis] + whole[axis + 1 :]
    return (1, *scores) if len(reader.reads) == 2 else (1,)
