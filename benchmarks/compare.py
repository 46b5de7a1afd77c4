"""Compare two of the JSON files that make bench writes: python benchmarks/compare.py OLD.json NEW.json

Times of two runs differ with the machine's mood; the ratios, whose peers met the same mood, are the better judges.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Leaves that are worth a line, by the last part of their path: is more better?
MORE_IS_BETTER = {"us.handbrew": False, "us an image": False, "ratio": True, "ratios.NumPy by hand": True}
MORE_IS_BETTER |= {"ratios.onnxruntime": True, "ratios.OpenCV": True}
SECONDS = "import seconds"


def figures(results: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, float, bool]]:
    """Name, value, and whether more is better."""
    for key, value in results.items():
        here = (*path, key)
        name = ".".join(here)
        if isinstance(value, dict):
            yield from figures(value, here)
        elif path == (SECONDS,) and key != "numpy":
            yield f"{name} / numpy", value / results["numpy"], False
        elif path[:1] == ("memory MB",) and key == "handbrew":
            yield name, value, False
        else:
            yield from ((name, value, more) for end, more in MORE_IS_BETTER.items() if name.endswith(f".{end}"))


def main() -> None:
    old, new = ({name: (value, more) for name, value, more in figures(_read(path))} for path in sys.argv[1:3])
    print(f"{'':64} {'old':>10} {'new':>10}  times better")
    for name, (before, more) in old.items():
        if name in new:
            after = new[name][0]
            print(f"{name:64} {before:10.4g} {after:10.4g}  {after / before if more else before / after:.2f}")


def _read(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text())


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/compare.py OLD.json NEW.json")
    main()
