"""What the command line says of options that are wrong, have no use, or are mistyped: in words of options."""

import signal
import subprocess
import sys

import numpy as np
import pytest
from cases_cli import runner, write_csv

from handbrew.cli.errors import describe, in_options
from handbrew.solvers import NonFiniteError

QUICK = ("--no-plots", "--epochs", 1)


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def refused(handbrew, capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        handbrew(*arguments)
    assert exit_.value.code == 2
    return capsys.readouterr().err


def test_mistyped_options_name_what_was_meant(handbrew, capsys):
    assert "unrecognized arguments: --epohcs 3; did you mean --epochs" in refused(
        handbrew, capsys, "train", "--epohcs", 3
    )
    assert "did you mean --input" in refused(handbrew, capsys, "check", "m:L", "--inptu=3", "--input", 3)
    assert "did you mean" not in refused(handbrew, capsys, "train", "--xyzzy")
    assert "did you mean" not in refused(handbrew, capsys, "test", "run", "more")


@pytest.mark.parametrize("text", ["bal", "balance", "1,x", "-1,2"])
def test_class_weights_name_both_kinds(handbrew, capsys, text):
    err = refused(handbrew, capsys, "train", f"--class-weight={text}")
    assert f"expected 'balanced', or a number of at least 0 for each class, such as 1,2.5,1; got '{text}'" in err


def test_class_weights_that_are_all_0(handbrew, capsys):
    assert "all weights are 0" in refused(handbrew, capsys, "train", "--class-weight", "0,0,0")


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--no-snapshots", "--snapshot-every", 3), "--snapshot-every has no use with --no-snapshots"),
        (("--no-snapshots", "--snapshot-errors", "stop"), "--snapshot-errors has no use with --no-snapshots"),
        (("--sync-batch-norm",), "--sync-batch-norm has no use in one process; mpiexec -n 2 handbrew starts two"),
    ],
)
def test_what_has_no_use_is_told_and_stops_nothing(handbrew, options, message):
    ran = handbrew("train", *QUICK, *options)
    assert (ran.code, f"handbrew: {message}\n" in ran.err) == (0, True)


@pytest.mark.filterwarnings("default")
def test_warnings_of_the_library_speak_of_options(handbrew):
    handbrew("train", *QUICK)
    ran = handbrew("resume", "run", "--epochs", 2, "--test-interval", 20)
    assert "--test-interval: None before, 20 now" in ran.err
    assert "fit:" not in ran.err


def test_words():
    assert in_options("fit: set clip_norm, lower the learning rate") == "set --clip-norm, lower --lr"
    assert in_options("in rank 1: fit: it is 1") == "in rank 1: it is 1"
    assert in_options("fit: /a/clip_norm/b, x.clip_norm, clip_norm.csv") == "/a/clip_norm/b, x.clip_norm, clip_norm.csv"
    assert in_options("run.toml: top_k: is there twice") == "run.toml: top_k: is there twice"


def test_lines_of_an_error_that_says_much():
    error = NonFiniteError("fit: in epoch 1, the loss is nan: it was X. Look there. Or replay(error.dump)")
    error.add_note("handbrew replay x")
    assert describe(error) == "in epoch 1, the loss is nan\n  it was X\n  Look there\n  handbrew replay x"


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("step:gamma=0.1,every=0.001epochs", "step: every=0.001epochs is less than one step; an epoch has 45"),
        ("multistep:gamma=0.1,at=2/1epochs", "multistep: at must rise, got (90, 45)"),
        ("onecycle:peak=1.5", "onecycle: peak is a share of the steps, in [0, 1), got 1.5"),
        ("sigmoid:gamma=1,at=0.001epochs", "sigmoid: at=0.001epochs is less than one step"),
        ("plateau:gamma=2,patience=1", "plateau: the rate could not fall: expected gamma below 1"),
        ("plateau:gamma=0.1,patience=1,least=-1", "plateau: least must be a finite number of at least 0, got -1.0"),
        ("cosine:to=-1", "cosine: to must be a finite number of at least 0, got -1.0"),
        ("poly:power=-1", "poly: power must be a finite number of at least 0, got -1.0"),
    ],
)
def test_policies_speak_of_what_was_typed(handbrew, policy, message):
    ran = handbrew("train", *QUICK, "--policy", policy)
    assert (ran.code, message in ran.err) == (1, True), ran.err
    for python in ("step_size", "pct_start", "milestone", "factor", "minimum", "end ", "Plateau", "OneCycle"):
        assert python not in ran.err


@pytest.mark.parametrize("verb", [("test", "run"), ("time", "--net", "4-3"), ("find-lr",), ("replay", "x")])
def test_verbs_for_one_process_say_so(handbrew, monkeypatch, verb):
    class Comm:
        rank, size = 0, 2

    monkeypatch.setattr("handbrew.cli.together.world", Comm)
    ran = handbrew(*verb)
    assert (ran.code, ran.err) == (1, f"handbrew: handbrew {verb[0]} works in one process; start it without mpiexec\n")
    Comm.rank = 1
    assert handbrew(*verb) == (1, "", "")


def test_missing_values_name_line_column_and_what_to_do(handbrew, tmp_path):
    write_csv(tmp_path / "t.csv", ["x", "z", "kind"], [[i, "" if i == 2 else i, "ab"[i % 2]] for i in range(9)])
    ran = handbrew("train", "--data", "t.csv", *QUICK)
    assert ran.code == 1
    assert "t.csv, line 4, column 'z': missing" in ran.err


def test_freezing_what_was_not_loaded(handbrew, tmp_path):
    handbrew("train", *QUICK, "--net", "64-30-20-10")
    options = ("--net", "64-30-10", "--weights", "run", "--out", "b")
    ran = handbrew("train", *QUICK, *options, "--freeze", "affine2.b")
    assert ran.code == 1
    assert "--freeze would hold affine2.b at random values: --weights " in ran.err
    assert "affine2.W is (30, 20) there, (30, 10) here" in ran.err
    assert handbrew("train", *QUICK, *options, "--freeze", "affine1").code == 0


def test_a_layer_of_which_only_a_part_fits_is_not_loaded(handbrew, tmp_path):
    np.savez(tmp_path / "w.npz", **{"affine1.W": np.ones((64, 128)), "affine2.b": np.ones(10)})
    assert "no layer fits" in handbrew("train", *QUICK, "--weights", "w.npz").err
    np.savez(
        tmp_path / "w.npz", **{"affine1.W": np.ones((64, 128)), "affine1.b": np.ones(128), "affine2.b": np.ones(10)}
    )
    ran = handbrew("train", *QUICK, "--weights", "w.npz")
    assert "2 of 4 arrays from " in ran.out
    assert "affine2 starts afresh" in ran.out


def test_replay_with_a_layer_of_one_s_own(handbrew, tmp_path, monkeypatch):
    (tmp_path / "brittle_layers.py").write_text(
        "import numpy as np\nfrom handbrew.layers import Layer\n\n\nclass Brittle(Layer):\n"
        "    def forward(self, x):\n        return x * np.float32(np.inf)\n\n"
        "    def backward(self, dy):\n        return dy\n"
    )
    program = (
        "import numpy as np\nfrom brittle_layers import Brittle\nfrom handbrew.layers import *\n"
        "from handbrew.nets import Sequential\nfrom handbrew.solvers import SGD\n"
        "net = Sequential(Brittle(), Affine(2), SoftmaxCrossEntropy())\n"
        "SGD(net, 0.1).fit((np.ones((4, 3)), np.zeros(4, int)), epochs=1, dump='my.dump')\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, capture_output=True, timeout=60)
    ran = handbrew("replay", "my.dump")
    assert (ran.code, "--custom MODULE:CLASS" in ran.err, "Brittle" in ran.err) == (1, True, True)
    ran = handbrew("replay", "my.dump", "--custom", "brittle_layers:Brittle")
    assert (ran.code, "Brittle) has inf at index (0, 0)" in ran.err) == (1, True)
    ran = handbrew("replay", "my.dump", "--custom", "brittle_layers:np")
    assert (ran.code, "brittle_layers:np: expected a class" in ran.err) == (1, True)


def test_an_interrupt_of_reading_is_one_line(tmp_path):
    """Ctrl-C before training has begun, as in a large file."""
    program = (
        "import os, signal, sys\nimport handbrew.cli.train as train\n"
        "train.read_parts = lambda *a: os.kill(os.getpid(), signal.SIGINT)\n"
        "from handbrew.cli import main\nsys.exit(main(['train']))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (128 + signal.SIGINT, "\nhandbrew: interrupted\n")
