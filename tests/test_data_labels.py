import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data.labels import encode


def fine(i, what):
    raise AssertionError(f"{i}: {what}")


def complaints(cells, classes=None):
    found = []
    encode(cells, classes, lambda i, what: found.append((i, what)))
    return found


@pytest.mark.parametrize(
    ("cells", "y", "classes"),
    [
        (["0", "2", "1"], [0, 2, 1], ("0", "1", "2")),
        (["7", "10", "7", "-1"], [1, 2, 1, 0], ("-1", "7", "10")),  # in the order of the numbers
        (["3.0", "3", " 03 ", "1e1"], [0, 0, 0, 1], ("3", "10")),
        (["cat", "dog ", "cat"], [0, 1, 0], ("cat", "dog")),
        (["10", "9", "x"], [0, 1, 2], ("10", "9", "x")),  # words, so in the order of words
        (
            ["12345678901234567890", "12345678901234567891"],
            [0, 1],
            ("12345678901234567890", "12345678901234567891"),
        ),
    ],
)
def test_labels(cells, y, classes):
    labels, names = encode(cells, None, fine)
    assert labels.tolist() == y
    assert labels.dtype == np.int64
    assert names == classes


@pytest.mark.parametrize(("cells", "classes"), [(["1", "2.5"], None), (["1", "2"], ()), (["-1e3", ".5"], None)])
def test_numbers(cells, classes):
    y, names = encode(cells, classes, fine)
    assert y.ravel().tolist() == [float(cell) for cell in cells]
    assert y.shape == (2, 1)
    assert y.dtype == np.float32
    assert names is None


@settings(max_examples=40)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=20))
def test_names_lead_back_to_the_cells(values):
    y, classes = encode([str(value) for value in values], None, fine)
    assert [int(classes[i]) for i in y] == values


def test_given_classes_decide():
    assert encode(["b", "a"], ("b", "a", "c"), fine)[0].tolist() == [0, 1]
    assert encode(["3.0", "1"], ("1", "3"), fine)[0].tolist() == [1, 0]
    assert encode(["3.0"], ("3", "3.0"), fine)[0].tolist() == [1]
    assert encode(["a"], ("b", "a"), fine)[1] == ("b", "a")


def test_unknown_labels():
    assert complaints(["a", "x"], ("a", "b")) == [(1, "unknown label 'x'; the classes are a, b")]
    assert complaints(["x"], ("None",)) == [(0, "unknown label 'x'; the classes are None")]
    assert complaints(["2"], tuple(map(str, range(100, 120))))[0][1].endswith("108, 109, ...")


@pytest.mark.parametrize("cell", ["", "  ", "nan", "NA", "?"])
@pytest.mark.parametrize("classes", [None, (), ("1", "2")])
def test_missing_labels(cell, classes):
    assert complaints(["1", cell, "2"], classes) == [(1, "missing value; fill it in or drop the row")]


def test_a_word_among_numbers_is_no_class():
    assert complaints(["1.5", "abc"]) == [(1, "'abc' is not a number that fits float32")]
    assert complaints(["1.5", "1e300"]) == [(1, "'1e300' is not a number that fits float32")]
    assert complaints(["1", "inf"], ()) == [(1, "'inf' is not a number that fits float32")]
    assert complaints(["0.5", "9" * 400]) == [(1, f"'{'9' * 40}' is not a number that fits float32")]
