"""``handbrew test``, ``predict`` and ``summary``: a finished run is opened again."""

import csv
import gzip
import json
import re
import struct
from dataclasses import MISSING
from pathlib import Path

import numpy as np
import pytest
from cases_cli import SPECIES, runner, write_csv, write_flowers, write_houses

from handbrew.cli.run_folder import Run
from handbrew.cli.settings import Settings
from handbrew.data import digits


@pytest.fixture
def handbrew(capsys):
    return runner(capsys)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data and three finished runs: ``digits``, ``flowers`` and ``houses``."""
    from handbrew.cli import main

    folder = tmp_path_factory.mktemp("place")
    write_flowers(folder / "flowers.csv")
    write_houses(folder / "houses.csv")
    train = ["train", "--no-plots", "--out"]
    main([*train, str(folder / "digits"), "--epochs", "10"])
    main([*train, str(folder / "flowers"), "--data", str(folder / "flowers.csv")])
    main([*train, str(folder / "houses"), "--data", str(folder / "houses.csv"), "--regression"])
    return folder


def copy_of(run, tmp_path):
    """A copy of a run that may be damaged."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for file in filter(Path.is_file, run.iterdir()):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_test_repeats_the_figures_of_training(handbrew, place):
    for name in ("digits", "flowers", "houses"):
        results = json.loads((place / name / "config.json").read_text())["results"]
        ran = handbrew("test", place / name)
        assert ran.code == 0
        figure = "R² {r2:.4f}" if name == "houses" else "accuracy {accuracy:.2%}"
        assert figure.format(**results).replace("%", " %") in ran.out


def test_test_prints_a_table_of_the_classes(handbrew, place):
    lines = handbrew("test", place / "flowers").out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[2:] if line[0] != "-"}
    assert set(rows) == {"class", *SPECIES, "all"}
    assert sum(int(rows[name][1]) for name in SPECIES) == int(rows["all"][1]) == 18


def test_the_table_counts_what_was_found_and_what_was_said(place):
    from handbrew.cli.outcome import Outcome

    task = Run.open(place / "flowers").task
    outcome = Outcome(task, np.array([0, 0, 0, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1]), {})
    np.testing.assert_array_equal(outcome.confusion(), [[3, 1, 0], [0, 1, 0], [0, 1, 0]])
    rows = [line.split() for line in outcome.table().splitlines() if line[:3] in ("set", "ver", "vir", "all")]
    assert [row[1::2] for row in rows] == [["4", "%", "%", "%"], ["1", "%", "%", "%"], ["1", "%", "0.0"], ["6", "%"]]
    assert [row[2::2] for row in rows] == [
        ["75.0", "100.0", "85.7"],
        ["100.0", "33.3", "50.0"],
        ["0.0", "-", "%"],
        ["66.7"],
    ]


def test_test_on_a_file(handbrew, place, tmp_path):
    """Its columns may stand in another order, and it may lack a class."""
    with write_flowers(tmp_path / "more.csv", samples=60).open() as file:
        rows = [row for row in csv.DictReader(file) if row["species"] != "setosa"]
    columns = ["d", "species", "c", "same", "b", "a"]
    data = write_csv(tmp_path / "other.csv", columns, [[row[c] for c in columns] for row in rows])
    lines = handbrew("test", place / "flowers", "--data", data).out.splitlines()
    assert "40 samples" in lines[0]
    assert float(lines[-1].split()[2]) > 90
    assert [line.split()[1] for line in lines if line.startswith("setosa")] == ["0"]
    data = write_houses(tmp_path / "more_houses.csv", samples=30)
    assert "30 samples, R²" in handbrew("test", place / "houses", "--data", data).out


def test_the_training_file_itself_counts_only_its_held_out_samples(handbrew, place):
    ran = handbrew("test", place / "flowers", "--data", place / "flowers.csv")
    assert "held out: 18 samples" in ran.out


def test_labels_are_matched_by_name(handbrew, place, tmp_path):
    """Another file may lack a class, and hold the others in another order."""
    X, y = digits().split(0.2, seed=0)[1]
    names = np.array(["9", "3"])
    X, y = X[(y == 3) | (y == 9)], y[(y == 3) | (y == 9)]
    np.savez(tmp_path / "two.npz", X=X, y=(y == 3).astype(int), classes=names)
    lines = handbrew("test", place / "digits", "--data", tmp_path / "two.npz").out.splitlines()
    counts = {line.split()[0]: line.split()[1] for line in lines if line[:1].isdigit()}
    assert counts["3"] == str((y == 3).sum())
    assert counts["0"] == "0"
    assert float(lines[-1].split()[2]) > 90
    np.savez(tmp_path / "other.npz", X=X, y=(y == 3).astype(int), classes=np.array(["9", "cat"]))
    assert "does not know: cat" in handbrew("test", place / "digits", "--data", tmp_path / "other.npz").err


def test_predict_from_another_folder(handbrew, place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with (place / "flowers.csv").open() as file:
        rows = list(csv.DictReader(file))[:6]
    columns = ["extra", "d", "c", "same", "b", "a"]  # another order, one more, and none to learn
    write_csv(tmp_path / "new.csv", columns, [[row.get(c, 1) for c in columns] for row in rows])
    ran = handbrew("predict", place / "flowers", "new.csv")
    assert ran.code == 0
    answers = [line.split() for line in ran.out.splitlines()]
    assert [answer[0] for answer in answers] == list("123456")
    assert [answer[1] for answer in answers] == [row["species"] for row in rows]
    assert all(1 / 3 <= float(answer[2]) <= 1 for answer in answers)


def test_predict_without_a_file_shows_ten_held_out_samples(handbrew, place):
    lines = handbrew("predict", place / "digits").out.splitlines()
    held_out = digits().split(0.2, seed=0)[1]
    assert [line.split()[-1] for line in lines] == [str(label) for label in held_out.y[:10]]
    assert "true: " in lines[0]


def test_predict_quantities(handbrew, place):
    lines = [line.split() for line in handbrew("predict", place / "houses").out.splitlines()]
    predicted, true = (np.array([float(line[i]) for line in lines]) for i in (1, 3))
    assert abs(predicted / true - 1).max() < 0.2


@pytest.mark.parametrize("kind", ["X.npz", "x_test.npz", "digits-idx3-ubyte", "digits.gz", "digits.csv"])
def test_predict_reads_every_kind_of_file(handbrew, place, tmp_path, kind):
    """Whichever it is, the same seven digits give what the net itself says of them."""
    X = digits().X[:7]
    path = tmp_path / kind
    pixels = np.round(X.reshape(7, 8, 8) * 255).astype(np.uint8)
    idx = b"\0\0\x08\x03" + struct.pack(">3I", *pixels.shape) + pixels.tobytes()
    if path.suffix == ".npz":
        np.savez(path, **{path.stem: pixels if path.stem == "X" else X})
    elif path.suffix == ".csv":
        write_csv(path, [f"p{i}" for i in range(64)], X.tolist())
    else:
        path.write_bytes(gzip.compress(idx) if path.suffix == ".gz" else idx)
    expected = Run.open(place / "digits").net.predict(X)
    answers = [line.split() for line in handbrew("predict", place / "digits", path).out.splitlines()]
    assert [answer[1] for answer in answers] == [str(label) for label in expected.argmax(axis=1)]
    np.testing.assert_allclose([float(answer[2]) for answer in answers], expected.max(axis=1), atol=0.01)


def test_operands_and_options_in_any_order(handbrew, place, tmp_path):
    out = tmp_path / "predictions.csv"
    ran = handbrew("predict", place / "houses", "--out", out, place / "houses.csv")
    assert ran.code == 0
    assert out.read_text().splitlines()[0] == "sample,predicted"
    with pytest.raises(SystemExit):
        handbrew("predict", place / "houses", "--out", out, place / "houses.csv", "another.csv")


def test_predict_writes_a_table(handbrew, place, tmp_path):
    out = tmp_path / "predictions.csv"
    for _ in range(2):  # its own file may be replaced
        ran = handbrew("predict", place / "digits", "--out", out)
        assert ran.out == f"359 predictions in {out}\n"
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["sample", "predicted", "probability", "true"]
    held_out = digits().split(0.2, seed=0)[1]
    assert [row["true"] for row in rows] == [str(label) for label in held_out.y]
    assert 0.9 < np.mean([row["predicted"] == row["true"] for row in rows]) < 1
    handbrew("predict", place / "houses", place / "houses.csv", "--out", out)
    assert out.read_text().splitlines()[0] == "sample,predicted"


def test_predict_does_not_write_over_other_files(handbrew, place, tmp_path):
    data = write_flowers(tmp_path / "flowers.csv")
    before = data.read_bytes()
    ran = handbrew("predict", place / "flowers", data, "--out", data)
    assert ran.code == 1
    assert "is there already" in ran.err
    assert data.read_bytes() == before
    assert "no such folder" in handbrew("predict", place / "flowers", "--out", tmp_path / "a" / "b.csv").err


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.zeros((3, 63))}, "64 numbers"),
        ({"Z": np.zeros((3, 64))}, "found Z"),
        ({"X": np.array(1.0)}, "64"),
    ],
)
def test_samples_that_do_not_fit(handbrew, place, tmp_path, arrays, message):
    np.savez(tmp_path / "new.npz", **arrays)
    ran = handbrew("predict", place / "digits", tmp_path / "new.npz")
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err


def test_files_that_do_not_fit(handbrew, place, tmp_path):
    write_csv(tmp_path / "new.csv", ["a", "b"], [[1, 2]])
    assert "no column 'same'" in handbrew("predict", place / "flowers", tmp_path / "new.csv").err
    (tmp_path / "new.txt").write_text("hello")
    assert "not an IDX file" in handbrew("predict", place / "digits", tmp_path / "new.txt").err
    np.savez(tmp_path / "q.npz", X=np.zeros((3, 64)), y=np.zeros(3))
    assert "holds quantities" in handbrew("test", place / "digits", "--data", tmp_path / "q.npz").err


def test_data_that_have_changed(handbrew, tmp_path):
    data = write_flowers(tmp_path / "flowers.csv")
    run = tmp_path / "run"
    handbrew("train", "--data", data, "--out", run, "--epochs", 1, "--no-plots")
    write_flowers(data, samples=60)
    ran = handbrew("test", run)
    assert ran.code == 1
    assert "had 90 samples" in ran.err
    data.unlink()
    assert "flowers.csv" in handbrew("predict", run).err


@pytest.mark.parametrize("verb", ["test", "predict", "summary"])
def test_folders_that_are_no_run(handbrew, tmp_path, verb):
    assert "no such folder" in handbrew(verb, tmp_path / "nothing").err
    assert "no config.json" in handbrew(verb, tmp_path).err


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("net.safetensors", lambda data: data[:-9]),
        ("net.safetensors", lambda data: b""),
        ("config.json", lambda data: data[:-20]),
        ("config.json", lambda data: b"[]"),
        ("config.json", lambda data: b"\xff\xfe"),
        ("config.json", lambda data: data.replace(b'"outputs"', b'"output"')),
        ("config.json", lambda data: data.replace(b'"seed"', b'"seeds"')),
    ],
)
def test_damaged_runs(handbrew, place, tmp_path, name, damage):
    run = copy_of(place / "digits", tmp_path)
    file = run / name
    file.write_bytes(damage(file.read_bytes()))
    ran = handbrew("test", run)
    assert (ran.code, ran.out) == (1, "")
    assert name in ran.err


def test_a_run_from_before_there_was_a_choice(handbrew, place, tmp_path):
    run = copy_of(place / "digits", tmp_path)
    entries = json.loads((run / "config.json").read_text())
    fields = Settings.__dataclass_fields__.values()
    old = [field.name for field in fields if field.default is MISSING]
    assert len(old) == 12
    entries["settings"] = {name: entries["settings"][name] for name in old}
    (run / "config.json").write_text(json.dumps(entries))
    assert handbrew("test", run).out == handbrew("test", place / "digits").out


def test_top_k(handbrew, place):
    ran = handbrew("test", place / "digits", "--top-k", "1,3")
    figures = [float(text) for text in re.findall(r"(?:accuracy|top-1|top-3) ([\d.]+) %", ran.out)]
    assert figures[0] == figures[1] <= figures[2]
    assert "--top-k 3 would count every answer" in handbrew("test", place / "flowers", "--top-k", 3).err
    assert "the data hold quantities" in handbrew("test", place / "houses", "--top-k", 3).err


def test_files_of_two_runs(handbrew, place, tmp_path):
    run = copy_of(place / "digits", tmp_path)
    (run / "net.safetensors").write_bytes((place / "flowers" / "net.safetensors").read_bytes())
    assert "of two runs" in handbrew("test", run).err
    (run / "net.safetensors").unlink()
    assert "net.safetensors" in handbrew("test", run).err


def test_summary(handbrew, place):
    total = handbrew("summary", place / "digits").out.splitlines()[-1]
    assert total.split()[1] == f"{64 * 128 + 128 + 128 * 10 + 10:,}"
    assert handbrew("summary", "--net", "64-128-10").out.splitlines()[-1] == total
    assert "Dropout" in handbrew("summary", "--net", "4-3-2", "--dropout", 0.5).out
    assert handbrew("summary").code == 1
    assert handbrew("summary", place / "digits", "--net", "4-3").code == 1
