"""Several processes, started with the mpiexec of the mpich wheel; the programs they run are in tests/mpi."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
import pytest
from mpi4py import MPI

from handbrew.solvers.parallel import Ranks, world

PROGRAMS = Path(__file__).parents[1] / "mpi"
MPIEXEC = Path(sys.executable).with_name("mpiexec")
SPAWNED = {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "HANDBREW_THREADS"}


def command(size, program, *arguments, module=()):
    return [MPIEXEC, "-n", str(size), sys.executable, *module, PROGRAMS / program, *arguments]


def environment(**more):
    return {name: value for name, value in os.environ.items() if name not in SPAWNED} | more


def run(size, program, *arguments, module=()):
    whole = command(size, program, *arguments, module=module)
    return subprocess.run(whole, env=environment(), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("module", ["ranks", "batch_norm", "training"])
def test_on_all_ranks(module, size):
    done = run(size, "run.py", module, module=["-m", "mpi4py"])
    assert done.returncode == 0, done.stdout + done.stderr
    functions = re.findall(r"^def (check_\w+)", (PROGRAMS / f"{module}.py").read_text(encoding="utf-8"), re.M)
    assert done.stdout.split() == functions


@pytest.mark.parametrize(("how", "code", "what"), [("one", 1, "ValueError: bad luck"), ("exit", 7, "SystemExit: 7")])
def test_an_error_in_one_rank_stops_all(how, code, what):
    start = perf_counter()
    done = run(3, "dying.py", how)
    assert done.returncode == code
    assert f"\nrank 1 of 3: {what}; all ranks stop. A run that takes snapshots" in done.stderr
    assert "Traceback" in done.stderr
    assert perf_counter() - start < 10
    assert_all_are_gone(done.stdout)


def test_an_error_that_all_ranks_meet_is_told_once():
    done = run(3, "dying.py", "all")
    assert done.returncode == 1
    assert re.findall(r"^rank . of 3", done.stderr, re.M) == ["rank 0 of 3"]
    assert_all_are_gone(done.stdout)


@pytest.mark.parametrize("statistics", ["sync", "own"])
@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("loss", "the loss is nan: the input has nan at index (5, 0) (4 of 32 elements are not finite)"),
        ("gradient", "brittle1"),
    ],
)
def test_numbers_that_run_away_in_one_rank_are_explained_by_it(statistics, what, why):
    done = run(2, "running_away.py", statistics, what)
    assert done.returncode == 1
    assert re.search(r"rank 0 of 2: .* in rank 1: fit: in epoch 1, batch 5 of 5, ", done.stderr)
    assert why in done.stderr


@pytest.mark.parametrize("victim", [0, 2])
def test_a_killed_rank_takes_all_with_it(victim):
    process = subprocess.Popen(
        command(3, "dying.py", "not"), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = [process.stdout.readline() for _ in range(3)]
    pids = {int(rank): int(pid) for rank, pid in re.findall(r"rank (\d) is process (\d+)", "".join(lines))}
    os.kill(pids[victim], signal.SIGKILL)
    out, errors = process.communicate(timeout=10)
    assert process.returncode == signal.SIGKILL
    assert "Killed (signal 9)" in out + errors
    assert_all_are_gone("".join(lines))


def assert_all_are_gone(text):
    pids, start = re.findall(r"is process (\d+)", text), perf_counter()
    assert len(pids) == 3
    while any(map(is_there, pids)):
        assert perf_counter() - start < 5
        sleep(0.05)


def is_there(pid):
    """Whether a process still runs; who has ended may be waiting, as a zombie, for somebody to ask after it."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(int(pid), 0)
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def train(size, folder, out, *options):
    """Begin, or go on with, the training of tests/mpi/resuming.py; return its exit code and what it said."""
    warn_of_nothing = ["-W", "ignore"]  # that the number of processes has changed, say
    program = [sys.executable, *warn_of_nothing, PROGRAMS / "resuming.py", folder, out, *options]
    whole = program if size == 1 else [MPIEXEC, "-n", str(size), *program]
    done = subprocess.run(whole, env=environment(), capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("step", [7, 10])
def test_a_killed_run_goes_on_with_the_same_bits(tmp_path, size, step):
    assert train(size, tmp_path / "one", tmp_path / "one.npz", "--noisy") == (0, "")
    code, said = train(size, tmp_path / "two", tmp_path / "two.npz", "--noisy", "--die", str(step))
    assert (code, "Killed (signal 9)" in said) == (signal.SIGKILL, True)
    assert train(size, tmp_path / "two", tmp_path / "two.npz", "--noisy") == (0, "")
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two:
        assert set(one) == set(two)
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.parametrize(("before", "after"), [(3, 2), (2, 1), (1, 3)])
def test_a_run_goes_on_on_another_number_of_ranks(tmp_path, before, after):
    assert train(1, tmp_path / "one", tmp_path / "one.npz")[0] == 0
    code, said = train(before, tmp_path / "two", tmp_path / "two.npz", "--signal", "8")
    assert code == 128 + signal.SIGTERM, said
    assert not (tmp_path / "two.npz").exists()
    code, said = train(after, tmp_path / "two", tmp_path / "two.npz")
    assert code == 0, said
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two:
        for name in one:
            np.testing.assert_allclose(one[name], two[name], rtol=1e-12, atol=1e-12)


def test_one_process_is_nothing_special(monkeypatch):
    for name in SPAWNED:
        monkeypatch.delenv(name, raising=False)
    assert world() is None
    ranks = Ranks(MPI.COMM_SELF)
    assert (ranks.rank, ranks.size) == (0, 1)
    assert "HANDBREW_THREADS" not in os.environ
    with pytest.raises(ZeroDivisionError), ranks:
        1 / 0  # noqa: B018


@pytest.mark.parametrize("name", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_another_mpi_s_launcher_is_found_out(name):
    code = "from handbrew.solvers.parallel import world; world()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(**{name: "4"}), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "RuntimeError: started as one of 4 processes, but MPI knows of one only: mpiexec is of another MPI" in (
        done.stderr
    )


def test_without_mpi4py_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("PMI_SIZE", "2")
    with pytest.raises(ImportError, match=r"one of 2 processes, which need mpi4py: pip install 'handbrew\[mpi\]'"):
        world()
