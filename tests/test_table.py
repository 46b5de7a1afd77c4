"""Tables of plain text."""

from handbrew.nets.table import table


def test_columns_are_as_wide_as_their_widest_cell():
    text = table(("name", "n"), [("a", "1"), ("bbbbbb", "22"), ("total", "1,000")], left=1)
    assert text.splitlines() == [
        "name        n",
        "-------------",
        "a           1",
        "bbbbbb     22",
        "-------------",
        "total   1,000",
    ]


def test_no_line_ends_in_blanks():
    text = table(("name", "what"), [("a", ""), ("b", "long text"), ("", "")], left=2)
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.splitlines()[3] == "b     long text"


def test_one_row_is_the_last():
    assert table(("a",), [("1",)], left=0).splitlines() == ["a", "-", "-", "1"]
