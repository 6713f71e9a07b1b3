"""Check a built documentation site: dead links and anchors, and whatever is loaded from elsewhere.

python docs/check_site.py build/site
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADING = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
# Links in the head that name pages and load nothing.
_NAMING = frozenset({"canonical", "prev", "next"})
_STYLE_ADDRESS = re.compile(r"url\(['\"]?((?:https?:)?//[^)'\"]+)")


class Page(HTMLParser):
    """What a page links to, what it loads, and the places that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in one element."""
        values = {name: value for name, value in attrs if value}
        self.places.update(values[name] for name in ("id", "name") if name in values)
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        address = values.get(_LOADING.get(tag, ""))
        if address and values.get("rel") not in _NAMING:
            self.loaded.append(address)


def check(site: Path) -> Iterator[str]:
    """Every fault of the site, as a sentence."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        foreign = [address for address in page.loaded if urlsplit(address).netloc]
        yield from (f"{name} loads {address}" for address in foreign)
        if name != "404.html":  # its links begin at the root of a server
            for address in (*page.links, *page.loaded):
                if fault := _fault(address, path, pages):
                    yield f"{name} links to {address}, {fault}"
    for path in sorted(site.rglob("*.css")):
        for address in _STYLE_ADDRESS.findall(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(site).as_posix()} loads {address}"


def _fault(address: str, path: Path, pages: dict[Path, Page]) -> str | None:
    """Why a link of the page at ``path`` leads nowhere; None where it does not."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    file = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
    file = file / "index.html" if file.is_dir() else file
    if not file.exists():
        return "which is not there"
    if parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].places:
        return "which has no such place"
    return None


if __name__ == "__main__":
    if faults := list(check(Path(sys.argv[1]))):
        raise SystemExit("\n".join(faults))
