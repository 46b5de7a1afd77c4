"""A net, layer by layer, as an ONNX model."""

from __future__ import annotations

from typing import Any

from handbrew.layers import Branches, Layer, Loss, Residual

from ..graph import Graph
from ..net import Net
from ..sequential import Sequential
from .free_sizes import is_free, met, of_other_sizes, refuse_others, sizes_of
from .tensors import CODES
from .write_caffe import TABLE as CAFFE
from .write_elementwise import TABLE as ELEMENTWISE
from .write_losses import TABLE as LOSSES
from .write_losses import meaning
from .write_normalizing import TABLE as NORMALIZING
from .write_operators import TABLE as OPERATORS
from .write_pooling import TABLE as POOLING
from .write_products import TABLE as PRODUCTS
from .write_shapes import TABLE as SHAPES
from .writer import Values, Writer, emitter_for

OPERATOR_SET, FORMAT = 21, 10  # of ONNX 1.16, which onnxruntime reads from version 1.18 on
TABLE = {**PRODUCTS, **POOLING, **NORMALIZING, **ELEMENTWISE, **SHAPES, **OPERATORS, **CAFFE}


def model_of(net: Any, loss: bool, in_shape: Any = None) -> Any:
    """The model, not yet checked; with ``in_shape``, in which sizes may be left open.

    Raises
    ------
    TypeError
        If the net has layers that no operators do; all of them are listed.
    ValueError
        If sizes are left open that a layer depends on.
    """
    from onnx.shape_inference import infer_shapes

    any_size = in_shape is not None and is_free(in_shape)
    w = Writer(net.dtype, any_size)
    data = net.data if isinstance(net, Graph) else ("x",)
    shapes = net.in_shape if len(data) > 1 else (net.in_shape,)
    targets = net.targets if isinstance(net, Graph) else ("target",)
    named = [w.name(name) for name in (*data, *(targets if loss else ()))]
    outputs = _net(w, net, tuple(named), loss)
    if w.problems:
        raise TypeError("no ONNX operators do what these layers do:\n  " + "\n  ".join(w.problems))
    helper, floats = w.helper, CODES[w.dtype.name]
    if in_shape is not None and not any_size and net.open_shape is not None:
        whole = [name in w.integer_inputs for name in named]
        net = met(net, list(in_shape) if len(data) > 1 else [tuple(in_shape)], whole)
        net.open_shape = None
        return model_of(net, loss)
    if any_size:
        shapes = sizes_of(net, in_shape, data)
        other = Writer(net.dtype, any_size)
        whole = [name in w.integer_inputs for name in named]
        _net(other, of_other_sizes(net, shapes, whole), tuple(other.name(name) for name in data), loss)
        refuse_others(w, other)
    shapes = (*shapes, *(w.target_shapes[name] for name in named[len(data) :]))
    sizes = [("batch", *shape) for shape in shapes]
    inputs = [
        helper.make_tensor_value_info(name, CODES["int64"] if name in w.integer_inputs else floats, size)
        for name, size in zip(named, sizes, strict=True)
    ]
    made = {name for node in w.nodes for name in node.output}
    ends: list[str] = []
    for name in outputs:  # an output is made by an operator, and no other output's
        ends.append(name if name in made and name not in ends else w.op("Identity", (name,)))
    ends = [w.rename(name, label) for name, label in zip(ends, _labels(net, loss), strict=True)]
    values = [helper.make_empty_tensor_value_info(name) for name in ends]
    graph = helper.make_graph(w.nodes, type(net).__name__, inputs, values, w.initializers)
    sets = [helper.make_opsetid("", OPERATOR_SET)]
    model = helper.make_model(graph, producer_name="handbrew", opset_imports=sets, ir_version=FORMAT)
    model = infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)  # of the outputs, too
    for value, shape in zip(model.graph.output, net.out_shape if len(ends) > 1 else (net.out_shape,), strict=True):
        kind = value.type.tensor_type
        if not kind.HasField("shape"):  # some operators' are not found
            size = (None,) * len(shape) if any_size else shape
            value.CopyFrom(helper.make_tensor_value_info(value.name, kind.elem_type, (None, *size)))
    return model


def _labels(net: Any, loss: bool) -> tuple[str, ...]:
    """What the model's outputs are called."""
    if isinstance(net, Graph) and net._head is None:
        return net.outputs
    return ("loss",) if loss and net.loss is not None else ("output",)


def _net(w: Writer, net: Any, x: Values, loss: bool) -> Values:
    return _chain(w, net, x, loss) if isinstance(net, Sequential) else _graph(w, net, x, loss)


def write_layer(w: Writer, layer: Any, x: Values) -> Values:
    """The names of a layer's outputs, the operators that make them being written."""
    if isinstance(layer, (Sequential, Graph)) and not layer.takes_target:
        return _net(w, layer, x, False)
    if type(layer) is Residual:
        y = _child(w, "body", layer.body, x)
        side = x if layer.shortcut is None else _child(w, "shortcut", layer.shortcut, x)
        return (w.op("Add", (*y, *side)),)
    if type(layer) is Branches:
        ends = [_child(w, f"bodies.{i}", body, x)[0] for i, body in enumerate(layer.bodies)]
        return _child(w, "merge", layer.merge, tuple(ends))
    emit = emitter_for(layer, TABLE)
    if emit is None:
        w.problems.append(f"{w.path or 'the net'}: {layer!r}")
        return tuple(w.name("unknown") for _ in range(_count(layer)))
    made = emit(w, layer, x)
    return made if isinstance(made, tuple) else (made,)


def _count(layer: Layer) -> int:
    shape = layer.out_shape
    return len(shape) if shape and isinstance(shape[0], tuple) else 1


def _child(w: Writer, name: str, layer: Layer, x: Values) -> Values:
    before, w.path = w.path, f"{w.path}.{name}" if w.path else name
    try:
        return write_layer(w, layer, x)
    finally:
        w.path = before


def _end(w: Writer, name: str, head: Loss, scores: str, shape: Any, target: str | None) -> str:
    """What scores of this shape mean; or with a target the loss."""
    before, w.path = w.path, f"{w.path}.{name}" if w.path else name
    emit = None if target is None else emitter_for(head, LOSSES)
    if target is not None:
        w.target_shapes[target] = shape
    y: Any = meaning(w, head, scores) if target is None else emit and emit(w, head, (scores, target))
    if y is None:
        w.problems.append(f"{w.path}: {head!r}")
    w.path = before
    return y or scores


def _chain(w: Writer, net: Sequential, x: Values, loss: bool) -> Values:
    y = x[:1]
    for name, layer in net.children.items():
        if isinstance(layer, Loss):
            return (_end(w, name, layer, y[0], net.out_shape, x[1] if loss else None),)
        if isinstance(layer, Net) and layer.takes_target:
            before, w.path = w.path, f"{w.path}.{name}" if w.path else name
            y = _net(w, layer, (*y, *x[1:]), loss)
            w.path = before
        else:
            y = _child(w, name, layer, y)
    return y


def _graph(w: Writer, net: Graph, x: Values, loss: bool) -> Values:
    """The layers that the outputs, the main loss's scores, or the total loss depend on."""
    values = dict(zip((*net.data, *net.targets), x, strict=False))
    head = net._head
    wanted = (list(net.loss_weights) if loss else [head.inputs[0]]) if head else list(net.outputs)
    needed = set(wanted)
    for node in reversed(net.nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
    for node in net.nodes:
        if not needed.intersection(node.outputs):
            continue
        reads = tuple(values[blob] for blob in node.inputs)
        if isinstance(node.layer, Loss):
            made: Values = (_end(w, node.name, node.layer, reads[0], _shape_of(net, node.inputs[0]), reads[1]),)
        else:
            made = _child(w, node.name, node.layer, reads)
        values.update(zip(node.outputs, made, strict=False))
    found = tuple(values[blob] for blob in wanted)
    if head and loss:
        losses = {blob for node in net.nodes if isinstance(node.layer, Loss) for blob in node.outputs}
        sums = (
            y if blob in losses else w.op("ReduceSum", (y,), keepdims=0) for blob, y in zip(wanted, found, strict=True)
        )
        terms = tuple(w.scaled(y, weight) for y, weight in zip(sums, net.loss_weights.values(), strict=True))
        return terms if len(terms) == 1 else (w.op("Sum", terms),)
    if head and not loss and isinstance(head.layer, Loss):
        return (_end(w, head.name, head.layer, found[0], None, None),)
    return found


def _shape_of(net: Graph, blob: str) -> Any:
    """A blob's, without the batch axis."""
    for node in net.nodes:
        if blob in node.outputs:
            shape = node.layer.out_shape
            return shape[node.outputs.index(blob)] if len(node.outputs) > 1 and shape else shape
    shapes = net.in_shape if len(net.data) > 1 else (net.in_shape,)
    return dict(zip(net.data, shapes or (), strict=True))[blob]
