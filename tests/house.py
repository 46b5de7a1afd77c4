"""The folders of the house, which of them each may import, and the modules in each."""

from importlib.util import find_spec
from pathlib import Path

MAY_IMPORT = {
    "layers": set(),
    "data": set(),
    "nets": {"layers", "data"},
    "solvers": {"layers", "nets", "data"},
    "cli": {"layers", "nets", "solvers", "data"},
}
# Packages that an extra brings, and who may import them, at the moment they are needed.
EXTRAS = {
    "matplotlib": {"solvers", "cli"},
    "rich": {"solvers", "cli"},
    "mpi4py": {"solvers"},
    "numba": {"solvers"},
    "tensorboardX": {"solvers"},
    "threadpoolctl": {"layers", "solvers"},
}
# Modules that import an extra at once, and are themselves imported at the moment they are needed.
NEED_AN_EXTRA = {"handbrew.cli.plots": "matplotlib"}

# In the checkout or in the installed wheel, and found without importing any.
PLACES = {folder: Path(find_spec(f"handbrew.{folder}").origin).parent for folder in MAY_IMPORT}
FILES = [file for place in PLACES.values() for file in sorted(place.glob("*.py"))]
MODULES = [
    f"handbrew.{file.parent.name}.{file.stem}".removesuffix(".__init__")
    for file in FILES
    if file.stem != "__main__"  # a command: to import it is to run it
]
