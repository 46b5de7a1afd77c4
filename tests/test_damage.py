"""Damaged, forged and hostile files: refused with a ``FileFormatError`` or read rightly. ``make fuzz`` takes longer."""

import sys

import damage
import pytest

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
