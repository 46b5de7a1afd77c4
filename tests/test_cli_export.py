"""``handbrew export``: a run, or a net's file, as plain NumPy."""

import csv

import numpy as np
import pytest
from cases_cli import runner, write_flowers, write_houses
from exported import load

from handbrew.layers import Affine, ReLU
from handbrew.nets import Sequential, lenet


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def columns(path, *names):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [[row[name] for row in rows] for name in names]


def predicted(handbrew, data, tmp_path):
    assert handbrew("predict", "run", data, "--out", "predicted.csv").code == 0
    return tmp_path / "predicted.csv"


@pytest.mark.parametrize("options", [(), ("--backward",)])
def test_classes_of_a_table(handbrew, tmp_path, options):
    data = write_flowers(tmp_path / "flowers.csv")
    handbrew("train", "--data", data, "--out", "run", "--epochs", 3)
    done = handbrew("export", "run", "-o", "net.py", *options)
    assert (done.code, done.err) == (0, "")
    assert done.out == "net.py, with the weights in net.npz; python net.py compares it with handbrew's net\n"
    assert load(tmp_path / "net.py").self_test()
    net = load(tmp_path / "net.py")
    assert hasattr(net, "backward") == bool(options)
    X = np.array(columns(data, "a", "b", "same", "c", "d"), float).T
    names, probabilities = columns(predicted(handbrew, data, tmp_path), "predicted", "probability")
    assert net.classify(X) == names
    np.testing.assert_allclose(net.predict(X).max(axis=1), np.array(probabilities, float), atol=6e-5)


def test_quantities_of_a_table(handbrew, tmp_path):
    data = write_houses(tmp_path / "houses.csv")
    handbrew("train", "--data", data, "--out", "run", "--epochs", 3, "--regression")
    assert handbrew("export", "run", "--backward").code == 0
    assert load(tmp_path / "net.py").self_test()
    net = load(tmp_path / "net.py")
    X = np.array(columns(data, "rooms", "area", "slope"), float).T
    (found,) = columns(predicted(handbrew, data, tmp_path), "predicted")
    np.testing.assert_allclose(net.predict(X)[:, 0], np.array(found, float), rtol=1e-5)
    assert net.loss(X, net.predict(X)) == pytest.approx(0, abs=1e-10)
    assert not hasattr(net, "classify")


def test_the_digits(handbrew, tmp_path):
    handbrew("train", "--net", "lenet", "--epochs", 1, "--out", "run")
    handbrew("train", "--epochs", 1, "--out", "run")
    assert handbrew("export", "run").code == 0
    assert load(tmp_path / "net.py").self_test()


def test_images_that_were_bytes(handbrew, tmp_path):
    X = np.random.default_rng(0).integers(256, size=(40, 6, 6)).astype(np.uint8)
    y = np.arange(40) % 2
    np.savez("images.npz", X=X, y=y)
    handbrew("train", "--data", "images.npz", "--epochs", 1, "--out", "run")
    assert handbrew("export", "run", "--backward").code == 0
    net = load(tmp_path / "net.py")
    names, probabilities = columns(predicted(handbrew, "images.npz", tmp_path), "predicted", "probability")
    X = X.reshape(40, *net.TEST["x"].shape[1:])
    np.testing.assert_allclose(net.predict(X).max(axis=1), np.array(probabilities, float), atol=6e-5)
    assert net.classify(X) == names
    assert net.loss(X, names) == pytest.approx(net.loss(X / 255, [net.CLASSES.index(name) for name in names]))
    assert "Pixels are from 0 to 1; bytes (uint8) are divided by 255." in net.forward.__doc__


def test_a_net_in_a_file(handbrew, tmp_path):
    net = lenet(seed=2)
    net.build((1, 28, 28))
    net.save("lenet.safetensors")
    assert handbrew("export", "lenet.safetensors", "--output", "lenet.py").code == 0
    x = np.random.default_rng(0).normal(size=(2, 1, 28, 28)).astype(np.float32)
    np.testing.assert_allclose(load(tmp_path / "lenet.py").predict(x), net.predict(x), atol=1e-6)


@pytest.mark.parametrize("name", ["net.py", "net.npz"])
def test_other_files_are_not_replaced(handbrew, tmp_path, name):
    net = Sequential(Affine(3), ReLU())
    net.build((2,))
    net.save("net.safetensors")
    assert handbrew("export", "net.safetensors").code == 0
    assert handbrew("export", "net.safetensors").code == 0  # in the place of an earlier export
    for file in (tmp_path / "net.py", tmp_path / "net.npz"):
        file.unlink()
    (tmp_path / name).write_text("mine")
    done = handbrew("export", "net.safetensors")
    assert done.code == 1
    assert f"{name}: is there already and no net that was exported; choose another --output" in done.err
    assert (tmp_path / name).read_text() == "mine"


def test_what_is_not_there(handbrew):
    done = handbrew("export", "nowhere")
    assert (done.code, done.out) == (1, "")
    assert "nowhere: no such folder" in done.err
