"""The real threadpoolctl: BLAS is held to one thread and released, and results do not depend on who computes them."""

import os

import numpy as np
import pytest
import team
from threadpoolctl import ThreadpoolController

from handbrew.layers import threads, worker_threads

REAL = "import threadpoolctl"


def blas_threads():
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    return {library.filepath: library.num_threads for library in libraries if "numpy" in library.filepath}


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setenv("HANDBREW_THREADS", "2")
    monkeypatch.setattr(threads, "_team", threads.Team())
    yield
    threads._team.pool.shutdown()


@pytest.mark.skipif(not blas_threads(), reason="this NumPy's BLAS is not its own")
@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("limit", [2, 3])
def test_numpy_s_blas_has_one_thread_inside(limit):
    controller = ThreadpoolController()
    with controller.limit(limits=limit, user_api="blas"):
        before = blas_threads()
        for _ in range(2):
            with worker_threads(), worker_threads():
                assert set(blas_threads().values()) == {1}
            assert blas_threads() == before
        with pytest.raises(ZeroDivisionError), worker_threads():
            1 / 0  # noqa: B018
        assert blas_threads() == before


def test_the_same_bits_whatever_the_number_of_threads():
    digests = {team.run("print(team.digest())", threads=n, first=REAL) for n in (1, 2, 2, 3)}
    assert len(digests) == 1


def test_with_and_without_it_results_agree(tmp_path):
    for name, first in (("with", REAL), ("without", "team.block()")):
        team.run(f"import numpy; numpy.save({str(tmp_path / name)!r}, team.trained())", threads=2, first=first)
    ours, plain = (np.load(tmp_path / f"{name}.npy") for name in ("with", "without"))
    assert np.abs(ours - plain).max() <= 2e-5 * np.abs(plain).max()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("inside", [True, False])
def test_forked_processes_train(inside):
    code = f"""
import warnings; warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of fork and threads
from contextlib import nullcontext
from multiprocessing import get_context
from handbrew.layers import worker_threads

mine = team.digest()
with worker_threads() if {inside} else nullcontext():
    with get_context("fork").Pool(2) as pool:
        theirs = [pool.apply_async(team.digest) for _ in range(2)]
        print({{result.get(20) for result in theirs}} == {{mine}}, end="")
print(team.digest() == mine)
"""
    assert team.run(code, threads=2, first=REAL) == "TrueTrue\n"
