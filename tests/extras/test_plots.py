"""The pictures of a run: that they are there, whole, and survive odd names and sizes."""

import sys

import numpy as np
import pytest
from cases_cli import runner, write_houses

from handbrew.cli import plots
from handbrew.cli.outcome import Outcome
from handbrew.cli.task import Scale, Task
from handbrew.solvers import Epoch, History, RangeTest, Validation


def size_of(path):
    """Width and height of a PNG that is whole."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert data[-8:-4] == b"IEND"
    return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn."""
    figures = []
    save = plots._save
    monkeypatch.setattr(plots, "_save", lambda figure, path: (figures.append(figure), save(figure, path)))
    return figures


def confusion(path, classes, samples=200):
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, len(classes), (2, samples))
    task = Task((4,), len(classes), tuple(classes), None, None, None)
    plots.draw_confusion(path, "data", Outcome(task, truth, predicted, {"accuracy": 0.875, "loss": 0.5}))


def epochs(count, accuracy=0.9, looks=1):
    """A history of epochs of 10 steps, with so many looks at the held-out samples in each."""
    history = History([Epoch(i, 1 / i, 2 / i, accuracy, 0.1, 0.01) for i in range(1, count + 1)])
    steps = [10 * i // looks for i in range(1, count * looks + 1)]
    history.validations = [Validation(step, 20 / step, accuracy, {}) for step in steps]
    return history


def test_a_run_has_its_pictures(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = runner(capsys)("train", "--epochs", 2)
    assert "loss.png, confusion.png" in ran.out
    for name in ("loss.png", "confusion.png"):
        assert min(size_of(tmp_path / "run" / name)) > 400
    write_houses(tmp_path / "houses.csv")
    runner(capsys)("train", "--epochs", 2, "--data", "houses.csv", "--regression")
    assert {file.name for file in (tmp_path / "run").glob("*.png")} == {"loss.png", "predicted.png"}
    assert "matplotlib.pyplot" not in sys.modules


def test_the_confusion_matrix_shows_counts_names_and_accuracy(tmp_path, drawn):
    confusion(tmp_path / "c.png", ["yes", "no", "$1_{ to $2"])
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["yes", "no", "$1_{ to $2"]
    assert sum(int(text.get_text()) for text in axes.texts) == 200
    assert axes.get_title(loc="left") == "data: 87.5 % of 200 right"
    image = np.asarray(axes.images[0].get_array())
    np.testing.assert_allclose(image.sum(axis=1), 1)


@pytest.mark.parametrize("count", [1, 2, 16, 26, 120])
def test_any_number_of_classes(tmp_path, drawn, count):
    confusion(tmp_path / "c.png", [f"a class with the number {i}" for i in range(count)], samples=count * 50)
    width, height = size_of(tmp_path / "c.png")
    assert max(width, height) < 2500
    axes = drawn[0].axes[0]
    assert bool(axes.texts) == (count <= plots.COUNTED)
    assert len(axes.get_xticks()) <= 40


def test_a_class_without_samples(tmp_path):
    task = Task((4,), 3, ("a", "b", "c"), None, None, None)
    outcome = Outcome(task, np.array([0, 1]), np.array([0, 0]), {"accuracy": 0.5, "loss": 1.0})
    plots.draw_confusion(tmp_path / "c.png", "data", outcome)


@pytest.mark.parametrize("count", [1, 2, 100])
def test_curves(tmp_path, drawn, count):
    plots.draw_history(tmp_path / "h.png", "my $1_{ $2", epochs(count), 10, 0.9)
    loss, accuracy = drawn[0].axes
    assert [len(line.get_xdata()) for line in loss.lines] == [count, count]
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), [0.9] * count)
    assert loss.get_title(loc="left") == "my $1_{ $2: loss"
    assert "90 %" in accuracy.get_title(loc="left")


def test_without_accuracy_there_is_one_panel(tmp_path, drawn):
    plots.draw_history(tmp_path / "h.png", "data", epochs(3, accuracy=None), 10)
    assert len(drawn[0].axes) == 1


def test_looks_within_epochs_are_all_drawn(tmp_path, drawn):
    plots.draw_history(tmp_path / "h.png", "data", epochs(2, looks=5), 10, 0.9)
    for axes in drawn[0].axes:
        np.testing.assert_allclose(axes.lines[-1].get_xdata(), np.arange(1, 11) / 5)
    np.testing.assert_array_equal(drawn[0].axes[0].lines[0].get_xdata(), [1, 2])


def test_looks_before_the_first_epoch_is_over(tmp_path, drawn):
    history = History()
    history.validations = [Validation(5, 1.0, 0.5, {})]
    plots.draw_history(tmp_path / "h.png", "data", history, 10, 0.5)
    assert drawn[0].axes[1].lines[0].get_xdata() == [0.5]


def test_the_weights_that_were_kept_are_marked(tmp_path, drawn):
    plots.draw_history(tmp_path / "h.png", "data", epochs(4), 10, 0.87, best_step=20)
    loss, accuracy = drawn[0].axes
    assert accuracy.get_title(loc="left") == "accuracy, held out: 87 %"  # of the net that was kept, not of epoch 4
    for axes, value in ((loss, 1.0), (accuracy, 0.9)):
        assert (axes.lines[-1].get_xdata(), axes.lines[-1].get_ydata()) == ([2.0], [value])
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "held out", "kept: epoch 2"]


@pytest.mark.parametrize("outputs", [1, 2, 9])
def test_predictions(tmp_path, drawn, outputs):
    truth = np.random.default_rng(0).normal(size=(20, outputs))
    ones = (1.0,) * outputs
    task = Task((4,), outputs, None, None, None, Scale(ones, ones))
    plots.draw_predictions(tmp_path / "p.png", "data", Outcome(task, truth, truth + 0.1, {}))
    panels = drawn[0].axes
    assert len(panels) == min(outputs, plots.PANELS)
    np.testing.assert_allclose(panels[0].collections[0].get_offsets(), np.c_[truth[:, 0], truth[:, 0] + 0.1])


def test_predictions_of_a_constant(tmp_path):
    task = Task((4,), 1, None, None, None, Scale((0.0,), (1.0,)))
    plots.draw_predictions(tmp_path / "p.png", "data", Outcome(task, np.ones((5, 1)), np.ones((5, 1)), {}))


@pytest.mark.parametrize(("suggestion", "limit"), [(0.01, 1.0), (0.01, None), (None, None)])
def test_a_range_test(tmp_path, drawn, suggestion, limit):
    rates, losses = np.geomspace(1e-4, 1, 20), np.r_[np.linspace(2, 1, 19), 1e9]
    plots.draw_range_test(
        tmp_path / "r.png", "my $1_{ $2", RangeTest(rates, losses, losses.clip(max=2), suggestion, limit)
    )
    axes = drawn[0].axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), losses)
    marks = [(line.get_xdata()[0], line.get_label()) for line in axes.lines[2:]]
    wanted = [(suggestion, "suggested: 0.01"), (limit, "ran away: 1")]
    assert marks == [(rate, label) for rate, label in wanted if rate is not None]
    assert axes.get_xscale() == "log"
    assert axes.get_ylim()[1] < 3  # the curve is not pressed flat
    assert axes.get_title(loc="left") == "my $1_{ $2: learning-rate range test"
    assert min(size_of(tmp_path / "r.png")) > 400


def test_a_range_test_without_any_fall(tmp_path):
    flat = np.ones(20)
    plots.draw_range_test(tmp_path / "r.png", "data", RangeTest(np.geomspace(1e-4, 1, 20), flat, flat, None, None))
