import re
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from caffe_setups import CLASSES, write
from cases_cli import runner

from handbrew.data import digits

EXAMPLE = Path(__file__).parents[2] / "examples" / "lenet"
INPUT = 'layer { name: "in" type: "Input" top: "data" top: "label" input_param { %s } }\n'
BODY = CLASSES[CLASSES.index('layer {\n  name: "conv"') :]
# What a script that reads Caffe's logs looks for, and glog's own line.
GLOG = re.compile(r"I(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6})\s+(\d+) (\w+\.cpp):(\d+)\] (.*)")
ITERATION = re.compile(r"Iteration (\d+)")
OUTPUT = re.compile(r"(Train|Test) net output #(\d+): (\S+) = ([\d.e+-]+)")
RATE = re.compile(r"lr = ([-+]?\d*\.?\d+(?:[eE][-+]?\d+)?)")


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


@pytest.fixture
def data(tmp_path):
    X, y = digits()
    X = np.rint(X.reshape(-1, 1, 8, 8) * 16).astype(np.uint8)
    np.savez(tmp_path / "digits.npz", x_train=X[:1500], y_train=y[:1500], x_test=X[1500:], y_test=y[1500:])
    return tmp_path / "digits.npz"


def rows(log):
    """What a log has for each iteration: the parsing of Caffe's own tools, in a few lines."""
    assert any("Solving" in line for line in log.splitlines())
    found, iteration = {}, None
    for line in log.splitlines():
        assert GLOG.fullmatch(line), line
        if match := ITERATION.search(line):
            iteration = int(match[1])
        if iteration is None:
            continue
        row = found.setdefault(iteration, {})
        if match := RATE.search(line):
            row["lr"] = float(match[1])
        if match := OUTPUT.search(line):
            row[f"{match[1]} {match[3]}"] = float(match[4])
    return found


def test_train(handbrew, data, tmp_path):
    path = write(tmp_path, CLASSES, max_iter=60, display=20, test_iter=10, test_interval=30, momentum=0.9, base_lr=0.02)
    ran = handbrew("train", "--solver", path, "--data", data)
    assert (ran.code, ran.err) == (0, "")
    found = rows(ran.out)
    assert sorted(found) == [0, 20, 30, 40, 60]
    assert found[20].keys() == {"Train loss", "lr"}
    assert found[30].keys() == {"Test accuracy", "Test loss"}
    assert found[60]["Test accuracy"] > 0.3  # of ten classes
    again = handbrew(
        "test", "--model", "net.prototxt", "--weights", "solver_iter_60.caffemodel", "--data", data, "--iterations", 5
    )
    assert again.code == 0
    lines = [GLOG.fullmatch(line)[10] for line in again.out.splitlines()]
    assert lines[0] == "Running for 5 iterations."
    assert [line.partition(" = ")[0] for line in lines[1:11]] == [
        f"Batch {i}, {name}" for i in range(5) for name in ("accuracy", "loss")
    ]
    batches = [float(line.partition(" = ")[2]) for line in lines[1:11]]
    assert re.fullmatch(r"Loss: [\d.]+", lines[11])
    assert float(lines[12].removeprefix("accuracy = ")) == pytest.approx(np.mean(batches[::2]), rel=1e-5)
    assert re.fullmatch(r"loss = ([\d.]+) \(\* 1 = \1 loss\)", lines[13])


def test_go_on_and_begin_from_weights(handbrew, data, tmp_path):
    path = write(tmp_path, CLASSES, max_iter=4, snapshot=2, display=1)
    whole = handbrew("train", "--solver", path, "--data", data)
    losses = re.findall(r"Iteration (\d+).*loss = (\S+)", whole.out)
    on = handbrew("train", "--solver", path, "--data", data, "--snapshot", "solver_iter_2.solverstate.safetensors")
    assert re.findall(r"Iteration (\d+).*loss = (\S+)", on.out) == losses[2:]
    anew = handbrew("train", "--solver", path, "--data", data, "--weights", "solver_iter_4.caffemodel")
    assert "Finetuning from solver_iter_4.caffemodel" in anew.out
    state = ("--weights", "solver_iter_4.solverstate.safetensors")
    for verb in (("train", "--solver", path), ("test", "--model", "net.prototxt")):
        done = handbrew(*verb, "--data", data, *state)
        assert done.code == 1
        assert "solver_iter_4.solverstate.safetensors: is a snapshot" in done.err
        assert "--snapshot goes on from it, and its weights are in solver_iter_4.caffemodel" in done.err
    both = ("--weights", "a", "--snapshot", "b")
    assert "choose one of the two" in handbrew("train", "--solver", path, *both).err


def test_sources_of_the_layers_own(handbrew, tmp_path):
    X, y = digits()
    net = CLASSES.replace('type: "Data"', 'type: "HDF5Data"').replace(
        "data_param { batch", 'hdf5_data_param { source: "list.txt" batch'
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"], file["label"] = X.reshape(-1, 1, 8, 8), y.astype(np.float32)
    path = write(tmp_path, net, max_iter=2)
    assert "in (HDF5Data): list.txt: no such file" in handbrew("train", "--solver", path).err
    (tmp_path / "list.txt").write_text("a.h5\n")
    assert handbrew("train", "--solver", path).code == 0
    assert handbrew("train", "--solver", path, "--data", "a.h5", "--test-data", "a.h5").code == 0


@pytest.mark.parametrize("phase", [(), ("--phase", "TEST")])
def test_time(handbrew, tmp_path, phase):
    shapes = "shape { dim: 4 dim: 1 dim: 7 dim: 7 } shape { dim: 4 }"
    (tmp_path / "net.prototxt").write_text(INPUT % shapes + BODY)
    ran = handbrew("time", "--model", "net.prototxt", "--iterations", 3, *phase)
    assert ran.code == 0
    lines = [GLOG.fullmatch(line)[10] for line in ran.out.splitlines()]
    assert sum(line.startswith("Iteration: ") for line in lines) == 3
    assert any(re.fullmatch(r" +conv\tforward: [\d.e-]+ ms\.", line) for line in lines)
    assert any("accuracy" in line for line in lines) == bool(phase)
    last = [line.rpartition(": ")[0] for line in lines[-5:-1]]
    assert last == ["Average Forward pass", "Average Backward pass", "Average Forward-Backward", "Total Time"]
    each, total = (float(line.rpartition(": ")[2].removesuffix(" ms.")) for line in lines[-3:-1])
    assert total == pytest.approx(3 * each, rel=1e-4)


def test_time_a_net_without_a_loss(handbrew, tmp_path):
    body = BODY[: BODY.index('layer { name: "accuracy"')]
    (tmp_path / "net.prototxt").write_text(
        INPUT.replace('top: "label" ', "") % "shape { dim: 4 dim: 1 dim: 7 dim: 7 }" + body
    )
    assert "Initial loss: 0" in handbrew("time", "--model", "net.prototxt", "--iterations", 1).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("train", "--solver", "solver.prototxt", "--lr", 0.1),
            "--lr 0.1: has no use here: solver.prototxt says how to train",
        ),
        (("train", "--solver", "solver.prototxt", "--resume"), "--resume True: has no use"),
        (("train", "--solver", "nowhere.prototxt"), "nowhere.prototxt: No such file"),
        (("train", "--solver", "solver.prototxt"), "in (Data) names no source; pass --data"),
        (("train", "--test-data", "x"), "--test-data goes with --solver FILE.prototxt"),
        (("train", "--stage", "x"), "--stage goes with --solver FILE.prototxt"),
        (("test", "--model", "net.prototxt"), "needs --weights"),
        (("test", "run", "--model", "net.prototxt", "--weights", "w"), "folder run: has no use with --model"),
        (("test", "run", "--iterations", 3), "--iterations goes with --model"),
        (("test",), "expected a run's folder, or --model"),
        (("time", "--net", "lenet", "--phase", "TEST"), "--phase goes with --model"),
        (("time", "--net", "lenet", "--model", "net.prototxt"), "--net lenet: has no use with --model"),
    ],
)
def test_what_does_not_go_together(handbrew, tmp_path, arguments, said):
    write(tmp_path, CLASSES)
    ran = handbrew(*arguments)
    assert ran.code == 1
    assert said in ran.err


def test_ctrl_c(data, tmp_path):
    write(tmp_path, CLASSES, max_iter=100_000, display=1)
    command = [sys.executable, "-m", "handbrew.cli", "train", "--solver", "solver.prototxt", "--data", data]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            if "Iteration 3 " in line:
                run.send_signal(signal.SIGINT)
                break
        rest, said = run.communicate()
    assert run.returncode == 130
    assert "Optimization stopped early." in rest
    assert "handbrew: interrupted" in said
    assert len(list(tmp_path.glob("solver_iter_*.caffemodel"))) == 1


def test_the_example_learns(handbrew, tmp_path):
    """LeNet's training, begun on digits that are blown up to its size."""
    X, y = digits()
    X = np.rint(X.reshape(-1, 1, 8, 8) * 255).astype(np.uint8).repeat(3, 2).repeat(3, 3)
    X = np.pad(X, ((0, 0), (0, 0), (2, 2), (2, 2)))
    np.savez(tmp_path / "digits.npz", x_train=X[:1500], y_train=y[:1500], x_test=X[1500:], y_test=y[1500:])
    for file in EXAMPLE.glob("*.prototxt"):
        text = (
            file.read_text()
            .replace("max_iter: 10000", "max_iter: 60")
            .replace("test_interval: 500", "test_interval: 60")
        )
        (tmp_path / file.name).write_text(text.replace("test_iter: 100", "test_iter: 3") + "\n")
    ran = handbrew("train", "--solver", "lenet_solver.prototxt", "--data", "digits.npz")
    assert ran.code == 0
    assert rows(ran.out)[60]["Test accuracy"] > 0.8
