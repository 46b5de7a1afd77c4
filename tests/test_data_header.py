from pathlib import Path

import pytest

from handbrew.data import FileFormatError
from handbrew.data.header import choose, column_names

PATH = Path("some.csv")


def test_names_are_stripped():
    assert column_names([" a", "b "], PATH) == ["a", "b"]


@pytest.mark.parametrize("names", [["label", "1", "2"], ["a", "infinity"], ["1", "x", "nan"]])
def test_numbers_may_be_names(names):
    assert column_names(names, PATH) == names


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([], "found no name"),
        (["", " "], "found no name"),
        (["1", "2"], "got numbers; add a line of names"),
        (["5.1", "3.5", "setosa"], "got numbers; add a line of names"),
        (["a", "", "b"], "line 1: column 2 has no name"),
        (["a", "b", " a", "c", "c"], "line 1: two columns are called 'a', 'c'"),
    ],
)
def test_each_column_needs_a_name_of_its_own(cells, message):
    with pytest.raises(FileFormatError, match=f"some.csv.*{message}"):
        column_names(cells, PATH)


@pytest.mark.parametrize(
    ("names", "target", "features", "expected"),
    [
        ("abc", None, None, ("c", ("a", "b"))),
        ("abc", "a", None, ("a", ("b", "c"))),
        ("abc", None, "cb", ("a", ("c", "b"))),
        ("abc", "b", "a", ("b", ("a",))),
        ("ayb", None, None, ("y", ("a", "b"))),
        ("ayb", None, "y", ("b", ("y",))),
        (["a", "Y", "LABEL", "b"], None, None, ("LABEL", ("a", "Y", "b"))),
    ],
)
def test_choice_of_columns(names, target, features, expected):
    assert choose(names, target, features, True, PATH) == expected


@pytest.mark.parametrize(
    ("names", "features", "expected"),
    [("abc", None, "abc"), ("ayb", None, "ab"), ("abc", "ca", "ca"), ("ay", "y", "y")],
)
def test_choice_without_a_target(names, features, expected):
    assert choose(names, None, features, False, PATH) == (None, tuple(expected))


@pytest.mark.parametrize(
    ("names", "target", "features", "expected"),
    [
        ("awc", None, None, ("c", ("a",))),
        ("acw", None, None, ("c", ("a",))),
        ("wyb", None, None, ("y", ("b",))),
        ("wab", None, "b", ("a", ("b",))),
    ],
)
def test_a_column_of_weights_is_neither(names, target, features, expected):
    assert choose(names, target, features, True, PATH, weight="w") == expected


@pytest.mark.parametrize(
    ("names", "target", "features", "message"),
    [
        ("ab", None, None, "no column 'w'; there are 'a', 'b'"),
        ("aw", None, None, "no column is left for the features"),
        ("aw", "w", None, "'w' cannot be the weight and a feature or the target, too"),
        ("abw", None, "aw", "'w' cannot be the weight and a feature or the target, too"),
    ],
)
def test_columns_of_weights_that_cannot_be(names, target, features, message):
    with pytest.raises(FileFormatError, match=message):
        choose(names, target, features, True, PATH, weight="w")


@pytest.mark.parametrize(
    ("names", "target", "features", "message"),
    [
        ("abc", "z", None, "no column 'z'; there are 'a', 'b', 'c'"),
        ("abc", None, "az", "no column 'z'"),
        ("a", None, None, "no column is left for the features"),
        ("ab", None, "ab", "no column is left for the target"),
        ("ab", "a", "ab", "no column is left for the target"),
    ],
)
def test_columns_that_are_not_there(names, target, features, message):
    with pytest.raises(FileFormatError, match=message):
        choose(names, target, features, True, PATH)
