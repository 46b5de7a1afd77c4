"""What ``fit`` does besides stepping: looks at the validation set, callbacks, early stopping, averaged weights."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from handbrew.data import Dataset, blobs
from handbrew.layers import Affine, BatchNorm, Dropout, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Confusion, Sequential, TopK
from handbrew.solvers import SGD, Callback, EarlyStopping, Plateau, Policy, Snapshots, Step
from handbrew.solvers.averaging import WeightAverage

DATA, HELD_OUT = blobs(90, seed=3).split(0.3, seed=0)  # 63 and 27


def make_net(*more):
    return Sequential(Affine(8), *more, ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=1)


def fit(net=None, lr=0.05, validation=HELD_OUT, **options):
    net = net or make_net()
    solver = SGD(net, lr, momentum=0.9)
    options = {"epochs": 3, "batch_size": 10, "progress": False} | options
    return solver.fit(DATA, validation, **options), net, solver


class Diary(Callback):
    """Writes down everything it is told."""

    def __init__(self):
        self.lines = []

    def start(self, run):
        self.lines.append("start")

    def after_step(self, run, loss):
        self.lines.append(f"step {run.step}")
        assert loss == run.history.losses[-1]

    def after_validation(self, run, result):
        self.lines.append(f"validation {result.step}")

    def after_epoch(self, run, row):
        self.lines.append(f"epoch {row.epoch} {run.epoch}")

    def end(self, run):
        self.lines.append("end")


def test_callbacks_are_told_in_order():
    diary = Diary()
    fit(epochs=2, batch_size=32, callbacks=[diary])
    assert diary.lines == [
        *("start", "step 1", "step 2", "validation 2", "epoch 1 1"),
        *("step 3", "step 4", "validation 4", "epoch 2 2", "end"),
    ]


def test_a_test_interval_takes_the_place_of_epochs():
    diary = Diary()
    history, _, _ = fit(epochs=2, batch_size=32, callbacks=[diary], test_interval=3)
    assert [line for line in diary.lines if line.startswith("validation")] == ["validation 3"]
    assert [row.validation_loss for row in history] == [None, history.validations[0].loss]


def test_a_callback_ends_it_after_its_step():
    class Enough(Callback):
        def after_step(self, run, loss):
            if run.step == 4:
                run.stop("enough")

    history, _, solver = fit(callbacks=[Enough()])
    assert (len(history), len(history.losses), solver.steps) == (0, 4, 4)


def test_metrics_are_measured_at_each_look():
    confusion = Confusion()
    history, net, _ = fit(metrics={"top2": TopK(2), "confusion": confusion})
    last = history.validations[-1]
    ranks = (-net.predict(HELD_OUT.X)).argsort(axis=1)
    assert last.metrics["top2"] == np.mean([label in row[:2] for label, row in zip(HELD_OUT.y, ranks, strict=True)])
    assert last.metrics["confusion"].trace() / len(HELD_OUT) == pytest.approx(last.accuracy)
    assert history.validations[0].metrics["confusion"].sum() == len(HELD_OUT)


def test_sample_weights_reach_the_loss():
    weighted = Dataset(DATA.X, DATA.y, weight=(DATA.y != 2).astype(float))
    without = Dataset(DATA.X[DATA.y != 2], DATA.y[DATA.y != 2])
    one, other = make_net().astype(np.float64), make_net().astype(np.float64)
    for net, data in ((one, weighted), (other, without)):
        SGD(net, 0.1).fit(data, epochs=5, batch_size=63, shuffle=False, progress=False)
    for name, array in one.state().items():
        np.testing.assert_allclose(array, other.state()[name], rtol=1e-10, atol=1e-12)


# Early stopping


def test_early_stopping_restores_the_best():
    states = {}

    class Keep(Callback):
        def after_validation(self, run, result):
            states[result.step] = run.net.state()

    stopper = EarlyStopping(patience=4)
    history, net, _ = fit(lr=0.5, epochs=60, callbacks=[Keep(), stopper])
    losses = [look.loss for look in history.validations]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 4 < 60
    assert (stopper.best, stopper.best_step) == (losses[best], history.validations[best].step)
    for name, array in net.state().items():
        np.testing.assert_array_equal(array, states[stopper.best_step][name])
    assert net.evaluate(HELD_OUT).loss == losses[best]


def test_early_stopping_may_leave_the_last():
    history, net, _ = fit(lr=0.5, epochs=60, callbacks=[EarlyStopping(patience=4, restore_best=False)])
    assert net.evaluate(HELD_OUT).loss == history.validations[-1].loss


def test_min_delta():
    history, _, _ = fit(epochs=60, callbacks=[EarlyStopping(patience=3, min_delta=10.0)])
    assert len(history) == 4  # the first is the best for ever


@pytest.mark.parametrize(
    ("options", "message"), [({"patience": 0}, "at least 1, got 0"), ({"min_delta": -1}, "at least 0, got -1")]
)
def test_early_stopping_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**options)


def test_early_stopping_needs_a_validation_set():
    with pytest.raises(ValueError, match="needs a validation set"):
        fit(validation=None, callbacks=[EarlyStopping()])


def test_one_stopper_for_two_trainings():
    """It begins anew with each, and no net gets another one's weights."""
    stopper = EarlyStopping(patience=4)
    history, net, _ = fit(lr=0.5, epochs=60, callbacks=[stopper])
    other = Sequential(Affine(8), ReLU(), Affine(3), SoftmaxCrossEntropy(), seed=2)
    again, _, _ = fit(other, lr=0.5, epochs=60, callbacks=[stopper])
    assert len(again) > 4
    assert again.validations[0].step == history.validations[0].step
    assert stopper.best == min(look.loss for look in again.validations) == other.evaluate(HELD_OUT).loss
    assert any((net.state()[name] != array).any() for name, array in other.state().items())


def test_a_net_in_evaluation_mode_is_told_of():
    net = make_net(Dropout(0.5)).eval()
    with pytest.warns(UserWarning, match="in evaluation mode"):
        fit(net)


# Averaged weights


def test_averaged_weights_by_plain_arithmetic():
    raw = []

    class Keep(Callback):
        def after_step(self, run, loss):
            raw.append(run.net.state())

    history, net, _ = fit(make_net(BatchNorm(), Dropout(0.2)), average_decay=0.8, callbacks=[Keep()])
    expected = {name: array.astype(np.float64) for name, array in raw[0].items()}
    for t, state in enumerate(raw[1:], 2):
        keep = min(0.8, (1 + t) / (10 + t))
        for name, array in state.items():
            expected[name] = keep * expected[name] + (1 - keep) * array
    for name, array in net.state().items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-5, atol=1e-6)
    assert net.evaluate(HELD_OUT).loss == history.validations[-1].loss  # it was measured with them


def test_averaging_does_not_disturb_the_training():
    plain, _, _ = fit()
    averaged, _, _ = fit(average_decay=0.99)
    assert list(plain.losses) == list(averaged.losses)


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, float("nan")])
def test_a_decay_out_of_range(decay):
    with pytest.raises(ValueError, match="between 0 and 1"):
        WeightAverage(make_net(), decay)


# Policies


def test_the_rate_follows_its_policy():
    rates = []

    class Spy(SGD):
        def update(self, data, grad, state, lr):
            rates.append(lr)
            super().update(data, grad, state, lr)

    net = make_net()
    Spy(net, Step(0.1, gamma=0.5, step_size=3)).fit(DATA, epochs=1, batch_size=10, progress=False)
    assert rates == [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025]


@pytest.mark.parametrize("validation", [HELD_OUT, None])
def test_a_plateau_is_told_the_loss(validation):
    seen = []

    class Spy(Plateau):
        def observe(self, value):
            seen.append(value)
            super().observe(value)

    history, _, _ = fit(lr=Spy(0.05), validation=validation)
    assert seen == [row.validation_loss if validation else row.loss for row in history]


def test_a_number_ends_a_policy():
    net = make_net()
    solver = SGD(net, Step(0.1, gamma=0.5, step_size=3))
    assert solver.lr == 0.1
    solver.lr = 0.3
    assert (solver.lr, solver.policy) == (0.3, None)


# Progress


def test_plain_lines(capsys):
    fit(progress=True, epochs=2)
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 1/2  loss ")
    assert "samples/s, " in first
    assert first.endswith(" left")
    assert second.endswith("samples/s")


def test_a_line_within_a_long_epoch(capsys, monkeypatch):
    monkeypatch.setattr("handbrew.solvers.progress.PATIENCE", 0.0)
    fit(progress=True, epochs=1, average_loss=3)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 8
    assert lines[2].startswith("epoch 1/1, batch 3/7  loss ")


def test_the_displayed_loss_is_averaged(capsys, monkeypatch):
    monkeypatch.setattr("handbrew.solvers.progress.PATIENCE", 0.0)
    history, _, _ = fit(progress=True, epochs=1, average_loss=3)
    shown = [float(line.split("loss ")[1].split()[0]) for line in capsys.readouterr().err.splitlines()[:7]]
    losses = list(history.losses)
    expected = [np.mean(losses[max(0, i - 2) : i + 1]) for i in range(7)]
    np.testing.assert_allclose(shown, expected, atol=6e-5)


# What cannot be written


@pytest.mark.parametrize("required", [True, False])
def test_a_disk_that_is_full(tmp_path, required):
    """A limit on the size of files, the system's own, comes down in the middle of the training."""
    program = f"""
import resource, signal, sys
sys.path[:0] = [{os.path.dirname(__file__)!r}]
from test_loop import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

class Fill(Callback):
    def after_step(self, run, loss):
        if run.step == 8:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

history, _, _ = fit(callbacks=[Fill()], snapshots=Snapshots(sys.argv[1], required={required}), progress=True)
print(len(history))
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert [path.name for path in Snapshots(tmp_path).paths()] == ["step-000000007.safetensors"]
    assert not list(tmp_path.glob(".*.part"))
    if required:
        assert done.returncode == 1
        assert "OSError" in done.stderr.splitlines()[-1]
    else:
        assert done.stdout == "3\n", done.stderr
        assert "no snapshot after step 14" in done.stderr
        assert "no snapshot after step 21" in done.stderr
    assert "File too large" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iter_size": 0}, "iter_size to be at least 1, got 0"),
        ({"average_loss": 0}, "average_loss to be at least 1"),
        ({"test_interval": 0}, "test_interval to be at least 1"),
        ({"test_interval": 3, "validation": None}, "with a validation set, got 3 and none"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        fit(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"callbacks": EarlyStopping(3)}, "a list of Callback objects, got <.*EarlyStopping"),
        ({"callbacks": [EarlyStopping]}, "a list of Callback objects"),
        ({"metrics": [TopK(2)]}, "metrics by name"),
    ],
)
def test_wrong_kinds(options, message):
    with pytest.raises(TypeError, match=message):
        fit(**options)


@pytest.mark.parametrize("rate", ["x", None, lambda step: 0.1])
def test_a_rate_that_is_none(rate):
    with pytest.raises(TypeError, match="lr must be a number or a Policy, got"):
        SGD(make_net(), rate)


@pytest.mark.parametrize(("value", "error"), [(-1.0, ValueError), (float("nan"), ValueError), (None, TypeError)])
def test_a_policy_that_gives_no_rate(value, error):
    class Broken(Policy):
        def __call__(self, step):
            return value

    with pytest.raises(error, match="lr must be a"):
        fit(lr=Broken())


def test_history_goes_to_csv(tmp_path):
    history, _, _ = fit(test_interval=10)
    history.save(tmp_path / "history.csv")
    text = io.StringIO((tmp_path / "history.csv").read_text())
    assert text.readline() == "epoch,loss,validation_loss,validation_accuracy,lr,seconds\n"
    assert text.readline().split(",")[2:4] == ["", ""]
