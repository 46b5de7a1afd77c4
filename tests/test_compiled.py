"""The loop of Adam that Numba compiles, run by Python: NumPy's bits. Its compiled form is in tests/extras."""

import importlib.util
import sys

import numpy as np
import pytest
from adam_twins import VARIANTS, begin, bits, go_on, noted

from handbrew.solvers import NonFiniteError, _compiled, adam


@pytest.fixture
def by_python(monkeypatch):
    calls = []
    monkeypatch.setattr(
        _compiled, "_compiled", lambda *arguments: calls.append(_compiled._loop(*arguments)) or calls[-1]
    )
    monkeypatch.setattr(adam, "LARGE", 1)
    return calls


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loop_comes_to_the_bits_of_numpy(dtype, options, by_python, monkeypatch):
    looped = bits(go_on(begin(64, dtype, **options), 20))
    assert by_python == [False] * 20
    monkeypatch.setattr(adam, "LARGE", 65)
    assert bits(go_on(begin(64, dtype, **options), 20)) == looped
    assert len(by_python) == 20


@pytest.mark.parametrize("gradient", [1.5e19, -1.5e19])
def test_the_loop_says_when_the_squares_overflow(gradient, by_python):
    solver, gradients = begin(16), np.array([1.0] * 15 + [gradient])
    assert [bool(noted(solver, gradients)) for _ in range(3)] == [False, True, False]
    assert by_python == [False, True, False]
    with pytest.raises(NonFiniteError, match="squares of W has inf"):
        solver.check_results()


def test_an_infinity_that_was_there_before_is_no_news(by_python):
    solver = begin(16)
    solver.net.W.data[3] = -np.inf
    assert noted(solver, np.ones(16)) == []
    assert by_python == [False]


def load_anew(name="handbrew.solvers._compiled"):
    spec = importlib.util.find_spec(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_numba_nothing_is_done(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    arrays = [np.ones(4) for _ in range(4)]
    assert load_anew().adam(*arrays, 0.9, 0.999, 1e-8, 0.001) is False
    np.testing.assert_array_equal(arrays, 1)
