"""32 clients at once, each predicting 20 songs: ``python -m runs.stress_serve``.

Meanwhile uploads are cut off, workers are killed as by a decoder that crashes, and once half of
the songs are answered the server is killed and started again under a page that is open in a
browser and reviews on. A client whose request a kill cut off asks again. Every answer is compared
with the command line's. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page

from runs.soak_clients import Log, Server, open_page, restart_under, rows_of, tonearm
from tests.support.small_files import ENCODED, music, write

CLIENTS, SONGS, SECONDS, CUT_OFF = 32, 20, 30.0, 100
SUFFIXES = [suffix for suffix in ENCODED if suffix not in {".tta", ".caf"}]
BETWEEN_CRASHES_S = 8.0


class Stress:
    """What the threads share."""

    def __init__(self, server: Server, files: list[Path]) -> None:
        self.server, self.files = server, files
        self.log = Log(io.StringIO())
        self.over, self.down = threading.Event(), threading.Event()
        self.expected = rows_of("predict", *files)
        self.seen: Counter[str] = Counter()
        self.took: list[float] = []
        self.page_took: list[float] = []

    def client(self, number: int) -> None:
        """All songs, each until it is answered."""
        with httpx.Client(base_url=f"{self.server.address}/api/v1", timeout=600) as http:
            for i in range(len(self.files)):
                path = self.files[(i + number) % len(self.files)]
                begun = time.monotonic()
                while not self.answered(http, path):
                    time.sleep(0.5)
                self.took.append(time.monotonic() - begun)

    def answered(self, http: httpx.Client, path: Path) -> bool:
        """Send a song; whether an answer came that is not about a killed process."""
        try:
            with path.open("rb") as file:
                answer = http.post("/predict", files={"file": file})
        except httpx.HTTPError as error:
            if not self.down.is_set():
                self.log.note(f"POST /predict {path.name}", "an answer", repr(error))
            self.seen["cut off by the kill, asked again"] += 1
            return False
        if answer.status_code == 422 and answer.json()["error"]["kind"] == "crash":
            self.seen["killed workers told, asked again"] += 1
            return False
        expected = {**self.expected[path.name], "path": path.name}
        if answer.json() != expected:
            self.log.note(f"POST /predict {path.name}", expected, answer.text)
        return True

    def look(self) -> None:
        """How quickly the page is there."""
        with httpx.Client(timeout=60) as http:
            while not self.over.wait(0.1):
                begun = time.monotonic()
                try:
                    http.get(f"{self.server.address}/").raise_for_status()
                except httpx.HTTPError:
                    continue  # it is being started again
                self.page_took.append(time.monotonic() - begun)

    def cut_off(self) -> None:
        """Uploads that end in the middle."""
        head = b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n"
        head += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
        head += b'form-data; name="file"; filename="a.mp3"\r\n\r\n' + b"x" * 100_000
        while self.seen["uploads cut off"] < CUT_OFF and not self.over.wait(0.2):
            try:
                with socket.create_connection(("127.0.0.1", self.server.port)) as connection:
                    connection.sendall(head)
                self.seen["uploads cut off"] += 1
            except OSError:
                continue  # it is being started again

    def crash(self) -> None:
        """Kill a worker now and then."""
        rng = random.Random(0)
        while not self.over.wait(BETWEEN_CRASHES_S):
            try:
                os.kill(rng.choice(self.server.workers()), signal.SIGSEGV)
                self.seen["workers killed"] += 1
            except (OSError, IndexError):
                continue  # none is there, or it has gone by itself


def main() -> None:
    """Run it, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--songs", type=int, default=SONGS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "music"
        folder.mkdir()
        files = [
            write(folder / f"{i:02}{SUFFIXES[i % len(SUFFIXES)]}", music(i, SECONDS))
            for i in range(options.songs)
        ]
        library = Path(name) / "library.sqlite"
        tonearm("scan", folder, "--library", library, "--jobs", 2)
        server = Server(library)
        try:
            stress = Stress(server, files)
            with open_page(server.address) as page:
                values = measure(stress, page, options.clients)
            number = server.process.pid
        finally:
            server.process.terminate()
            server.process.wait()
        left = list(Path(tempfile.gettempdir()).glob(f"tonearm-serve-{number}-*"))
        print(json.dumps({**values, "left_after_the_end": len(left)}))


def measure(stress: Stress, page: Page, clients: int) -> dict[str, Any]:
    """Run all clients at once, kill the server half way, and measure."""
    server, whole = stress.server, clients * len(stress.files)
    before, most = server.measured()["mb"], 0.0
    others = [threading.Thread(target=work) for work in (stress.look, stress.cut_off, stress.crash)]
    for thread in others:
        thread.start()
    begun, killed = time.monotonic(), False
    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(stress.client, number) for number in range(clients)]
        while not all(future.done() for future in running):
            page.wait_for_timeout(200)
            most = max(most, server.measured()["mb"])
            if not killed and len(stress.took) > whole / 2:
                restart_under(page, server, down=stress.down, log=stress.log)
                killed = True
        for future in running:
            future.result()
    whole_s = time.monotonic() - begun
    stress.over.set()
    for thread in others:
        thread.join()
    time.sleep(1)
    rows = httpx.get(f"{server.address}/api/v1/tracks?limit=1000", timeout=60).json()["tracks"]
    left = list(Path(tempfile.gettempdir()).glob(f"tonearm-serve-{server.process.pid}-*/*"))
    shown = sorted(stress.page_took)
    return {
        "clients": clients,
        "answered": len(stress.took),
        "of": whole,
        "wrong": stress.log.wrong[:3],
        **stress.seen,
        "starts": server.starts,
        "page_said_so_and_its_review_is_there": sum(bool(row["review"]) for row in rows),
        "load": round(os.getloadavg()[1], 1),
        "songs_per_s": round(len(stress.took) / whole_s, 2),
        "median_s": round(statistics.median(stress.took), 2),
        "slowest_s": round(max(stress.took), 2),
        "mb_before": round(before),
        "mb_most": round(most),
        "mb_after": round(server.measured()["mb"]),
        "page_median_ms": round(1e3 * shown[len(shown) // 2]),
        "page_99_ms": round(1e3 * shown[int(0.99 * len(shown))]),
        "files_left": len(left),
    }


if __name__ == "__main__":
    main()
