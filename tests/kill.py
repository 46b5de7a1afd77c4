"""Kill a training from outside, again and again, and see whether it ends with the bits of one left in peace.

``python tests/kill.py --kills 200`` is the long form (``make kill``), ``test_kill.py`` the short one. The training runs
in a process of its own, with dropout and BatchNorm, four batches a step and a snapshot every other step, so that
most kills come in the middle of an epoch; every third one waits until a snapshot is being written.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE = 60  # seconds until a training that does not end is a failure
RULES = ("SGD", "Adam")


def train(folder, rule, snapshots):
    """Train to the end, from the last snapshot on, and write down the parameters and all that goes with them."""
    import numpy as np

    import handbrew.solvers as solvers
    from handbrew.data import digits
    from handbrew.layers import Affine, BatchNorm, Dropout, ReLU, SoftmaxCrossEntropy
    from handbrew.nets import Sequential

    class Ready(solvers.Callback):
        def after_step(self, run, loss):
            if not self.said:
                print("ready", flush=True)
            self.said = True

        said = False

    layers = (Affine(32), BatchNorm(), ReLU(), Dropout(0.3), Affine(10))
    net = Sequential(*layers, SoftmaxCrossEntropy(), seed=1)
    rate = solvers.Warmup(solvers.Plateau(0.05, patience=1, threshold=0.2), 10)
    make = {"SGD": lambda: solvers.SGD(net, rate, momentum=0.9), "Adam": lambda: solvers.Adam(net, rate)}
    solver = make[rule]()
    part, held_out = digits().split(0.2, seed=0)
    options = {"epochs": 8, "batch_size": 32, "iter_size": 4, "progress": False, "average_decay": 0.99}
    if snapshots:
        options |= {"snapshots": solvers.Snapshots(Path(folder) / "snapshots", every=2), "resume": True}
    stopper = solvers.EarlyStopping(patience=50)
    history = solver.fit(part, held_out, callbacks=[Ready(), stopper], **options)
    arrays = net.state() | {f"{path}/{k}": v for path, a in solver.state()["arrays"].items() for k, v in a.items()}
    losses = np.array([row[:4] for row in history], np.float64)
    np.savez(Path(folder) / "end.npz", **arrays, losses=losses, steps=np.array(history.losses))


def start(folder, rule, *more):
    command = [sys.executable, __file__, "--train", str(folder), rule, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process):
    process.communicate(timeout=PATIENCE)
    if process.returncode:
        raise AssertionError(f"the training ended with exit code {process.returncode}")


def kill_often(folder, rule, kills, rng):
    """Kill one training up to ``kills`` times, then let it end; return how many kills hit, and how many a snapshot."""
    hits = writing = 0
    while hits < kills:
        with start(folder, rule) as process:
            if process.stdout.readline() != "ready\n":  # it was at its end
                break
            wait_for_write = rng.random() < 1 / 3
            until = time.monotonic() + rng.uniform(0, 0.25)
            while process.poll() is None and (time.monotonic() < until or wait_for_write):
                if wait_for_write and any((Path(folder) / "snapshots").glob(".*.part")):
                    break
                time.sleep(0.0002)
            process.kill()
        if process.returncode == -signal.SIGKILL:
            hits += 1
            writing += any((Path(folder) / "snapshots").glob(".*.part"))
        elif process.returncode:
            raise AssertionError(f"the training ended with exit code {process.returncode}")
    finish(start(folder, rule))
    return hits, writing


def differing(one, other):
    """Names of the arrays that are not equal to the bit."""
    import numpy as np

    with np.load(one) as a, np.load(other) as b:
        assert set(a) == set(b)
        assert len(a) > 8
        return [name for name in a if a[name].tobytes() != b[name].tobytes()]


def run(rule, kills, seed=0):
    """Kill ``kills`` times, over as many trainings as that takes; all of them must end alike."""
    rng, hits, writing, trainings = random.Random(seed), 0, 0, 0
    with tempfile.TemporaryDirectory() as place:
        undisturbed = Path(place) / "undisturbed"
        undisturbed.mkdir()
        finish(start(undisturbed, rule, "--no-snapshots"))
        while hits < kills:
            folder = Path(place) / f"killed{trainings}"
            folder.mkdir()
            more, parts = kill_often(folder, rule, kills - hits, rng)
            hits, writing, trainings = hits + more, writing + parts, trainings + 1
            wrong = differing(undisturbed / "end.npz", folder / "end.npz")
            assert not wrong, f"{rule}: after {more} kills these differ: {wrong}"
    return hits, writing, trainings


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=200, help="of each solver")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--train", nargs=2, metavar=("FOLDER", "RULE"))
    parser.add_argument("--no-snapshots", action="store_true")
    args = parser.parse_args()
    if args.train:
        train(*args.train, snapshots=not args.no_snapshots)
        return
    for rule in RULES:
        hits, writing, trainings = run(rule, args.kills, args.seed)
        assert writing or hits < 50, "no kill met a snapshot that was being written"
        print(
            f"{rule}: killed {hits} times, {writing} of them while a snapshot was being written, in {trainings} "
            f"trainings: each ended with the same bits (seed {args.seed})"
        )


if __name__ == "__main__":
    main()
