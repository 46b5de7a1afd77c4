"""Adam through Numba: to the bit what it comes to without."""

import subprocess
import sys

import numpy as np
import pytest
from adam_twins import VARIANTS, begin, bits, go_on, noted

from handbrew.solvers import Adam, AdamW, NonFiniteError, _compiled
from handbrew.solvers.adam import LARGE
from handbrew.solvers.layout import STRETCH
from handbrew.solvers.solver import MANY

SIZE = STRETCH + 1000  # the rest is NumPy's
KERNEL = _compiled._compiled


@pytest.fixture(params=[True, False], ids=["Numba", "NumPy"])
def numba(request, monkeypatch):
    monkeypatch.setattr(_compiled, "_compiled", KERNEL if request.param else None)


@pytest.fixture
def without(monkeypatch):
    """From the call on."""
    return lambda: monkeypatch.setattr(_compiled, "_compiled", None)


@pytest.mark.parametrize("rule", [Adam, AdamW])
@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_bits_as_numpy(rule, dtype, options, without):
    compiled = bits(go_on(begin(SIZE, dtype, rule, **options), 40))
    assert KERNEL.signatures
    without()
    assert bits(go_on(begin(SIZE, dtype, rule, **options), 40)) == compiled


def test_the_same_bits_on_several_threads(without, monkeypatch):
    monkeypatch.setattr("handbrew.solvers.solver.MANY", 2)
    threaded = bits(go_on(begin(5 * SIZE), 5))
    monkeypatch.setattr("handbrew.solvers.solver.MANY", MANY)
    assert bits(go_on(begin(5 * SIZE), 5)) == threaded
    without()
    assert bits(go_on(begin(5 * SIZE), 5)) == threaded


def test_the_extra_may_come_and_go(without):
    """In a training that is resumed where it is not installed."""
    whole = bits(go_on(begin(SIZE, lr=0.01), 10))
    first = go_on(begin(SIZE, lr=0.01), 6)
    state, data = first.state(), first.net.W.data.copy()
    without()
    second = begin(SIZE, lr=0.01)
    second.restore(state)
    second.net.W.data = data
    assert bits(go_on(second, 4)) == whole


@pytest.mark.usefixtures("numba")
@pytest.mark.parametrize("at", [0, STRETCH - 1, SIZE - 1])
def test_an_overflow_is_noted(at):
    solver, gradient = begin(SIZE), np.where(np.arange(SIZE) == at, 1.5e19, 1.0)
    assert [bool(noted(solver, gradient)) for _ in range(3)] == [False, True, False]
    with pytest.raises(NonFiniteError, match="squares of W has inf") as caught:
        solver.check_results()
    assert caught.value.index == (at,)


@pytest.mark.usefixtures("numba")
def test_a_rate_that_is_too_high_is_noted():
    solver, gradient = begin(STRETCH, lr=3e38), np.ones(STRETCH)
    assert [bool(noted(solver, gradient)) for _ in range(3)] == [False, True, False]


@pytest.mark.usefixtures("numba")
def test_an_infinity_that_was_there_before_is_not():
    solver = begin(SIZE)
    solver.net.W.data[3] = -np.inf
    assert noted(solver, np.ones(SIZE)) == []


@pytest.mark.parametrize(("size", "imported"), [(LARGE // 2, False), (LARGE, True)])
def test_numba_is_imported_by_a_net_that_is_worth_it(size, imported):
    code = f"import sys, adam_twins as a; a.go_on(a.begin({size}), 1); print('numba' in sys.modules)"
    folder = begin.__code__.co_filename.rpartition("/")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(imported)
