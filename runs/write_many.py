"""10,000 files written from the page, stopped in the middle, continued, and undone.

    python -m runs.write_many

The files are made by code; the jobs are those that the page's buttons start. Every file is read
before and after by what reads tags elsewhere. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.support.serving import fill_with_files, served
from tonearm.library.file_tags import file_tags


def main() -> None:
    """Run it, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    count = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        library, folder = Path(name) / "library.sqlite", Path(name) / "music"
        fill_with_files(library, folder, count)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        with (
            served(library) as address,
            httpx.Client(base_url=f"{address}/api/v1", timeout=60) as http,
        ):
            print(json.dumps(written(http, folder, count, before)))


def written(
    http: httpx.Client, folder: Path, count: int, before: dict[str, bytes]
) -> dict[str, Any]:
    """Write, stop, go on, take back; counted in the files themselves."""
    *_, said = follow(http, "/review/all", {"verdict": "change", "genre": "Blues"})
    seen: list[dict[str, Any]] = []
    for job in follow(http, "/tags/write", {}):
        seen.append(job)
        if job["state"] == "running" and job["done"] > count / 2:
            http.delete(f"/jobs/{job['id']}").raise_for_status()
    stopped, there = seen[-1], tagged(folder)
    shown = [job["done"] for job in seen]
    assert stopped["state"] == "stopped" and there == stopped["result"]["changed"], stopped
    rest_begun = time.monotonic()
    *_, rest = follow(http, "/tags/write", {})
    rest_s = time.monotonic() - rest_begun
    assert tagged(folder) == count and rest["result"]["changed"] == count - there, rest
    for _ in range(2):
        *_, undone = follow(http, "/tags/undo", {})
        assert undone["state"] == "done", undone
    same = sum(path.read_bytes() == before[path.name] for path in folder.iterdir())
    return {
        "files": count,
        "reviewed": said["result"]["reviewed"],
        "steps_of_progress_seen": len(set(shown)),
        "never_backwards": shown == sorted(shown),
        "time_left_was_said": sum(job["left_s"] is not None for job in seen),
        "stopped_at": there,
        "written_by_going_on": rest["result"]["changed"],
        "failures": stopped["result"]["failures"] + rest["result"]["failures"],
        "files_per_s": round(rest["result"]["changed"] / rest_s),
        "as_before_to_the_byte_after_two_undos": same,
    }


def follow(http: httpx.Client, path: str, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A job at each look at it, until it has ended."""
    answer = http.post(path, json=values)
    answer.raise_for_status()
    number = answer.json()["job"]["id"]
    while True:
        job = http.get(f"/jobs/{number}").json()["job"]
        yield job
        if job["state"] != "running":
            return
        time.sleep(0.2)


def tagged(folder: Path) -> int:
    """Files that say so themselves."""
    return sum(file_tags(str(path)).genres == ("Blues",) for path in folder.iterdir())


if __name__ == "__main__":
    main()
