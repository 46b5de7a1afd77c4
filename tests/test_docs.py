"""The code on the documentation's pages runs, top to bottom, and prints what they say."""

import importlib.util

import pytest
from pages import NEED_AN_EXTRA, PAGES, ROOT, examples, name, run_page


@pytest.mark.parametrize(
    "path",
    [p for p in PAGES if p.name not in NEED_AN_EXTRA and examples(p.read_text(encoding="utf-8"))],
    ids=name,
)
def test_page(path, tmp_path, monkeypatch):
    run_page(path, tmp_path, monkeypatch)


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
