"""Whether a long training's memory stays flat: LeNet on MNIST, with snapshots, its resident size after every epoch.

    python benchmarks/long_run.py FOLDER [EPOCHS]    # FOLDER as for handbrew train --data

Linux only: it reads /proc/self.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from memory import status

from handbrew.data import load
from handbrew.nets import lenet
from handbrew.solvers import SGD, Callback, Snapshots


class Resident(Callback):
    """Megabytes after each epoch."""

    def __init__(self) -> None:
        self.megabytes: list[float] = []

    def after_epoch(self, run: Any, row: Any) -> None:
        self.megabytes.append(status("VmRSS") / 1e6)


def main() -> None:
    train, test = load(sys.argv[1])
    resident = Resident()
    with tempfile.TemporaryDirectory() as folder:
        solver = SGD(lenet(seed=0), lr=0.01, momentum=0.9, weight_decay=5e-4)
        epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 24
        solver.fit(
            train, test, epochs=epochs, batch_size=64, callbacks=[resident], snapshots=Snapshots(folder, every=400)
        )
    print("MB after each epoch:", *(f"{mb:.1f}" for mb in resident.megabytes))
    print(f"after epoch 2: {resident.megabytes[1]:.1f} MB, at the end: {resident.megabytes[-1]:.1f} MB")


if __name__ == "__main__":
    main()
