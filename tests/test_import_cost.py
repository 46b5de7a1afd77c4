"""Importing handbrew costs little more than importing NumPy; benchmarks/import_cost.py takes the time."""

import subprocess
import sys

from house import EXTRAS, MAY_IMPORT

# Standard modules of about a millisecond each, most of which the newest NumPy imports as well.
LIGHT = "__future__, copy, dataclasses, inspect"


def modules_after(statement, first="pass"):
    """The modules that a statement imports in a new interpreter, besides those imported first."""
    code = f"import sys; {first}; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_layers_import_nothing_heavy_besides_numpy():
    found = modules_after("import handbrew.layers", first=f"import numpy, {LIGHT}")
    assert "handbrew.layers" in found
    assert {name for name in found if name.split(".")[0] != "handbrew"} == set()


def test_no_import_brings_an_extra():
    found = modules_after("import " + ", ".join(f"handbrew.{folder}" for folder in MAY_IMPORT))
    assert not found & EXTRAS.keys()


def test_layers_for_images_are_imported_when_they_are_asked_for():
    found = modules_after("from handbrew.nets import Sequential; from handbrew.layers import Affine")
    assert not found & {"handbrew.layers.convolution", "handbrew.layers.batch_norm", "handbrew.nets.zoo"}
    found = modules_after("from handbrew.layers import *; Conv2D, Upsample2D; from handbrew.nets import lenet")
    assert found >= {"handbrew.layers.convolution", "handbrew.layers.upsampling", "handbrew.nets.zoo"}


def test_what_is_not_there_is_an_attribute_error():
    for package in ("layers", "nets"):
        code = f"import handbrew.{package} as p; assert 'Conv2D' in dir(p) or 'lenet' in dir(p); p.Nothing"
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.stderr.splitlines()[-1] == f"AttributeError: module 'handbrew.{package}' has no attribute 'Nothing'"
