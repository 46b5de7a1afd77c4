"""The architecture that the folders are: arrows that point one way, and one name for each class."""

import ast
import importlib
import inspect
import subprocess
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
from house import EXTRAS, MAY_IMPORT, modules

import handbrew.layers


def imports(tree, package):
    """Yield what each import names, in full, and whether importing the module already brings it."""
    for node in ast.iter_child_nodes(tree):
        at_once = True
        match node:
            case ast.Import():
                yield from ((alias.name, True) for alias in node.names)
            case ast.ImportFrom():
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                origin = ".".join([*above, *filter(None, [node.module])])
                yield from ((f"{origin}.{alias.name}", True) for alias in node.names)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                at_once = False
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                at_once = False
        yield from ((name, at_once and inner) for name, inner in imports(node, package))


def trespasses(source, folder):
    """What a module of a folder imports against the rules of the house."""
    for name, at_once in imports(ast.parse(source), f"handbrew.{folder}"):
        root, *rest = name.split(".")
        if root == "handbrew":
            if not rest or rest[0] not in MAY_IMPORT[folder] | {folder}:
                yield f"{folder} may not import {name}"
            elif rest[0] != folder and any(part.startswith("_") for part in rest):
                yield f"{name} is private to its folder"
        elif root in EXTRAS:
            if folder not in EXTRAS[root]:
                yield f"{folder} may not import {name}"
            elif at_once:
                yield f"{name} is an extra: import it in the function that needs it"
        elif root != "numpy" and root not in sys.stdlib_module_names:
            yield f"{name} is neither NumPy nor standard library"


@pytest.mark.parametrize("name", modules())
def test_arrows_point_one_way(name):
    source = Path(find_spec(name).origin).read_text(encoding="utf-8")
    assert list(trespasses(source, name.split(".")[1])) == []


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("layers", "import handbrew.nets"),
        ("layers", "import handbrew"),
        ("layers", "from handbrew import data"),
        ("layers", "from ..nets import Sequential"),
        ("layers", "from .. import nets"),
        ("data", "def late():\n    from handbrew.layers import Layer"),
        ("nets", "from handbrew.solvers.sgd import SGD"),
        ("nets", "from handbrew.layers import _numerics"),
        ("nets", "from handbrew.layers._numerics import ones"),
        ("nets", "import layers"),
        ("solvers", "from nets.sequential import Sequential"),
        ("nets", "def late():\n    import rich"),
        ("solvers", "import rich.progress"),
        ("cli", "class Late:\n    from matplotlib import pyplot"),
        ("cli", "try:\n    import rich\nexcept ImportError:\n    pass"),
        ("solvers", "import scipy"),
    ],
)
def test_trespasses_are_found(folder, source):
    assert len(list(trespasses(source, folder))) == 1


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("layers", "import os.path, numpy as np\nfrom numpy.typing import NDArray"),
        ("layers", "from ._numerics import ones\nfrom . import errors"),
        ("nets", "import handbrew.layers\nfrom handbrew.data.guard import decoding"),
        ("solvers", "def late():\n    from rich import progress"),
        ("cli", "if TYPE_CHECKING:\n    from rich.progress import Progress"),
    ],
)
def test_what_is_allowed_is_no_trespass(folder, source):
    assert list(trespasses(source, folder)) == []


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_refuses_its_bare_name(folder):
    root = Path(find_spec(f"handbrew.{folder}").origin).parents[1]
    run = subprocess.run([sys.executable, "-c", f"import {folder}"], capture_output=True, text=True, cwd=root)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(f"ImportError: import it as handbrew.{folder}")


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_is_typed(folder):
    assert (files(f"handbrew.{folder}") / "py.typed").is_file()


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_all_names_what_is_public(folder):
    package = importlib.import_module(f"handbrew.{folder}")
    public = {
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert len(package.__all__) == len(public)
    assert set(package.__all__) == public  # ruff keeps them sorted


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_what_is_public_is_documented(folder):
    package = importlib.import_module(f"handbrew.{folder}")
    assert [name for name in package.__all__ if not getattr(package, name).__doc__] == []


def subclasses(base):
    """All of handbrew's classes that inherit from a class."""
    for found in base.__subclasses__():
        if found.__module__.startswith("handbrew."):
            yield found
        yield from subclasses(found)


def test_every_layer_is_public():
    """A layer that no other inherits from is no mere base class: it is there to be used."""
    forgotten = {
        layer.__name__
        for layer in subclasses(handbrew.layers.Layer)
        if not any(subclasses(layer))
        and not layer.__name__.startswith("_")
        and layer.__name__ not in importlib.import_module(layer.__module__.rpartition(".")[0]).__all__
    }
    assert forgotten == set()


@pytest.mark.parametrize("name", [name for name in modules() if name.startswith("handbrew.layers")])
def test_layers_keep_no_global_state(name):
    module = importlib.import_module(name)
    mutable = (list, dict, set, bytearray)
    assert [
        key for key, value in vars(module).items() if isinstance(value, mutable) and key[:2] != "__"
    ] == []
