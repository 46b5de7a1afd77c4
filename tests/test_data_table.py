import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handbrew.data import FileFormatError, read_csv, read_features


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "some.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def refusal(path, read=read_csv, **options):
    with pytest.raises(FileFormatError) as error:
        read(path, **options)
    assert str(path) in str(error.value)
    return str(error.value).replace(str(path), "F")


def test_a_table(write):
    data = read_csv(write("a,label,b\n1,x,-2.5\n3e2,w, 4 \n"))
    assert data.X.tolist() == [[1, -2.5], [300, 4]]
    assert data.X.dtype == np.float64
    assert data.X.flags.writeable
    assert data.y.tolist() == [1, 0]
    assert (data.classes, data.features, data.name) == (("w", "x"), ("a", "b"), "some")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_line_ends_and_byte_order_mark(write, separator, end, encoding):
    text = end.join(separator.join(row) for row in (["ä,b;", "y"], ["1", "0.5"], ["2", "1.5"]))
    data = read_csv(write(text.replace("ä,b;", '"ä,b;"'), encoding))
    assert data.X.tolist() == [[1], [2]]
    assert data.y.tolist() == [[0.5], [1.5]]
    assert data.features == ("ä,b;",)
    assert data.classes is None


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.floats(width=32, allow_nan=False, allow_infinity=False), st.text("ab,;\"'\r\n\t é", min_size=1)),
        min_size=1,
        max_size=6,
    ),
    separator=st.sampled_from(",;\t"),
)
def test_reads_what_the_csv_module_writes(tmp_path_factory, rows, separator):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerow(["number", "word"])
        writer.writerows([number, f"w{word}"] for number, word in rows)
    data = read_csv(path)
    assert data.X.ravel().tolist() == [number for number, _ in rows]
    assert [data.classes[i] for i in data.y] == [f"w{word}".strip() for _, word in rows]


def test_blank_lines_are_passed_over_and_counted(write):
    path = write("a,y\n\n1,0\n\n,1\n\n")
    assert refusal(path) == "F, line 5, column 'a': missing value; fill it in or drop the row"


def test_a_row_is_named_by_its_first_line(write):
    text = 'a,y\n1,"two\nlines"\n2,"three\n\nlines"\nx,y\n'
    assert refusal(write(text)) == "F, line 7, column 'a': 'x' is not a number"


@pytest.mark.parametrize("cell", ["", "  ", "NaN", "nan", "NA", "n/a", "null", "?"])
def test_missing_values(write, cell):
    message = "F, line 3, column 'b': missing value; fill it in or drop the row"
    assert refusal(write(f"a,b,y\n1,2,0\n1,{cell},1\n")) == message
    assert refusal(write(f"a,y,b\n1,2,0\n1,2,{cell}\n"), target="b") == message


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,x,0", "line 3, column 'b': 'x' is not a number"),
        ('"1,5",2,0', "line 3, column 'a': '1,5' is not a number"),
        ("1,inf,0", "line 3, column 'b': infinite"),
        ("1,-1e309,0", "line 3, column 'b': infinite"),
        ("1,2", "line 3: 2 cells, but the first line names 3 columns"),
        ("1,2,0,", "line 3: 4 cells, but the first line names 3 columns"),
        ('1,2,"0', "line 3: unexpected end of data"),
        ('1,"2"2,0', "line 3: ',' expected after '\"'"),
        ("1,2,?", "line 3, column 'y': missing value; fill it in or drop the row"),
    ],
)
def test_bad_rows(write, row, message):
    assert refusal(write(f"a,b,y\n1,2,0\n{row}\n")) == f"F, {message}"


def test_the_first_five_problems_in_one_error(write):
    text = "a,b,y\n" + "1,2,0\nx,,0\n1,2\n" * 9
    assert refusal(write(text)).splitlines() == [
        "F, line 3, column 'a': 'x' is not a number",
        "F, line 3, column 'b': missing value; fill it in or drop the row",
        "F, line 4: 2 cells, but the first line names 3 columns",
        "F, line 6, column 'a': 'x' is not a number",
        "F, line 6, column 'b': missing value; fill it in or drop the row",
        "there may be more: reading stopped here",
    ]
    assert len(refusal(write("a,y\n" + "nan,0\n" * 9)).splitlines()) == 6
    assert len(refusal(write("a,y\n" + "1,\n" * 9)).splitlines()) == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found no name"),
        (b"\xef\xbb\xbf", "found no name"),
        (b"a,y\n", "no rows"),
        (b"1,2\n3,4\n", "add a line of names"),
        (b"a,a,y\n1,2,3\n", "two columns are called 'a'"),
        (b"a,y\n1,\xff\n", "not UTF-8 text .*; save it as UTF-8"),
        ("a,y\n1,2\n".encode("utf-16"), "not UTF-8 text .*; save it as UTF-8"),
        (b"a,y\n1," + b"x" * 200_000 + b"\n", "line 2: field larger than"),
        (b"PK\3\4\0\0", "."),
    ],
)
def test_no_table_at_all(tmp_path, content, message):
    path = tmp_path / "some.csv"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message):
        read_csv(path)


def test_target_classes_and_features_can_be_given(write):
    path = write("a,b,kind\n1,2,cat\n3,4,dog\n")
    data = read_csv(path, target="kind", classes=("dog", "cat"), features=("b", "a"))
    assert data.X.tolist() == [[2, 1], [4, 3]]
    assert data.y.tolist() == [1, 0]
    assert data.classes == ("dog", "cat")
    assert read_csv(path, target="a", features=["b"], classes=()).y.tolist() == [[1], [3]]
    message = "F, line 3, column 'kind': unknown label 'dog'; the classes are cat, cow"
    assert refusal(path, classes=("cat", "cow")) == message
    assert refusal(path, target="sort") == "F: no column 'sort'; there are 'a', 'b', 'kind'"


def test_columns_that_nobody_asked_for_may_hold_anything(write):
    path = write("name,a,y\nJoe,1,0\n,2,1\n")
    assert read_csv(path, features=["a"]).X.tolist() == [[1], [2]]


def test_features_alone(write):
    labelled, bare = "b,label,a\n1,x,2\n3,,4\n", "b,a\n1,2\n3,4\n"
    for text in (labelled, bare):
        assert read_features(write(text)).tolist() == [[1, 2], [3, 4]]
        assert read_features(write(text), ("a", "b")).tolist() == [[2, 1], [4, 3]]
    assert "no column 'c'" in refusal(write(bare), read_features, features=("a", "c"))
    assert "column 'b': 'x'" in refusal(write("b,a\nx,1\n"), read_features)


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_csv(tmp_path / "nowhere.csv")


def test_numbers_keep_the_digits_that_they_have(write):
    data = read_csv(write("t,y\n1700000001,a\n1700000002,b\n16777217,a\n"))
    assert data.X.ravel().tolist() == [1700000001, 1700000002, 16777217]


def test_a_column_of_weights(write):
    path = write("a,b,n,label\n1,2,0.5,x\n3,4,2,w\n")
    data = read_csv(path, weight="n")
    assert data.weight.tolist() == [0.5, 2]
    assert data.X.tolist() == [[1, 2], [3, 4]]
    assert data.features == ("a", "b")
    assert data.X.flags.c_contiguous
    assert data.X.flags.writeable
    assert read_csv(path).weight is None
    assert read_csv(path).features == ("a", "b", "n")
    last = read_csv(write("a,b,n\n1,2,3\n"), weight="n")
    assert (last.features, last.y.tolist(), last.weight.tolist()) == (("a",), [0], [3])


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("-1", "line 3, column 'n': negative weight -1"),
        ("x", "line 3, column 'n': 'x' is not a number"),
        ("", "line 3, column 'n': missing value; fill it in or drop the row"),
        ("nan", "line 3, column 'n': missing value; fill it in or drop the row"),
        ("inf", "line 3, column 'n': infinite"),
    ],
)
def test_bad_weights(write, cell, message):
    assert refusal(write(f"n,a,y\n1,2,0\n{cell},4,1\n"), weight="n") == f"F, {message}"
