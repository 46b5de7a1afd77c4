"""The code on the documentation's pages, and running it.

A fenced block of ``python`` is a program, or a session if it has ``>>>``; a block of ``text`` right
after a program is what it prints. All blocks of a page share one namespace.
"""

import doctest
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/reference/*.md")])
NEED_AN_EXTRA = {"caffe.md", "caffe-training.md", "onnx.md"}  # these run with the tests of extras
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


def run_page(path, folder, monkeypatch):
    """Run a page's code in an empty folder; complain of what it prints if the page says otherwise."""
    monkeypatch.chdir(folder)
    module = ModuleType(f"page_{path.stem}")  # a real one, so that its classes can be pickled
    monkeypatch.setitem(sys.modules, module.__name__, module)
    page = doctest.DocTest(examples(path.read_text(encoding="utf-8")), {}, path.name, str(path), 0, None)
    page.globs = vars(module)
    page.globs["run"] = exec
    complaints = []
    doctest.DocTestRunner(Checker(), optionflags=FLAGS).run(page, out=complaints.append, clear_globs=False)
    assert not complaints, "".join(complaints)
