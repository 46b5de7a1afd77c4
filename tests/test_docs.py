"""The code on the documentation's pages runs, top to bottom, and prints what they say.

A fenced block of ``python`` is a program, or a session if it has ``>>>``; a block of ``text`` right
after a program is what it prints. All blocks of a page share one namespace.
"""

import doctest
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/reference/*.md")])
BLOCK = re.compile(r"^```(?P<kind>python|text)\n(?P<body>.*?)^```$", re.M | re.S)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


UNSAID = "whatever it prints\n"


class Checker(doctest.OutputChecker):
    """Takes a program whose output the page does not show as it is, and lets rounding errors differ."""

    def check_output(self, want, got, optionflags):
        return want == UNSAID or super().check_output(coarse(want), coarse(got), optionflags)


def coarse(text):
    """Leave four digits of long numbers, and none of numbers as small as a rounding error."""
    text = re.sub(r"\d\.\de-(0[5-9]|[1-9]\d)", "tiny", text)
    return re.sub(r"\d+\.\d{5,}", lambda match: f"{float(match[0]):.4g}", text)


def examples(text):
    """Everything on a page that runs, in order."""
    found, end = [], -1
    for block in BLOCK.finditer(text):
        body, line = block["body"], text.count("\n", 0, block.start()) + 1
        if block["kind"] == "text":
            if found and not text[end : block.start()].strip():
                found[-1].want = body
            continue
        if body.startswith(">>>"):
            session = doctest.DocTestParser().get_examples(body)
            for example in session:
                example.lineno += line
            found += session
            end = -1  # its outputs are in it
        else:
            found.append(doctest.Example(f"run({body!r}, globals())\n", UNSAID, lineno=line))
            end = block.end()
    return found


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [p for p in PAGES if examples(p.read_text(encoding="utf-8"))], ids=name)
def test_page(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{path.stem}")  # a real one, so that its classes can be pickled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    page = doctest.DocTest(examples(path.read_text(encoding="utf-8")), {}, path.name, str(path), 0, None)
    page.globs = vars(module)
    page.globs["run"] = exec
    complaints = []
    doctest.DocTestRunner(Checker(), optionflags=FLAGS).run(page, out=complaints.append, clear_globs=False)
    assert not complaints, "".join(complaints)


def test_the_pages_for_learners_have_code():
    running = {path.name for path in PAGES if examples(path.read_text(encoding="utf-8"))}
    assert running >= {"concepts.md", "tutorial.md", "index.md", "CONTRIBUTING.md"}


class TestCheckSite:
    """What ``make docs`` looks at in the pages it has built."""

    spec = importlib.util.spec_from_file_location("check_site", ROOT / "docs" / "check_site.py")
    check_site = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check_site)

    @pytest.mark.parametrize(
        "body",
        [
            '<script src="https://elsewhere.example/x.js"></script>',
            '<script src="//elsewhere.example/x.js"></script>',
            '<link rel="stylesheet" href="http://elsewhere.example/x.css">',
            '<link rel="preload icon" href="https://elsewhere.example/font.woff2">',
            '<img src="https://elsewhere.example/x.png">',
            '<img src="here.png" srcset="https://elsewhere.example/x.png 2x">',
            "<style>@import url(https://elsewhere.example/x.css)</style>",
            '<p style="background: url(https://elsewhere.example/x.png)">',
            '<a href="nowhere.html">gone</a>',
            '<a href="#nowhere">gone</a>',
            '<a href="other.html#nowhere">gone</a>',
            '<img src="nowhere.png">',
        ],
    )
    def test_refuses(self, body, tmp_path):
        assert self.found(body, tmp_path)

    @pytest.mark.parametrize(
        "body",
        [
            '<a href="https://elsewhere.example/">a link is no load</a>',
            '<script src="here.js?v=1"></script>',
            '<p id="place"></p><a href="#place">there</a><a href="other.html#there">there</a>',
            '<img src="data:image/png;base64,AA">',
        ],
    )
    def test_accepts(self, body, tmp_path):
        assert not self.found(body, tmp_path)

    def found(self, body, folder):
        (folder / "here.js").touch()
        (folder / "here.png").touch()
        (folder / "other.html").write_text('<p id="there"></p>')
        (folder / "page.html").write_text(body)
        return self.check_site.problems(folder)

    def test_refuses_remote_fonts_in_styles_and_a_site_without_pages(self, tmp_path):
        assert self.check_site.problems(tmp_path)
        (tmp_path / "page.html").touch()
        (tmp_path / "x.css").write_text("@font-face { src: url('https://elsewhere.example/font.woff2') }")
        assert len(self.check_site.problems(tmp_path)) == 1
