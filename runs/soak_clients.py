"""What the clients of ``soak_serve`` do, what they expect, and the log of every wrong answer."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.support.serving import CHROMIUM, CHROMIUM_ARGUMENTS

# Faults that a wrong answer is told with.
FAULTS_KEPT = 12
SAID_MOST = 4_000  # characters of an answer in the log
ALIKE = 5  # files whose nearest are asked of the command line, a second each


def tonearm(*arguments: object) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "tonearm", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def rows_of(*arguments: object) -> dict[str, dict[str, Any]]:
    """JSON lines of a command, by the name of the file."""
    rows = map(json.loads, tonearm(*arguments, "-f", "jsonl").splitlines())
    return {Path(row["path"]).name: row for row in rows}


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

    def starters(self) -> list[int]:
        """Children of the server that have children themselves: they start its workers."""
        return sorted(child for child in children(self.process.pid) if children(child))

    def workers(self) -> list[int]:
        """Processes that analyse."""
        return sorted(worker for starter in self.starters() for worker in children(starter))

    def measured(self) -> dict[str, float]:
        """Memory of the server in MB, and its open descriptors."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        rss = re.search(r"VmRSS:\s+(\d+) kB", status)
        descriptors = len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        return {"mb": int(rss[1]) / 1024 if rss else 0.0, "descriptors": descriptors}


class Log:
    """Every wrong answer, with its request and the faults before it; a line each, at once."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._lock = file, threading.Lock()
        self._begun = time.monotonic()
        self._faults: deque[tuple[float, str]] = deque(maxlen=FAULTS_KEPT)
        self.wrong: list[dict[str, Any]] = []

    def fault(self, what: str) -> None:
        """Note a fault that was just injected."""
        with self._lock:
            self._faults.append((time.monotonic(), what))

    def note(self, request: str, expected: object, got: str) -> None:
        """Note an answer that is not the one expected."""
        now_s = time.monotonic()
        with self._lock:
            line = {
                "at_s": round(now_s - self._begun, 1),
                "load": round(os.getloadavg()[0], 1),
                "request": request,
                "expected": expected,
                "got": got[:SAID_MOST],
                "faults": [f"{now_s - at:.1f} s before: {what}" for at, what in self._faults],
            }
            self.wrong.append(line)
            print(json.dumps(line), file=self._file, flush=True)


class Soak:
    """What the clients share: what is expected, what was seen."""

    def __init__(self, server: Server, sent: list[Path], listed: list[Path], log: Log) -> None:
        self.server, self.files, self.log = server, sent, log
        self.over, self.down = threading.Event(), threading.Event()
        self.seen: Counter[str] = Counter()
        self.said: dict[int, str | None] = {}  # acknowledged reviews, by id of the track
        self.lock = threading.Lock()
        self.expected = rows_of("predict", *sent)
        self.timelines = rows_of("predict", "--timeline", "--tags", *listed)
        rows = json.loads(tonearm("list", "-f", "json", "--library", server.library))["files"]
        self.genres = Counter(row["genre"] or "unknown" for row in rows)
        ids = httpx.get(f"{server.address}/api/v1/tracks?limit=1000").json()["tracks"]
        self.ids = {row["name"]: row["id"] for row in ids}
        self.alike = {path.name: self._similar(path) for path in listed[:ALIKE]}
        self.pictures: dict[str, bytes] = {}

    def _similar(self, path: Path) -> list[int]:
        said = tonearm("similar", path, "-n", 10, "-f", "json", "--library", self.server.library)
        return [self.ids[Path(row["path"]).name] for row in json.loads(said)["similar"]]

    def check(self, request: str, expected: object, got: object, answer: httpx.Response) -> None:
        """Note an answer in which ``got`` is not what the command line said."""
        if got != expected:
            self.log.note(request, expected, f"{answer.status_code} {answer.text}")

    def client(self, work: Callable[[httpx.Client, random.Random], None], seed: int) -> None:
        """Do it until the soak is over; what a killed server cut off is asked again."""
        rng = random.Random(seed)
        with httpx.Client(base_url=f"{self.server.address}/api/v1", timeout=300) as http:
            while not self.over.is_set():
                try:
                    work(http, rng)
                except (httpx.HTTPError, OSError) as error:
                    # Only a killed server may leave a request without an answer.
                    if self.down.is_set():
                        self.seen["cut off by a kill"] += 1
                    else:
                        self.log.note(work.__name__, "an answer", repr(error))
                    time.sleep(0.5)
                except Exception as error:  # an answer of another form: the client goes on
                    self.log.note(work.__name__, "an answer of the known form", repr(error))
                    time.sleep(0.5)

    def crashed(self, answer: httpx.Response) -> bool:
        """Whether it tells of a worker that was killed, as it should."""
        told = answer.status_code == 422 and answer.json().get("error", {}).get("kind") == "crash"
        self.seen["killed workers told"] += told
        return told

    def predict(self, http: httpx.Client, rng: random.Random) -> None:
        """Send a song, as a form or as it is."""
        path = rng.choice(self.files)
        form = rng.random() < 0.5
        if form:
            with path.open("rb") as file:
                answer = http.post("/predict", files={"file": file})
        else:
            raw = {"content-type": "audio/x-any"}
            url = f"/predict?name={path.name}"
            answer = http.post(url, content=path.read_bytes(), headers=raw)
        if not self.crashed(answer):
            expected = {**self.expected[path.name], "path": path.name}
            request = f"POST /predict {path.name} as {'a form' if form else 'the body'}"
            self.check(request, expected, answer.json(), answer)
            self.seen["predictions"] += 1
        time.sleep(rng.uniform(0.5, 1.5))

    def look(self, http: httpx.Client, rng: random.Random) -> None:
        """Leaf, filter, and open a track whole."""
        genre = rng.choice(list(self.genres))
        answer = http.get("/tracks", params={"genre": genre, "limit": 5})
        request = f"GET /tracks?genre={genre}"
        self.check(request, self.genres[genre], answer.json().get("total"), answer)
        answer = http.get("/map")
        self.check("GET /map", len(self.ids), answer.json().get("total"), answer)
        name = rng.choice(list(self.ids))
        what = rng.choice(["reasons", "picture", "timeline", "cover", "audio", "similar"])
        self.open(http, name, what)
        self.seen["looks"] += 1
        time.sleep(rng.uniform(1, 2))

    def open(self, http: httpx.Client, name: str, what: str) -> None:
        """One part of a track, next to what the command line says of it."""
        number, expected = self.ids[name], self.timelines[name]
        path = f"/similar/{number}" if what == "similar" else f"/tracks/{number}/{what}"
        answer = http.get(path)
        if self.crashed(answer):
            return
        request = f"GET {path} ({name})"
        if answer.status_code != (204 if what == "cover" else 200):
            self.log.note(request, "success", f"{answer.status_code} {answer.text}")
        elif what == "timeline":
            self.check(request, expected, answer.json(), answer)
        elif what == "reasons":
            said = answer.json()["genre"]
            self.check(request, expected["nearest"], said, answer)
        elif what == "picture":  # the command line draws none: each as the first
            first = self.pictures.setdefault(name, answer.content)
            self.check(request, len(first), len(first) * (first == answer.content), answer)
        elif what == "similar" and name in self.alike:
            nearest = [row["id"] for row in answer.json()["tracks"]]
            self.check(request, self.alike[name], nearest, answer)
        self.seen[what] += 1

    def review(self, http: httpx.Client, rng: random.Random) -> None:
        """Say something of a track, and ask what was said."""
        number = rng.choice(list(self.ids.values()))
        genre = rng.choice(["jazz", "Trip-Hop", "rock"])
        with self.lock:  # the last one to speak is right
            said = {"ids": [number], "verdict": "change", "genre": genre}
            http.post("/review", json=said).raise_for_status()
            self.said[number] = genre
            answer = http.get(f"/tracks/{number}")
            kept = (answer.json().get("review") or {}).get("genre")
            self.check(f"GET /tracks/{number} after a review", genre, kept, answer)
        self.seen["reviews"] += 1
        time.sleep(rng.uniform(0.5, 1.5))

    def write(self, http: httpx.Client, rng: random.Random) -> None:
        """Write what was reviewed into the files, and take it back."""
        for path in ("/tags/write", "/tags/undo"):
            answer = http.post(path, json={"policy": "replace"} if "write" in path else {})
            if answer.status_code == 409:  # nothing to write or to take back
                self.seen[f"{path}: nothing"] += 1
                continue
            answer.raise_for_status()
            job = finished(http, answer.json()["job"]["id"])
            if job["state"] != "done" or job["result"]["failures"]:
                self.log.note(f"POST {path}", "done without failures", json.dumps(job))
            self.seen[path] += 1
        time.sleep(rng.uniform(10, 20))

    def cut_off(self, http: httpx.Client, rng: random.Random) -> None:
        """An upload that ends in the middle."""
        head = b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n"
        head += b"Content-Type: audio/mpeg\r\n\r\n" + b"x" * rng.randrange(1, 90_000)
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
            connection.sendall(head)
        self.log.fault("an upload cut off")
        self.seen["uploads cut off"] += 1
        time.sleep(rng.uniform(1, 4))

    def crash(self, http: httpx.Client, rng: random.Random) -> None:
        """Kill a worker, as a decoder would that crashes; now and then what starts workers."""
        time.sleep(rng.uniform(15, 45))
        whole = rng.random() < 0.2
        victims = self.server.starters() if whole else self.server.workers()
        if not victims:
            return
        what = "the process that starts workers" if whole else "a worker"
        self.log.fault(f"{what} killed")
        try:
            os.kill(rng.choice(victims), signal.SIGKILL if whole else signal.SIGSEGV)
            self.seen[f"{what} killed"] += 1
        except OSError:
            pass  # gone by itself


def finished(http: httpx.Client, number: int) -> dict[str, Any]:
    """A job, once it runs no more."""
    while True:
        answer = http.get(f"/jobs/{number}")
        answer.raise_for_status()
        job: dict[str, Any] = answer.json()["job"]
        if job["state"] != "running":
            return job
        time.sleep(0.2)


@contextmanager
def open_page(address: str) -> Iterator[Page]:
    """The list in headless Chromium, with its rows in sight."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        # Without this `wait_for_function` may not evaluate its words on the page.
        page = browser.new_page(bypass_csp=True)
        page.goto(f"{address}/#list")
        page.wait_for_selector("#row-0 .name", timeout=120_000)
        yield page
        browser.close()


def restart_under(page: Page, server: Server, *, down: threading.Event, log: Log) -> None:
    """Kill the server under an open page, review meanwhile, and start it again.

    Returns once the page has said so and has sent its review; raises where it does not.
    """
    down.set()
    log.fault("the server killed")
    server.process.kill()
    server.process.wait()
    page.wait_for_function("document.querySelector('#offline').textContent.includes('stopped')")
    page.keyboard.press("r")
    server.start()
    log.fault("the server started again")
    for done in (
        "!document.querySelector('#offline').textContent",
        "localStorage.getItem('tonearm.reviews') === '[]'",
    ):
        page.wait_for_function(done, timeout=120_000, polling=200)
    page.wait_for_timeout(2_000)
    down.clear()
