"""The examples in docstrings do what they show.

Not left to ``pytest --doctest-modules``: that takes a module's name from its path, and a module
``layers`` beside ``handbrew.layers`` would bring a second copy of every class.
"""

import doctest
import importlib

import pytest
from house import MODULES, NEED_AN_EXTRA


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    if name in NEED_AN_EXTRA:
        pytest.importorskip(NEED_AN_EXTRA[name])
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    modules = [importlib.import_module(name) for name in MODULES if name not in NEED_AN_EXTRA]
    assert any(found.examples for module in modules for found in finder.find(module))
