"""How long the commands of a large library take: ``python -m runs.library_speed``.

Makes a library of 100,000 made-up rows and runs ``list``, ``status`` and ``playlist`` on it, then a
scan of 10,000 files that have not changed, and ``scan --watch`` on them with nothing to do. Times
are processor seconds of the whole command, start-up included, the best of five runs: a busy machine
does not change them much. Of the watch it prints the share of one core.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tonearm.genres import GTZAN_GENRES
from tonearm.library.records import FileTags, ModelRecord
from tonearm.library.scan import model_of
from tonearm.library.store import FileStatus, Library, as_stored
from tonearm.model import file as model_file
from tonearm.model.prediction import Prediction

COMMANDS = {
    "list": ["list"],
    "list, filtered": ["list", "--genre", "jazz", "--disagree"],
    "list, as JSON": ["list", "--format", "json"],
    "status": ["status"],
    "playlist": ["playlist", "--min-confidence", "0"],
    "playlist, filtered": ["playlist", "--genre", "jazz", "--tag", "t3>=0", "--no-genre"],
}


def main() -> None:
    """Make both libraries, and print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds to watch")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        large = Path(scratch) / "large.sqlite"
        fill(large, options.rows)
        for name, command in COMMANDS.items():
            seconds = min(cpu_s(command, large) for _ in range(options.runs))
            print(f"{name}: {seconds:.2f} s of {options.rows:,} rows", flush=True)
        small, music = Path(scratch) / "small.sqlite", Path(scratch) / "music"
        fill_with_files(small, music, options.files)
        seconds = min(cpu_s(["scan"], small) for _ in range(options.runs))
        print(f"scan: {seconds:.2f} s of {options.files:,} unchanged files", flush=True)
        share = idle_share(small, music, options.idle)
        print(f"scan --watch: {share:.2%} of a core, with {options.files:,} files and no change")


def fill(place: Path, rows: int) -> None:
    """A library of files that are not there: 10 an album, 100 an artist, two thirds with a tag."""
    rng = np.random.default_rng(0)
    names = tuple(f"t{i}" for i in range(50))
    with Library(place, write=True) as library, library.transaction():
        model = library.model_id(ModelRecord("0" * 64, "made up", "e", GTZAN_GENRES, names))
        for number in range(rows):
            shares = rng.dirichlet(np.full(len(GTZAN_GENRES), 0.3)).astype(np.float32)
            sound = library.put_sound(
                f"key {number}",
                model=model,
                windows=np.zeros((1, len(names)), np.float16),
                duration_s=200.0,
                warning=None,
                prediction=Prediction.of(GTZAN_GENRES, shares, known=bool(shares.max() > 0.4)),
            )
            album, artist = f"Album {number // 10}", f"Artist {number // 100}"
            path = f"/music/{artist}/{album}/{number % 10:02} Title {number}.mp3"
            genres = (("Rock", "Jazz", "Hip-Hop")[number % 7 % 3],) if number % 3 else ()
            tags = FileTags(f"Title {number}", artist, album, artist, genres)
            library.put_track(path.encode(), FileStatus(1, 2, 3, 4, number), tags, sound=sound)


def fill_with_files(place: Path, music: Path, count: int) -> None:
    """A library of files that are there, which no scan has to open."""
    model = model_of(model_file.load())
    shares = np.eye(1, len(model.labels), dtype=np.float32)[0]
    prediction = Prediction.of(model.labels, shares, known=True)
    with Library(place, write=True) as library, library.transaction():
        number = library.model_id(model)
        for i in range(count):
            path = music / f"album {i // 12}" / f"{i:05}.mp3"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"nobody opens it")
            windows = np.zeros((1, 50), np.float16)
            sound = library.put_sound(
                f"key {i}",
                model=number,
                windows=windows,
                duration_s=9.0,
                warning=None,
                prediction=prediction,
            )
            status = FileStatus.of(path.stat())
            library.put_track(as_stored(path), status, FileTags(), sound=sound)
        library.write("INSERT INTO roots VALUES (?)", [[as_stored(music)]])


def cpu_s(command: list[str], library: Path) -> float:
    """Processor seconds of a command and of all its processes."""
    # With compiled modules, as an installed program has them.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(library.with_name("compiled"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        arguments(command, library), check=True, stdout=subprocess.DEVNULL, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def arguments(command: list[str], library: Path) -> list[str]:
    """The command line of a command."""
    return [sys.executable, "-m", "tonearm", *command, "--library", str(library)]


def idle_share(library: Path, music: Path, seconds: float) -> float:
    """Share of a core that watching takes once the first scan is over."""
    command = arguments(["scan", str(music), "--watch"], library)
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        while "watching" not in process.stderr.readline():
            if process.poll() is not None:
                raise SystemExit("the watch ended by itself")
        time.sleep(10.0)  # until the system's watches are set and all was looked at under them
        before, started = own_cpu_s(process.pid), time.monotonic()
        time.sleep(seconds)
        return (own_cpu_s(process.pid) - before) / (time.monotonic() - started)
    finally:
        process.terminate()  # Ctrl-C is ignored by what a shell starts in the background
        process.wait()


def own_cpu_s(pid: int) -> float:
    """Processor seconds of a running process, by Linux's ``/proc``."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system


if __name__ == "__main__":
    main()
