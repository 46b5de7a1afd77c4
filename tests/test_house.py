"""The architecture that the folders are: arrows that point one way, and one name for each class."""

import ast
import importlib
import inspect
import subprocess
import sys
from importlib.util import resolve_name

import pytest
from house import EXTRAS, FILES, MAY_IMPORT, MODULES, NEED_AN_EXTRA, PLACES, package_of

import handbrew.layers


def imports(tree, package):
    """What each import names, in full, and whether it happens as soon as the module is imported."""
    for node in ast.iter_child_nodes(tree):
        at_once = True
        match node:
            case ast.Import():
                yield from ((alias.name, True) for alias in node.names)
            case ast.ImportFrom():
                origin = resolve_name("." * node.level + (node.module or ""), package)
                yield from ((f"{origin}.{alias.name}", True) for alias in node.names)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                at_once = False
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                at_once = False
        yield from ((name, at_once and inner) for name, inner in imports(node, package))


def trespasses(source, module):
    """What a module imports against the rules of the house."""
    folder = module.split(".")[1]
    for name, at_once in imports(ast.parse(source), module.rpartition(".")[0]):
        root, *rest = name.split(".")
        if root == "handbrew":
            if not rest or rest[0] not in MAY_IMPORT[folder] | {folder}:
                yield f"{folder} may not import {name}"
            elif rest[0] != folder and any(part.startswith("_") for part in rest):
                yield f"{name} is private to its folder"
        elif root in EXTRAS:
            if folder not in EXTRAS[root]:
                yield f"{folder} may not import {name}"
        elif root != "numpy" and root not in sys.stdlib_module_names:
            yield f"{name} is neither NumPy nor standard library"
        needed = NEED_AN_EXTRA.get(".".join(name.split(".")[:3]), root)
        if at_once and needed in EXTRAS and NEED_AN_EXTRA.get(module) != needed:
            yield f"{name} needs an extra: import it in the function that needs it"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_arrows_point_one_way(file):
    module = f"{package_of(file)}.{file.stem}"
    assert list(trespasses(file.read_text(encoding="utf-8"), module)) == []


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
        ("cli", "from .plots import draw_history"),
        ("cli", "from . import plots"),
        ("solvers", "import scipy"),
    ],
)
def test_trespasses_are_found(folder, source):
    assert len(list(trespasses(source, f"handbrew.{folder}.module"))) == 1


@pytest.mark.parametrize(
    ("folder", "source"),
    [
        ("layers", "import os.path, numpy as np\nfrom numpy.typing import NDArray"),
        ("layers", "from ._numerics import ones\nfrom . import errors"),
        ("nets", "import handbrew.layers\nfrom handbrew.data.guard import decoding"),
        ("solvers", "def late():\n    from rich import progress"),
        ("cli", "def late():\n    from .plots import draw_history"),
        ("cli", "if TYPE_CHECKING:\n    from rich.progress import Progress"),
    ],
)
def test_what_is_allowed_is_no_trespass(folder, source):
    assert list(trespasses(source, f"handbrew.{folder}.module")) == []


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_refuses_its_bare_name(folder):
    command = [sys.executable, "-c", f"import {folder}"]
    run = subprocess.run(command, cwd=PLACES[folder].parent, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith(f"ImportError: import it as handbrew.{folder}")


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_is_typed(folder):
    assert (PLACES[folder] / "py.typed").is_file()


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_all_names_what_is_public(folder):
    package = importlib.import_module(f"handbrew.{folder}")
    assert all(hasattr(package, name) for name in package.__all__)  # which imports what is imported when asked for
    public = {name for name, value in vars(package).items() if not name.startswith("_") and not inspect.ismodule(value)}
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
    for folder in MAY_IMPORT:
        package = importlib.import_module(f"handbrew.{folder}")
        assert [name for name in package.__all__ if not hasattr(package, name)] == []
    forgotten = {
        layer.__name__
        for layer in subclasses(handbrew.layers.Layer)
        if not any(subclasses(layer))
        and not layer.__name__.startswith("_")
        and layer.__name__ not in importlib.import_module(layer.__module__.rpartition(".")[0]).__all__
    }
    assert forgotten == set()


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("handbrew.layers")])
def test_layers_keep_no_global_state(name):
    module = importlib.import_module(name)
    mutable = (list, dict, set, bytearray)
    found = [key for key, value in vars(module).items() if isinstance(value, mutable) and key[:2] != "__"]
    assert found == []
