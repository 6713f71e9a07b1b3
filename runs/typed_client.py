"""A client made from ``/openapi.json``, checked by mypy and used on a real server.

    python -m runs.typed_client PYTHON

``PYTHON`` is an interpreter that has openapi-python-client, mypy and httpx: they are not among
Tonearm's own tools. The server runs in this process, with a library made by code.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import httpx

from tests.support.serving import fill_library, served

USE = """
import sys

from client import Client
from client.api.library import similar_tracks, tracks
from client.api.review import review_all
from client.api.jobs import job
from client.api.server import health
from client.models import Health, JobAnswer, ReviewAllRequest, SimilarTracks, TrackPage

client = Client(base_url=sys.argv[1])
state = health.sync(client=client)
assert isinstance(state, Health), state
page = tracks.sync(client=client, genre="Hip-Hop", limit=3)
assert isinstance(page, TrackPage), page
for row in page.tracks:
    confidence: float | None = row.confidence
    styles: dict[str, float] = row.styles.additional_properties
    print(row.id, row.title, confidence, styles)
alike = similar_tracks.sync(page.tracks[0].id, client=client, count=2)
assert isinstance(alike, SimilarTracks) and len(alike.tracks) == 2
started = review_all.sync(client=client, body=ReviewAllRequest.from_dict({"verdict": "reject"}))
assert isinstance(started, JobAnswer), started
while (now := job.sync(started.job.id, client=client)) and isinstance(now, JobAnswer):
    if now.job.state != "running":
        break
assert isinstance(now, JobAnswer) and now.job.state == "done"
print(now.job.result.to_dict())
wrong = tracks.sync_detailed(client=client, limit=0)
assert wrong.status_code == 422
"""


def main(python: Path) -> None:
    """Make the client, check it, use it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill_library(folder / "library.sqlite", 200)
        with served(folder / "library.sqlite") as address:
            described = httpx.get(f"{address}/openapi.json").json()
            (folder / "openapi.json").write_text(json.dumps(described))
            make = ["-m", "openapi_python_client", "generate", "--path", "openapi.json"]
            run(python, folder, *make, "--meta", "none", "--output-path", "client")
            (folder / "use.py").write_text(USE)
            run(python, folder, "-m", "mypy", "--strict", "use.py")
            run(python, folder, "use.py", address)


def run(python: Path, folder: Path, *arguments: str) -> None:
    """Run it there, and show what it says."""
    print("$", *arguments)
    done = subprocess.run(
        [python, *arguments], cwd=folder, text=True, capture_output=True, check=False
    )
    print(done.stdout + (done.stderr if done.returncode else ""))
    done.check_returncode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python", type=Path, help="an interpreter with openapi-python-client")
    main(parser.parse_args().python.absolute())
