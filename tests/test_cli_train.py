"""``handbrew train``: what it reaches, what it leaves, what it leaves alone."""

import csv
import json

import numpy as np
import pytest
from cases_cli import SPECIES, runner, write_csv, write_flowers, write_houses

from handbrew.cli.mlp import make_mlp
from handbrew.cli.task import Scale
from handbrew.data import digits
from handbrew.layers import Affine, Dropout, Flatten, MeanSquaredError, SoftmaxCrossEntropy, Tanh
from handbrew.nets import load_net
from handbrew.solvers import SGD

QUICK = ("--no-plots", "--epochs", 2)
TABLES = ("history.csv", "validations.csv")


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def config(folder):
    return json.loads((folder / "config.json").read_text("utf-8"))


def test_without_arguments_it_learns_the_digits(handbrew, tmp_path):
    ran = handbrew("train", "--no-plots")
    assert ran.code == 0
    run = tmp_path / "run"
    assert {file.name for file in run.iterdir()} == {"net.safetensors", "config.json", *TABLES, "snapshots"}
    entries = config(run)
    assert entries["results"]["accuracy"] >= 0.96
    assert entries["results"]["seconds"] < 10
    net = load_net(run / "net.safetensors")
    _, held_out = digits().split(0.2, seed=0)
    assert net.evaluate(*held_out).accuracy == pytest.approx(entries["results"]["accuracy"])
    assert f"accuracy {100 * entries['results']['accuracy']:.2f} %" in ran.out
    assert "handbrew predict run" in ran.out
    assert "loss" in ran.err  # progress


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_seeds_learn_them_too(handbrew, tmp_path, seed):
    handbrew("train", "--no-plots", "--seed", seed)
    assert config(tmp_path / "run")["results"]["accuracy"] >= 0.96


def test_config_holds_all_settings(handbrew, tmp_path):
    net = ("--net", "64-7-10", "--dropout", 0.25, "--activation", "tanh")
    solver = ("--lr", 0.02, "--momentum", 0.5, "--weight-decay", 0.001, "--batch-size", 50, "--seed", 3)
    handbrew("train", *QUICK, *net, *solver, "--out", "a/b")
    entries = config(tmp_path / "a" / "b")
    asked = {"net": "64-7-10", "activation": "tanh", "dropout": 0.25, "epochs": 2, "batch_size": 50, "lr": 0.02}
    asked |= {"momentum": 0.5, "weight_decay": 0.001, "seed": 3}
    unasked = {"data": None, "regression": False, "solver": "sgd", "nesterov": False, "beta1": None, "policy": "fixed"}
    unasked |= {"iter_size": 1, "freeze": [], "snapshots": True, "keep": 3}
    assert entries["settings"].items() >= (asked | unasked).items()
    assert entries["task"]["classes"] == list("0123456789")
    assert entries["task"]["in_shape"] == [64]
    assert entries["samples"] == [1438, 359]
    assert entries["handbrew"].count(".") == 2
    layers = [type(layer).__name__ for layer in load_net(tmp_path / "a/b/net.safetensors").layers]
    assert layers == ["Affine", "Tanh", "Dropout", "Affine", "SoftmaxCrossEntropy"]


def test_history_has_a_line_an_epoch(handbrew, tmp_path):
    handbrew("train", *QUICK)
    with (tmp_path / "run" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])


def test_the_same_seed_gives_the_same_net(handbrew, tmp_path):
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        handbrew("train", *QUICK, "--seed", seed, "--out", out)
    a, b, c = ((tmp_path / out / "net.safetensors").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def test_the_seed_decides_the_initial_values(handbrew, tmp_path):
    handbrew("train", "--no-plots", "--epochs", 1, "--lr", 0, "--seed", 3)
    net = make_mlp((64, 128, 10), seed=3)
    net.build((64,))
    np.testing.assert_array_equal(
        load_net(tmp_path / "run" / "net.safetensors").params["affine1.W"].data, net.params["affine1.W"].data
    )


def test_a_table_is_scaled_and_keeps_its_names(handbrew, tmp_path):
    write_flowers(tmp_path / "flowers.csv")
    ran = handbrew("train", "--data", "flowers.csv", "--no-plots")
    assert ran.code == 0
    entries = config(tmp_path / "run")
    assert entries["results"]["accuracy"] > 0.9
    assert entries["task"]["classes"] == list(SPECIES)
    assert entries["task"]["features"] == ["a", "b", "same", "c", "d"]
    assert entries["settings"]["data"] == str(tmp_path / "flowers.csv")
    scale = entries["task"]["scale"]
    assert (scale["mean"][2], scale["deviation"][2]) == (7, 1)  # the constant column
    assert scale["deviation"][0] > 1000


def test_the_column_to_learn_may_be_any(handbrew, tmp_path):
    write_csv(tmp_path / "t.csv", ["kind", "x", "label"], [["ab"[i % 2], i % 2, i % 3] for i in range(40)])
    handbrew("train", "--data", "t.csv", "--target", "kind", *QUICK)
    task = config(tmp_path / "run")["task"]
    assert (task["classes"], task["features"]) == (["a", "b"], ["x", "label"])


def test_a_folder_of_tables_with_a_test_part(handbrew, tmp_path):
    folder = tmp_path / "flowers"
    folder.mkdir()
    write_flowers(folder / "train.csv")
    write_flowers(folder / "test.csv", samples=30)
    for options in ((), ("--target", "species")):
        handbrew("train", "--data", folder, *QUICK, *options)
        assert config(tmp_path / "run")["samples"] == [90, 30]


def test_regression_is_measured_in_its_own_unit(handbrew, tmp_path):
    write_houses(tmp_path / "houses.csv")
    ran = handbrew("train", "--data", "houses.csv", "--regression", "--no-plots")
    results = config(tmp_path / "run")["results"]
    assert results["r2"] > 0.9
    assert 100 < results["rmse"] < 20_000
    assert "RMSE" in ran.out
    assert "accuracy" not in ran.out
    assert isinstance(load_net(tmp_path / "run" / "net.safetensors").loss, MeanSquaredError)


def test_whole_numbers_are_classes_but_many_of_them_raise_a_question(handbrew, tmp_path):
    write_houses(tmp_path / "houses.csv", samples=50)
    ran = handbrew("train", "--data", "houses.csv", *QUICK)
    assert "--regression" in ran.out


def test_several_quantities(handbrew, tmp_path):
    X = np.random.default_rng(0).normal(size=(100, 3))
    np.savez(tmp_path / "data.npz", X=X, y=X[:, :2] * [1, 1000])
    assert handbrew("train", "--data", "data.npz", *QUICK).code == 0
    lines = handbrew("test", "run").out.splitlines()
    assert [line.split()[0][:3] for line in lines[2:]] == ["out", "---", "1", "2", "---", "all"]
    assert len(handbrew("predict", "run").out.splitlines()[0].split()) == 6  # number, two, true: two


def test_images_go_in_as_images(handbrew, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 6), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", images=images, labels=np.arange(40) % 4)
    assert handbrew("train", "--data", "data.npz", "--net", "30-8-4", *QUICK).code == 0
    net = load_net(tmp_path / "run" / "net.safetensors")
    assert net.in_shape == (1, 5, 6)
    assert isinstance(net.layers[0], Flatten)
    assert handbrew("predict", "run", "data.npz").out.count("\n") == 40


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ("100-5-10", "--net begins with 100, but the data have 64 features"),
        ("64-5-3", "--net ends in 3, but the data have 10 classes"),
    ],
)
def test_sizes_that_do_not_fit(handbrew, tmp_path, sizes, message):
    ran = handbrew("train", "--net", sizes)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("sizes", ["64", "64x10", "64-0-10", "64--10", "-10"])
def test_sizes_that_are_none(handbrew, sizes, capsys):
    with pytest.raises(SystemExit) as exit_:
        handbrew("train", f"--net={sizes}")
    assert exit_.value.code == 2
    assert "784-256-10" in capsys.readouterr().err


def test_a_foreign_folder_is_left_alone(handbrew, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for name, text in (("thesis.tex", "my life's work"), ("config.json", '{"model": "of another program"}')):
        (folder / name).write_text(text)
        before = {file: file.read_bytes() for file in folder.iterdir()}
        ran = handbrew("train", *QUICK)
        assert ran.code == 1
        assert "run: is there already" in ran.err
        assert "--out" in ran.err
        assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_a_file_in_the_folders_place_is_left_alone(handbrew, tmp_path):
    (tmp_path / "run").write_text("mine")
    assert handbrew("train", *QUICK).code == 1
    assert (tmp_path / "run").read_text() == "mine"


def test_an_earlier_run_is_replaced_with_its_pictures_but_nothing_else(handbrew, tmp_path):
    handbrew("train", *QUICK)
    for name in ("confusion.png", "notes.txt"):
        (tmp_path / "run" / name).write_text("old")
    assert handbrew("train", *QUICK, "--seed", 5).code == 0
    assert config(tmp_path / "run")["settings"]["seed"] == 5
    assert (tmp_path / "run" / "notes.txt").exists()
    assert not (tmp_path / "run" / "confusion.png").exists()


def test_an_empty_folder_is_used(handbrew, tmp_path):
    (tmp_path / "run").mkdir()
    assert handbrew("train", *QUICK).code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--data", "nothing"), "nothing: no such file or folder"),
        (("--target", "x"), "--target x names a column, so it needs the --data that has it"),
        (("--sample-weight", "x"), "--sample-weight x names a column, so it needs the --data that has it"),
        (("--class-weight", "1,2"), "expected 10 numbers, one for each class (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), got 2"),
        (("--top-k", 10), "--top-k 10 would count every answer: there are 10 classes"),
        (("--rho", 0.9), "--rho goes with rmsprop and adadelta; --solver sgd has --momentum, --nesterov"),
        (
            ("--momentum", 0.9, "--solver", "adam"),
            "--momentum goes with sgd; --solver adam has --beta1, --beta2, --eps",
        ),
        (("--nesterov", "--momentum", 0), "so it needs one, such as --momentum 0.9"),
        (("--no-decoupled", "--solver", "adamw"), "decoupled decay is what adamw is"),
        (("--warmup", "51epochs"), "--warmup 51epochs is 2295 steps, but the whole run has only 2250"),
        (("--policy", "multistep:gamma=0.1,at=20/10epochs"), "multistep: at must rise, got (900, 450)"),
        (("--freeze", "affine3"), "--freeze affine3: the net has no such layer or parameter; did you mean affine"),
        (("--freeze", "affine*"), "--freeze affine*: leaves nothing to learn"),
        (("--weights", "absent.npz"), "absent.npz"),
    ],
)
def test_settings_that_cannot_be(handbrew, options, message):
    ran = handbrew("train", "--no-plots", *options)
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("handbrew: ")
    assert message in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--lr", -1), "--lr: expected a number of at least 0, got '-1'"),
        (("--lr", "fast"), "--lr: expected a number of at least 0, got 'fast'"),
        (("--lr", "nan"), "--lr: expected a number of at least 0, got 'nan'"),
        (("--epochs", 0), "--epochs: expected a whole number of at least 1, got '0'"),
        (("--batch-size", 1.5), "--batch-size: expected a whole number of at least 1, got '1.5'"),
        (("--dropout", 1.5), "--dropout: expected a number of at least 0 and less than 1, got '1.5'"),
        (("--top-k", "1,x"), "--top-k: expected a whole number of at least 1, got 'x'"),
        (("--solver", "adom"), "--solver: invalid choice: 'adom'"),
        (("--warmup", "5"), "--warmup: expected a length such as 10epochs or 500steps, got '5'"),
        (("--policy", "cosin"), "--policy: expected a policy, one of fixed, step"),
    ],
)
def test_options_that_are_none(handbrew, capsys, options, message):
    with pytest.raises(SystemExit) as exit_:
        handbrew("train", *options)
    assert exit_.value.code == 2
    usage, error = capsys.readouterr().err.splitlines()
    assert usage == "usage: handbrew train [OPTIONS]"
    assert message in error


def test_data_that_cannot_be_learned(handbrew, tmp_path):
    write_flowers(tmp_path / "flowers.csv")
    assert "words" in handbrew("train", "--data", "flowers.csv", "--regression").err
    assert "no column 'colour'" in handbrew("train", "--data", "flowers.csv", "--target", "colour").err
    np.savez(tmp_path / "data.npz", X=np.zeros((9, 2)), y=np.arange(9) - 1)
    assert "the smallest here is -1" in handbrew("train", "--data", "data.npz").err
    assert "column of a CSV" in handbrew("train", "--data", "data.npz", "--target", "y").err


def test_a_net_of_several_hidden_layers():
    net = make_mlp((4, 8, 6, 2), activation="tanh", dropout=0.1, flatten=True, seed=1)
    kinds = [type(layer) for layer in net.layers]
    assert kinds == [Flatten, Affine, Tanh, Dropout, Affine, Tanh, Dropout, Affine, SoftmaxCrossEntropy]
    assert net.build((2, 2)) == (2,)


def test_scaling_and_back():
    X = np.random.default_rng(0).normal(3, 5, size=(50, 4))
    X[:, 1] = 0.1
    scale = Scale.of(X)
    Z = scale.apply(X)
    np.testing.assert_allclose(Z[:, [0, 2, 3]].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(Z[:, [0, 2, 3]].std(axis=0), 1, rtol=1e-6)
    np.testing.assert_array_equal(Z[:, 1], 0)  # what is constant says nothing
    np.testing.assert_allclose(scale.undo(Z), X, atol=1e-5)


def test_a_large_offset_hides_nothing(handbrew, tmp_path):
    rows = [[1_700_000_000 + 2 * (i % 2), 2024, "ab"[i % 2]] for i in range(100)]
    write_csv(tmp_path / "times.csv", ["time", "year", "label"], rows)
    ran = handbrew("train", "--data", tmp_path / "times.csv", "--no-plots", "--epochs", 5)
    assert ran.code == 0
    assert config(tmp_path / "run")["results"]["accuracy"] == 1.0


def test_a_run_that_comes_to_nothing_leaves_no_folder(handbrew, tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(SGD, "fit", interrupted)
    assert handbrew("train", "--no-plots", "--out", tmp_path / "failed").code == 130
    assert not (tmp_path / "failed").exists()
