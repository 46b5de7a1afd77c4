"""``--net lenet`` and its like: ready-made nets on the command line, on images of any origin."""

import json

import numpy as np
import pytest
from cases_cli import runner, write_flowers, write_houses
from test_data_cifar import NAMES, write_10

from handbrew.cli.ready_made import READY_MADE
from handbrew.nets import load_net

# Small images, so that the tests are quick, which each net still takes.
SHAPES = dict.fromkeys(READY_MADE, (3, 8, 8)) | {"lenet": (1, 16, 16)}
QUICK = ("--no-plots", "--epochs", 1)


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def config(folder):
    return json.loads((folder / "config.json").read_text("utf-8"))


def write_images(path, shape, samples=40):
    """Images with a bright spot in one of three corners, which is their class."""
    rng, y = np.random.default_rng(0), np.arange(samples) % 3
    X = rng.integers(0, 100, (samples, *shape), dtype=np.uint8)
    half = shape[1] // 2
    for image, label in zip(X, y, strict=True):
        image[:, label // 2 * half :, label % 2 * half :][:, :half, :half] += 120
    np.savez(path, X=X, y=y)
    return path


@pytest.mark.parametrize("name", READY_MADE)
def test_each_is_trained_tested_asked_and_summed_up(handbrew, tmp_path, name):
    write_images(tmp_path / "images.npz", SHAPES[name])
    ran = handbrew("train", "--data", "images.npz", "--net", name, *QUICK)
    assert (ran.code, "held out: accuracy" in ran.out) == (0, True)
    run = tmp_path / "run"
    entries, usual = config(run), READY_MADE[name].usual
    chosen = {key: entries["settings"][key] for key in ("batch_size", "lr", "weight_decay")}
    assert chosen == {key: getattr(usual, key) for key in chosen}
    assert entries["settings"]["net"] == name
    assert (entries["settings"]["activation"], entries["settings"]["dropout"]) == (None, None)
    net = load_net(run / "net.safetensors")
    assert (net.in_shape, net.out_shape) == (SHAPES[name], (3,))
    assert f"accuracy {100 * entries['results']['accuracy']:.2f} %" in handbrew("test", "run").out
    assert handbrew("predict", "run", "images.npz").out.count("\n") == 40
    assert type(net.layers[0]).__name__ in handbrew("summary", "run").out


def test_it_learns(handbrew, tmp_path):
    write_images(tmp_path / "images.npz", (1, 16, 16), samples=300)
    handbrew("train", "--data", "images.npz", "--net", "lenet", "--no-plots", "--epochs", 3)
    assert config(tmp_path / "run")["results"]["accuracy"] > 0.95


def test_what_is_asked_for_goes_before_what_is_usual(handbrew, tmp_path):
    write_images(tmp_path / "images.npz", (1, 16, 16))
    asked = {"epochs": 2, "batch_size": 7, "lr": 0.001, "momentum": 0.5, "weight_decay": 0.0, "seed": 4}
    options = [word for key, value in asked.items() for word in (f"--{key.replace('_', '-')}", value)]
    handbrew("train", "--data", "images.npz", "--net", "lenet", "--no-plots", *options)
    settings = config(tmp_path / "run")["settings"]
    assert {key: settings[key] for key in asked} == asked


def test_the_seed_decides_the_initial_values(handbrew, tmp_path):
    write_images(tmp_path / "images.npz", (1, 16, 16))
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        still = ("--lr", 0, "--weight-decay", 0, "--seed", seed, "--out", out)
        handbrew("train", "--data", "images.npz", "--net", "lenet", *QUICK, *still)
    a, b, c = (load_net(tmp_path / out / "net.safetensors").params["ip1.W"].data for out in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_folder_of_cifar_10(handbrew, tmp_path):
    data = tmp_path / "cifar"
    data.mkdir()
    write_10(data)
    assert handbrew("train", "--data", data, "--net", "cifar10_quick", *QUICK).code == 0
    entries = config(tmp_path / "run")
    assert (entries["task"]["classes"], entries["task"]["in_shape"]) == (list(NAMES), [3, 32, 32])
    assert entries["samples"] == [10, 1]
    answers = [line.split() for line in handbrew("predict", "run", data / "test_batch.bin").out.splitlines()]
    assert len(answers) == 1
    assert answers[0][1] in NAMES
    assert "1 samples" in handbrew("test", "run", "--data", data).out


@pytest.mark.parametrize("name", ["lenet5", "LeNet", "resnet", "784"])
def test_names_of_no_net(handbrew, name, capsys):
    with pytest.raises(SystemExit) as exit_:
        handbrew("train", "--net", name)
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert f"got '{name}'" in error
    assert "784-256-10" in error
    assert all(known in error for known in READY_MADE)


def test_nets_for_images_on_what_is_no_images(handbrew, tmp_path):
    write_flowers(tmp_path / "flowers.csv")
    write_images(tmp_path / "images.npz", (1, 8, 8))
    fits_not = "--net lenet was made for images of shape (1, 28, 28), channels first, and cannot take samples of shape"
    for options, shape in ((("--data", "flowers.csv"), "(5,)"), (("--data", "images.npz"), "(1, 8, 8)"), ((), "(64,)")):
        ran = handbrew("train", "--net", "lenet", *options)
        assert (ran.code, ran.out) == (1, "")
        assert f"{fits_not} {shape}: Sequential > conv" in ran.err
    assert not (tmp_path / "run").exists()


def test_a_ready_made_mlp_takes_anything(handbrew, tmp_path):
    write_flowers(tmp_path / "flowers.csv")
    assert handbrew("train", "--net", "mlp", "--data", "flowers.csv", *QUICK).code == 0
    assert handbrew("train", "--net", "mlp", *QUICK).code == 0


@pytest.mark.parametrize("verb", ["train", "summary"])
def test_options_that_go_with_sizes_only(handbrew, verb):
    for option in (("--activation", "tanh"), ("--dropout", 0.5), ("--dropout", 0)):
        ran = handbrew(verb, "--net", "lenet", *option)
        assert (ran.code, ran.out) == (1, "")
        assert f"{option[0]} goes with sizes such as 784-256-10; lenet has layers of its own" in ran.err


def test_quantities_need_sizes(handbrew, tmp_path):
    write_houses(tmp_path / "houses.csv")
    ran = handbrew("train", "--net", "mlp", "--data", "houses.csv", "--regression")
    assert (ran.code, ran.out) == (1, "")
    assert "--net mlp tells classes apart, but the data hold quantities; try --net 3-128-1" in ran.err


@pytest.mark.parametrize(
    ("name", "shape", "parameters"),
    [
        ("mlp", "(1, 28, 28)", 784 * 256 + 256 + 256 * 10 + 10),
        ("lenet", "(1, 28, 28)", 431_080),
        ("cifar10_quick", "(3, 32, 32)", 145_578),
        ("cifar10_full", "(3, 32, 32)", 89_578),
    ],
)
def test_summary(handbrew, name, shape, parameters):
    lines = handbrew("summary", "--net", name).out.splitlines()
    assert lines[0] == f"for samples of shape {shape}, in 10 classes"
    assert lines[-1].split()[1] == f"{parameters:,}"


def test_help_names_them(handbrew, capsys):
    with pytest.raises(SystemExit):
        handbrew("train", "--help")
    text = capsys.readouterr().out
    assert all(name in text for name in READY_MADE)


def test_channels_that_come_last_are_told_how_to_come_first(handbrew, tmp_path):
    write_images(tmp_path / "images.npz", (8, 8, 3))
    ran = handbrew("train", "--data", "images.npz", "--net", "resnet20", *QUICK)
    assert ran.code == 1
    assert "look like channels last; save X.transpose(0, 3, 1, 2)" in ran.err


def test_data_that_are_no_images_are_told_what_would_be(handbrew):
    ran = handbrew("train", "--net", "lenet", *QUICK)  # the embedded digits are rows of 64 numbers
    assert ran.code == 1
    assert "images come from --data, as X of shape (N, C, H, W); for tables there is --net mlp" in ran.err
