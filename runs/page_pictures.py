"""Pictures of the page, each view at three widths, light and dark.

    python -m runs.page_pictures FOLDER

``listen.png`` and ``library.png`` in that folder are the pictures in docs/pictures.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.serving import CHROMIUM, CHROMIUM_ARGUMENTS, fill_library, served
from tonearm import audio
from tonearm.library.file_analysis import load_embed
from tonearm.library.file_tags import file_tags
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model import file as model_file

EXAMPLES = Path(__file__).parents[1] / "examples"
WIDTHS = {390: 844, 820: 1180, 1440: 900}
RATE_HZ = 44_100


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        music = Path(name) / "Music"
        shutil.copytree(EXAMPLES, music, ignore=shutil.ignore_patterns("*.md"))
        pieces = sorted(music.iterdir())
        files = [make_mix(Path(name) / "Saturday night.flac", pieces), *pieces, make_bad(name)]
        path = Path(name) / "library.sqlite"
        fill_library(path, 10_000)
        with Library(path, write=True) as library:
            scan(
                library,
                [music],
                model=model_file.load(None),
                make_embed=partial(load_embed, None),
                read_tags=file_tags,
                jobs=1,
            )
        with served(path) as address, sync_playwright() as playwright:
            arguments = [*CHROMIUM_ARGUMENTS, "--autoplay-policy=no-user-gesture-required"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            take_two(browser, address, folder, files)
            for scheme in ("light", "dark"):
                for width, height in WIDTHS.items():
                    page = new_page(browser, width, height, scheme)
                    take(page, address, folder, files, f"{width}-{scheme}")
                    page.close()
            browser.close()


def make_mix(path: Path, pieces: list[Path]) -> Path:
    """Three pieces one after the other, so that there is a change to see."""
    parts = []
    for piece in (pieces[2], pieces[0], pieces[4]):
        sound = audio.decode(piece)
        parts.append(audio.resample(sound.samples, sound.sample_rate_hz, RATE_HZ))
    soundfile.write(path, np.concatenate(parts), RATE_HZ)
    return path


def make_bad(folder: str) -> Path:
    """A file that is not music."""
    path = Path(folder) / "cover.mp3"
    path.write_bytes(b"no music at all")
    return path


def new_page(browser: Browser, width: int, height: int, scheme: str) -> Page:
    """A page whose errors are printed."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.on("console", lambda message: print(message.text, file=sys.stderr))
    page.on("pageerror", lambda error: print(error, file=sys.stderr))
    return page


def fill_listen(page: Page, address: str, files: list[Path]) -> None:
    """Fill the view for listening."""
    page.goto(address)
    page.set_input_files("#files", files)
    page.wait_for_selector(".card.bad")
    page.locator(".card canvas.picture").nth(5).wait_for()
    page.wait_for_timeout(2_500)


def look(page: Page, address: str, *, up: int) -> None:
    """Go to the examples at the end of the library, and accept one."""
    page.goto(f"{address}/#library")
    expect(page.locator(".shown")).to_contain_text(re.compile("^10,005 "))
    page.focus(".grid")
    page.keyboard.press("End")
    page.wait_for_timeout(800)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("a")
    page.wait_for_timeout(300)
    for _ in range(up):
        page.keyboard.press("ArrowUp")
    page.wait_for_timeout(3_000)


def take(page: Page, address: str, folder: Path, files: list[Path], name: str) -> None:
    """Both views, empty and filled, and a dialog."""
    page.goto(address)
    page.wait_for_selector(".drop")
    page.screenshot(path=folder / f"start-{name}.png")
    fill_listen(page, address, files)
    page.screenshot(path=folder / f"listen-{name}.png")
    look(page, address, up=1)
    page.screenshot(path=folder / f"library-{name}.png")
    if "1440" not in name:
        page.click(".row.current .title")
        page.wait_for_timeout(2_500)
        page.screenshot(path=folder / f"detail-{name}.png")
    page.focus(".grid")
    page.keyboard.press("c")
    page.wait_for_selector("dialog[open]")
    page.screenshot(path=folder / f"dialog-{name}.png")


def take_two(browser: Browser, address: str, folder: Path, files: list[Path]) -> None:
    """Those for the README, in 256 colours."""
    page = new_page(browser, 1200, 760, "light")
    fill_listen(page, address, files)
    picture = page.get_by_role("slider").first
    box = picture.bounding_box()
    assert box
    page.mouse.click(box["x"] + 0.55 * box["width"], box["y"] + 20)
    page.mouse.move(5, 5)
    page.wait_for_timeout(600)
    page.screenshot(path=folder / "listen.png")
    page.close()
    page = new_page(browser, 1200, 760, "dark")
    look(page, address, up=2)
    page.screenshot(path=folder / "library.png")
    page.close()
    for path in (folder / "listen.png", folder / "library.png"):
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    main(parser.parse_args().folder)
