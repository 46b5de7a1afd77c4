"""Drawings of nets, as text and through Graphviz's program."""

import os
import stat

import numpy as np
import pytest
from graphviz import Source

from handbrew.cli import main
from handbrew.layers import (
    Add,
    Affine,
    Constant,
    Conv2D,
    Flatten,
    Normal,
    PReLU,
    ReLU,
    Residual,
    SoftmaxCrossEntropy,
    Split,
    Zeros,
)
from handbrew.nets import Graph, Sequential, draw, lenet
from handbrew.nets.caffe import ByShape, CaffeSoftmaxLoss


def graph():
    return Graph(
        ("image", "label"),
        (Affine(6).named("fc:1"), "image", "a"),
        (Split(2), "a", ("left", "right")),
        (Add(), ("left", "right"), "sum"),
        (SoftmaxCrossEntropy(), ("sum", "label"), "loss"),
    )


def edges(dot):
    return [line.strip() for line in dot.splitlines() if "->" in line]


def test_layers_are_boxes_and_edges_bear_shapes():
    dot = draw(graph(), in_shape=(4,))
    assert edges(dot) == [
        "input0 -> layer0 [label=4]",
        'layer0 -> layer1 [label="a: 6"]',
        'layer1 -> layer2 [label="left: 3"]',
        'layer1 -> layer2 [label="right: 3"]',
        'layer2 -> layer3 [label="sum: 3"]',
        'input1 -> layer3 [label=""]',
        'layer3 -> output0 [label=""]',
    ]
    assert "fc:1\nAffine(6)" in dot
    assert "SoftmaxCrossEntropy()" in dot
    assert "input0 [label=image" in dot
    assert "output0 [label=loss" in dot


def test_a_chain_is_drawn_layer_by_layer_and_inner_nets_as_one_box():
    net = Sequential(Affine(4), Residual(Affine(4)), Sequential(ReLU(), Affine(3)).named("head"), SoftmaxCrossEntropy())
    dot = draw(net)
    assert [edge.partition(" [")[0] for edge in edges(dot)] == [
        "input0 -> layer0",
        "layer0 -> layer1",
        "layer1 -> layer2",
        "layer2 -> layer3",
        "input1 -> layer3",
        "layer3 -> output0",
    ]
    assert "head\nSequential: ReLU, Affine" in dot
    assert 'label="28 x 28' not in dot
    assert 'label="20 x 24 x 24"' in draw(lenet(), in_shape=(1, 28, 28))


def test_initialisers_are_left_out_of_labels():
    net = Sequential(
        Conv2D(20, 5, padding=2, weight_init=Zeros(), bias_init=Constant(0.5)), ReLU(),
        PReLU(init=Constant(0.1)), PReLU(shared=True, init=Zeros()), Flatten(),
        Affine(10, weight_init=ByShape(Normal())),
    )  # fmt: skip
    dot = draw(net)
    assert "\nConv2D(20, 5, padding=2)" in dot
    assert "Affine(10)" in dot
    assert "prelu1\nPReLU()" in dot
    assert "PReLU(shared=True)" in dot


def test_edges_bear_the_names_of_blobs_that_are_not_those_of_their_layers():
    net = Graph(
        ("x", "y"),
        (Affine(3).named("fc"), "x", "fc"),
        (Affine(3).named("gc"), "fc", 'g"c'),
        (CaffeSoftmaxLoss(probabilities=True).named("loss"), ('g"c', "y"), ("loss", "prob")),
    )
    assert edges(draw(net, in_shape=(4,))) == [
        "input0 -> layer0 [label=4]",
        "layer0 -> layer1 [label=3]",
        'layer1 -> layer2 [label="g\\"c: 3"]',
        'input1 -> layer2 [label=""]',
        'layer2 -> output0 [label=""]',
        'layer2 -> output1 [label=""]',
    ]


def test_a_loss_has_no_shape_but_is_one_number():
    net = Graph(("x", "y"), (Flatten(), "x", "f"), (SoftmaxCrossEntropy(), ("f", "y"), "loss"))
    net.forward(np.zeros((2, 3, 1), np.float32), np.zeros(2, int))
    assert edges(draw(net))[-1] == 'layer1 -> output0 [label=""]'


def test_endings_in_capitals(tmp_path):
    draw(graph(), tmp_path / "net.DOT")
    assert (tmp_path / "net.DOT").read_text().startswith("digraph")


def test_what_dot_might_take_for_its_own_language_is_text():
    dot = draw(Graph("x", (Affine(3).named('a"b\\n<i>'), "x", "y")))
    assert 'a\\"b\\\\n<i>' in dot


def test_text_goes_to_a_file(tmp_path):
    drawing = draw(graph(), tmp_path / "net.dot")
    assert (tmp_path / "net.dot").read_text() == drawing
    assert Source(drawing).source == drawing


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"net.bmp: expected a name that ends in \.dot, \.gv, \.svg, \.png, \.pdf"):
        draw(graph(), tmp_path / "net.bmp")


def test_without_graphviz_s_program_a_picture_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"net.svg: a picture needs Graphviz, .* ends in \.dot"):
        draw(graph(), tmp_path / "net.svg")
    assert not (tmp_path / "net.svg").exists()


def test_graphviz_s_program_gets_the_drawing(tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\necho "$@"\ncat\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    drawing = draw(graph(), tmp_path / "net.svg")
    options, _, text = (tmp_path / "net.svg").read_text().partition("\n")
    assert "-Tsvg" in options
    assert text == drawing


class TestVerb:
    def test_prints_or_writes(self, tmp_path, capsys):
        assert main(["draw", "--net", "lenet"]) == 0
        printed = capsys.readouterr().out
        assert 'label="50 x 8 x 8"' in printed
        assert main(["draw", "--net", "lenet", "-o", str(tmp_path / "lenet.dot")]) == 0
        assert (tmp_path / "lenet.dot").read_text().strip() == printed.strip()

    def test_a_saved_net(self, tmp_path, capsys):
        net = graph()
        net.build((4,))
        net.save(tmp_path / "net.safetensors")
        assert main(["draw", str(tmp_path / "net.safetensors")]) == 0
        assert 'layer0 -> layer1 [label="a: 6"]' in capsys.readouterr().out
        assert main(["summary", str(tmp_path / "net.safetensors")]) == 0
        assert "left, right" in capsys.readouterr().out

    def test_what_is_no_net(self, tmp_path, capsys):
        (tmp_path / "net.txt").write_text("?")
        assert main(["draw", str(tmp_path / "net.txt")]) == 1
        assert "expected a net, a file that ends in" in capsys.readouterr().err
