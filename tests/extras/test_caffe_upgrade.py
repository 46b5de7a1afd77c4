"""Older nets and solvers, brought to today's form: old in, new out, as Caffe's own tests of it go."""

import pytest
from google.protobuf import text_format

from handbrew.data import FileFormatError
from handbrew.nets.caffe.legacy_fields import V1_TYPES
from handbrew.nets.caffe.schema import messages
from handbrew.nets.caffe.text import read_net, read_solver


def parsed(text, kind="NetParameter"):
    return text_format.Parse(text, getattr(messages(), kind)())


def check(old, new):
    assert read_net(old + "\n") == parsed(new)
    assert read_net(new + "\n") == parsed(new)


def test_v1_layers():
    check(
        """
        name: "CaffeNet"
        layers {
          name: "data" type: DATA top: "data" top: "label" include { phase: TRAIN }
          data_param { source: "/lmdb" batch_size: 256 crop_size: 227 mirror: true mean_file: "/mean" scale: 0.5 }
        }
        layers {
          name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2 weight_decay: 3
          param: "w" blob_share_mode: PERMISSIVE
          convolution_param { num_output: 96 kernel_size: 11 stride: 4 weight_filler { type: "gaussian" std: 0.01 } }
        }
        layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" exclude { stage: "x" } }
        layers { name: "loss" type: SOFTMAX_LOSS bottom: "conv1" bottom: "label" top: "loss" loss_weight: 0.3
          loss_param { ignore_label: 255 } blobs { num: 1 channels: 1 height: 1 width: 1 data: 7 } }
        """,
        """
        name: "CaffeNet"
        layer {
          name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
          data_param { source: "/lmdb" batch_size: 256 }
          transform_param { crop_size: 227 mirror: true mean_file: "/mean" scale: 0.5 }
        }
        layer {
          name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
          param { name: "w" share_mode: PERMISSIVE lr_mult: 1 decay_mult: 3 } param { lr_mult: 2 }
          convolution_param { num_output: 96 kernel_size: 11 stride: 4 weight_filler { type: "gaussian" std: 0.01 } }
        }
        layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" exclude { stage: "x" } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv1" bottom: "label" top: "loss" loss_weight: 0.3
          loss_param { ignore_label: 255 } blobs { num: 1 channels: 1 height: 1 width: 1 data: 7 } }
        """,
    )


def test_every_v1_type_and_parameter():
    for name, (_, new) in V1_TYPES.items():
        layer = read_net(f"layers {{ type: {name} }}").layer[0]
        assert layer.type == new
        assert layer.HasField("type") == (name != "NONE")
    v1 = messages().V1LayerParameter.DESCRIPTOR.fields_by_name
    for name in v1:
        if name.endswith("_param"):
            assert read_net(f"layers {{ {name} {{ }} }}").layer[0].HasField(name)


@pytest.mark.parametrize(("kind", "field"), [("IMAGE_DATA", "image_data_param"), ("WINDOW_DATA", "window_data_param")])
def test_transforms_of_other_data_layers(kind, field):
    layer = read_net(f"layers {{ type: {kind} {field} {{ scale: 2 batch_size: 3 }} transform_param {{ mirror: 1 }} }}")
    assert layer.layer[0] == parsed(
        f'type: "{kind.title().replace("_", "")}" {field} {{ batch_size: 3 }} transform_param {{ scale: 2 mirror: 1 }}',
        "LayerParameter",
    )


def test_inputs():
    layers = 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" }'
    shapes = "shape { dim: 1 dim: 3 dim: 12 dim: 13 } shape { dim: 1 dim: 2 dim: 3 dim: 4 }"
    new = f'layer {{ name: "input" type: "Input" top: "data" top: "b" input_param {{ {shapes} }} }} {layers}'
    check('input: "data" input: "b" ' + "".join(f"input_dim: {n} " for n in (1, 3, 12, 13, 1, 2, 3, 4)) + layers, new)
    check('input: "data" input: "b" ' + shapes.replace("shape", "input_shape") + layers, new)
    check(
        'input: "data" input_shape { dim: 7 }\n',
        'layer { name: "input" type: "Input" top: "data" input_param { shape { dim: 7 } } }',
    )
    check('input: "data"' + layers, 'layer { name: "input" type: "Input" top: "data" }' + layers)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'input: "a" input: "b" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4',
            "4 input_dim for each of 2 inputs, got 4",
        ),
        ('input: "a" input_shape { } input_shape { }', "one input_shape for each of 1 inputs, got 2"),
        ('layer { name: "x" } layers { name: "y" }', "both layer and layers"),
    ],
)
def test_what_is_refused(text, message):
    with pytest.raises(FileFormatError, match=message):
        read_net(text + "\n")


def test_batch_norm_s_params_go_if_there_are_three():
    param = "param { lr_mult: 0 } "
    check(f'layer {{ type: "BatchNorm" {param * 3} }}', 'layer { type: "BatchNorm" }')
    for text in (f'layer {{ type: "BatchNorm" {param * 2} }}', f'layer {{ type: "Scale" {param * 3} }}'):
        check(text, text)


@pytest.mark.parametrize("name", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_solver_types(name):
    assert read_solver(f"solver_type: {name.upper()}\n") == parsed(f'type: "{name}"', "SolverParameter")
    assert read_solver(f'type: "{name}"\n') == parsed(f'type: "{name}"', "SolverParameter")


def test_solvers_with_both_types_are_refused():
    with pytest.raises(FileFormatError, match="both type and the old solver_type"):
        read_solver('type: "SGD"\nsolver_type: SGD')


def test_nets_in_solvers():
    solver = read_solver("net_param { layers { type: RELU } } test_net_param { input: 'x' } train_net_param { }")
    assert solver.net_param.layer[0].type == "ReLU"
    assert solver.test_net_param[0].layer[0].type == "Input"
    assert solver.HasField("train_net_param")
    assert not read_solver("train_net_param { }").HasField("net_param")
