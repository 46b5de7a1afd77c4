"""What is wrong with a table, gathered."""

from pathlib import Path

from .errors import FileFormatError

_ENOUGH = 5


class Problems:
    """Gathers problems, so that one FileFormatError can tell the first few."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []

    def add(self, line: int, what: str, column: str | None = None) -> None:
        """Note a problem; the fifth one is raised together with those before."""
        where = f"{self.path}, line {line}" + (f", column {column!r}" if column else "")
        self.found.append(f"{where}: {what}")
        if len(self.found) == _ENOUGH:
            self.found.append("there may be more: reading stopped here")
            self.check()

    def check(self) -> None:
        """Raise what was found, if anything was."""
        if self.found:
            raise FileFormatError("\n".join(self.found))
