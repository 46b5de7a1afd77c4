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
