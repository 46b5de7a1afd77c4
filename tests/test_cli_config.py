"""``--config``: a TOML file says what the options would say, and wrong ones are told apart."""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cases_cli import runner, write_csv, write_flowers

from handbrew.cli import train
from handbrew.cli.config_file import NOT_IN_A_FILE, read_options
from handbrew.data import read_csv
from handbrew.layers import Affine, Dropout, SoftmaxCrossEntropy, Tanh
from handbrew.nets import Sequential, load_net
from handbrew.solvers import Adam, EarlyStopping, Snapshots, Step, Warmup

EVERYTHING = """
data = "flowers.csv"
target = "species"
sample-weight = "same"
regression = false
net = "4-6-3"
activation = "tanh"
dropout = 0.25
weights = "other.npz"
freeze = ["affine1.b"]
solver = "adam"
lr = 0.01
batch_size = 16            # or batch-size
beta1 = 0.8
beta2 = 0.99
eps = 1e-7
weight-decay = 1e-3
decoupled = true
l1 = 0.0001
clip-norm = 0.1            # low enough to matter
class-weight = [1, 2.5, 1]
seed = 3
policy = "step:gamma=0.5,every=1epochs"
warmup = "3steps"
epochs = 2
iter-size = 2
average-decay = 0.9
patience = 5
sync-batch-norm = false
test-interval = 2
average-loss = 4
top-k = [1, 2]
tensorboard = false
no-snapshots = false
snapshot-every = 2
keep = 1
snapshot-errors = "go-on"
plots = false
out = "from_file"
"""
FLAGS = """--data flowers.csv --target species --sample-weight same --net 4-6-3 --activation tanh --dropout 0.25
--weights other.npz --freeze affine1.b --solver adam --lr 0.01 --batch-size 16 --beta1 0.8 --beta2 0.99 --eps 1e-7
--weight-decay 1e-3 --decoupled --l1 0.0001 --clip-norm 0.1 --class-weight 1,2.5,1 --seed 3
--policy step:gamma=0.5,every=1epochs --warmup 3steps --epochs 2 --iter-size 2 --average-decay 0.9 --patience 5
--test-interval 2 --average-loss 4 --top-k 1,2 --snapshot-every 2 --keep 1 --snapshot-errors go-on --no-plots"""


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


@pytest.fixture
def read(tmp_path):
    """What a text says, once it is a file."""

    def read(text):
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        file = tmp_path / "run.toml"
        file.write_text(text, encoding="utf-8")
        return read_options(file, parser)

    return read


def settings(folder):
    return json.loads((folder / "config.json").read_text("utf-8"))["settings"]


@pytest.fixture
def place(tmp_path):
    """A folder with all that is named above; the weights of the samples are 1, 2 and 3."""
    with write_flowers(tmp_path / "flowers.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    at = header.index("same")
    weighted = [[*row[:at], 1 + i % 3, *row[at + 1 :]] for i, row in enumerate(rows)]
    write_csv(tmp_path / "flowers.csv", header, weighted)
    np.savez(tmp_path / "other.npz", **{"affine1.b": np.arange(6, dtype=np.float32), "affine1.W": np.eye(4, 6)})
    (tmp_path / "run.toml").write_text(EVERYTHING)
    return tmp_path


def test_a_run_is_what_the_same_call_in_python_makes(handbrew, place):
    train, held_out = read_csv("flowers.csv", "species", weight="same").split(0.2, seed=0)
    mean, deviation = train.X.mean(axis=0), train.X.std(axis=0)
    X, X_held = (((part.X - mean) / deviation).astype(np.float32) for part in (train, held_out))
    loss = SoftmaxCrossEntropy(class_weight=(1, 2.5, 1))
    net = Sequential(Affine(6), Tanh(), Dropout(0.25), Affine(3), loss, seed=3)
    net.build((4,))
    net.params["affine1.b"].data, net.params["affine1.W"].data = np.arange(6), np.eye(4, 6)
    net.params["affine1.b"].trainable = False
    rate = Warmup(Step(0.01, 0.5, 3), 3)  # 72 samples in batches of 16 are 5; two make a step
    decay = {"weight_decay": 1e-3, "l1": 0.0001, "clip_norm": 0.1, "decoupled": True}
    solver = Adam(net, rate, beta1=0.8, beta2=0.99, eps=1e-7, **decay)
    loop = {"batch_size": 16, "seed": 3, "iter_size": 2, "test_interval": 2, "average_decay": 0.9, "progress": False}
    data = (X, train.y, train.weight), (X_held, held_out.y, held_out.weight)
    history = solver.fit(*data, epochs=2, callbacks=[EarlyStopping(5)], **loop)
    assert handbrew("train", "--config", "run.toml").code == 0
    made = load_net(place / "from_file" / "net.safetensors")
    for name, p in net.params.items():
        np.testing.assert_array_equal(made.params[name].data, p.data, err_msg=name)
    results = json.loads((place / "from_file" / "config.json").read_text())["results"]
    figures = net.evaluate(X_held, held_out.y)
    assert (results["loss"], results["accuracy"], results["top-1"]) == (*figures, figures.accuracy)
    with (place / "from_file" / "history.csv").open() as file:
        losses = [(float(row["loss"]), float(row["validation_loss"])) for row in csv.DictReader(file)]
    assert losses == [(row.loss, row.validation_loss) for row in history]
    steps = [path.name for path in Snapshots(place / "from_file" / "snapshots").paths()]
    assert steps == ["step-000000006.safetensors"]  # the last of 2, 4 and 6


def test_a_file_and_flags_make_the_same_run(handbrew, place):
    tmp_path = place
    assert handbrew("train", "--config", "run.toml").code == 0
    assert handbrew("train", *FLAGS.split(), "--out", "from_flags").code == 0
    a, b = tmp_path / "from_file", tmp_path / "from_flags"
    assert settings(a) == settings(b)
    assert (a / "net.safetensors").read_bytes() == (b / "net.safetensors").read_bytes()
    unlike = {"momentum", "nesterov", "rho"}  # no numbers of this solver
    defaults = settings_of_nothing(handbrew, tmp_path)
    same = {name for name, value in settings(a).items() if value == defaults[name]} - unlike
    assert same <= {"regression", "sync_batch_norm", "tensorboard", "plots", "snapshots"}  # all others were changed


def settings_of_nothing(handbrew, tmp_path):
    handbrew("train", "--epochs", 1, "--no-plots", "--out", "plain")
    return settings(tmp_path / "plain") | {"epochs": 50}


def test_every_option_can_stand_in_a_file(read):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    names = {action.dest for action in parser._actions} - set(NOT_IN_A_FILE)
    caffe = {"test_data", "snapshot", "level", "stage"}  # which go with a solver's prototxt, not with a rule
    assert names - set(read(EVERYTHING)) == {"momentum", "nesterov", "rho"} | caffe


def test_the_command_line_wins(handbrew, tmp_path):
    (tmp_path / "run.toml").write_text("lr = 0.5\nepochs = 7\nnesterov = true\nplots = false\nseed = 1\n")
    assert handbrew("train", "--lr", 0.25, "--config", "run.toml", "--epochs", 1, "--no-nesterov").code == 0
    found = settings(tmp_path / "run")
    assert [found[name] for name in ("lr", "epochs", "nesterov", "seed")] == [0.25, 1, False, 1]


def test_spellings(read):
    assert read("batch_size = 3\ntop-k = 2") == {"batch_size": 3, "top_k": (2,)}
    assert read('class-weight = "balanced"\nno_plots = true') == {"class_weight": "balanced", "plots": False}
    assert read('class_weight = "1,2"\nlr = 1') == {"class_weight": (1.0, 2.0), "lr": 1.0}
    assert isinstance(read("lr = 1")["lr"], float)
    assert read("") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("momentun = 0.9", "momentun: no such option; did you mean momentum?"),
        ("Snapshot = 5", "Snapshot: no such option; did you mean"),
        ("xyzzy = 1", "xyzzy: no such option; --help lists them all"),
        (
            "[solver]\nlr = 0.1",
            "solver: expected an option, got a table; all options stand at the top, without [headings]",
        ),
        ("[training]\nlr = 0.1", "training: expected an option, got a table"),
        ("lr = '0.1'", "lr: expected a number, got '0.1'"),
        ("lr = true", "lr: expected a number, got True"),
        ("lr = -0.1", "lr: expected a number of at least 0, got '-0.1'"),
        ("lr = nan", "lr: expected a number of at least 0, got 'nan'"),
        ("epochs = 2.0", "epochs: expected a whole number, got 2.0"),
        ("epochs = 0", "epochs: expected a whole number of at least 1, got '0'"),
        (
            "solver = 'adm'",
            "solver: expected one of sgd, adagrad, rmsprop, adadelta, adam, adamw; got 'adm'; did you mean adam",
        ),
        ("nesterov = 1", "nesterov: expected true or false, got 1"),
        ("freeze = 'conv1'", "freeze: expected a list such as ['a', 'b'], got 'conv1'"),
        ("freeze = []", "freeze: expected a list"),
        ("freeze = [1]", "freeze: expected a text in quotes, got 1"),
        ("data = 5", "data: expected a text in quotes, got 5"),
        ("out = 5", "out: expected a text in quotes, got 5"),
        ("policy = 'cosin'", "policy: expected a policy, one of"),
        ("warmup = 5", "warmup: expected a length such as 10epochs or 500steps, got '5'"),
        ("net = '784'", "net: expected sizes such as 784-256-10"),
        ("top-k = [1, 'a']", "top-k: expected a whole number of at least 1, got 'a'"),
        ("resume = true", "resume: belongs on the command line"),
        ("config = 'x.toml'", "config: belongs on the command line"),
        ("top-k = 1\ntop_k = 2", "top_k: is there twice, in two spellings"),
        ("plots = true\nno-plots = true", "no-plots: is there twice"),
        ("lr = ", "not TOML: Invalid value (at end of document)"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(handbrew, tmp_path, text, message):
    (tmp_path / "run.toml").write_text(text)
    ran = handbrew("train", "--config", "run.toml")
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert ran.err.startswith("handbrew: run.toml: ")
    assert message in ran.err
    assert not (tmp_path / "run").exists()


def test_files_that_are_none(handbrew, tmp_path):
    assert "absent.toml: No such file" in handbrew("train", "--config", "absent.toml").err
    (tmp_path / "run.toml").write_bytes(b"\xff\xfe")
    assert "run.toml: not TOML" in handbrew("train", "--config", "run.toml").err


def test_frozen_weighted_and_started_from(handbrew, tmp_path):
    """The options that change the net itself do so."""
    rows = [[i % 2, i % 3, 1 + i % 2, "ab"[i % 2]] for i in range(40)]
    write_csv(tmp_path / "t.csv", ["x", "z", "weight", "kind"], rows)
    data = ("--data", "t.csv", "--target", "kind", "--no-plots")
    assert handbrew("train", *data, "--epochs", 2, "--net", "3-5-2").code == 0
    first = load_net(tmp_path / "run" / "net.safetensors")
    ran = handbrew("train", *data, "--net", "2-5-2", "--sample-weight", "weight", "--weights", "run", "--out", "b")
    assert ran.code == 0
    assert "2 of 4 arrays from run/net.safetensors; affine1 starts afresh" in ran.out.replace(str(tmp_path) + "/", "")
    options = ("--weights", "run", "--freeze", "affine1", "affine2.W", "--class-weight", "balanced", "--seed", 1)
    assert handbrew("train", *data, "--net", "3-5-2", *options, "--out", "c").code == 0
    third = load_net(tmp_path / "c" / "net.safetensors")
    for name, p in first.params.items():
        assert np.array_equal(p.data, third.params[name].data) == (name != "affine2.b"), name
    np.testing.assert_allclose(third.loss.class_weight, [1, 1])
    assert not third.params["affine2.W"].trainable
    np.savez(tmp_path / "none.npz", other=np.zeros(3))
    ran = handbrew("train", *data, "--weights", "none.npz")
    assert "no layer fits; it has other (3,), the net affine1.W (3, 128)" in ran.err


def test_the_example_on_the_docs_page_is_one(read):
    page = (Path(__file__).parents[1] / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    example = page.partition("```{code-block} toml\n")[2].partition("```")[0].replace("[1, 2.5, …]", "")
    options = read(example)
    assert len(options) > 15
    assert (options["policy"], options["top_k"], options["plots"]) == (
        "multistep:gamma=0.1,at=6/8epochs",
        (2, 3),
        False,
    )
