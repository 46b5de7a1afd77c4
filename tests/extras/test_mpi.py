"""Several processes, started with the mpiexec of the mpich wheel; the programs they run are in tests/mpi."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter

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
    return subprocess.run(
        command(size, program, *arguments, module=module),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("module", ["ranks", "batch_norm"])
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
    for pid in re.findall(r"is process (\d+)", text):
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


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
