"""An hour of mixed load with faults: ``python -m runs.soak_serve --minutes 60 --log wrong.jsonl``.

Clients send songs, leaf, review, undo, write tags and take that back, at a rate that leaves the
machine half idle, while uploads are cut off and workers are killed as by a decoder that crashes.
Every answer is compared with what the command line said of the same file at the start; one that
differs is a line of the log, with its request and the faults before it. In the last third the
server is killed and started again every two minutes, under a page that is open in a browser and
reviews on. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page

from runs.soak_clients import (
    Log,
    Server,
    Soak,
    finished,
    open_page,
    restart_under,
    tonearm,
)
from tests.support.small_files import ENCODED, music, write

SUFFIXES = [suffix for suffix in ENCODED if suffix not in {".tta", ".caf", ".aac", ".mka"}]
FILES, SECONDS = 24, 5.0
KILL_EVERY_S = 120.0
MEASURE_EVERY_S = 5.0


def digest(folder: Path) -> str:
    """Of every byte of every file."""
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def run(soak: Soak, page: Page, minutes: float) -> dict[str, Any]:
    """The hour: measured in its first two thirds, with kills in the last."""
    works = [soak.predict] * 2 + [soak.look]
    works += [soak.review, soak.write, soak.cut_off, soak.crash]
    threads = [
        threading.Thread(target=soak.client, args=(work, seed)) for seed, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    begun, measured, told = time.monotonic(), [], 0
    try:
        while (passed_s := time.monotonic() - begun) < minutes * 40:
            measured.append({"s": round(passed_s), **soak.server.measured()})
            page.wait_for_timeout(1_000 * MEASURE_EVERY_S)
        while time.monotonic() - begun < minutes * 60:
            restart_under(page, soak.server, down=soak.down, log=soak.log)
            told += 1
            page.wait_for_timeout(1_000 * min(KILL_EVERY_S, 20 * minutes))
    finally:
        soak.over.set()
        for thread in threads:
            thread.join(300)
    return {"measured": measured, "page": told}


def flat(measured: list[dict[str, float]], name: str) -> dict[str, float]:
    """Mean of the second quarter and of the last: after it has warmed up, and at the end."""
    n = len(measured) // 4
    early, late = measured[n : 2 * n], measured[3 * n :]
    return {
        "second_quarter": round(sum(row[name] for row in early) / max(1, len(early)), 1),
        "last_quarter": round(sum(row[name] for row in late) / max(1, len(late)), 1),
        "most": max(row[name] for row in measured),
    }


def main() -> None:
    """Run it, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--log", type=Path, default=Path("soak-wrong.jsonl"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, options.log.open("w") as log:
        print(json.dumps(soaked(Path(name), options.minutes, Log(log))))


def soaked(work: Path, minutes: float, log: Log) -> dict[str, Any]:
    """The whole run in a folder of its own."""
    folder, sent = work / "music", work / "sent"
    folder.mkdir()
    sent.mkdir()
    files = [
        write(folder / f"{i:02}{SUFFIXES[i % len(SUFFIXES)]}", music(i, SECONDS))
        for i in range(FILES)
    ]
    # Those that are sent are other files, which nobody writes to.
    songs = [sent / path.name for path in files]
    for path, song in zip(files, songs, strict=True):
        song.write_bytes(path.read_bytes())
    library = work / "library.sqlite"
    tonearm("scan", folder, "--library", library, "--jobs", 2)
    before = digest(folder)
    server = Server(library)
    try:
        soak = Soak(server, songs, files, log)
        with open_page(server.address) as page:
            result = run(soak, page, minutes)
        rows = httpx.get(f"{server.address}/api/v1/tracks?limit=1000", timeout=60).json()
        reviews = {row["id"]: row["review"] for row in rows["tracks"]}
        lost = [number for number in soak.said if not reviews[number]]
        with httpx.Client(base_url=f"{server.address}/api/v1", timeout=300) as http:
            undo_all(http)
    finally:
        server.process.terminate()
        server.process.wait()
    left = list(Path(tempfile.gettempdir()).glob(f"tonearm-serve-{server.process.pid}-*"))
    kinds = (f"{line['request']}: {line['got']}" for line in log.wrong)
    return {
        "minutes": minutes,
        "load": os.getloadavg()[1],
        "seen": dict(soak.seen),
        "wrong": len(log.wrong),
        # Alike but for numbers are counted as one; the log holds each.
        "wrong_kinds": Counter(re.sub(r"\d+", "N", words)[:160] for words in kinds),
        "reviews_lost": len(lost),
        "files_as_before": digest(folder) == before,
        "starts": server.starts,
        "left_behind": len(left),
        "page_said_so_and_sent_its_review": result["page"],
        "mb": flat(result["measured"], "mb"),
        "descriptors": flat(result["measured"], "descriptors"),
    }


def undo_all(http: httpx.Client) -> None:
    """Take back every run of writing that is left, those that a kill cut short too."""
    for _ in range(1_000):
        # By what comes next: the list itself holds the latest hundred runs only.
        if http.get("/tags/history").json()["next"] is None:
            return
        answer = http.post("/tags/undo", json={})
        answer.raise_for_status()
        finished(http, answer.json()["job"]["id"])


if __name__ == "__main__":
    main()
