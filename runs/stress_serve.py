"""32 clients at once, each predicting 20 songs: ``python -m runs.stress_serve``.

Starts ``tonearm serve`` in a process of its own and prints how many requests it answered, how long
they took, its peak memory, how quickly the page answered meanwhile, and the files that interrupted
uploads left behind.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.support.small_files import ENCODED, music, write

CLIENTS, SONGS, SECONDS = 32, 20, 30.0
SUFFIXES = [suffix for suffix in ENCODED if suffix not in {".tta", ".caf"}]


def memory_mb(process: int, name: str) -> float:
    """A line of /proc's status, in MB."""
    text = Path(f"/proc/{process}/status").read_text()
    match = re.search(rf"{name}:\s+(\d+) kB", text)
    return int(match[1]) / 1024 if match else 0.0


def main() -> None:
    """Run it, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--songs", type=int, default=SONGS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [
            write(folder / f"{i:02}{SUFFIXES[i % len(SUFFIXES)]}", music(i, SECONDS))
            for i in range(options.songs)
        ]
        command = [sys.executable, "-m", "tonearm", "serve", "--no-browser", "--port", "0"]
        command += ["--library", str(folder / "library.sqlite")]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                assert server.stderr is not None
                line = server.stderr.readline()
                match = re.search(r"http://\S+", line)
                assert match, line
                address = match[0].rstrip("/")
                print(json.dumps(measure(server.pid, address, files, options.clients)))
            finally:
                server.terminate()
        left = list(Path(tempfile.gettempdir()).glob(f"tonearm-serve-{server.pid}-*"))
        print(f"left after the end: {len(left)}")


def measure(process: int, address: str, files: list[Path], clients: int) -> dict[str, object]:
    """Run all clients at once, and measure."""
    httpx.get(f"{address}/api/v1/health")
    before = memory_mb(process, "VmRSS")
    took: list[float] = []
    wrong: list[str] = []
    health: list[float] = []
    over = threading.Event()

    def client(number: int) -> None:
        with httpx.Client(timeout=600) as http:
            for i in range(len(files)):
                path = files[(i + number) % len(files)]
                begun = time.monotonic()
                with path.open("rb") as file:
                    answer = http.post(f"{address}/api/v1/predict", files={"file": file})
                took.append(time.monotonic() - begun)
                if answer.status_code != 200 or answer.json()["path"] != path.name:
                    wrong.append(answer.text[:200])

    def look() -> None:
        with httpx.Client(timeout=60) as http:
            while not over.wait(0.1):
                begun = time.monotonic()
                http.get(f"{address}/").raise_for_status()
                health.append(time.monotonic() - begun)

    def cut_off() -> None:
        host, _, port = address.removeprefix("http://").partition(":")
        head = b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n"
        head += b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
        head += b'form-data; name="file"; filename="a.mp3"\r\n\r\n' + b"x" * 100_000
        for _ in range(100):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(head)

    begun = time.monotonic()
    watcher = threading.Thread(target=look)
    cutter = threading.Thread(target=cut_off)
    watcher.start()
    cutter.start()
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    whole_s = time.monotonic() - begun
    over.set()
    watcher.join()
    cutter.join()
    time.sleep(1)
    left = list(Path(tempfile.gettempdir()).glob(f"tonearm-serve-{process}-*/*"))
    health.sort()
    return {
        "clients": clients,
        "answered": len(took) - len(wrong),
        "wrong": wrong[:3],
        "songs_per_s": round(len(took) / whole_s, 2),
        "median_s": round(statistics.median(took), 2),
        "slowest_s": round(max(took), 2),
        "rss_before_mb": round(before),
        "rss_peak_mb": round(memory_mb(process, "VmHWM")),
        "rss_after_mb": round(memory_mb(process, "VmRSS")),
        "page_median_ms": round(1e3 * health[len(health) // 2]),
        "page_99_ms": round(1e3 * health[int(0.99 * len(health))]),
        "files_left": len(left),
    }


if __name__ == "__main__":
    main()
