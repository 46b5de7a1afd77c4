"""Exported files, as programs that know NumPy only."""

import contextlib
import io
from types import ModuleType

from handbrew.nets import export_numpy


def load(path):
    """The module that a file is, which must not name handbrew in its code."""
    text = path.read_text(encoding="utf-8")
    assert "import handbrew" not in text
    assert "from handbrew" not in text
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(text, path, "exec"), vars(module))
    return module


def export(net, folder, backward=True, **options):
    """Export a net; return the module, whose self-test has passed."""
    path = folder / "exported.py"
    export_numpy(net, path, backward, **options)
    tested = load(path)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert tested.self_test(), said.getvalue()
    return load(path)
