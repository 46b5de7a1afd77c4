"""The tables that grow during a run, and weighted samples that are held out."""

import csv
import json

import numpy as np
import pytest
from cases_cli import runner, write_csv, write_flowers

from handbrew.cli import records
from handbrew.cli.inputs import read_parts
from handbrew.nets import load_net


@pytest.fixture
def handbrew(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return runner(capsys)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_each_look_at_the_held_out_samples_has_a_line(handbrew, tmp_path):
    ran = handbrew("train", "--no-plots", "--epochs", 2, "--test-interval", 20, "--top-k", "2,3")
    assert (ran.code, "history.csv, validations.csv" in ran.out) == (0, True)
    rows = rows_of(tmp_path / "run" / "validations.csv")
    assert list(rows[0]) == ["step", "epoch", "loss", "accuracy", "top-2", "top-3"]
    assert [int(row["step"]) for row in rows] == [20, 40, 60, 80]
    np.testing.assert_allclose([float(row["epoch"]) for row in rows], [20 / 45, 40 / 45, 60 / 45, 80 / 45])
    assert all(float(r["accuracy"]) <= float(r["top-2"]) <= float(r["top-3"]) <= 1 for r in rows)
    assert [row["validation_loss"] for row in rows_of(tmp_path / "run" / "history.csv")] == [
        rows[1]["loss"],
        rows[3]["loss"],
    ]


def test_metrics_that_came_later_leave_earlier_lines_empty(handbrew, tmp_path):
    handbrew("train", "--no-plots", "--epochs", 1)
    handbrew("resume", "run", "--epochs", 2, "--top-k", 2)
    rows = rows_of(tmp_path / "run" / "validations.csv")
    assert (rows[0]["top-2"], float(rows[1]["top-2"]) > 0.5) == ("", True)


def test_they_grow_during_the_run(handbrew, tmp_path, monkeypatch):
    lengths = []
    save = records.save_tables

    def spy(folder, *arguments):
        save(folder, *arguments)
        lengths.append([len(rows_of(folder / name)) for name in ("history.csv", "validations.csv")])

    monkeypatch.setattr(records, "save_tables", spy)
    handbrew("train", "--no-plots", "--epochs", 3, "--test-interval", 15)
    assert lengths == [[1, 3], [2, 6], [3, 9]]


def test_a_table_that_cannot_be_written_stops_nothing(handbrew, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device", "run/history.csv")

    monkeypatch.setattr(records, "save_tables", fail)
    ran = handbrew("train", "--no-plots", "--epochs", 3)
    assert ran.code == 0
    assert ran.err.count("run/history.csv: No space left on device; training goes on") == 1


class TestWeights:
    @pytest.fixture
    def data(self, tmp_path):
        with write_flowers(tmp_path / "flowers.csv").open(newline="") as file:
            header, *rows = csv.reader(file)
        at = header.index("same")
        rows = [[*row[:at], i % 4, *row[at + 1 :]] for i, row in enumerate(rows)]
        return write_csv(tmp_path / "flowers.csv", header, rows)

    def test_count_among_the_held_out_samples_but_not_in_the_last_figures(self, handbrew, data, tmp_path):
        options = ("--data", data, "--target", "species", "--sample-weight", "same", "--no-plots", "--epochs", 2)
        assert handbrew("train", *options).code == 0
        _, held_out = read_parts(str(data), "species", False, "same")
        folder = tmp_path / "run"
        entries, net = json.loads((folder / "config.json").read_text()), load_net(folder / "net.safetensors")
        scale = entries["task"]["scale"]
        X = ((held_out.X - scale["mean"]) / scale["deviation"]).astype(np.float32)
        weighted = net.evaluate(X, held_out.y, weight=held_out.weight).loss
        assert float(rows_of(folder / "validations.csv")[-1]["loss"]) == pytest.approx(weighted, rel=1e-6)
        plain = net.evaluate(X, held_out.y).loss
        assert entries["results"]["loss"] == pytest.approx(plain, rel=1e-6)
        assert abs(weighted - plain) > 1e-3

    def test_of_a_test_part(self, tmp_path):
        folder = tmp_path / "parts"
        folder.mkdir()
        for name in ("train", "test"):
            write_csv(folder / f"{name}.csv", ["x", "w", "k"], [[i, 1 + i, "ab"[i % 2]] for i in range(4)])
        train, test = read_parts(str(folder), "k", False, "w")
        assert train.weight.tolist() == test.weight.tolist() == [1, 2, 3, 4]
        write_csv(folder / "test.csv", ["x", "k"], [[i, "ab"[i % 2]] for i in range(4)])
        with pytest.raises(ValueError, match="no column 'w'"):
            read_parts(str(folder), "k", False, "w")

    def test_of_an_npz(self, tmp_path):
        X, y, w = np.zeros((4, 2)), np.arange(4) % 2, np.arange(1.0, 5)
        arrays = {"x_train": X, "y_train": y, "x_test": X, "y_test": y, "w": w}
        np.savez(tmp_path / "a.npz", **arrays)
        assert read_parts(str(tmp_path / "a.npz"), None, False, "w")[1].weight is None
        np.savez(tmp_path / "a.npz", **arrays, w_test=2 * w)
        train, test = read_parts(str(tmp_path / "a.npz"), None, False, "w")
        assert (train.weight.tolist(), test.weight.tolist()) == (w.tolist(), (2 * w).tolist())

    def test_that_are_all_0(self, handbrew, tmp_path):
        write_csv(tmp_path / "t.csv", ["x", "w", "k"], [[i, 0, "ab"[i % 2]] for i in range(40)])
        ran = handbrew("train", "--data", "t.csv", "--target", "k", "--sample-weight", "w")
        assert (ran.code, "t.csv: the weights of all samples to learn from are 0" in ran.err) == (1, True)
