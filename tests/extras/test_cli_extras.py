"""The command line with its extras: pictures of ``find-lr``, TensorBoard, several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cases_cli import runner

from handbrew.nets import load_net
from handbrew.solvers import Snapshots

MPIEXEC = Path(sys.executable).with_name("mpiexec")
STARTED = ("PMI_", "OMPI_", "SLURM_", "HANDBREW_")


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def test_find_lr_leaves_a_picture(handbrew, tmp_path):
    ran = handbrew("find-lr", "--steps", 30)
    assert "in .: find-lr.csv, find-lr.png" in ran.out
    assert (tmp_path / "find-lr.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_tensorboard_gets_event_files(handbrew, tmp_path):
    assert handbrew("train", "--epochs", 1, "--no-plots", "--tensorboard").code == 0
    assert [path.stat().st_size > 100 for path in (tmp_path / "run" / "events").iterdir()] == [True]
    handbrew("train", "--epochs", 1, "--no-plots")  # another run's events would lie
    assert not (tmp_path / "run" / "events").exists()


def ranks(size, *arguments):
    return [MPIEXEC, "-n", str(size), sys.executable, "-m", "handbrew.cli", *map(str, arguments)]


def run(size, *arguments, cwd):
    """The command in several processes."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(STARTED)}
    return subprocess.run(ranks(size, *arguments), cwd=cwd, env=own, capture_output=True, text=True, timeout=120)


TRAIN = ("train", "--no-plots", "--epochs", 3, "--solver", "adam")


def test_two_processes_train_what_one_does(handbrew, tmp_path):
    ran = run(2, *TRAIN, "--out", "two", cwd=tmp_path)
    assert (ran.returncode, ran.stdout.count("held out: accuracy")) == (0, 1)
    assert ran.stderr.count("epoch 3/3") == 1
    assert handbrew(*TRAIN, "--out", "one").code == 0
    one, two = (load_net(tmp_path / name / "net.safetensors").params for name in ("one", "two"))
    for name, p in one.items():
        np.testing.assert_allclose(two[name].data, p.data, rtol=0, atol=1e-4)


def test_an_error_is_told_once_and_stops_all(tmp_path):
    ran = run(3, "train", "--data", "nothing", cwd=tmp_path)
    assert ran.returncode == 1
    assert ran.stderr.count("handbrew: nothing: no such file or folder") == 1
    assert "Traceback" not in ran.stderr


def test_a_number_that_is_not_finite_is_explained_once(tmp_path):
    """One sample of the second process's part is no number; what it says, the first one prints."""
    X = np.random.default_rng(0).normal(size=(64, 4))
    arrays = {"x_test": X[:8].copy(), "y_test": np.arange(8) % 2, "x_train": X, "y_train": np.arange(64) % 2}
    X[9] = np.nan
    np.savez(tmp_path / "bad.npz", **arrays)
    ran = run(2, "train", "--data", "bad.npz", "--no-plots", cwd=tmp_path)
    assert (ran.returncode, "Traceback" in ran.stderr, "MPI_Abort" in ran.stderr) == (1, False, False)
    assert ran.stderr.count("the loss is nan") == 1
    assert ran.stderr.splitlines()[-2:] == [
        "  handbrew replay run/non-finite.safetensors  runs that batch again",
        "  it left no snapshot: handbrew train with --lr 0.003 begins anew",
    ]
    assert "Traceback" in run(2, "train", "--data", "bad.npz", "--no-plots", "--debug", cwd=tmp_path).stderr


def test_an_error_in_one_of_them_is_told_by_that_one(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").touch()  # only the first process looks at the folder
    ran = run(2, "train", "--no-plots", cwd=tmp_path)
    assert (ran.returncode, "Traceback" in ran.stderr) == (1, False)
    assert ran.stderr.count("handbrew: rank 0 of 2: run: is there already and is no run of handbrew train") == 1


@pytest.mark.parametrize(("number", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_a_signal_is_told_once_and_leaves_a_snapshot(tmp_path, number, code, word):
    own = {name: value for name, value in os.environ.items() if not name.startswith(STARTED)}
    program = (
        "import os, signal, sys\nfrom handbrew.cli import main\nfrom handbrew.solvers import Callback\n"
        "import handbrew.cli.training as training\nfrom mpi4py import MPI\n"
        "class Ask(Callback):\n    def after_step(self, run, loss):\n"
        f"        if run.step == 50 and MPI.COMM_WORLD.rank == 1: os.kill(os.getpid(), signal.{number})\n"
        "training.stoppers = lambda settings: [Ask()]\n"
        "sys.exit(main(['train', '--no-plots', '--epochs', '3']))\n"
    )
    command = [MPIEXEC, "-n", "2", sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=tmp_path, env=own, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, "Traceback" in ran.stderr, "Abort" in ran.stderr) == (code, False, False), ran.stderr
    assert ran.stderr.count(f"handbrew: {word}; handbrew resume run goes on with it") == 1
    assert [path.name for path in Snapshots(tmp_path / "run" / "snapshots").paths()][-1] == "step-000000051.safetensors"


def test_verifying_takes_as_many_processes_as_the_run(handbrew, tmp_path):
    assert run(2, *TRAIN, cwd=tmp_path).returncode == 0
    ran = handbrew("resume", "run", "--verify", 5)
    assert (ran.code, "taken by 2 processes, and 1 would" in ran.err) == (1, True)
    assert "start it with mpiexec -n 2" in ran.err
    ran = run(2, "resume", "run", "--verify", 5, cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "steps 91 to 95 repeated: all losses are equal to the bit\n")


def test_verbs_for_one_process_say_so_once(tmp_path):
    ran = run(3, "find-lr", cwd=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == "handbrew: handbrew find-lr works in one process; start it without mpiexec\n"


def test_one_line_for_all_starts(tmp_path):
    line = (*TRAIN, "--resume")
    assert run(2, *line, cwd=tmp_path).returncode == 0
    ran = run(2, *line, cwd=tmp_path)
    assert (ran.returncode, ran.stdout.count("this run of 3 epochs is finished")) == (0, 1)


def test_a_run_that_was_killed_goes_on_with_another_number_of_processes(tmp_path):
    own = {name: value for name, value in os.environ.items() if not name.startswith(STARTED)}
    command = ranks(2, *TRAIN[:-2], "--epochs", 300, "--snapshot-every", 5)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    with subprocess.Popen(command, cwd=tmp_path, env=own, **quiet) as process:
        deadline = time.monotonic() + 60
        while not Snapshots(tmp_path / "run" / "snapshots").paths() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            if process.poll() is None:  # or they would run for ever
                os.killpg(process.pid, signal.SIGKILL)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["results"] is None
    ran = run(3, "resume", "run", "--epochs", 2, "--no-plots", cwd=tmp_path)
    assert (ran.returncode, "Traceback" in ran.stderr) == (0, False)
    assert "processes: 2 before, 3 now" in ran.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["results"]["accuracy"] > 0.8
