"""How long a library of 100,000 tracks keeps one waiting; its rows are made, not heard.

    python runs/library_100k.py WORK_FOLDER [--tracks 100000] [--files 10000] [--runs 5]

Times are of whole commands, interpreter and imports included: wall and processor time, median.
Then a second scan of 10,000 files (empty sounds of 44 bytes, all known), and all rows
classified again.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import resource
import statistics
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np

from tonearm.cli.scan import file_tags
from tonearm.library.scan import load_embed, model_of, scan
from tonearm.library.store import Decision, FileStatus, FileTags, Library, as_stored
from tonearm.model import file as models


def fill(path: Path, count: int, root: Path) -> None:
    """Rows like those of a collection: 12 to an album, 1 in 50 a copy, 1 in 500 failed."""
    model = models.load()
    rng = np.random.default_rng(1)
    words = rng.beta(0.4, 4.0, size=(count, 50)).astype(np.float32)
    shares = rng.dirichlet(np.full(10, 0.3), size=count).astype(np.float32)
    labels = model.labels
    with Library(path, write=True) as library:
        number = library.model_id(model_of(model))
        for start in range(0, count, 5_000):
            with library.transaction():
                for i in range(start, min(count, start + 5_000)):
                    best = int(shares[i].argmax())
                    sound = library.put_sound(
                        f"{i - (i % 50 == 1):032x}",
                        model=number,
                        windows=np.clip(words[i] + rng.normal(0, 0.02, (8, 50)), 0, 1).astype(
                            np.float16
                        ),
                        duration_s=float(rng.uniform(60, 500)),
                        warning=None,
                        decision=Decision(
                            labels[best] if shares[i, best] > 0.3 else None,
                            labels[best],
                            float(shares[i, best]),
                            shares[i],
                        ),
                    )
                    track = f"artist {i // 120}/album {i // 12 % 10}/{i % 12:02} song {i}.mp3"
                    tags = FileTags(
                        title=f"Song {i}",
                        artist=f"Artist {i // 120}",
                        album=f"Album {i // 12}",
                        genres=(labels[i // 12 % 10].title(),) if i % 3 else (),
                    )
                    status = FileStatus(5_000_000, i, i, 1, i)
                    if i % 500 == 7:
                        error = ("not-audio", "is no audio that can be read")
                        library.put_track(as_stored(root / track), status, tags, error=error)
                    else:
                        library.put_track(as_stored(root / track), status, tags, sound=sound)


def timed(words: list[str], runs: int) -> tuple[float, float]:
    """Median wall and processor seconds of a command."""
    walls, processors = [], []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "tonearm", *words], check=True, stdout=subprocess.DEVNULL
        )
        walls.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processors.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(walls), statistics.median(processors)


def second_scan(work: Path, count: int) -> None:
    """A scan of files that are all known, by their rows."""
    root = work / "files"
    model = models.load()
    library_path = work / "second.sqlite"
    library_path.unlink(missing_ok=True)
    with Library(library_path, write=True) as library:
        number = library.model_id(model_of(model))
        share = np.full(10, 0.1, dtype=np.float32)
        with library.transaction():
            sound = library.put_sound(
                "0" * 32,
                model=number,
                windows=np.zeros((8, 50), dtype=np.float16),
                duration_s=1.0,
                warning=None,
                decision=Decision("jazz", "jazz", 0.1, share),
            )
            for i in range(count):
                path = root / f"{i % 500}" / f"{i}.wav"
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(bytes(44))
                status = FileStatus.of(path.stat())
                library.put_track(as_stored(path), status, FileTags(), sound=sound)
    wall, processor = timed(["scan", str(root), "--library", str(library_path)], 3)
    print(f"scan of {count:,} unchanged files   {wall:6.2f} s wall   {processor:6.2f} s processor")


def decide_anew(path: Path, folder: Path) -> None:
    """Another model of the same encoder takes over all rows."""
    model = models.load()
    other = dataclasses.replace(model, sha256="f" * 64)
    folder.mkdir(exist_ok=True)
    began, processor = time.perf_counter(), time.process_time()
    with Library(path, write=True) as library:
        result = scan(
            library,
            [folder],
            model=other,
            make_embed=partial(load_embed, None),
            read_tags=file_tags,
            jobs=1,
        )
    wall, processor = time.perf_counter() - began, time.process_time() - processor
    print(f"{result.reclassified:,} sounds decided again   {wall:6.2f} s wall   {processor:6.2f} s")


def main() -> None:
    """Fill, then time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    path, root = args.work / "library.sqlite", args.work / "music"
    if not path.exists():
        fill(path, args.tracks, root)
    print(
        f"{args.tracks:,} tracks, {path.stat().st_size / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}"
    )
    at = ["--library", str(path)]
    some = str(root / "artist 0" / "album 0" / "00 song 0.mp3")
    out = ["-o", str(args.work / "list.m3u8")]
    for words in (
        ["status"],
        ["status", "--errors", "--copies", "--format", "json"],
        ["playlist", "--genre", "jazz", "--min-confidence", "0.8", *out],
        ["playlist", "--second", "blues", "--tag", "Mellow>0.2", "--no-genre", *out],
        ["playlist", *out],
        ["similar", some],
    ):
        wall, processor = timed([*words, *at], args.runs)
        shown = " ".join(word for word in words if word not in out)
        shown = shown.replace(some, "FILE")
        print(f"{shown:60} {wall:6.2f} s wall   {processor:6.2f} s processor", flush=True)
    second_scan(args.work, args.files)
    decide_anew(path, args.work / "none")


if __name__ == "__main__":
    main()
