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
    "google": {"nets", "data"},  # protobuf
    "graphviz": {"nets"},
    "h5py": {"nets", "data"},
    "lmdb": {"data"},
    "matplotlib": {"solvers", "cli"},
    "onnx": {"nets"},
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
SUBFOLDERS = {"nets": ["caffe", "export", "onnx"]}
FILES = [
    file
    for folder, place in PLACES.items()
    for part in (place, *(place / name for name in SUBFOLDERS.get(folder, ())))
    for file in sorted(part.glob("*.py"))
]


def package_of(file):
    """The package that a file is in: ``handbrew.nets``, ``handbrew.nets.caffe``."""
    inner = file.parent.name
    outer = next((folder for folder, names in SUBFOLDERS.items() if inner in names), None)
    return f"handbrew.{outer}.{inner}" if outer else f"handbrew.{inner}"


MODULES = [
    f"{package_of(file)}.{file.stem}".removesuffix(".__init__")
    for file in FILES
    if file.stem != "__main__"  # a command: to import it is to run it
]
