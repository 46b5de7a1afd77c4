"""The folders of the house, which of them each may import, and the modules in each."""

from importlib.util import find_spec
from pkgutil import iter_modules

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
    """The full names of all modules of the package, found without importing any."""
    for folder in MAY_IMPORT:
        package = find_spec(f"handbrew.{folder}")
        yield package.name
        for found in iter_modules(package.submodule_search_locations, f"{package.name}."):
            if not found.name.endswith("__main__"):  # a command, not to be imported
                yield found.name
