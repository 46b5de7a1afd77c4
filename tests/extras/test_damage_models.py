"""Damaged, forged and hostile models of other programs. ``make fuzz`` takes longer."""

import sys
from pathlib import Path

import damage
import damage_models
import pytest

COUNT = 200
PROGRAM = Path(damage_models.__file__)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_AS and /proc are Linux's")


@linux
@pytest.mark.parametrize("kind", damage_models.KINDS)
def test_damage(kind):
    result = damage.run(kind, COUNT, program=PROGRAM)
    assert result["failures"] == []
    assert result["read"] + result["refused"] == COUNT
    assert min(result["read"], result["refused"]) > 0


@linux
def test_hostile_files():
    result = damage.run("hostile", 0, program=PROGRAM, timeout=120)
    assert result["failures"] == []
    assert result["refused"] > 300
