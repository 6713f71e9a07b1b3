"""The page without a server next to the command line: the same answers? Time and memory too.

    python -m runs.browser_parity build/browser FOLDER [--most 60] [--json OUT]

Analyses every audio file of a folder in headless Chromium, by the folder that `make site` built,
and in this process. Prints in how many the most probable genre is the same, by how much the
probabilities differ, the time to the first answer and the memory. Exit 1 where fewer than 97 %
agree or probabilities differ by more than .03 on average.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import numpy as np
from playwright.sync_api import Page, sync_playwright

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.model.classifier import Classifier

_ANALYSE = """async (name) => {
  const api = await import("./api.js");
  const data = await (await fetch("clips/" + name)).blob();
  const found = {};
  api.watchCosts((costs) => Object.assign(found, {memory: costs.memory, loaded: costs.loaded}));
  const begun = performance.now();
  const report = (values) => {
    if (values.quick) found.first_s = (performance.now() - begun) / 1000;
    Object.assign(found, values);
  };
  await api.predict(new File([data], name), {report});
  found.whole_s = (performance.now() - begun) / 1000;
  delete found.picture;
  return found;
}"""


class _Handler(SimpleHTTPRequestHandler):
    """The site, and the music below ``clips/``."""

    music: ClassVar[dict[str, Path]] = {}

    def translate_path(self, path: str) -> str:
        name = unquote(path.rpartition("/clips/")[2])
        return str(self.music[name]) if name in self.music else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Requests are no news."""


@contextmanager
def serving(site: Path, music: dict[str, Path]) -> Iterator[str]:
    """The address of a server of the site and the music."""
    handler = partial(type("Handler", (_Handler,), {"music": music}), directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def opened(address: str) -> Iterator[Page]:
    """The site in headless Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        page = browser.new_page()
        page.on("pageerror", lambda error: print(error, file=sys.stderr))
        page.on("console", lambda message: print(message.text, file=sys.stderr))
        page.goto(address)
        page.wait_for_selector(".drop", timeout=90_000)
        yield page
        browser.close()


def compare(
    name: str, path: Path, page: Page, classifier: Classifier, *, timeline: bool
) -> dict[str, Any]:
    """One file both ways."""
    there = page.evaluate(_ANALYSE, quote(name))
    here = classifier.predict(path, timeline=timeline)
    answer = there["answer" if timeline else "quick"]
    differences = [
        abs(answer["probabilities"][genre] - value) for genre, value in here.probabilities.items()
    ]
    return {
        "name": name,
        "here": here.genre,
        "there": answer["genre"],
        "nearest": [here.nearest, answer["nearest"]],
        "confidence": [here.confidence, answer["confidence"]],
        "segments": [
            [segment.genre for segment in here.timeline],
            [segment["genre"] for segment in answer["timeline"]],
        ],
        "mean": float(np.mean(differences)),
        "most": max(differences),
        **{key: there[key] for key in ("first_s", "whole_s", "memory", "loaded")},
    }


def main() -> None:
    """Compare every file, print the rows and the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=60, help="files")
    parser.add_argument("--timeline", action="store_true", help="compare the whole tracks")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = sorted(options.folder.rglob("*"))
    paths = [path for path in found if path.suffix.lower() in AUDIO_SUFFIXES][: options.most]
    music = {path.relative_to(options.folder).as_posix().replace("/", "~"): path for path in paths}
    classifier = Classifier.load()
    rows = []
    with serving(options.site, music) as address, opened(address) as page:
        for name, path in music.items():
            row = compare(name, path, page, classifier, timeline=options.timeline)
            rows.append(row)
            print("{name}: {here} {there}, {mean:.4f} {most:.4f}, {first_s:.2f} s".format(**row))
    nearest = float(np.mean([row["nearest"][0] == row["nearest"][1] for row in rows]))
    genre = float(np.mean([row["here"] == row["there"] for row in rows]))
    mean = float(np.mean([row["mean"] for row in rows]))
    summary = {
        "n": len(rows),
        "same_nearest": nearest,
        "same_genre": genre,
        "mean_difference": mean,
        "most_difference": max(row["most"] for row in rows),
        "first_s_median": float(np.median([row["first_s"] for row in rows])),
        "whole_s_median": float(np.median([row["whole_s"] for row in rows])),
        "memory_most": max(row["memory"] for row in rows),
    }
    print(json.dumps(summary, indent=1))
    if options.json:
        options.json.write_text(json.dumps({"summary": summary, "files": rows}, indent=1))
    sys.exit(not (nearest >= 0.97 and mean <= 0.03))


if __name__ == "__main__":
    main()
