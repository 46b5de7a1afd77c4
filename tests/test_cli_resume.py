"""Runs that are cut short: killed, interrupted, gone on with, verified, replayed."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from cases_cli import runner, write_flowers

from handbrew.solvers import Snapshots

# Dropout draws random numbers, accumulation leaves a smaller step at an epoch's end, and 7 steps end within epochs.
RUN = ("--net", "64-96-10", "--dropout", 0.3, "--solver", "adam", "--iter-size", 2, "--policy", "cosine", "--no-plots")
RUN += ("--epochs", 12, "--snapshot-every", 7, "--average-decay", 0.9)


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


@pytest.fixture
def plain(handbrew, tmp_path):
    """A run that nobody disturbed."""
    assert handbrew("train", *RUN, "--out", "plain").code == 0
    return tmp_path / "plain"


def start(*arguments, cwd):
    command = [sys.executable, "-m", "handbrew.cli", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def cut(folder, signal_, *arguments, steps=20):
    """Start a run and send it a signal once it has a snapshot of so many steps; return code and stderr."""
    process = start("train", *arguments, "--out", folder.name, cwd=folder.parent)
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if any(int(re.search(r"\d+", path.name)[0]) >= steps for path in Snapshots(folder / "snapshots").paths()):
            process.send_signal(signal_)
            break
        time.sleep(0.002)
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, err


def config(folder):
    return json.loads((folder / "config.json").read_text("utf-8"))


def figures(folder):
    """All of a run that does not depend on the clock."""
    with (folder / "history.csv").open() as file:
        history = [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]
    results = {name: value for name, value in config(folder)["results"].items() if name != "seconds"}
    return (folder / "net.safetensors").read_bytes(), history, results


def test_killed_and_gone_on_with_it_is_the_same_to_the_bit(handbrew, plain, tmp_path):
    folder = tmp_path / "killed"
    code, _ = cut(folder, signal.SIGKILL, *RUN)
    assert code == -signal.SIGKILL
    assert config(folder)["results"] is None
    for verb in ("test", "predict", "summary", "time"):
        ran = handbrew(verb, "killed")
        assert (ran.code, ran.out) == (1, "")
        assert "killed: this run has not come to its end; handbrew resume killed goes on with it" in ran.err
    assert handbrew("resume", "killed", "--no-plots").code == 0
    assert figures(folder) == figures(plain)
    assert handbrew("test", "killed").code == 0


def test_a_damaged_newest_snapshot_is_told_and_the_one_before_it_used(handbrew, plain, tmp_path, recwarn):
    folder = tmp_path / "killed"
    cut(folder, signal.SIGKILL, *RUN)
    newest = Snapshots(folder / "snapshots").paths()[-1]
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    ran = in_process("train", "--resume", "--no-plots", "--out", "killed", cwd=tmp_path)
    assert ran.returncode == 0
    assert f"handbrew: killed/snapshots/{newest.name}" in ran.stderr
    assert figures(folder) == figures(plain)


def in_process(*arguments, cwd):
    command = [sys.executable, "-m", "handbrew.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(("signal_", "code", "word"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")])
def test_signals_finish_the_step_and_leave_with_their_code(handbrew, plain, tmp_path, signal_, code, word):
    folder = tmp_path / "cut"
    found, err = cut(folder, getattr(signal, signal_), *RUN)
    assert found == code
    assert err.splitlines()[-1] == f"handbrew: {word}; handbrew resume cut goes on with it"
    assert handbrew("train", "--resume", "--out", "cut", "--no-plots", "--lr", 0.001, "--keep", 1).code == 0
    assert figures(folder) == figures(plain)
    assert config(folder)["settings"]["keep"] == 1
    assert len(Snapshots(folder / "snapshots").paths()) == 1


@pytest.fixture
def unfinished(handbrew, tmp_path):
    """A run with a snapshot that has not come to its end."""
    folder = tmp_path / "run"
    assert handbrew("train", "--no-plots", "--epochs", 2).code == 0
    entries = config(folder)
    (folder / "config.json").write_text(json.dumps(entries | {"results": None}))
    return folder


def test_no_run_destroys_an_unfinished_one(handbrew, unfinished):
    before = {path: path.read_bytes() for path in unfinished.rglob("*.safetensors")}
    ran = handbrew("train", "--no-plots", "--epochs", 1)
    assert ran.code == 1
    assert "run: holds a run that has not come to its end; handbrew resume run goes on with it" in ran.err
    assert "another --out" in ran.err
    assert "--restart throws it away" in ran.err
    assert {path: path.read_bytes() for path in unfinished.rglob("*.safetensors")} == before
    assert handbrew("train", "--no-plots", "--epochs", 1, "--restart").code == 0
    assert config(unfinished)["results"]
    assert len(Snapshots(unfinished / "snapshots").paths()) == 1


def test_what_decides_the_result_cannot_be_changed_on_the_way(handbrew, unfinished):
    options = ("--momentum", 0.8, "--solver", "sgd", "--net", "64-128-10", "--seed", 1, "--epochs", 3)
    ran = handbrew("train", "--resume", *options)
    assert ran.code == 1
    assert "--momentum 0.8, but the run has 0.9; --seed 1, but the run has 0. Leave it out" in ran.err
    with pytest.raises(SystemExit):
        handbrew("resume", "run", "--momentum", 0.8)


def test_a_finished_run_goes_on_for_more_epochs(handbrew, tmp_path):
    options = ("--no-plots", "--dropout", 0.2)
    assert handbrew("train", *options, "--epochs", 5, "--out", "long").code == 0
    assert handbrew("train", *options, "--epochs", 2).code == 0
    ran = handbrew("resume", "run")
    assert (ran.code, "this run of 2 epochs is finished; with a higher --epochs it goes on" in ran.err) == (1, True)
    assert handbrew("resume", "run", "--epochs", 5, "--no-plots").code == 0
    assert figures(tmp_path / "run") == figures(tmp_path / "long")


def test_data_that_have_changed_are_refused(handbrew, tmp_path):
    data = write_flowers(tmp_path / "flowers.csv")
    handbrew("train", "--data", data, "--epochs", 1, "--no-plots")
    text = data.read_text().splitlines()
    data.write_text("\n".join([text[0], text[2], text[1], *text[3:]]).replace(",7,", ",8,"))
    assert "flowers.csv: has changed since the run in run was begun" in handbrew("resume", "run", "--epochs", 2).err
    data.write_text("\n".join(text[:-1]))
    assert "had 90 samples" in handbrew("resume", "run", "--epochs", 2).err


def test_nothing_to_go_on_with(handbrew, tmp_path):
    assert "nothing: no such folder" in handbrew("resume", "nothing").err
    assert "no config.json" in handbrew("resume", tmp_path).err
    (tmp_path / "run").mkdir()
    handbrew("train", "--no-plots", "--epochs", 1, "--no-snapshots")
    ran = handbrew("resume", "run", "--epochs", 2)
    assert (ran.code, "--no-snapshots" in ran.err) == (1, True)


def test_killed_before_the_first_snapshot_it_begins_anew(handbrew, unfinished, tmp_path):
    for path in (unfinished / "snapshots").iterdir():
        path.unlink()
    assert "it left no snapshot to go on from" in handbrew("test", "run").err
    assert handbrew("resume", "run", "--no-plots").code == 0
    handbrew("train", "--no-plots", "--epochs", 2, "--out", "again")
    assert figures(unfinished) == figures(tmp_path / "again")


def test_killed_before_the_first_snapshot_it_takes_its_weights_again(handbrew, tmp_path):
    handbrew("train", "--no-plots", "--epochs", 1, "--out", "base")
    options = ("--no-plots", "--epochs", 2, "--weights", "base", "--lr", 1e-6)
    assert handbrew("train", *options, "--out", "whole").code == 0
    assert cut(tmp_path / "killed", signal.SIGKILL, *options)[0] == -signal.SIGKILL
    shutil.rmtree(tmp_path / "killed" / "snapshots")
    ran = handbrew("resume", "killed", "--no-plots")
    assert (ran.code, ran.out.splitlines()[0][:12]) == (0, "4 of 4 array")
    assert figures(tmp_path / "killed") == figures(tmp_path / "whole")


def test_a_finished_run_without_snapshots_does_not_begin_anew(handbrew, tmp_path):
    handbrew("train", "--no-plots", "--epochs", 1, "--out", "run")
    shutil.rmtree(tmp_path / "run" / "snapshots")
    ran = handbrew("resume", "run", "--epochs", 2)
    assert ran.code == 1
    assert "its snapshots are gone; handbrew train --weights run --out OTHER begins with what it has learned" in ran.err
    assert handbrew("test", "run").code == 0


def test_verify(handbrew, unfinished):
    ran = handbrew("resume", "run", "--verify", 45)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "steps 46 to 90 repeated: all losses, and all arrays at the end, are equal to the bit\n"
    ran = handbrew("resume", "run", "--verify", 3)
    assert (ran.code, ran.out) == (0, "steps 46 to 48 repeated: all losses are equal to the bit\n")
    assert config(unfinished)["results"] is None


def test_verify_finds_what_differs(handbrew, unfinished):
    entries = config(unfinished)
    entries["settings"]["momentum"] = 0.8  # as if somebody had changed the program
    (unfinished / "config.json").write_text(json.dumps(entries))
    ran = handbrew("resume", "run", "--verify", 5)
    assert ran.code == 1
    assert "the loss of step" in ran.out


def test_numbers_that_are_not_finite_leave_a_dump_to_replay(handbrew, tmp_path):
    ran = handbrew("train", "--no-plots", "--lr", 1e30)
    assert ran.code == 1
    assert "  handbrew replay run/non-finite.safetensors  runs that batch again\n" in ran.err
    again = handbrew("replay", "run/non-finite.safetensors")
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("handbrew: ")
    assert "nan" in again.err or "inf" in again.err
    assert handbrew("train", "--no-plots", "--epochs", 1).code == 0  # nothing to go on with, so it is in nobody's way
    assert not (tmp_path / "run" / "non-finite.safetensors").exists()
    assert "expected the dump of a NonFiniteError" in handbrew("replay", "run/net.safetensors").err


def test_early_stopping_keeps_the_best_weights(handbrew, tmp_path):
    options = ("--lr", 0.5, "--momentum", 0.95, "--seed", 1, "--no-plots", "--epochs", 40)
    ran = handbrew("train", *options, "--patience", 2)
    assert ran.code == 0
    assert "stopped after step" in ran.err
    with (tmp_path / "run" / "history.csv").open() as file:
        losses = [float(row["validation_loss"]) for row in csv.DictReader(file)]
    assert len(losses) < 40
    assert losses[-3] == min(losses)
    np.testing.assert_allclose(config(tmp_path / "run")["results"]["loss"], min(losses), rtol=1e-6)


def test_a_disk_that_is_full(tmp_path):
    """A limit on the size of files stands for it."""
    import resource

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    for option, code in (("stop", 1), ("go-on", 0)):
        command = [
            sys.executable,
            "-m",
            "handbrew.cli",
            "train",
            "--no-plots",
            "--epochs",
            "2",
            "--snapshot-errors",
            option,
        ]
        ran = subprocess.run(
            [*command, "--out", option], cwd=tmp_path, capture_output=True, text=True, preexec_fn=limit, env=os.environ
        )
        assert (ran.returncode, "Traceback" in ran.stderr) == (code, False)
        assert "no snapshot was written" in ran.stderr
