"""A training that takes snapshots, begun or gone on with: resuming.py FOLDER OUT [--noisy] [--die STEP] [--signal STEP]

With ``--noisy`` ranks draw masks and have statistics of their own; without, any number of ranks computes the same.
"""

import os
import signal
import sys

import numpy as np

from handbrew.layers import Affine, BatchNorm, Dropout, ReLU, SoftmaxCrossEntropy
from handbrew.nets import Sequential
from handbrew.solvers import Adam, Callback, Snapshots
from handbrew.solvers.parallel import world

folder, out, *options = sys.argv[1:]
noisy = "--noisy" in options
comm = world()


class Fate(Callback):
    """Comes over the last rank after so many steps."""

    def after_step(self, run, loss):
        if comm is not None and comm.Get_rank() < comm.Get_size() - 1:
            return
        for option, number in (("--die", signal.SIGKILL), ("--signal", signal.SIGTERM)):
            if option in options and run.step == int(options[options.index(option) + 1]):
                os.kill(os.getpid(), number)


rng = np.random.default_rng(0)
X, y = rng.normal(size=(42, 6)), rng.integers(0, 3, 42)
net = Sequential(
    Affine(12, bias=False), BatchNorm(), ReLU(), *[Dropout(0.3)] * noisy, Affine(3), SoftmaxCrossEntropy(), seed=0
).astype(np.float64)
solver = Adam(net, 0.01, comm=comm, sync_batch_norm=not noisy)
history = solver.fit(
    (X, y), epochs=4, batch_size=9, iter_size=2, progress=False,
    snapshots=Snapshots(folder, every=3), resume=True, callbacks=[Fate()],
)  # fmt: skip
if comm is None or comm.Get_rank() == 0:
    np.savez(out, **net.state(), losses=np.array(history.losses), epochs=np.array([row.loss for row in history]))
