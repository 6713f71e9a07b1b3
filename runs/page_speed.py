"""How long the page takes with 100,000 tracks, by the clock: ``python -m runs.page_speed``.

A library of made-up rows, a server in a process of its own and Chromium: the list until its first
row is there, a filter and a search until the number of tracks is, and the map until its points are
drawn; each the best of some rounds, and the slowest. Prints one JSON object. Times are of the wall:
run it on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from runs.soak_clients import Server
from tests.support.serving import CHROMIUM, CHROMIUM_ARGUMENTS, fill_library

# What the page is asked to keep to, in seconds.
LIMITS = {"first row": 2.0, "filter": 0.5, "search": 0.5, "map": 3.0}
WAIT_MS = 120_000


def main() -> None:
    """Make the library, look at it, print one JSON object; exit with 1 over a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        library = Path(name) / "library.sqlite"
        fill_library(library, options.rows)
        server = Server(library)
        try:
            seconds = looked_at(server.address, options.rows, options.rounds)
        finally:
            server.process.terminate()
            server.process.wait()
    best = {step: round(min(times), 2) for step, times in seconds.items()}
    most = {step: round(max(times), 2) for step, times in seconds.items()}
    over = [step for step, limit in LIMITS.items() if best[step] > limit]
    print(json.dumps({"rows": options.rows, "best_s": best, "most_s": most, "over": over}))
    raise SystemExit(bool(over))


def looked_at(address: str, rows: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every step, a number a round; each round in a browser that has nothing kept."""
    seconds: dict[str, list[float]] = {step: [] for step in LIMITS}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        for _ in range(rounds):
            page = browser.new_page()
            for step, took in (
                ("first row", first_row(page, address, rows)),
                ("filter", filtered(page)),
                ("search", searched(page)),
                ("map", mapped(page, address)),
            ):
                seconds[step].append(took)
            page.close()
        browser.close()
    return seconds


def first_row(page: Page, address: str, rows: int) -> float:
    """From the address until the first track and the number of all are there."""
    begun = time.perf_counter()
    page.goto(f"{address}/#list")
    page.locator("#row-0 .name").wait_for(timeout=WAIT_MS)
    took = time.perf_counter() - begun
    expect(page.locator(".shown")).to_have_text(f"{rows:,} tracks shown", timeout=WAIT_MS)
    return took


def filtered(page: Page) -> float:
    """From the choice of a genre until the number of its tracks is there."""
    box = page.get_by_role("combobox", name="By sound")
    return until_counted(page, lambda: box.select_option("jazz"))


def searched(page: Page) -> float:
    """From the last letter until the number is there; the page's own wait for more is in it."""
    page.get_by_role("combobox", name="By sound").select_option("")
    page.locator("#row-0 .name").wait_for(timeout=WAIT_MS)
    page.wait_for_timeout(1_000)
    return until_counted(page, lambda: page.get_by_role("searchbox").fill("velvet harbour"))


def until_counted(page: Page, change: Callable[[], object]) -> float:
    """Seconds from a change until the number of tracks shown is another one."""
    shown = page.locator(".shown")
    before = shown.inner_text()
    begun = time.perf_counter()
    change()
    # Asked at every frame: `expect` asks twice a second at most.
    page.wait_for_function(
        """before => {
            const now = document.querySelector(".shown").textContent;
            return now !== before && /^[\\d,]+ tracks? shown$/.test(now);
        }""",
        arg=before,
        timeout=WAIT_MS,
    )
    return time.perf_counter() - begun


def mapped(page: Page, address: str) -> float:
    """From the address until the points are drawn, in a page of its own."""
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(f"{address}/#map")
    page.wait_for_function(
        """() => /^Map of [\\d,]+ tracks: arrows move/.test(
            document.querySelector("canvas.points")?.getAttribute("aria-label") ?? "")""",
        timeout=WAIT_MS,
    )
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
