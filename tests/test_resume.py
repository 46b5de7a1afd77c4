"""A training that was stopped and goes on is, to the bit, the one that was never stopped."""

import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest

from handbrew.data import Batches, Dataset, FileFormatError, blobs
from handbrew.layers import Affine, BatchNorm, Dropout, ReLU, Residual, SoftmaxCrossEntropy, StateError
from handbrew.nets import Sequential, TopK
from handbrew.solvers import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    Callback,
    Cosine,
    EarlyStopping,
    Plateau,
    RMSProp,
    Snapshots,
    Step,
    Warmup,
)

DATA, HELD_OUT = blobs(90, seed=3).split(0.3, seed=0)
SOLVERS = {
    "SGD": lambda net: SGD(net, 0.05, momentum=0.9, weight_decay=1e-3),
    "Nesterov": lambda net: SGD(net, 0.05, momentum=0.9, nesterov=True, clip_norm=1.0),
    "AdaGrad": lambda net: AdaGrad(net, 0.05),
    "RMSProp": lambda net: RMSProp(net, 0.01),
    "AdaDelta": lambda net: AdaDelta(net, 1.0),
    "Adam": lambda net: Adam(net, Warmup(Step(0.02, gamma=0.5, step_size=7), 5), l1=1e-4),
    "AdamW": lambda net: AdamW(net, Cosine(0.02, 40), weight_decay=0.1),
    "Plateau": lambda net: SGD(net, Plateau(0.1, patience=1, threshold=0.5)),
}


class Stop(Callback):
    """Leaves in the middle, by an error after so many steps."""

    def __init__(self, after):
        self.after = after

    def after_step(self, run, loss):
        if run.step == self.after:
            raise InterruptedError


def make_net(seed=1):
    body = Residual(Sequential(Affine(8), BatchNorm(), ReLU(), Dropout(0.3)))
    return Sequential(Affine(8), Dropout(0.2), body, Affine(3), SoftmaxCrossEntropy(), seed=seed)


def begin(make, after=None, net=None, **options):
    net = make_net() if net is None else net
    solver = make(net)
    options = {"epochs": 5, "batch_size": 10, "progress": False, "metrics": {"top2": TopK(2)}} | options
    history = solver.fit(DATA, HELD_OUT, callbacks=[*options.pop("callbacks", []), Stop(after)], **options)
    return history, net.state(), solver


def stopped(folder, make, after, **options):
    with pytest.raises(InterruptedError):
        begin(make, after, snapshots=folder, **options)


def assert_equal(one, other):
    (rows, arrays, solver), (other_rows, other_arrays, other_solver) = one, other
    assert [row[:-1] for row in rows] == [row[:-1] for row in other_rows]  # all but the seconds
    assert rows.validations == other_rows.validations
    assert list(rows.losses) == list(other_rows.losses)
    assert solver.lr == other_solver.lr
    for name, array in arrays.items():
        assert array.tobytes() == other_arrays[name].tobytes(), name


@pytest.mark.parametrize("after", [7, 18])  # an epoch has 7 batches
@pytest.mark.parametrize("name", SOLVERS)
def test_every_rule_and_policy(tmp_path, name, after):
    undisturbed = begin(SOLVERS[name])
    folder = Snapshots(tmp_path, every=2)
    stopped(folder, SOLVERS[name], after)
    assert_equal(begin(SOLVERS[name], snapshots=folder, resume=True), undisturbed)


@pytest.mark.parametrize("after", [3, 8])
@pytest.mark.parametrize(
    "options",
    [
        {"iter_size": 3},
        {"average_decay": 0.9},
        {"test_interval": 2},
        {"shuffle": False, "seed": 4},
        {"iter_size": 2, "average_decay": 0.99, "test_interval": 3},
    ],
    ids=str,
)
def test_every_option(tmp_path, options, after):
    undisturbed = begin(SOLVERS["SGD"], callbacks=[EarlyStopping(50)], **options)
    folder = Snapshots(tmp_path, every=1)
    stopped(folder, SOLVERS["SGD"], after, callbacks=[EarlyStopping(50)], **options)
    again = begin(SOLVERS["SGD"], callbacks=[EarlyStopping(50)], snapshots=folder, resume=True, **options)
    assert_equal(again, undisturbed)


def test_early_stopping_remembers_its_best(tmp_path):
    options = {"epochs": 40, "callbacks": [EarlyStopping(3)]}
    undisturbed = begin(SOLVERS["SGD"], **options)
    assert len(undisturbed[0]) < 40
    stopped(tmp_path, SOLVERS["SGD"], 7 * (len(undisturbed[0]) - 1) + 2, epochs=40, callbacks=[EarlyStopping(3)])
    again = begin(SOLVERS["SGD"], epochs=40, callbacks=[EarlyStopping(3)], snapshots=tmp_path, resume=True)
    assert_equal(again, undisturbed)


def test_at_the_end_of_each_epoch(tmp_path):
    undisturbed = begin(SOLVERS["Adam"])
    stopped(tmp_path, SOLVERS["Adam"], 17)
    assert [path.name for path in Snapshots(tmp_path).paths()] == [
        "step-000000007.safetensors",
        "step-000000014.safetensors",
    ]
    assert_equal(begin(SOLVERS["Adam"], snapshots=tmp_path, resume=True), undisturbed)


def test_again_and_again(tmp_path):
    undisturbed = begin(SOLVERS["SGD"])
    folder = Snapshots(tmp_path, every=3)
    stopped(folder, SOLVERS["SGD"], 4)
    for after in (8, 9, 20, 34):
        stopped(folder, SOLVERS["SGD"], after, resume=True)
    assert_equal(begin(SOLVERS["SGD"], snapshots=folder, resume=True), undisturbed)


def test_more_epochs_than_were_asked_for_first(tmp_path):
    begin(SOLVERS["SGD"], epochs=3, snapshots=tmp_path)
    more = begin(SOLVERS["SGD"], epochs=5, snapshots=tmp_path, resume=True)
    assert_equal(more, begin(SOLVERS["SGD"]))


def test_at_the_end_nothing_is_left_to_do(tmp_path):
    first = begin(SOLVERS["SGD"], average_decay=0.9, snapshots=tmp_path)
    before = sorted(path.read_bytes() for path in tmp_path.iterdir())
    again = begin(SOLVERS["SGD"], average_decay=0.9, snapshots=tmp_path, resume=True)
    assert_equal(again, first)
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == before


def test_batches_of_the_users_own(tmp_path):
    def once(after=None, **options):
        net = make_net()
        solver = SOLVERS["SGD"](net)
        history = solver.fit(
            Batches(DATA, batch_size=12, seed=5, drop_last=True),
            epochs=4,
            progress=False,
            callbacks=[Stop(after)],
            **options,
        )
        return history, net.state(), solver

    undisturbed = once()
    with pytest.raises(InterruptedError):
        once(9, snapshots=Snapshots(tmp_path, every=2))
    assert_equal(once(snapshots=Snapshots(tmp_path, every=2), resume=True), undisturbed)


def test_a_rate_that_was_set_on_the_way(tmp_path):
    class Halve(Callback):
        def after_epoch(self, run, row):
            if row.epoch == 2:
                run.solver.lr = 0.01

    undisturbed = begin(SOLVERS["SGD"], callbacks=[Halve()])
    stopped(tmp_path, SOLVERS["SGD"], 17, callbacks=[Halve()])
    again = begin(SOLVERS["SGD"], callbacks=[Halve()], snapshots=tmp_path, resume=True)
    assert_equal(again, undisturbed)
    assert again[2].lr == 0.01


def test_a_rate_that_is_another_one_here_counts(tmp_path):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    with pytest.warns(UserWarning, match=r"lr was 0\.05; here it is 0\.01, which counts"):
        _, _, solver = begin(lambda net: SGD(net, 0.01, 0.9, weight_decay=1e-3), snapshots=tmp_path, resume=True)
    assert solver.lr == 0.01


def test_frozen_parameters_stay_frozen(tmp_path):
    def make(net):
        net.build((2,))
        net.params["affine1.W"].trainable = False
        return SOLVERS["Adam"](net)

    undisturbed = begin(make)
    stopped(tmp_path, make, 17)
    assert_equal(begin(make, snapshots=tmp_path, resume=True), undisturbed)
    first = make_net()
    first.build((2,))
    np.testing.assert_array_equal(undisturbed[1]["affine1.W"], first.params["affine1.W"].data)


def test_nothing_there_is_a_beginning(tmp_path):
    assert_equal(begin(SOLVERS["SGD"], snapshots=tmp_path / "new", resume=True), begin(SOLVERS["SGD"]))


def test_a_damaged_snapshot_is_told_of_and_the_one_before_it_taken(tmp_path):
    undisturbed = begin(SOLVERS["SGD"])
    folder = Snapshots(tmp_path, every=2)
    stopped(folder, SOLVERS["SGD"], 17)
    newest = folder.paths()[-1]
    data = bytearray(newest.read_bytes())
    data[-100] ^= 1
    newest.write_bytes(data)
    with pytest.warns(UserWarning, match=f"{newest.name}.*damaged") as caught:
        again = begin(SOLVERS["SGD"], snapshots=folder, resume=True)
    assert len(caught) == 1
    assert_equal(again, undisturbed)


def test_all_damaged(tmp_path):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileFormatError, match="no snapshot that can be read"):
        begin(SOLVERS["SGD"], snapshots=tmp_path, resume=True)


def other_data(options):
    net = make_net()
    SOLVERS["SGD"](net).fit(
        Dataset(DATA.X + 1, DATA.y), HELD_OUT, batch_size=10, callbacks=[Stop(99)], progress=False, **options
    )


def test_callbacks_may_come_and_go(tmp_path):
    """One that remembers nothing is nobody's business; one that does is told of."""
    stopped(tmp_path, SOLVERS["SGD"], 17)
    with pytest.warns(UserWarning, match="EarlyStopping was not there before, and begins anew"):
        begin(SOLVERS["SGD"], epochs=4, callbacks=[Callback(), EarlyStopping()], snapshots=tmp_path, resume=True)
    with pytest.warns(UserWarning, match="EarlyStopping was there before, and is not now"):
        begin(SOLVERS["SGD"], epochs=5, snapshots=tmp_path, resume=True)


def test_of_two_callbacks_the_first_may_have_nothing_to_remember(tmp_path):
    class Late(Callback):
        def __init__(self, after):
            self.after, self.seen = after, []

        def after_step(self, run, loss):
            if run.step > self.after:
                self.seen.append(run.step)

        def state(self):
            return {"seen": self.seen} if self.seen else {}

        def restore(self, state):
            self.seen = state["seen"]

    stopped(tmp_path, SOLVERS["SGD"], 9, callbacks=[Late(99), Late(5)])
    first, second = Late(99), Late(5)
    begin(SOLVERS["SGD"], epochs=2, callbacks=[first, second], snapshots=tmp_path, resume=True)
    assert (first.seen, second.seen) == ([], list(range(6, 15)))


def test_each_of_two_callbacks_gets_its_own_state(tmp_path):
    class Count(Callback):
        def __init__(self, by):
            self.by, self.total = by, 0

        def after_step(self, run, loss):
            self.total += self.by

        def state(self):
            return {"total": self.total}

        def restore(self, state):
            self.total = state["total"]

    stopped(tmp_path, SOLVERS["SGD"], 17, callbacks=[Count(1), Count(10)])
    counts = [Count(1), Count(10)]
    begin(SOLVERS["SGD"], callbacks=counts, snapshots=tmp_path, resume=True)
    assert [count.total for count in counts] == [35, 350]


@pytest.mark.parametrize("test_interval", [None, 3])
def test_the_best_goes_on_where_the_last_are_lost(tmp_path, test_interval):
    undisturbed = begin(SOLVERS["SGD"], epochs=6, test_interval=test_interval)
    begin(SOLVERS["SGD"], epochs=4, test_interval=test_interval, snapshots=tmp_path)
    for path in Snapshots(tmp_path).paths():
        path.unlink()
    with pytest.warns(UserWarning, match="the best snapshot is the only one"):
        again = begin(SOLVERS["SGD"], epochs=6, test_interval=test_interval, snapshots=tmp_path, resume=True)
    assert_equal(again, undisturbed)


@pytest.mark.parametrize("restore_best", [True, False])
def test_what_was_stopped_early_stays_stopped(tmp_path, restore_best):
    """However often it goes on, as after a kill when the last snapshot was just taken."""
    options = {"epochs": 40, "snapshots": tmp_path}
    first = begin(SOLVERS["SGD"], callbacks=[EarlyStopping(2, restore_best=restore_best)], **options)
    assert len(first[0]) < 40
    for _ in range(2):
        stopper = EarlyStopping(2, restore_best=restore_best)
        assert_equal(begin(SOLVERS["SGD"], callbacks=[stopper], resume=True, **options), first)


def test_more_epochs_are_trained_even_after_an_early_stop(tmp_path):
    first = begin(SOLVERS["SGD"], epochs=40, callbacks=[EarlyStopping(2)], snapshots=tmp_path)
    with pytest.warns(UserWarning, match="EarlyStopping was there before"):
        more = begin(SOLVERS["SGD"], epochs=41, snapshots=tmp_path, resume=True)
    assert len(first[0]) < len(more[0]) == 41


def test_a_pass_that_nobody_finished_is_forgotten(tmp_path):
    """As of a step with several batches that was left by a second Ctrl-C, in a notebook."""
    undisturbed = begin(SOLVERS["SGD"], iter_size=2)
    folder, net = Snapshots(tmp_path, every=2), make_net()
    with pytest.raises(InterruptedError):
        begin(SOLVERS["SGD"], 9, net=net, snapshots=folder, iter_size=2)
    net.forward(DATA.X[:5], DATA.y[:5])
    net.backward()
    assert_equal(begin(SOLVERS["SGD"], net=net, snapshots=folder, iter_size=2, resume=True), undisturbed)


def test_a_layer_that_is_frozen_on_the_way(tmp_path):
    class Freeze(Callback):
        def after_epoch(self, run, row):
            if row.epoch == 2:
                run.net.params["affine1.W"].trainable = False
                run.net.params["affine2.W"].lr_mult = 3.0

    undisturbed = begin(SOLVERS["Adam"], callbacks=[Freeze()])
    stopped(tmp_path, SOLVERS["Adam"], 17, callbacks=[Freeze()])
    again = begin(SOLVERS["Adam"], callbacks=[Freeze()], snapshots=tmp_path, resume=True)
    assert_equal(again, undisturbed)


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.layers[2].body.layers[1].eval(),
        lambda net: net.astype(np.float64),
        lambda net: setattr(net.params["affine2.b"], "decay_mult", 0.0),
    ],
)
def test_what_is_set_on_the_net_on_the_way(tmp_path, change):
    class Change(Callback):
        def after_step(self, run, loss):
            if run.step == 10:
                change(run.net)

    undisturbed = begin(SOLVERS["SGD"], callbacks=[Change()])
    stopped(tmp_path, SOLVERS["SGD"], 17, callbacks=[Change()])
    assert_equal(begin(SOLVERS["SGD"], callbacks=[Change()], snapshots=tmp_path, resume=True), undisturbed)


def test_what_is_given_otherwise_counts(tmp_path):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    net = make_net()
    net.build((2,))
    net.params["affine1.W"].trainable = False
    with pytest.warns(UserWarning, match=r"multipliers\.affine1\.W.* was True; here it is False, which counts"):
        begin(SOLVERS["SGD"], net=net, snapshots=tmp_path, resume=True)
    assert not net.params["affine1.W"].trainable


def test_a_rate_set_before_going_on_counts(tmp_path):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    solver = SOLVERS["SGD"](make_net())
    solver.lr = 0.001
    with pytest.warns(UserWarning, match=r"lr was 0\.05; here it has been set to 0\.001"):
        solver.fit(DATA, HELD_OUT, epochs=5, batch_size=10, progress=False, snapshots=tmp_path, resume=True)
    assert solver.lr == 0.001


def test_one_other_label_is_another_data_set(tmp_path):
    y = DATA.y.copy()
    y[17] = (y[17] + 1) % 3
    stopped(tmp_path, SOLVERS["SGD"], 17)
    with pytest.raises(StateError, match="the training data are others"):
        SOLVERS["SGD"](make_net()).fit(
            Dataset(DATA.X, y), batch_size=10, progress=False, snapshots=tmp_path, resume=True
        )


def test_more_patience_goes_on(tmp_path):
    undisturbed = begin(SOLVERS["SGD"], epochs=60, callbacks=[EarlyStopping(6)])
    short = begin(SOLVERS["SGD"], epochs=60, callbacks=[EarlyStopping(2)], snapshots=tmp_path)
    assert len(short[0]) < len(undisturbed[0]) < 60
    again = begin(SOLVERS["SGD"], epochs=60, callbacks=[EarlyStopping(6)], snapshots=tmp_path, resume=True)
    assert_equal(again, undisturbed)


def test_a_net_whose_loss_lies_in_a_net_within(tmp_path):
    def net():
        head = Sequential(Affine(3), SoftmaxCrossEntropy())
        return Sequential(Affine(9), BatchNorm(), ReLU(), head, seed=2)

    undisturbed = begin(SOLVERS["SGD"], net=net())
    stopped(tmp_path, SOLVERS["SGD"], 17, net=net())
    assert_equal(begin(SOLVERS["SGD"], net=net(), snapshots=tmp_path, resume=True), undisturbed)


def test_a_loss_of_ones_own_may_return_numpy_numbers(tmp_path):
    class Own(SoftmaxCrossEntropy):
        def forward(self, scores, target, weight=None):
            return np.float32(super().forward(scores, target, weight))

        def correct(self, scores, target):
            return tuple(map(np.int64, super().correct(scores, target)))

    net = Sequential(Affine(3), Own(), seed=1)
    begin(SOLVERS["SGD"], net=net, epochs=2, snapshots=tmp_path)
    assert len(Snapshots(tmp_path).paths()) == 2


def test_a_snapshot_that_fails_is_told_of_without_progress_too(tmp_path):
    class Spoil(Callback):
        def after_step(self, run, loss):
            if run.step == 8:
                shutil.rmtree(tmp_path / "here")
                (tmp_path / "here").write_text("in the way")

    place = Snapshots(tmp_path / "here", required=False)
    with pytest.warns(UserWarning, match="no snapshot after step 14 in .*here"):
        begin(SOLVERS["SGD"], epochs=2, callbacks=[Spoil()], snapshots=place)


def test_a_finished_training_is_read_from_a_folder_without_a_lock(tmp_path):
    """As on a disk that can only be read: nothing need be written."""
    first = begin(SOLVERS["SGD"], snapshots=tmp_path)
    (tmp_path / ".lock").unlink()
    (tmp_path / ".lock").mkdir()
    with pytest.warns(UserWarning, match="there can be no snapshots"):
        again = begin(SOLVERS["SGD"], snapshots=tmp_path, resume=True)
    assert_equal(again, first)


def test_a_layer_with_another_argument_is_told_of(tmp_path):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    body = Residual(Sequential(Affine(8), BatchNorm(), ReLU(), Dropout(0.9)))
    net = Sequential(Affine(8), Dropout(0.2), body, Affine(3), SoftmaxCrossEntropy(), seed=1)
    with pytest.warns(UserWarning, match=r"was 0\.3; here it is 0\.9, which counts from now on"):
        begin(SOLVERS["SGD"], net=net, snapshots=tmp_path, resume=True)


def test_other_weights_of_samples_are_other_data(tmp_path):
    def fit(weight, **options):
        solver = SOLVERS["SGD"](make_net())
        solver.fit(Dataset(DATA.X, DATA.y, weight=weight), epochs=2, progress=False, snapshots=tmp_path, **options)

    fit(np.ones(len(DATA)))
    with pytest.raises(StateError, match="the training data are others"):
        fit(np.full(len(DATA), 2.0), resume=True)


def test_another_validation_set_is_told_of(tmp_path):
    def fit(validation, epochs, **options):
        SOLVERS["SGD"](make_net()).fit(DATA, validation, epochs=epochs, progress=False, snapshots=tmp_path, **options)

    fit(HELD_OUT, 1)
    with pytest.warns(UserWarning, match="validation set:"):
        fit(Dataset(HELD_OUT.X[1:], HELD_OUT.y[1:]), 2, resume=True)


class Nothing:
    """A metric that has counted nothing."""

    value = None

    def reset(self):
        pass

    def add(self, scores, target):
        pass


def test_metrics_that_have_no_value(tmp_path):
    metrics = {"nothing": Nothing()}
    history, _, _ = begin(SOLVERS["SGD"], epochs=1, metrics=metrics, snapshots=tmp_path)
    again, _, _ = begin(SOLVERS["SGD"], epochs=1, metrics=metrics, snapshots=tmp_path, resume=True)
    assert again.validations[0].metrics == history.validations[0].metrics == {"nothing": None}


def test_two_trainings_do_not_share_a_folder(tmp_path):
    class Second(Callback):
        def after_epoch(self, run, row):
            with pytest.raises(BlockingIOError, match="another training is at work here"):
                begin(SOLVERS["SGD"], snapshots=tmp_path, resume=True)
            self.asked = True

    second = Second()
    begin(SOLVERS["SGD"], epochs=2, callbacks=[second], snapshots=tmp_path)
    assert second.asked


def test_the_rate_of_an_epoch_is_that_of_its_last_step(tmp_path):
    history, _, _ = begin(lambda net: SGD(net, Step(0.1, gamma=0.5, step_size=7)), epochs=3)
    assert [row.lr for row in history] == [0.1, 0.05, 0.025]


@pytest.mark.parametrize(
    ("go_on", "error", "message"),
    [
        (lambda o: begin(SOLVERS["Adam"], **o), StateError, "the rule was SGD, here it is Adam"),
        (lambda o: begin(SOLVERS["SGD"], batch_size=11, **o), StateError, r"batch_size 10 \(here 11\)"),
        (lambda o: begin(SOLVERS["SGD"], epochs=1, **o), StateError, "2 epochs are done, here 1 are asked for"),
        (lambda o: begin(SOLVERS["SGD"], average_decay=0.9, **o), StateError, "average_decay was not set"),
        (
            lambda o: begin(SOLVERS["SGD"], net=Sequential(Affine(3), SoftmaxCrossEntropy()), **o),
            StateError,
            "unknown: affine2",
        ),
        (other_data, StateError, "the training data are others"),
    ],
)
def test_the_snapshot_of_another_training(tmp_path, go_on, error, message):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    with pytest.raises(error, match=message) as caught:
        go_on({"snapshots": tmp_path, "resume": True})
    assert "step-000000014.safetensors" in str(caught.value)


def test_a_new_training_does_not_mix_with_an_old_one(tmp_path):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    with pytest.raises(FileExistsError, match="holds snapshots of an earlier training"):
        begin(SOLVERS["SGD"], snapshots=tmp_path)


def test_resume_without_a_place():
    with pytest.raises(ValueError, match="where the snapshots are"):
        begin(SOLVERS["SGD"], resume=True)


def test_the_best_is_kept_apart(tmp_path):
    from handbrew.solvers import read_snapshot

    history, _, _ = begin(SOLVERS["SGD"], epochs=12, snapshots=Snapshots(tmp_path, keep=1))
    best = min(history.validations, key=lambda look: look.loss)
    assert best.step < history.validations[-1].step
    assert read_snapshot(Snapshots(tmp_path).best)["step"] == best.step


def test_other_threads_are_warned_of(tmp_path):
    program = """
import warnings, sys
warnings.simplefilter("error")
sys.path[:0] = [{tests!r}]
from test_resume import *
begin(SOLVERS["SGD"], epochs=int(sys.argv[1]), snapshots={folder!r}, resume=True)
"""
    program = program.format(tests=os.path.dirname(__file__), folder=str(tmp_path))

    def go(epochs, threads):
        env = os.environ | {"HANDBREW_THREADS": str(threads)}
        command = [sys.executable, "-c", program, str(epochs)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert go(1, 1).returncode == 0
    same, other = go(2, 1), go(3, 3)
    assert same.returncode == 0, same.stderr
    assert "threads: 1 before, 3 now" in other.stderr


@pytest.mark.parametrize("steps", [1, 3, 100])
def test_verify(tmp_path, steps):
    folder = Snapshots(tmp_path, every=5)
    stopped(folder, SOLVERS["Adam"], 17)
    solver = SOLVERS["Adam"](make_net())
    options = {"batch_size": 10, "epochs": 5, "snapshots": folder, "callbacks": [Stop(99)]}
    verdict = solver.verify(steps, DATA, HELD_OUT, **options)
    assert verdict.equal
    assert (verdict.first, verdict.last, verdict.whole) == (10, min(10 + steps, 15), steps >= 5)
    assert f"steps 11 to {min(10 + steps, 15)} repeated" in str(verdict)


def test_verify_finds_what_is_not_the_same(tmp_path):
    folder = Snapshots(tmp_path, every=5)
    stopped(folder, SOLVERS["SGD"], 17)
    options = {"batch_size": 10, "epochs": 5, "snapshots": folder, "callbacks": [Stop(99)]}
    other = SGD(make_net(), 0.04, momentum=0.9, weight_decay=1e-3)  # its first loss is still the same
    verdict = other.verify(5, DATA, HELD_OUT, **options)
    assert not verdict.equal
    assert verdict.step == 12
    assert "the loss of step 12 is the first that differs" in str(verdict)
    only_last = SGD(make_net(), 0.05, momentum=0.9, weight_decay=1e-3)
    original = SGD.step

    def late(self, total=None):
        original(self, total)
        if self.steps == 15:
            self.net.params["affine2.b"].data[0] += 1e-6

    only_last.step = late.__get__(only_last)
    verdict = only_last.verify(5, DATA, HELD_OUT, **options)
    assert verdict.step is None
    assert verdict.arrays == ["affine2.b"]


def test_verify_says_when_it_has_nothing_to_compare(tmp_path, monkeypatch):
    monkeypatch.setattr("handbrew.solvers.history.TRAIL", 3)
    folder = Snapshots(tmp_path, every=10)
    stopped(folder, SOLVERS["SGD"], 27)
    options = {"batch_size": 10, "epochs": 5, "snapshots": folder, "callbacks": [Stop(99)]}
    with pytest.raises(ValueError, match="losses of steps 11 to 13 are on no record"):
        SOLVERS["SGD"](make_net()).verify(3, DATA, HELD_OUT, **options)
    assert SOLVERS["SGD"](make_net()).verify(10, DATA, HELD_OUT, **options).equal


def test_verify_closes_the_epoch_that_the_snapshot_is_the_end_of(tmp_path):
    class Shrink(Callback):
        def after_epoch(self, run, row):
            run.net.params["affine1.W"].data *= 0.5

    begin(SOLVERS["SGD"], epochs=3, callbacks=[Shrink()], snapshots=tmp_path)
    options = {"batch_size": 10, "epochs": 3, "snapshots": tmp_path, "callbacks": [Shrink()]}
    assert SOLVERS["SGD"](make_net()).verify(100, DATA, HELD_OUT, **options).equal


def test_verify_needs_two(tmp_path):
    with pytest.raises(ValueError, match="needs two snapshots"):
        SOLVERS["SGD"](make_net()).verify(5, DATA, snapshots=tmp_path)


def test_nothing_is_warned_of_when_all_is_as_it_was(tmp_path):
    stopped(tmp_path, SOLVERS["SGD"], 17)
    copy = tmp_path.with_name("copy")
    shutil.copytree(tmp_path, copy)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        begin(SOLVERS["SGD"], snapshots=copy, resume=True)
