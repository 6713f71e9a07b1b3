"""An hour of mixed load with faults: ``python -m runs.soak_serve --minutes 60``.

Clients send songs, leaf, review, undo, write tags and take that back, while uploads are cut off and
workers are killed as by a decoder that crashes. Every answer is compared with what the command line
said of the same file at the start. In the last third the server is killed and started again every
two minutes, under a page that is open in a browser and reviews on. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.support.serving import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.support.small_files import ENCODED, music, write

SUFFIXES = [suffix for suffix in ENCODED if suffix not in {".tta", ".caf", ".aac", ".mka"}]
FILES, SECONDS = 24, 5.0
KILL_EVERY_S = 120.0
MEASURE_EVERY_S = 5.0


def tonearm(*arguments: object) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "tonearm", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def digest(folder: Path) -> str:
    """Of every byte of every file."""
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def children(process: int) -> set[int]:
    """Processes that a process started, by any of its threads."""
    found = set[int]()
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found |= {int(number) for number in task.read_text().split()}
        except OSError:
            continue  # gone meanwhile
    return found


class Server:
    """``tonearm serve`` in a process of its own, which may be killed and started again."""

    def __init__(self, library: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.library = library
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "tonearm", "serve", "--no-browser"]
        command += ["--port", str(self.port), "--library", str(self.library)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.starts += 1
        while True:
            try:
                httpx.get(f"{self.address}/api/v1/health", timeout=30).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.2)

    def workers(self) -> list[int]:
        """Processes that analyse, and the process that starts them."""
        found = set[int]()
        for starter in children(self.process.pid):
            if started := children(starter):
                found |= {starter, *started}
        return sorted(found)

    def measured(self) -> dict[str, float]:
        """Memory of the server and its open descriptors."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        rss = re.search(r"VmRSS:\s+(\d+) kB", status)
        descriptors = len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        return {"mb": int(rss[1]) / 1024 if rss else 0.0, "descriptors": descriptors}


class Soak:
    """What the clients share: what is expected, what was seen."""

    def __init__(self, server: Server, files: list[Path]) -> None:
        self.server, self.files = server, files
        self.over, self.down = threading.Event(), threading.Event()
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.said: dict[int, str | None] = {}  # acknowledged reviews, by id of the track
        self.lock = threading.Lock()
        rows = map(json.loads, tonearm("predict", "-f", "jsonl", *files).splitlines())
        self.expected = {Path(row["path"]).name: row for row in rows}
        listed = json.loads(tonearm("list", "-f", "json", "--library", server.library))
        self.genres = Counter(row["genre"] or "unknown" for row in listed["files"])
        ids = httpx.get(f"{server.address}/api/v1/tracks?limit=1000").json()["tracks"]
        self.ids = {row["name"]: row["id"] for row in ids}

    def check(self, holds: bool, words: str) -> None:
        """Note an answer that is not the command line's."""
        if not holds:
            self.wrong.append(words[:300])

    def client(self, work: Callable[[httpx.Client, random.Random], None], seed: int) -> None:
        """Do it until the soak is over; what a killed server cut off is asked again."""
        rng = random.Random(seed)
        with httpx.Client(base_url=f"{self.server.address}/api/v1", timeout=300) as http:
            while not self.over.is_set():
                try:
                    work(http, rng)
                except httpx.HTTPError:
                    # Only a killed server may leave a request without an answer.
                    self.seen["cut off by a kill" if self.killed_lately() else "lost"] += 1
                    time.sleep(0.5)

    def killed_lately(self) -> bool:
        """Whether the server was killed since the last few seconds."""
        return self.down.is_set()

    def predict(self, http: httpx.Client, rng: random.Random) -> None:
        """Send a song, as a form or as it is."""
        path = rng.choice(self.files)
        if rng.random() < 0.5:
            with path.open("rb") as file:
                answer = http.post("/predict", files={"file": file})
        else:
            raw = {"content-type": "audio/x-any"}
            url = f"/predict?name={path.name}"
            answer = http.post(url, content=path.read_bytes(), headers=raw)
        if answer.status_code == 422 and answer.json()["error"]["kind"] == "crash":
            self.seen["killed workers told"] += 1
            return
        values = answer.json()
        expected = {**self.expected[path.name], "path": path.name}
        self.check(values == expected, f"{path.name}: {answer.status_code} {answer.text}")
        self.seen["predictions"] += 1

    def look(self, http: httpx.Client, rng: random.Random) -> None:
        """Leaf, filter, and open a track whole."""
        genre = rng.choice(list(self.genres))
        page = http.get("/tracks", params={"genre": genre, "limit": 5}).json()
        self.check(page["total"] == self.genres[genre], f"{genre}: {page['total']}")
        number = rng.choice(list(self.ids.values()))
        what = rng.choice(["reasons", "picture", "timeline", "cover", "audio"])
        answer = http.get(f"/tracks/{number}/{what}")
        told = answer.status_code == 422 and "crash" in answer.text
        self.check(answer.status_code in {200, 204} or told, f"{what}: {answer.text}")
        self.check(http.get("/map").json()["total"] == len(self.ids), "the map")
        self.seen["looks"] += 1

    def review(self, http: httpx.Client, rng: random.Random) -> None:
        """Say something of a track, and ask what was said."""
        number = rng.choice(list(self.ids.values()))
        genre = rng.choice(["jazz", "Trip-Hop", "rock"])
        with self.lock:  # the last one to speak is right
            said = {"ids": [number], "verdict": "change", "genre": genre}
            http.post("/review", json=said).raise_for_status()
            self.said[number] = genre
            row = http.get(f"/tracks/{number}").json()
            self.check(row["review"]["genre"] == genre, f"review of {number}")
        self.seen["reviews"] += 1
        time.sleep(0.3)

    def write(self, http: httpx.Client, rng: random.Random) -> None:
        """Write what was reviewed into the files, and take it back."""
        for path in ("/tags/write", "/tags/undo"):
            answer = http.post(path, json={"policy": "replace"} if "write" in path else {})
            if answer.status_code != 202:
                continue
            number = answer.json()["job"]["id"]
            while http.get(f"/jobs/{number}").json()["job"]["state"] == "running":
                time.sleep(0.2)
            self.seen[path] += 1
        time.sleep(rng.uniform(1, 5))

    def cut_off(self, http: httpx.Client, rng: random.Random) -> None:
        """An upload that ends in the middle."""
        head = b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n"
        head += b"Content-Type: audio/mpeg\r\n\r\n" + b"x" * rng.randrange(1, 90_000)
        try:
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
                connection.sendall(head)
            self.seen["uploads cut off"] += 1
        except OSError:
            pass  # it is being started again
        time.sleep(rng.uniform(0.5, 2))

    def crash(self, http: httpx.Client, rng: random.Random) -> None:
        """Kill a worker, as a decoder would that crashes."""
        time.sleep(rng.uniform(5, 15))
        try:
            workers = self.server.workers()
            if workers:
                os.kill(rng.choice(workers), signal.SIGSEGV)
                self.seen["workers killed"] += 1
        except OSError:
            pass  # gone by itself


def open_page(page: Page, address: str) -> None:
    """The list, with its rows in sight."""
    page.goto(f"{address}/#list")
    page.wait_for_selector("#row-0 .name", timeout=120_000)


def run(soak: Soak, page: Page, minutes: float) -> dict[str, Any]:
    """The hour: measured in its first two thirds, with kills in the last."""
    works = [soak.predict] * 2 + [soak.look]
    works += [soak.review, soak.write, soak.cut_off, soak.crash]
    threads = [
        threading.Thread(target=soak.client, args=(work, seed)) for seed, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    begun, measured, told = time.monotonic(), [], Counter[str]()
    while (passed_s := time.monotonic() - begun) < minutes * 40:
        measured.append({"s": round(passed_s), **soak.server.measured()})
        page.wait_for_timeout(1_000 * MEASURE_EVERY_S)
    while time.monotonic() - begun < minutes * 60:
        kill(soak, page, told)
        page.wait_for_timeout(1_000 * min(KILL_EVERY_S, 20 * minutes))
    soak.over.set()
    for thread in threads:
        thread.join(300)
    return {"measured": measured, "page": dict(told)}


def kill(soak: Soak, page: Page, told: Counter[str]) -> None:
    """Kill the server under the open page, review meanwhile, and start it again."""
    soak.down.set()
    soak.server.process.kill()
    soak.server.process.wait()
    page.wait_for_function("document.querySelector('#offline').textContent.includes('stopped')")
    told["said that it stopped"] += 1
    page.keyboard.press("r")
    soak.server.start()
    page.wait_for_function(
        "!document.querySelector('#offline').textContent", timeout=60_000, polling=200
    )
    page.wait_for_function("localStorage.getItem('tonearm.reviews') === '[]'", timeout=60_000)
    told["went on and sent its review"] += 1
    page.wait_for_timeout(2_000)
    soak.down.clear()


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
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "music"
        folder.mkdir()
        files = [
            write(folder / f"{i:02}{SUFFIXES[i % len(SUFFIXES)]}", music(i, SECONDS))
            for i in range(FILES)
        ]
        # Those that are sent are other files, which nobody writes to.
        sent = Path(name) / "sent"
        sent.mkdir()
        songs = [Path(sent / path.name) for path in files]
        for path, song in zip(files, songs, strict=True):
            song.write_bytes(path.read_bytes())
        library = Path(name) / "library.sqlite"
        tonearm("scan", folder, "--library", library, "--jobs", 2)
        before = digest(folder)
        server = Server(library)
        try:
            soak = Soak(server, songs)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS
                )
                page = browser.new_page(bypass_csp=True)
                open_page(page, server.address)
                result = run(soak, page, minutes)
                browser.close()
            rows = httpx.get(f"{server.address}/api/v1/tracks?limit=1000", timeout=60).json()
            reviews = {row["id"]: row["review"] for row in rows["tracks"]}
            lost = [number for number in soak.said if not reviews[number]]
            with httpx.Client(base_url=f"{server.address}/api/v1", timeout=300) as http:
                undo_all(http)
        finally:
            server.process.terminate()
            server.process.wait()
        left = list(Path(tempfile.gettempdir()).glob(f"tonearm-serve-{server.process.pid}-*"))
        values = {
            "minutes": minutes,
            "load": os.getloadavg()[1],
            "seen": dict(soak.seen),
            "wrong": len(soak.wrong),
            # The beginning names the call, what follows the answer: alike are counted as one.
            "wrong_kinds": Counter(re.sub(r"\d+", "N", words)[:120] for words in soak.wrong),
            "first_wrong": soak.wrong[:3],
            "reviews_lost": len(lost),
            "files_as_before": digest(folder) == before,
            "starts": server.starts,
            "left_behind": len(left),
            "page": result["page"],
            "mb": flat(result["measured"], "mb"),
            "descriptors": flat(result["measured"], "descriptors"),
        }
        print(json.dumps(values))


def undo_all(http: httpx.Client) -> None:
    """Take back every run of writing that is left, those that a kill cut short too."""
    for _ in range(1_000):
        history = http.get("/tags/history").json()
        open_runs = [
            run for run in history["runs"] if not run["undoes"] and run["undone"] < run["done"]
        ]
        if not open_runs:
            return
        answer = http.post("/tags/undo", json={"run": open_runs[0]["id"]})
        answer.raise_for_status()
        number = answer.json()["job"]["id"]
        while http.get(f"/jobs/{number}").json()["job"]["state"] == "running":
            time.sleep(0.1)


if __name__ == "__main__":
    main()
