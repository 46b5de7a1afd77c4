"""Damaged, forged and hostile files: refused with a ``FileFormatError`` or read rightly. ``make fuzz`` takes longer."""

import sys

import damage
import pytest

from handbrew.data import FileFormatError, read_csv
from handbrew.nets import read_weights

COUNT = 300
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's")


@linux
@pytest.mark.parametrize("kind", damage.KINDS)
def test_damage(kind):
    result = damage.run(kind, COUNT)
    assert result["failures"] == []
    assert result["read"] + result["refused"] == COUNT
    assert result["refused"] > COUNT / 4
    assert (result["read"] > 0) == (kind not in ("snapshot", "weights")), "their checksum lets nothing pass"


@linux
def test_hostile_files():
    result = damage.run("hostile", 0)
    assert result["failures"] == []
    assert result["refused"] > 150


def test_an_npz_that_lost_its_list_is_not_an_empty_one(tmp_path):
    path = tmp_path / "damaged.npz"
    whole = damage.saved(".npz")
    for content in (whole[:-22] + whole[-22:-18] + bytes(18), whole + whole[-22:-18] + bytes(18)):
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match="its list of arrays is not the one that its end tells of"):
            read_weights(path)


@pytest.mark.parametrize("number", ["1_0", "1_0.5", "१२", "１"])
def test_numbers_that_only_python_takes_for_some(tmp_path, number):
    path = tmp_path / "damaged.csv"
    path.write_text(f"a,label\n1,x\n{number},y\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match=f"line 3, column 'a': '{number}' is not a number"):
        read_csv(path)
    path.write_text(f"a,label\n1,5\n\u00a02,{number}\n", encoding="utf-8")
    found = read_csv(path)
    assert found.X.tolist() == [[1], [2]]
    assert found.classes == tuple(sorted(["5", number])), "a word"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("found = 1 / 0", "ZeroDivisionError"),
        ("found = original | {'net': {}}", "it/net"),
        ("import time; damage.SECONDS = 0; found = original", "took too long"),
        ("exec('pass'); found = original", "ran something: ['compile', 'exec']"),
        ("found = bytearray(2**29)", "MemoryError"),
        ("raise damage.FileFormatError('no name')", "does not name the file"),
        ("raise damage.FileFormatError(str(path)) from MemoryError()", "too much memory"),
        ("import os; os.abort()", "exit -6"),
        ("import time; time.sleep(60)", "no answer in 3 s"),
    ],
)
@linux
def test_the_harness_notices(tmp_path, broken, said):
    """What it is there to find, planted."""
    planted = tmp_path / "planted.py"
    lines = [
        "import damage, sys",
        "make, hurt, read, judge = damage.KINDS['snapshot']",
        "original, calls = damage.tree(), []",
        "def reader(path):",
        "    if not calls:",
        "        calls.append(path)",
        "        return read(path)",
        *(f"    {line}" for line in broken.split("; ")),
        "    return found",
        "damage.KINDS['snapshot'] = make, hurt, reader, judge",
        "damage.answer(*sys.argv[1:])",
    ]
    planted.write_text("\n".join(lines))
    failures = damage.run("snapshot", 1, timeout=3 if "sleep" in broken else 60, program=planted)["failures"]
    assert len(failures) == 1
    assert said in failures[0]
