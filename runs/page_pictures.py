"""Both views at three widths, light and dark: ``python -m runs.page_pictures FOLDER``."""

from __future__ import annotations

import re
import sys
import tempfile
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from serving import CHROMIUM, CHROMIUM_ARGUMENTS, fill_library, served

from tonearm import bundle
from tonearm.kept_tags import file_tags
from tonearm.library.scan import load_listen, scan
from tonearm.library.store import Library

EXAMPLES = Path(__file__).parents[1] / "examples"
WIDTHS = {390: 844, 820: 1180, 1440: 900}
PIECES = sorted(path for path in EXAMPLES.iterdir() if path.suffix != ".md")


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "library.sqlite"
        fill_library(path, 10_000)
        with Library(path, write=True) as library:
            scan(
                library,
                [EXAMPLES],
                bundle=bundle.load(None),
                make_listen=partial(load_listen, None),
                read_tags=file_tags,
                jobs=1,
            )
        with served(path) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
            for scheme in ("light", "dark"):
                for width, height in WIDTHS.items():
                    page = browser.new_page(
                        viewport={"width": width, "height": height}, color_scheme=scheme
                    )
                    page.on("console", lambda message: print(message.text, file=sys.stderr))
                    page.on("pageerror", lambda error: print(error, file=sys.stderr))
                    take(page, address, folder, f"{width}-{scheme}")
                    page.close()
            browser.close()


def take(page: Page, address: str, folder: Path, name: str) -> None:
    """Both views, empty and filled, and a dialog."""
    page.goto(address)
    page.wait_for_selector(".drop")
    page.screenshot(path=folder / f"start-{name}.png")
    noise = Path(tempfile.gettempdir()) / "cover.mp3"
    noise.write_bytes(b"no music at all")
    page.set_input_files("#files", [*PIECES, noise])
    page.wait_for_selector(".card.bad")
    page.locator(".card canvas.picture").nth(4).wait_for()
    page.wait_for_timeout(2_500)
    page.screenshot(path=folder / f"listen-{name}.png")
    page.goto(f"{address}/#library")
    page.wait_for_selector(".rows .badge")
    page.fill("input[type=search]", "tonearm")
    expect(page.locator(".shown")).to_contain_text(re.compile("^5 "))
    page.fill("input[type=search]", "")
    expect(page.locator(".shown")).to_contain_text("10,005")
    page.focus(".grid")
    page.keyboard.press("End")
    page.wait_for_timeout(800)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("a")
    page.wait_for_timeout(300)
    page.keyboard.press("ArrowUp")
    page.wait_for_timeout(2_500)
    page.screenshot(path=folder / f"library-{name}.png")
    if "390" in name or "820" in name:
        page.click(".row.current .title")
        page.wait_for_timeout(2_500)
        page.screenshot(path=folder / f"detail-{name}.png")
    page.focus(".grid")
    page.keyboard.press("c")
    page.wait_for_selector("dialog[open]")
    page.screenshot(path=folder / f"dialog-{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
