"""Running the command line in this process, and files for it to read."""

import csv
from typing import NamedTuple

import numpy as np

from handbrew.cli import main
from handbrew.data import blobs

SPECIES = ("setosa", "versicolor", "virginica")


class Ran(NamedTuple):
    """What a command line left behind."""

    code: int
    out: str
    err: str


def runner(capsys):
    """A function that runs ``handbrew ARGUMENTS…``."""

    def run(*arguments):
        capsys.readouterr()
        code = main([str(a) for a in arguments])
        return Ran(code, *capsys.readouterr())

    return run


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_flowers(path, samples=90):
    """Three kinds of flowers that four columns tell apart, and one that is the same for all."""
    X, y = blobs(samples, classes=3, features=4, seed=1)
    rows = [[1000 * a, b, 7, c, d, SPECIES[k]] for (a, b, c, d), k in zip(X.tolist(), y, strict=True)]
    return write_csv(path, ["a", "b", "same", "c", "d", "species"], rows)


def write_houses(path, samples=200):
    """Prices, whole numbers all, that are nearly linear in three columns."""
    X = np.random.default_rng(0).normal(size=(samples, 3)) * (1, 50, 0.01)
    price = 300_000 + 50_000 * X[:, 0] + 400 * X[:, 1] - 1e6 * X[:, 2]
    return write_csv(path, ["rooms", "area", "slope", "price"], [[*x, round(p)] for x, p in zip(X, price, strict=True)])
