"""``handbrew time`` and ``handbrew find-lr``."""

import csv
import re
from time import sleep

import pytest
from cases_cli import runner, write_flowers, write_houses

from handbrew.layers import Affine, Sigmoid
from handbrew.nets import Graph


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def milliseconds(text):
    """All figures, by what stands before them."""
    return {" ".join(what.split()): float(ms) for what, ms in re.findall(r"^(.+?):\s+(\d+\.\d{3}) ms$", text, re.M)}


def test_time_shows_every_layer_both_ways(handbrew):
    ran = handbrew("time", "--net", "lenet", "--batch-size", 4, "--iterations", 2)
    assert ran.code == 0
    assert ran.out.startswith("4 samples of shape (1, 28, 28), 2 iterations\n")
    found = milliseconds(ran.out)
    layers = ["conv1", "pool1", "conv2", "pool2", "flatten1", "ip1", "relu1", "ip2", "softmaxcrossentropy1"]
    pairs = [tuple(what.split()) for what in list(found)[: 2 * len(layers)]]
    assert pairs == [(name, way) for name in layers for way in ("forward", "backward")]
    assert list(found)[-4:] == ["forward pass", "backward pass", "forward-backward", "total"]
    assert found["total"] >= found["forward-backward"] > max(found["forward pass"], found["backward pass"])


def test_time_of_a_net_in_a_file_without_loss(handbrew, tmp_path):
    net = Graph("x", (Affine(3).named("fc"), "x", "a"), (Sigmoid(), "a", "b"), (Affine(2).named("side"), "x", "c"))
    net.build((4,))
    net.save(tmp_path / "net.npz")
    ran = handbrew("time", "net.npz", "--iterations", 2)
    assert ran.code == 0
    assert {"fc forward", "fc backward", "side backward", "total"} <= milliseconds(ran.out).keys()


@pytest.mark.parametrize(("way", "other"), [("forward", "backward"), ("backward", "forward")])
def test_time_finds_the_slow_layer(handbrew, monkeypatch, way, other):
    method = getattr(Sigmoid, way)
    monkeypatch.setattr(Sigmoid, way, lambda self, array: (sleep(0.02), method(self, array))[1])
    found = milliseconds(handbrew("time", "--net", "8-4-3", "--activation", "sigmoid", "--iterations", 3).out)
    assert min(found[what] for what in (f"sigmoid1 {way}", f"{way} pass", "forward-backward")) >= 20
    assert found["total"] >= 60
    assert max(found[f"{other} pass"], found[f"sigmoid1 {other}"], found[f"affine1 {way}"]) < 20


def test_time_of_a_run(handbrew, tmp_path):
    write_houses(tmp_path / "houses.csv", samples=40)
    handbrew("train", "--data", "houses.csv", "--regression", "--epochs", 1, "--no-plots", "--batch-size", 7)
    ran = handbrew("time", "run", "--iterations", 1)
    assert ran.out.startswith("7 samples of shape (3,), 1 iterations\n")
    assert "meansquarederror1" in ran.out


def test_time_of_nothing_or_too_much(handbrew):
    assert "expected either a run's folder, or a net's file, or --net" in handbrew("time").err
    assert handbrew("time", "run", "--net", "4-3").code == 1
    assert "lenet has layers of its own" in handbrew("time", "--net", "lenet", "--dropout", 0.5).err


def test_find_lr_suggests_a_rate_that_trains(handbrew, tmp_path):
    ran = handbrew("find-lr", "--net", "64-32-10", "--no-plots")
    assert ran.code == 0
    rate = float(re.search(r"suggested learning rate: ([\d.e-]+)", ran.out)[1])
    assert 0.001 < rate < 1
    with (tmp_path / "find-lr.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["rate", "loss", "smoothed"]
    assert float(rows[0]["rate"]) == pytest.approx(1e-6)
    assert {path.name for path in tmp_path.iterdir()} == {"find-lr.csv"}
    ran = handbrew("train", "--net", "64-32-10", "--no-plots", "--lr", rate, "--epochs", 10)
    assert float(re.search(r"accuracy ([\d.]+)", ran.out)[1]) > 90


def test_find_lr_takes_what_train_takes(handbrew, tmp_path):
    write_flowers(tmp_path / "flowers.csv")
    (tmp_path / "run.toml").write_text(
        'data = "flowers.csv"\nsolver = "adam"\nsample-weight = "same"\nbatch-size = 8\npolicy = "cosine"\n'
        'epochs = 3\nsnapshot-every = 5\nout = "elsewhere"\nplots = false\n'
    )
    command = ("find-lr", "--config", "run.toml", "--steps", 20, "--low", 1e-4, "--high", 0.5, "--out", "new/out")
    ran = handbrew(*command)
    assert ran.code == 0
    assert "in new/out: find-lr.csv\n" in ran.out
    with (tmp_path / "new" / "out" / "find-lr.csv").open() as file:
        rates = [float(row["rate"]) for row in csv.DictReader(file)]
    assert (rates[0], len(rates) <= 20) == (1e-4, True)
    handbrew(*command[:-1], tmp_path)  # the same again
    assert (tmp_path / "find-lr.csv").read_bytes() == (tmp_path / "new" / "out" / "find-lr.csv").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--low", 1, "--high", 0.1), "0 < low < high"),
        (("--weights", "absent"), "absent: No such file"),
        (("--rho", 0.5), "--rho goes with"),
        (("--low", 1e20, "--high", 1e30), "ran away"),
    ],
)
def test_find_lr_that_cannot_be(handbrew, tmp_path, options, message):
    ran = handbrew("find-lr", "--no-plots", *options)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err
    assert not list(tmp_path.iterdir())


def test_find_lr_has_no_option_that_does_nothing(handbrew, capsys):
    for option in ("--lr", "--policy", "--epochs", "--keep", "--sync-batch-norm"):
        with pytest.raises(SystemExit):
            handbrew("find-lr", option, 1)
        assert f"unrecognized arguments: {option} 1" in capsys.readouterr().err
