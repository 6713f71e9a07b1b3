"""What the measurements of a cluster share: objects of real music, and a server that speaks S3.

    python -m runs.cluster_objects FOLDER MUSIC... [-n 5000] [--seconds 8]

cuts distinct excerpts out of constant-rate MP3s, frame by frame and without decoding, so that
5,000 objects of real music take seconds to make. One in 200 is rubbish.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tonearm.containers.mpeg import constant_rate

_RUBBISH_EVERY = 200
# The reservoir of bits and the overlap of a first frame need some frames before the excerpt.
_FRAME_S = 1_152 / 44_100


def cut(folder: Path, music: list[Path], *, count: int, seconds: float) -> None:
    """Write ``count`` excerpts; those of one song begin at different frames."""
    folder.mkdir(parents=True, exist_ok=True)
    songs = [(path.read_bytes(), rate) for path in music if (rate := constant_rate(path))]
    each = -(-count // len(songs))
    for i in range(count):
        path = folder / f"{i // 1_000:03}" / f"{i:06}.mp3"
        path.parent.mkdir(exist_ok=True)
        if i % _RUBBISH_EVERY == 7:
            path.write_bytes(b"no music, number %d" % i)
            continue
        data, rate = songs[i % len(songs)]
        frame_bytes = rate.header.bits_per_s / 8 * rate.header.samples / rate.header.rate_hz
        frames = int((rate.end - rate.begin) / frame_bytes)
        length = int(seconds * rate.header.rate_hz / rate.header.samples)
        first = (frames - length) * (i // len(songs)) // each
        begin = rate.begin + int(first * frame_bytes)
        # To the next header: division leaves over a byte of padding now and then.
        mark = data[rate.begin : rate.begin + 2]
        begin = data.find(mark, begin)
        path.write_bytes(data[begin : begin + int(length * frame_bytes)])


@contextmanager
def s3_server(port: int, *, refused: float = 0.0) -> Iterator[dict[str, str]]:
    """A moto server as a process of its own; gives the environment in which clients find it.

    It answers "503 Slow Down" to that fraction of the requests for objects.
    """
    server = subprocess.Popen(
        [sys.executable, "-m", "runs.cluster_objects", "--serve", str(port), str(refused)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    os.environ.update(environment)
    try:
        wait_for_server()
        yield environment
    finally:
        server.kill()
        server.wait()


def serve(port: int, refused: float) -> None:
    """Run the server in this process."""
    from moto import server
    from werkzeug.serving import run_simple

    make: Any = server  # it re-exports both without saying so
    inner = make.DomainDispatcherApplication(make.create_backend_app)
    chance = random.Random(0)

    def application(
        environ: dict[str, str], start_response: Callable[..., object]
    ) -> Iterable[bytes]:
        is_object = environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".mp3")
        if is_object and chance.random() < refused:
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [
                b"<Error><Code>SlowDown</Code><Message>Reduce your request rate</Message></Error>"
            ]
        return inner(environ, start_response)

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple("127.0.0.1", port, application, threaded=True)


def wait_for_server() -> None:
    """Return once the server answers."""
    import s3fs

    for _ in range(120):
        try:
            s3fs.S3FileSystem(skip_instance_cache=True).ls("")
        except Exception:  # whatever a server that starts answers
            time.sleep(0.5)
        else:
            return
    raise SystemExit("the S3 server does not answer")


def upload(folder: Path, bucket: str) -> int:
    """Put a folder into a new bucket; gives the number of objects."""
    import s3fs

    store = s3fs.S3FileSystem(skip_instance_cache=True)
    store.mkdir(bucket)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths:
        store.pipe_file(f"{bucket}/music/{path.relative_to(folder)}", path.read_bytes())
    return len(paths)


def main() -> None:
    """Cut, or serve."""
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]), float(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("music", type=Path, nargs="+", help="constant-rate MP3s")
    parser.add_argument("-n", "--count", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=8.0)
    given = parser.parse_args()
    cut(given.folder, given.music, count=given.count, seconds=given.seconds)
    size = sum(path.stat().st_size for path in given.folder.rglob("*.mp3"))
    print(f"{given.count:,} objects, {size / 1e6:.0f} MB in {given.folder}")


if __name__ == "__main__":
    main()
