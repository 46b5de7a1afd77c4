"""How `make docs` builds the documentation: neither it nor the site fetches anything."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

HERE = Path(__file__).parent
GENERATED = HERE / "_build" / "generated"  # outputs and pictures of the examples, made at each build
sys.path[:0] = [str(HERE), str(HERE.parent / "examples")]

import draw_policies  # noqa: E402
import softmax_by_hand  # noqa: E402
import spiral  # noqa: E402

from handbrew.layers import Configurable  # noqa: E402

project = "handbrew"
author = "the handbrew authors"
release = version = installed_version("handbrew")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "code"

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "handbrew"
html_static_path = ["_static"]
html_css_files = ["handbrew.css"]
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#7a4419", "color-brand-content": "#8f4f1c"},
    "dark_css_variables": {"color-brand-primary": "#e0a96d", "color-brand-content": "#e0a96d"},
}


def make_pages(app: Sphinx) -> None:
    """Run the examples, so that what the pages show is what they do."""
    GENERATED.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()) as output:
        softmax_by_hand.main()
    _write(GENERATED / "softmax_by_hand.txt", output.getvalue())
    verbs = ("train", "resume", "test", "predict", "summary", "draw", "time", "export", "find-lr", "check", "replay")
    for verb in verbs:
        command = [sys.executable, "-m", "handbrew.cli", verb, "--help"]
        plain = {**os.environ, "COLUMNS": "90", "PYTHON_COLORS": "0", "NO_COLOR": "1"}
        text = subprocess.run(command, env=plain, capture_output=True, text=True, check=True).stdout
        _write(GENERATED / f"help-{verb}.txt", text)
    line, data = spiral.train(layers=0)
    net, _ = spiral.train(layers=2)
    nets = {"A linear classifier": line, "Two hidden layers": net}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matplotlib's, on its first run
        spiral.draw(nets, data, GENERATED / "spiral-light.png")
        spiral.draw(nets, data, GENERATED / "spiral-dark.png", dark=True)
        draw_policies.main(str(GENERATED))


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def mend_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Let formulas be formulas: a bar is an absolute value, and no substitution."""
    lines[:] = [re.sub(r"(``.*?``|`.*?`)|\|", lambda m: m[1] or r"\|", line) for line in lines]


def mend_signature(
    app: Sphinx,
    what: str,
    name: str,
    obj: object,
    options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None] | None:
    """Show a layer's own arguments, not those of the base class's __new__."""
    if not (inspect.isclass(obj) and issubclass(obj, Configurable)):
        return None
    if obj.__init__ is object.__init__:
        return "()", None
    own = inspect.signature(obj.__init__)
    own = own.replace(parameters=list(own.parameters.values())[1:])
    return stringify_signature(own, show_annotation=False, show_return_annotation=False), None


def setup(app: Sphinx) -> None:
    """Connect the functions above to Sphinx's events."""
    app.connect("builder-inited", make_pages)
    app.connect("autodoc-process-docstring", mend_docstring)
    app.connect("autodoc-process-signature", mend_signature)
