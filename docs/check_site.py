"""Whether the built site stands on its own: `python docs/check_site.py docs/_build/html`.

Pages may link to other sites, but nothing that a browser loads by itself (scripts, styles, fonts,
pictures) may come from one; and links within the site must lead somewhere.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED_LINKS = {"stylesheet", "preload", "prefetch", "preconnect", "dns-prefetch", "icon", "modulepreload"}
REMOTE_IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """What a page loads, what it links to, and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.inline = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.anchors.add(given["id"])
        self.inline += given.get("style", "")
        if tag == "link":
            if LOADED_LINKS & set(given.get("rel", "").lower().split()):
                self.loads.append(given.get("href", ""))
        elif tag == "a":
            self.links.append(given.get("href", ""))
        else:
            self.loads += [given[name] for name in ("src", "data", "poster") if given.get(name)]
            self.loads += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]

    def handle_data(self, data: str) -> None:
        self.inline += data


def problems(site: Path) -> list[str]:
    """Return one line for everything that is loaded from elsewhere or links to nothing."""
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = [] if pages else [f"{site}: no pages"]
    for path, page in pages.items():
        for url in page.loads + REMOTE_IN_STYLE.findall(page.inline):
            found += _wrong(url, path, pages, remote_is_wrong=True)
        for url in page.links:
            found += _wrong(url, path, pages, remote_is_wrong=False)
    for path in site.rglob("*.css"):
        found += [f"{path}: loads {url}" for url in REMOTE_IN_STYLE.findall(path.read_text(encoding="utf-8"))]
    return found


def _wrong(url: str, page: Path, pages: dict[Path, Page], remote_is_wrong: bool) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme == "data":
        return []
    if parts.scheme or parts.netloc:
        return [f"{page}: loads {url}"] if remote_is_wrong else []
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_file():
        return [f"{page}: {url!r} is not there"]
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return [f"{page}: {url!r}: no such place on that page"]
    return []


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/_build/html"))
    print(*wrong or ["the site stands on its own"], sep="\n")
    sys.exit(bool(wrong))
