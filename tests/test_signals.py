"""Signals from outside: training finishes its step, takes a snapshot and leaves, or goes on."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from handbrew.data import blobs
from handbrew.layers import Affine, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD, Callback, Snapshots, read_snapshot

PROGRAM = """
import sys, time
from handbrew.data import blobs
from handbrew.layers import Affine, Dropout, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import SGD, Callback, Snapshots
import numpy as np

class Slow(Callback):
    def after_step(self, run, loss):
        print("step", run.step, flush=True)
        time.sleep(float(sys.argv[2]))

folder, epochs = sys.argv[1], 5
net = Sequential(Affine(8), ReLU(), Dropout(0.4), Affine(3), SoftmaxCrossEntropy(), seed=1)
solver = SGD(net, 0.05, momentum=0.9)
solver.fit(blobs(60), epochs=epochs, batch_size=10, callbacks=[Slow()], snapshots=Snapshots(folder), resume=True)
np.savez(folder + "/end.npz", **net.state())
"""


def start(folder, pause=0.05):
    command = [sys.executable, "-c", PROGRAM, str(folder), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_step(process, step):
    for line in process.stdout:
        if line == f"step {step}\n":
            return
    raise AssertionError(process.stderr.read())


def steps(folder):
    return [read_snapshot(path)["step"] for path in Snapshots(folder).paths()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    process = start(folder, 0)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    with np.load(folder / "end.npz") as end:
        return dict(end)


def go_on(folder, undisturbed):
    """Train to the end and compare."""
    process = start(folder, 0)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    with np.load(folder / "end.npz") as end:
        assert all(end[name].tobytes() == undisturbed[name].tobytes() for name in undisturbed)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_stop(tmp_path, undisturbed, number, code):
    process = start(tmp_path)
    wait_for_step(process, 3)
    process.send_signal(number)
    out, errors = process.communicate(timeout=30)
    assert process.returncode == code  # Python itself dies of SIGINT: a shell calls that 130
    last = int(out.split()[-1]) if out else 3
    assert steps(tmp_path) == [last]
    assert f"stopped by {number.name} after step {last}" in errors
    go_on(tmp_path, undisturbed)


def test_snapshot_and_go_on(tmp_path, undisturbed):
    process = start(tmp_path)
    wait_for_step(process, 2)
    process.send_signal(signal.SIGHUP)
    wait_for_step(process, 5)
    assert len(steps(tmp_path)) == 1
    assert steps(tmp_path)[0] in (2, 3, 4)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    with np.load(tmp_path / "end.npz") as end:
        assert all(end[name].tobytes() == undisturbed[name].tobytes() for name in undisturbed)


def test_a_second_interrupt_stops_at_once(tmp_path, undisturbed):
    process = start(tmp_path, 30)  # a step takes half a minute
    wait_for_step(process, 1)
    process.send_signal(signal.SIGINT)
    assert "finishing the step; again to stop at once" in process.stderr.readline() + process.stderr.readline()
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - begun < 10
    assert process.returncode == -signal.SIGINT
    assert steps(tmp_path) == []
    go_on(tmp_path, undisturbed)


class Send(Callback):
    """Sends this very process a signal."""

    def __init__(self, number, step):
        self.number, self.step = number, step

    def after_step(self, run, loss):
        if run.step == self.step:
            os.kill(os.getpid(), self.number)


def fit(callback, **options):
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    options = {"epochs": 2, "batch_size": 10, "progress": False} | options
    SGD(net, 0.1).fit(blobs(60), callbacks=[callback], **options)
    return net


def test_without_snapshots_too_the_step_is_finished():
    with pytest.raises(KeyboardInterrupt):
        fit(Send(signal.SIGINT, 3))
    with pytest.raises(SystemExit) as caught:
        fit(Send(signal.SIGTERM, 3))
    assert caught.value.code == 143


class SendAtTheEnd(Callback):
    def end(self, run):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_comes_last_counts_too(tmp_path):
    with pytest.raises(SystemExit):
        fit(SendAtTheEnd(), snapshots=tmp_path)
    assert steps(tmp_path)[-1] == 12


def test_a_signal_that_is_ignored_stays_so():
    """As the shell sets SIGINT for what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        fit(Send(signal.SIGINT, 3))
    finally:
        signal.signal(signal.SIGINT, before)


def test_going_on_is_promised_only_if_a_snapshot_is_there(tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    place = Snapshots(tmp_path / "file" / "snapshots", required=False)
    with pytest.raises(SystemExit), pytest.warns(UserWarning, match="there can be no snapshots"):
        fit(Send(signal.SIGTERM, 3), snapshots=place, progress=True)
    told = capsys.readouterr().err
    assert "no snapshot after step 3" in told
    assert told.endswith("stopped by SIGTERM after step 3\n")


def test_verify_can_be_left(tmp_path):
    fit(Callback(), snapshots=Snapshots(tmp_path, every=5))
    net = Sequential(Affine(3), SoftmaxCrossEntropy())
    options = {"epochs": 2, "batch_size": 10, "snapshots": Snapshots(tmp_path, every=5)}
    with pytest.raises(KeyboardInterrupt):
        SGD(net, 0.1).verify(5, blobs(60), callbacks=[Send(signal.SIGINT, 11)], **options)


def test_handlers_are_put_back(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    fit(Callback())
    with pytest.raises(KeyboardInterrupt):
        fit(Send(signal.SIGINT, 3), snapshots=tmp_path)
    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_in_another_thread_training_leaves_signals_alone():
    done = []
    thread = threading.Thread(target=lambda: done.append(fit(Callback())))
    thread.start()
    thread.join()
    assert done


def test_a_full_disk_while_a_signal_is_heeded(tmp_path):
    """The signal is obeyed even if its snapshot cannot be written."""
    blocked = Path(tmp_path) / "file"
    blocked.write_text("no folder")
    with pytest.raises(NotADirectoryError):
        fit(Send(signal.SIGTERM, 3), snapshots=Snapshots(blocked / "snapshots"))
    with pytest.raises(SystemExit), pytest.warns(UserWarning, match="there can be no snapshots"):
        fit(Send(signal.SIGTERM, 3), snapshots=Snapshots(blocked / "snapshots", required=False))
