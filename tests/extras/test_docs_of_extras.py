"""The code on the pages about what an extra brings."""

import pytest
from pages import NEED_AN_EXTRA, PAGES, examples, name, run_page


@pytest.mark.filterwarnings("ignore:.* initial values")  # which caffe.md speaks of
@pytest.mark.parametrize("path", [p for p in PAGES if p.name in NEED_AN_EXTRA], ids=name)
def test_page(path, tmp_path, monkeypatch):
    run_page(path, tmp_path, monkeypatch)


def test_each_of_these_pages_is_there_and_has_code():
    running = {p.name for p in PAGES if examples(p.read_text(encoding="utf-8"))}
    assert running >= NEED_AN_EXTRA
