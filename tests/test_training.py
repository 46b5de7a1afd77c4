"""``fit``: that it learns, what it reports, and how it stops."""

import csv

import numpy as np
import pytest

from handbrew.data import Batches, Dataset, blobs, digits
from handbrew.layers import Affine, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD


def make(seed=0, classes=3, lr=0.1):
    net = Sequential(Affine(16), ReLU(), Affine(classes), SoftmaxCrossEntropy(), seed=seed)
    return net, SGD(net, lr=lr, momentum=0.9)


def test_digits_to_96_percent_on_the_held_out_fifth():
    train, held_out = digits().split(0.2, seed=0)
    net = Sequential(Affine(64), ReLU(), Affine(10), SoftmaxCrossEntropy(), seed=0)
    history = SGD(net, lr=0.1, momentum=0.9).fit(train, held_out, epochs=20, progress=False)
    assert history[-1].validation_accuracy >= 0.96
    right = (net.predict(held_out.X).argmax(axis=1) == held_out.y).mean()
    assert history[-1].validation_accuracy == pytest.approx(right)
    assert [row.epoch for row in history] == list(range(1, 21))
    assert history[-1].loss < 0.1 * history[0].loss


def test_fit_is_the_loop_written_out():
    data = blobs(90, seed=1)
    net, solver = make()
    history = solver.fit(data, epochs=2, batch_size=20, seed=5, progress=False)
    other, by_hand = make()
    means = []
    batches = Batches(data, batch_size=20, seed=5)
    for _ in range(2):
        total = 0.0
        for X, y in batches:
            total += other.forward(X, y) * len(y)
            other.backward()
            by_hand.step()
        means.append(total / 90)
    assert [row.loss for row in history] == pytest.approx(means, rel=1e-12)
    for name, p in net.params.items():
        np.testing.assert_array_equal(p.data, other.params[name].data)


def test_every_kind_of_training_data():
    data = blobs(60)
    losses = []
    for train in (data, (data.X, data.y), [data.X, data.y], Batches(data, batch_size=32)):
        _, solver = make()
        losses.append(solver.fit(train, (data.X, data.y), epochs=1, progress=False)[0].validation_loss)
    assert len(set(losses)) == 1


def test_layers_frozen_in_evaluation_mode_stay_so():
    net, solver = make()
    net.layers[1].eval()
    solver.fit(blobs(60), blobs(30), epochs=1, progress=False)
    assert not net.layers[1].training
    assert net.layers[0].training


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda s: s.fit(blobs(), epochs=0), ValueError, "epochs to be at least 1, got 0"),
        (
            lambda s: s.fit(np.zeros((3, 2))),
            TypeError,
            r"expected train to be a pair, a Dataset or Batches, got ndarray; pass \(X, y\)",
        ),
        (lambda s: s.fit(blobs(), np.zeros((3, 2))), TypeError, "expected validation to be"),
        (lambda s: s.fit((np.zeros((3, 2)), np.zeros(4, int))), ValueError, "axis 0 counts the samples"),
        (lambda s: SGD(Affine(3)).fit(blobs()), TypeError, "a net that ends in a loss"),
    ],
)
def test_what_fit_refuses(call, error, message):
    with pytest.raises(error, match=message):
        call(make()[1])


def test_history_as_csv(tmp_path):
    data = blobs(60)
    _, solver = make()
    history = solver.fit(data, data, epochs=2, progress=False)
    _, solver = make()
    history += solver.fit(data, epochs=1, progress=False)
    history.save(tmp_path / "history.csv")
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "1"]
    assert float(rows[1]["validation_accuracy"]) == history[1].validation_accuracy
    assert float(rows[0]["loss"]) == history[0].loss
    assert rows[2]["validation_loss"] == ""


def test_progress_without_a_terminal_is_a_line_an_epoch(capfd):
    data = blobs(60)
    _, solver = make()
    solver.fit(data, data, epochs=2)
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2/2  loss 0.")
    assert "accuracy" in lines[1]
    solver.fit(Dataset(data.X, data.y), epochs=1, progress=False)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("options", [{"reduction": "sum"}, {"ignore_index": 0}, {"class_weight": [1.0, 5.0, 0.2]}])
def test_the_training_loss_is_the_one_that_evaluate_reports(options):
    data = blobs(90)
    net = Sequential(Affine(3), SoftmaxCrossEntropy(**options))
    history = SGD(net, lr=0.0).fit(data, data, epochs=1, batch_size=20, progress=False)
    assert history[0].loss == pytest.approx(history[0].validation_loss, rel=1e-6)
    assert history[0].loss == pytest.approx(net.evaluate(data).loss, rel=1e-6)
