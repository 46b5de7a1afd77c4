"""The examples in docstrings do what they show.

Not left to ``pytest --doctest-modules``: that takes a module's name from its path, and a module
``layers`` beside ``handbrew.layers`` would bring a second copy of every class.
"""

import doctest
import importlib

import pytest
from house import modules


@pytest.mark.parametrize("name", modules())
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    assert any(found.examples for name in modules() for found in finder.find(importlib.import_module(name)))
