"""Pictures of the page, each view at three widths, light and dark.

    python -m runs.page_pictures FOLDER

``listen.png``, ``library.png`` and ``map.png`` in that folder are the pictures in docs/pictures.
"""

from __future__ import annotations

import argparse
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
from tonearm.serve.server import example_files

WIDTHS = {390: 844, 1024: 768, 1920: 1080}
VIEWS = ("overview", "list", "list?by=album&sort=album", "review", "map")
RATE_HZ = 44_100


def main(folder: Path) -> None:
    """Take them all."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        music = Path(name) / "Music"
        music.mkdir()
        for piece in example_files().values():
            shutil.copy(piece, music)
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
            spread(library)
        with served(path) as address, sync_playwright() as playwright:
            arguments = [*CHROMIUM_ARGUMENTS, "--autoplay-policy=no-user-gesture-required"]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
            take_shown(browser, address, folder, files)
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
    expect(page.locator(".card progress")).to_have_count(0, timeout=60_000)
    page.wait_for_load_state("networkidle")  # spectrograms come after the answers
    page.wait_for_timeout(1_500)


def look(page: Page, address: str, view: str) -> None:
    """Open a view, and wait until it is drawn."""
    page.goto(f"{address}/#{view}")
    if view == "map":
        page.wait_for_selector(".points[aria-label^='Map of ']", timeout=120_000)
    page.wait_for_timeout(3_500)


def review_some(page: Page, address: str) -> None:
    """Go to the examples in the list, and review two of them."""
    page.goto(f"{address}/#list?sort=path&down=1")
    expect(page.locator("#row-0 .name")).to_be_visible()
    for key in ("a", "r"):
        page.keyboard.press(key)
        page.wait_for_timeout(400)
    if page.viewport_size and page.viewport_size["width"] >= 1_000:
        page.wait_for_selector(".detail .why", timeout=120_000)
    page.wait_for_timeout(4_000)


def spread(library: Library) -> None:
    """Let made-up sounds of one genre be alike, so that the map has something to show."""
    rng = np.random.default_rng(0)
    rows = library.rows("SELECT id, probabilities, pooled FROM sounds WHERE key LIKE 'made-%'")
    k, d = len(rows[0][1]) // 4, len(rows[0][2]) // 4
    centres = rng.beta(0.5, 3, (k, d))
    changed = []
    for number, probabilities, _ in rows:
        mixed = np.frombuffer(probabilities, np.float32).astype(float) ** 1.5 @ centres
        pooled = np.abs(mixed + 0.02 * rng.standard_normal(d)).astype(np.float32)
        changed.append((pooled.tobytes(), number))
    with library.transaction():
        library.write("UPDATE sounds SET pooled = ? WHERE id = ?", changed)


def take(page: Page, address: str, folder: Path, files: list[Path], name: str) -> None:
    """Every view, and the dialogs."""
    page.goto(address)
    page.wait_for_selector(".drop")
    page.screenshot(path=folder / f"start-{name}.png")
    fill_listen(page, address, files)
    page.screenshot(path=folder / f"listen-{name}.png")
    for view in VIEWS:
        look(page, address, view)
        short = "albums" if "album" in view else view
        page.screenshot(path=folder / f"{short}-{name}.png")
    review_some(page, address)
    page.screenshot(path=folder / f"reviewed-{name}.png")
    page.keyboard.press("c")
    page.wait_for_selector("dialog[open]")
    page.screenshot(path=folder / f"change-{name}.png")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Write…").click()
    page.wait_for_selector(".plan > *")
    page.screenshot(path=folder / f"write-{name}.png")
    page.keyboard.press("Escape")


def take_shown(browser: Browser, address: str, folder: Path, files: list[Path]) -> None:
    """Those for the README and docs, in 256 colours."""
    page = new_page(browser, 1200, 760, "light")
    fill_listen(page, address, [*files[:3], files[-1]])
    slider = page.locator(".card").first.get_by_role("slider")
    box = slider.bounding_box()
    assert box
    page.mouse.click(box["x"] + 0.55 * box["width"], box["y"] + 20)
    page.mouse.move(5, 5)
    page.wait_for_timeout(600)
    page.screenshot(path=folder / "listen.png")
    page.close()
    page = new_page(browser, 1200, 760, "dark")
    review_some(page, address)
    page.screenshot(path=folder / "library.png")
    page.close()
    page = new_page(browser, 1200, 760, "light")
    look(page, address, "map")
    page.wait_for_timeout(4_000)
    page.screenshot(path=folder / "map.png")
    page.close()
    for name in ("listen.png", "library.png", "map.png"):
        path = folder / name
        Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the pictures go")
    main(parser.parse_args().folder)
