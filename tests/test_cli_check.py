"""``handbrew check``: somebody's own layer, found by its name."""

import sys
from pathlib import Path

import pytest
from cases_cli import runner

SOURCE = '''
import numpy as np
from handbrew.layers import Layer, Loss, ReLU, Affine
from handbrew.nets import Sequential


class Double(Layer):
    """y = 2 x."""

    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


class Wrong(Double):
    def backward(self, dy):
        return 3 * dy


class Scaled(Layer):
    def __init__(self, factor, offset=0.0):
        self.factor, self.offset = factor, offset

    def forward(self, x):
        return self.factor * x + self.offset

    def backward(self, dy):
        return self.factor * dy


class Crashes(Double):
    def forward(self, x):
        return x.reshape(7, 7)


def block():
    return Sequential(Affine(3), ReLU())


def number():
    return 3


layer = Double()
three = 3
'''


@pytest.fixture
def check(capsys, tmp_path, monkeypatch):
    """``handbrew check`` in a folder with a module of its own; what is imported is forgotten afterwards."""
    name = f"own_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(SOURCE)
    (tmp_path / f"{name}_broken.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    run = runner(capsys)
    return lambda target, *options: run("check", f"{name}{target}", *options)


@pytest.mark.parametrize("name", [":Double", ":layer", ":block"])
def test_a_right_layer_passes(check, name):
    ran = check(name, "--input", "4")
    assert ran.code == 0
    assert "all checks passed" in ran.out


def test_a_wrong_layer_fails(check):
    ran = check(":Wrong", "--input", "4,3")
    assert ran.code == 1
    assert "Wrong() fails" in ran.out
    assert ran.err == ""


def test_a_layer_that_crashes_fails_with_its_line(check):
    ran = check(":Crashes", "--input", "4")
    assert ran.code == 1
    assert "reshape" in ran.out
    assert ".py, line" in ran.out


def test_arguments_are_values_and_never_code(check):
    ran = check(":Scaled", "--input", "4", "--args", "3.0", "offset=0.5")
    assert "Scaled(3.0, offset=0.5): all checks passed" in ran.out
    ran = check(":Scaled", "--input", "4", "--args", "__import__('os').mkdir('evil')")
    assert ran.code == 1  # a text cannot be multiplied
    assert not Path("evil").exists()


def test_integers_and_several_inputs(capsys):
    handbrew = runner(capsys)
    ran = handbrew("check", "handbrew.layers:SoftmaxCrossEntropy", "--input", "3", "--input", ":3")
    assert ran.code == 0
    ran = handbrew("check", "handbrew.layers:Add", "--input", "2,2", "--input", "2,2")
    assert ran.code == 0


def test_exceptions_from_the_rules(capsys):
    handbrew = runner(capsys)
    assert handbrew("check", "handbrew.layers:Exp", "--input", "3").code == 1
    assert handbrew("check", "handbrew.layers:Exp", "--input", "3", "--no-large-inputs").code == 0
    assert handbrew("check", "handbrew.layers:Threshold", "--input", "3").code == 1
    assert handbrew("check", "handbrew.layers:Threshold", "--input", "3", "--allow-constant", "x").code == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (":Missing", "has no Missing"),
        (":three", "expected a layer, a class or a function, got 3"),
        (":number", "expected it to make a layer, got 3"),
        (":Scaled", "its arguments go into --args"),
        (":Double(3)", "such as mylayers:Swish"),
        ("", "such as mylayers:Swish"),
        ("_broken:X", "ZeroDivisionError"),
        ("_absent:X", "cannot be imported"),
    ],
)
def test_names_that_lead_nowhere(check, name, message):
    ran = check(name, "--input", "3")
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err


def test_a_layer_takes_no_arguments(check):
    assert "a layer already" in check(":layer", "--input", "3", "--args", "1").err


@pytest.mark.parametrize("shape", ["", "x", "4,0", "4x3", ":0", "4:x"])
def test_shapes_that_are_none(check, shape):
    with pytest.raises(SystemExit) as exit_:
        check(":Double", "--input", shape)
    assert exit_.value.code == 2
