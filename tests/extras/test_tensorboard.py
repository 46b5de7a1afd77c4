"""Event files, taken apart by the format's own protocol buffers."""

import struct

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from handbrew.data import blobs
from handbrew.layers import Affine, SoftmaxCrossEntropy
from handbrew.nets import Confusion, Sequential, TopK
from handbrew.solvers import SGD, Callback, Snapshots, TensorBoard

DATA, HELD_OUT = blobs(90, seed=3).split(0.3, seed=0)


def fit(folder, **options):
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    callbacks = [TensorBoard(folder, every=2), *options.pop("callbacks", [])]
    options = {"epochs": 2, "batch_size": 10, "progress": False, "callbacks": callbacks} | options
    return SGD(net, 0.1).fit(DATA, HELD_OUT, metrics={"top2": TopK(2), "confusion": Confusion()}, **options)


def events(file):
    """Records: a length, its checksum, so many bytes, their checksum."""
    data, at = file.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += 16 + length


def scalars(folder):
    found = {}
    for file in sorted(folder.iterdir()):
        for event in events(file):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_all_figures_are_there(tmp_path):
    history = fit(tmp_path)
    found = scalars(tmp_path)
    losses = list(history.losses)
    expected = [(step, losses[step - 1]) for step in range(2, 15, 2)]
    assert [step for step, _ in found["loss/step"]] == [step for step, _ in expected]
    np.testing.assert_allclose([value for _, value in found["loss/step"]], [value for _, value in expected], rtol=1e-6)
    assert [step for step, _ in found["lr"]] == [step for step, _ in expected]
    for tag, values in {
        "loss/validation": [look.loss for look in history.validations],
        "accuracy/validation": [look.accuracy for look in history.validations],
        "top2/validation": [look.metrics["top2"] for look in history.validations],
        "loss/epoch": [row.loss for row in history],
    }.items():
        assert [step for step, _ in found[tag]] == [7, 14]
        np.testing.assert_allclose([value for _, value in found[tag]], values, rtol=1e-6)
    assert set(found) == {"loss/step", "lr", "loss/validation", "accuracy/validation", "top2/validation", "loss/epoch"}


def test_a_resumed_training_writes_where_it_goes_on(tmp_path):
    class Stop(Callback):
        def __init__(self, after):
            self.after = after

        def after_step(self, run, loss):
            if run.step == self.after:
                raise InterruptedError

    place = Snapshots(tmp_path / "snapshots", every=4)
    with pytest.raises(InterruptedError):
        fit(tmp_path / "board", callbacks=[Stop(10)], snapshots=place)
    fit(tmp_path / "board", callbacks=[Stop(99)], snapshots=place, resume=True)
    *_, last = sorted((tmp_path / "board").iterdir())
    steps = [event.step for event in events(last) if event.summary.value]
    assert steps[0] == 10  # after the snapshot of step 8
    assert any(event.session_log.status for event in events(last))  # drop what the first file has from there on


def test_wrong_interval(tmp_path):
    with pytest.raises(ValueError, match="every must be at least 1, got 0"):
        TensorBoard(tmp_path, every=0)
