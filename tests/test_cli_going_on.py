"""Runs that go on after something went wrong: with another rate, after a full disk, from a job script's one line."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from cases_cli import runner

from handbrew.nets import load_net
from handbrew.solvers import Snapshots, read_snapshot

QUICK = ("--no-plots", "--epochs", 3)


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def config(folder):
    return json.loads((folder / "config.json").read_text("utf-8"))


def unfinish(folder):
    """Make a finished run one that was killed after its last snapshot but one."""
    (folder / "config.json").write_text(json.dumps(config(folder) | {"results": None}))
    (folder / "net.safetensors").unlink()
    Snapshots(folder / "snapshots").paths()[-1].unlink()


@pytest.fixture
def unfinished(handbrew, tmp_path):
    assert handbrew("train", *QUICK).code == 0
    unfinish(tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("command", [("resume", "run"), ("train", "--resume")])
def test_another_rate_counts_from_there_and_is_warned_of(handbrew, unfinished, command):
    ran = handbrew(*command, "--lr", 0.01)
    assert ran.code == 0
    assert "--lr 0.01 from here on, 0.1 before: the result is no longer that of the undisturbed run" in ran.err
    assert config(unfinished)["settings"]["lr"] == 0.01
    rows = (unfinished / "history.csv").read_text().splitlines()
    assert [row.split(",")[4] for row in rows] == ["lr", "0.1", "0.1", "0.01"]


def test_the_same_rate_is_no_other(handbrew, unfinished):
    ran = handbrew("resume", "run", "--lr", 0.1)  # a warning would be an error here
    assert (ran.code, "--lr" in ran.err) == (0, False)


def test_a_nan_says_in_short_lines_what_to_type(handbrew, tmp_path):
    assert handbrew("train", "--no-plots", "--epochs", 2).code == 0
    entries = config(tmp_path / "run")
    entries["settings"]["lr"] = 1e30  # as if it ran away after two epochs
    (tmp_path / "run" / "config.json").write_text(json.dumps(entries | {"results": None}))
    command = [sys.executable, "-m", "handbrew.cli", "resume", "run", "--epochs", "3"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    told = ran.stderr[ran.stderr.rindex("handbrew: ") :].splitlines()
    assert re.match(r"handbrew: in epoch 3, batch \d+ of 45, ", told[0])
    assert len(told) >= 4
    assert max(map(len, told)) < 250
    assert "  handbrew replay run/non-finite.safetensors  runs that batch again" in told
    assert "  handbrew resume run --lr 1e+29  goes on from the newest snapshot with a lower rate" in told
    for python in ("fit:", "error.dump", "clip_norm", "resume=True"):
        assert python not in ran.stderr


def test_a_nan_without_a_snapshot_names_the_line_to_begin_with(handbrew):
    ran = handbrew("train", "--no-plots", "--lr", 1e30)
    assert ran.err.splitlines()[-1] == "  it left no snapshot: handbrew train with --lr 1e+29 begins anew"


class TestFullDisk:
    """A limit on the size of files stands for it."""

    @staticmethod
    def run(*arguments, cwd, size=60_000):
        import resource

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        command = [sys.executable, "-m", "handbrew.cli", *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=60, preexec_fn=limit if size else None
        )

    @pytest.mark.parametrize("again", [("train",), ("train", "--resume"), ("resume", "run")])
    def test_at_the_first_snapshot_leaves_nothing_in_the_way(self, tmp_path, again):
        ran = self.run("train", *QUICK, cwd=tmp_path)
        assert (ran.returncode, "no snapshot was written" in ran.stderr) == (1, True)
        ran = self.run(*again, *(QUICK if "train" in again else ("--no-plots",)), cwd=tmp_path, size=None)
        assert ran.returncode == 0, ran.stderr
        assert config(tmp_path / "run")["results"]["accuracy"] > 0.8

    def test_within_the_first_epoch_leaves_nothing(self, tmp_path):
        assert self.run("train", *QUICK, "--snapshot-every", 5, cwd=tmp_path).returncode == 1
        assert not (tmp_path / "run").exists()

    def test_still_full_at_the_end_says_what_to_do(self, tmp_path):
        ran = self.run("train", *QUICK, "--snapshot-errors", "go-on", cwd=tmp_path, size=30_000)
        assert ran.returncode == 1
        assert "run/net.safetensors: " in ran.stderr
        assert ran.stderr.splitlines()[-1].endswith(
            "training is over, but what it learned has no place: it left no snapshot, so it has to be trained anew "
            "once there is room"
        )

    def test_still_full_at_the_end_with_a_snapshot(self, handbrew, tmp_path):
        handbrew("train", *QUICK, "--epochs", 2)
        ran = self.run("resume", "run", "--epochs", 3, "--snapshot-errors", "go-on", cwd=tmp_path, size=30_000)
        assert ran.returncode == 1
        assert ran.stderr.splitlines()[-1].endswith(
            "training is over, but what it learned has no place: make room, then handbrew resume run --epochs 3 gets "
            "it from run/snapshots/step-000000090.safetensors"
        )
        assert handbrew("resume", "run", "--epochs", 3).code == 0


@pytest.mark.parametrize("leftovers", [[], ["snapshots"], ["snapshots", "events"]])
def test_empty_leftovers_count_as_nothing(handbrew, tmp_path, leftovers):
    for name in leftovers:
        (tmp_path / "run" / name).mkdir(parents=True)
    if leftovers:
        (tmp_path / "run" / "snapshots" / ".lock").touch()
        (tmp_path / "run" / "snapshots" / ".step-000000045.safetensors.0123456789ab.part").touch()
    assert handbrew("train", *QUICK).code == 0


def test_what_is_somebody_else_s_stays(handbrew, tmp_path):
    (tmp_path / "run" / "snapshots").mkdir(parents=True)
    (tmp_path / "run" / "snapshots" / "mine.txt").touch()
    assert "run: is there already and is no run of handbrew train" in handbrew("train", *QUICK).err
    assert (tmp_path / "run" / "snapshots" / "mine.txt").exists()


class TestOneLineForAllStarts:
    """``handbrew train --resume …`` in a job script."""

    def test_begins_goes_on_and_is_done(self, handbrew, tmp_path):
        line = ("train", "--resume", *QUICK, "--out", "job")
        assert handbrew(*line).code == 0
        first = (tmp_path / "job" / "net.safetensors").read_bytes()
        unfinish(tmp_path / "job")
        ran = handbrew(*line)
        assert (ran.code, "goes on after step 90" in ran.err) == (0, True)
        assert (tmp_path / "job" / "net.safetensors").read_bytes() == first
        ran = handbrew(*line)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == "job: this run of 3 epochs is finished; with a higher --epochs it goes on\n"

    def test_a_finished_run_goes_on_for_more_epochs(self, handbrew, tmp_path):
        assert handbrew("train", "--resume", *QUICK).code == 0
        assert handbrew("train", "--resume", "--no-plots", "--epochs", 4).code == 0
        assert config(tmp_path / "run")["settings"]["epochs"] == 4

    def test_another_run_is_refused_finished_or_not(self, handbrew):
        assert handbrew("train", "--resume", *QUICK).code == 0
        ran = handbrew("train", "--resume", *QUICK, "--seed", 1)
        assert (ran.code, "--seed 1, but the run has 0" in ran.err) == (1, True)

    def test_without_snapshots_it_begins_anew(self, handbrew, tmp_path):
        assert handbrew("train", "--resume", "--no-snapshots", *QUICK).code == 0
        (tmp_path / "run" / "config.json").write_text(json.dumps(config(tmp_path / "run") | {"results": None}))
        assert handbrew("train", "--resume", "--no-snapshots", *QUICK).code == 0

    def test_resume_and_restart_contradict_each_other(self, handbrew, capsys):
        with pytest.raises(SystemExit) as exit_:
            handbrew("train", "--resume", "--restart")
        assert exit_.value.code == 2
        assert "--restart: not allowed with argument --resume" in capsys.readouterr().err


def test_fewer_epochs_than_are_done(handbrew, unfinished):
    ran = handbrew("resume", "run", "--epochs", 1)
    assert ran.code == 1
    assert ran.err == "handbrew: --epochs 1: run has done 2 of its 3 epochs already\n"
    assert config(unfinished)["settings"]["epochs"] == 3
    assert handbrew("resume", "run", "--epochs", 2).code == 0  # done, so all that is left is to measure it


def test_fewer_epochs_than_are_begun(handbrew, tmp_path):
    assert handbrew("train", *QUICK, "--snapshot-every", 40).code == 0
    unfinish(tmp_path / "run")  # after step 120 of 135
    assert "run has done 2.67 of its 3 epochs already" in handbrew("resume", "run", "--epochs", 2).err


def test_the_help_of_resume_lists_what_may_be_changed(handbrew, capsys):
    with pytest.raises(SystemExit):
        handbrew("resume", "--help")
    found = set(re.findall(r"--(?!no-)[a-z-]+", capsys.readouterr().out.partition("\nThe run goes on")[0]))
    may = {"epochs", "lr", "test-interval", "average-loss", "top-k", "tensorboard", "snapshot-every", "keep"}
    assert found == {f"--{name}" for name in may | {"snapshot-errors", "plots", "verify", "debug", "help"}}


@pytest.mark.parametrize(
    "options",
    [
        ("--top-k", 3),
        ("--no-tensorboard",),
        ("--plots",),
        ("--keep", 1),
        ("--average-loss", 5),
        ("--snapshot-every", 9),
    ],
)
def test_each_of_them_may_be(handbrew, unfinished, options):
    ran = handbrew("resume", "run", *options, "--no-plots")
    assert ran.code == 0, ran.err


def test_no_plots_is_remembered(handbrew, tmp_path):
    handbrew("train", "--no-plots", "--epochs", 1)
    assert config(tmp_path / "run")["settings"]["plots"] is False
    ran = handbrew("resume", "run", "--epochs", 2)
    assert (ran.code, "picture" in ran.out, "loss.png" in ran.out) == (0, False, False)


def test_a_run_at_work_is_left_alone(handbrew, unfinished):
    with Snapshots(unfinished / "snapshots").claimed():
        before = {path: path.stat().st_mtime_ns for path in unfinished.rglob("*.*s*")}
        for command in (("resume", "run", "--keep", 1), ("train", "--restart"), ("train", "--resume")):
            ran = handbrew(*command)
            assert (ran.code, "another training is at work here" in ran.err) == (1, True)
        assert {path: path.stat().st_mtime_ns for path in unfinished.rglob("*.*s*")} == before


class TestWeights:
    def test_of_a_snapshot(self, handbrew, unfinished, tmp_path):
        best = "run/snapshots/best.safetensors"
        ran = handbrew("train", *QUICK, "--weights", best, "--lr", 0, "--weight-decay", 0, "--out", "b")
        assert (ran.code, f"4 of 4 arrays from {best}" in ran.out.replace(f"{tmp_path}/", "")) == (0, True)
        arrays = read_snapshot(best)["net"]["arrays"]
        np.testing.assert_array_equal(
            load_net(tmp_path / "b/net.safetensors").params["affine1.W"].data, arrays["affine1.W"]
        )

    @pytest.mark.filterwarnings("default")
    @pytest.mark.parametrize("left", ["step-000000090", "best"])
    def test_of_a_run_that_is_unfinished(self, handbrew, unfinished, tmp_path, left):
        for path in Snapshots(unfinished / "snapshots").paths():
            if path.stem != left:
                path.unlink()
        ran = handbrew("train", *QUICK, "--weights", "run", "--out", "b")
        assert (ran.code, f"4 of 4 arrays from run/snapshots/{left}" in ran.out.replace(f"{tmp_path}/", "")) == (
            0,
            True,
        )

    def test_of_a_run_without_any(self, handbrew, tmp_path):
        (tmp_path / "empty").mkdir()
        ran = handbrew("train", *QUICK, "--weights", "empty")
        assert (ran.code, "empty: holds neither net.safetensors nor a snapshot" in ran.err) == (1, True)

    def test_of_a_file_that_is_damaged(self, handbrew, unfinished):
        (unfinished / "snapshots" / "best.safetensors").write_bytes(b"junk")
        assert "junk" in handbrew("train", *QUICK, "--weights", "run/snapshots/best.safetensors").err


def test_ctrl_c_while_it_starts_shows_no_traceback(tmp_path):
    (tmp_path / "numpy.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    command = [sys.executable, "-c", "import sys; from handbrew.cli import main; sys.exit(main(['--version']))"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "\nhandbrew: interrupted\n")


def test_a_run_of_which_only_the_best_snapshot_is_left_is_not_thrown_away(handbrew, unfinished):
    for path in Snapshots(unfinished / "snapshots").paths():
        path.unlink()
    ran = handbrew("train", *QUICK)
    assert (ran.code, "handbrew resume run goes on with it" in ran.err) == (1, True)
    assert (unfinished / "snapshots" / "best.safetensors").exists()


def test_who_comes_too_late_leaves_the_other_s_folder_as_it_is(handbrew, unfinished, monkeypatch):
    """Both have looked before one of them began."""
    monkeypatch.setattr("handbrew.cli.resume.refuse_at_work", lambda folder: None)
    for path in (unfinished / "snapshots").glob("*.safetensors"):
        path.unlink()
    (unfinished / "history.csv").unlink()
    with Snapshots(unfinished / "snapshots").claimed():
        assert "another training is at work here" in handbrew("resume", "run").err
    assert (unfinished / "config.json").exists()


def test_after_a_nan_a_lower_rate_comes_to_the_end(handbrew, tmp_path):
    options = ("--net", "64-32-10", "--epochs", 6, "--policy", "step:gamma=1e9,every=3epochs", "--no-plots")
    ran = handbrew("train", *options)
    assert (ran.code, "handbrew resume run --lr 0.01  goes on" in ran.err) == (1, True)
    command = [sys.executable, "-m", "handbrew.cli", "resume", "run", "--lr", "1e-12"]  # the policy goes on, too
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "goes on after step 135" in ran.stderr
