"""Caffe's blobs as blobs of a graph, each with one producer; and names."""

from types import SimpleNamespace

import pytest

from handbrew.data import FileFormatError
from handbrew.nets.caffe.naming import clean, layer_names, unique
from handbrew.nets.caffe.tops import Tops


def layers(*tops):
    return [SimpleNamespace(top=names.split()) for names in tops]


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [("conv1", "conv1"), ("inception_3a/1x1", "inception_3a/1x1"), ("a.b c\td", "a_b_c_d"), ("", "_"), ("é\x00", "é_")],
)
def test_clean(name, cleaned):
    assert clean(name) == cleaned


def test_unique():
    assert unique("a", []) == "a"
    assert unique("a", ["a", "a_2"]) == "a_3"


def test_layer_names():
    given = [SimpleNamespace(name=name, type="ReLU") for name in ("a", "b.c", "a", "b_c", "", "a_2")]
    assert layer_names(SimpleNamespace(layer=given)) == ["a", "b_c", "a_2", "b_c_2", "ReLU", "a_2_2"]


def test_the_last_version_keeps_the_name():
    tops = Tops(layers("x", "a", "a", "a", "b"))
    assert tops.give("1", "x") == "x"
    assert tops.make("2", "conv", "a") == "a/conv"
    assert tops.read("3", "a") == "a/conv"
    assert tops.make("3", "relu", "a", "a") == "a/relu"
    assert tops.make("4", "drop", "a", "a") == "a"
    assert tops.read("5", "a") == "a"
    assert tops.make("5", "fc", "b") == "b"
    assert tops.inputs == {"x": "x"}


def test_an_input_keeps_its_name():
    tops = Tops(layers("x", "x", "x"))
    assert [tops.give("1", "x"), tops.make("2", "a", "x", "x"), tops.make("3", "b", "x", "x")] == ["x", "x/a", "x/b"]


def test_names_that_become_equal_stay_apart():
    tops = Tops(layers("a.b", "a b", "a_b"))
    assert [tops.make(name, name, name) for name in ("a.b", "a b", "a_b")] == ["a_b", "a_b_2", "a_b_3"]


def test_a_name_that_a_blob_has_is_not_given_to_a_version():
    tops = Tops(layers("a", "a", "a/conv"))
    assert tops.make("1", "conv", "a") == "a/conv_2"
    assert tops.make("2", "relu", "a", "a") == "a"
    assert tops.make("3", "other", "a/conv") == "a/conv"
    assert tops.own("a/conv") == "a/conv_3"


def test_errors():
    tops = Tops(layers("data", "a", "a", "later"))
    tops.give("layer 0", "data")
    with pytest.raises(FileFormatError, match=r"layer 1: unknown bottom blob 'dta'; did you mean 'data'\?"):
        tops.read("layer 1", "dta")
    with pytest.raises(FileFormatError, match="'later'; a layer further down makes it"):
        tops.read("layer 1", "later")
    with pytest.raises(FileFormatError, match="'zzzz'; so far there are data"):
        tops.read("layer 1", "zzzz")
    tops.make("layer 1", "one", "a", "data")
    with pytest.raises(FileFormatError, match="layer 2: the top blob 'a' has two producers, this layer and layer 1;"):
        tops.make("layer 2", "two", "a", "data")
