"""The folders of the house, which of them each may import, and the modules in each."""

import importlib
import pkgutil

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
}


def modules():
    """The full names of all modules of the package."""
    packages = [importlib.import_module(f"handbrew.{folder}") for folder in MAY_IMPORT]
    return [
        name
        for package in packages
        for name in (
            package.__name__,
            *(found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")),
        )
    ]
