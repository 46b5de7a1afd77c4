"""A stand-in for threadpoolctl, so that threads are tested where it is not installed, and programs to run apart."""

import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parent


class Library:
    """What threadpoolctl knows of a BLAS library that runs ``num_threads`` threads."""

    def __init__(self, num_threads=4, filepath="/site-packages/numpy.libs/libblas.so"):
        self.num_threads, self.filepath = num_threads, filepath

    def set_num_threads(self, n):
        self.num_threads = n


def threadpoolctl_of(*libraries):
    """A module that finds these libraries."""

    class ThreadpoolController:
        lib_controllers = list(libraries)

        def select(self, user_api):
            assert user_api == "blas"
            return self

    module = types.ModuleType("threadpoolctl")
    module.ThreadpoolController = ThreadpoolController
    return module


def pretend():
    """In a program of its own: have such a module."""
    sys.modules["threadpoolctl"] = threadpoolctl_of(Library())


def block():
    """In a program of its own: have none, installed or not."""
    sys.modules["threadpoolctl"] = None


def run(code, threads=None, first="team.pretend()"):
    """What a program prints that begins with ``import team`` and ``first``."""
    environment = {name: value for name, value in os.environ.items() if name != "HANDBREW_THREADS"}
    environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), *filter(None, [environment.get("PYTHONPATH")])])
    if threads is not None:
        environment["HANDBREW_THREADS"] = str(threads)
    program = f"import team\n{first}\n{code}"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def trained(steps=2):
    """The parameters of a net after some steps, as one array: every kernel, and products worth sharing out."""
    from handbrew.layers import Affine, Conv2D, ConvTranspose2D, Flatten, MaxPool2D, ReLU, SoftmaxCrossEntropy
    from handbrew.nets import Sequential
    from handbrew.solvers import SGD

    net = Sequential(
        Conv2D(32, 3, padding=1),
        ReLU(),
        Conv2D(32, 3, padding=1),
        MaxPool2D(2),
        Conv2D(32, 3, padding=1, groups=32),
        Conv2D(48, 1),
        Conv2D(24, 3, stride=2, padding=1),
        ConvTranspose2D(8, 2, stride=2),
        Flatten(),
        Affine(300),
        Affine(10),
        SoftmaxCrossEntropy(),
        seed=0,
    )
    solver, rng = SGD(net, lr=0.01), np.random.default_rng(0)
    for _ in range(steps):
        net.forward(rng.normal(size=(48, 3, 16, 16)).astype(np.float32), rng.integers(0, 10, 48))
        net.backward()
        solver.step()
    return np.concatenate([p.data.ravel() for p in net.params.values()])


def digest():
    """Of every bit."""
    import hashlib

    return hashlib.sha256(trained().tobytes()).hexdigest()
