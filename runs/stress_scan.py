"""Scans a library of many real files while it is killed, again and again; then after a great move.

    python runs/stress_scan.py MUSIC_FOLDER WORK_FOLDER [--files 10000] [--kills 50] [--jobs 2]

Files of 4 to 10 s are cut from the music, encoded into every container and tagged. The scan is
killed with SIGKILL at random moments (all of its processes), then finished. What must hold: every
file once, each with a sound of its own; nothing heard again after all are renamed and tagged.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support import small_files

from tonearm.audio import decode


def make(music: Path, root: Path, count: int) -> None:
    """Cut, encode and tag; files that are there already stay."""
    names = sorted(p for p in music.rglob("*") if p.suffix.lower() in (".ogg", ".mp3", ".flac"))
    sources = []
    for name in names:
        with contextlib.suppress(soundfile.LibsndfileError):  # a film, say
            sources.append((name, soundfile.info(name)))
    sources = [(name, info) for name, info in sources if info.duration > 20]
    print(f"{len(sources)} pieces of music", flush=True)
    for i in range(count):
        suffix = small_files.CONTAINERS[i % len(small_files.CONTAINERS)]
        path = root / f"artist {i % 97}" / f"album {i % 13}" / f"{i:05} söng{suffix}"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = random.Random(i)
        source, info = sources[rng.randrange(len(sources))]
        seconds = rng.uniform(4, 10) if suffix != ".dsf" else 4
        start = int(rng.uniform(0, info.duration - 11) * info.samplerate)
        samples, _ = soundfile.read(
            source, int(seconds * info.samplerate), start, dtype="float32", always_2d=True
        )
        stereo = np.ascontiguousarray(samples[:, [0, -1]])
        part = path.with_suffix(f".part{suffix}")
        small_files.write(part, np.clip(stereo, -1, 1))
        small_files.retag(part, text=f"Artist {i}", bulk=rng.randrange(3_000))
        part.rename(path)


def scan(root: Path, library: Path, jobs: int, *, kill_after_s: float | None = None) -> str:
    """One scan; its summary line, or nothing if it was killed."""
    command = [sys.executable, "-m", "tonearm", "scan", str(root), "--library", str(library)]
    process = subprocess.Popen(
        [*command, "-j", str(jobs)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, _ = process.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return ""
    return out.strip()


def counts(library: Path) -> tuple[int, int, int]:
    """Tracks that are there, sounds, and tracks without a sound."""
    with sqlite3.connect(library) as db:
        row = db.execute(
            "SELECT (SELECT count(*) FROM tracks WHERE NOT missing), (SELECT count(*) FROM sounds),"
            " (SELECT count(*) FROM tracks WHERE NOT missing AND sound IS NULL)"
        ).fetchone()
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return tuple(row)


def move_and_tag(root: Path) -> None:
    """Every file gets new tags; nine in ten a new place, the others each other's names."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    rng = random.Random(7)
    for i, path in enumerate(files):
        small_files.retag(path, text=f"Somebody else {i}", bulk=rng.choice([0, 10, 5_000, 200_000]))
    swapped: dict[str, list[Path]] = {}
    for i, path in enumerate(files):
        if i % 10 == 0:
            swapped.setdefault(path.suffix, []).append(path)
            continue
        target = root / f"moved {i % 31}" / f"{i} ☃{path.suffix}"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    for group in swapped.values():
        held = group[-1].with_name("held")
        group[-1].rename(held)
        for path, target in zip(group[-2::-1], group[:0:-1], strict=True):
            path.rename(target)
        held.rename(group[0])


def check_copies(library: Path) -> None:
    """Files that share a sound must decode to the same samples: two cuts of nothing, say."""
    with contextlib.closing(sqlite3.connect(library)) as connection:
        rows = connection.execute(
            "SELECT sound, path FROM tracks WHERE NOT missing AND sound IN (SELECT sound FROM"
            " tracks WHERE NOT missing GROUP BY sound HAVING count(*) > 1)"
        ).fetchall()
    first: dict[int, np.ndarray] = {}
    for sound, path in rows:
        samples = decode(os.fsdecode(path)).samples
        same = np.array_equal(first.setdefault(sound, samples), samples)
        assert same, f"{os.fsdecode(path)}: taken for a copy of another sound"
    print(f"{len(rows)} files share {len(first)} sounds, and decode alike")


def embeddings(summary: str) -> int:
    """The number of files heard that a summary tells."""
    return int(re.search(r"([\d,]+) heard", summary)[1].replace(",", ""))


def main() -> None:
    """Make, scan, kill, finish, move, scan."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("music", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    root, library = args.work / "music", args.work / "library.sqlite"
    began = time.monotonic()
    make(args.music, root, args.files)
    print(f"made {args.files} files in {time.monotonic() - began:.0f} s", flush=True)
    for name in ("", "-wal", "-shm"):
        library.with_name(library.name + name).unlink(missing_ok=True)
    rng = random.Random(1)
    began = time.monotonic()
    # Kills are spread over the whole run: the longer it is expected to be, the rarer.
    span_s = max(4.0, args.files / 10 / args.kills * 1.2)
    kills, before = 0, 0
    while kills < args.kills:
        summary = scan(root, library, args.jobs, kill_after_s=rng.uniform(0.3, 2 * span_s))
        if summary:
            print(f"finished after {kills} kills already", flush=True)
            break
        kills += 1
        now = counts(library)[1] if library.exists() and library.stat().st_size else 0
        assert now >= before, "a kill lost what was kept"
        before = now
        print(f"kill {kills}: {now} sounds", flush=True)
    summary = scan(root, library, args.jobs)
    print(f"{summary}\n  with {kills} kills in {time.monotonic() - began:.0f} s", flush=True)
    tracks, sounds_kept, without = counts(library)
    print(f"tracks {tracks}, sounds {sounds_kept}, without a sound {without}")
    assert (tracks, without) == (args.files, 0)
    check_copies(library)

    began = time.monotonic()
    summary = scan(root, library, args.jobs)
    print(f"{summary}\n  in {time.monotonic() - began:.2f} s", flush=True)
    assert embeddings(summary) == 0 and f"{args.files:,} unchanged" in summary

    move_and_tag(root)
    began = time.monotonic()
    summary = scan(root, library, args.jobs)
    print(f"{summary}\n  in {time.monotonic() - began:.1f} s", flush=True)
    assert embeddings(summary) == 0, "heard again after a move"
    assert counts(library) == (args.files, sounds_kept, 0)
    print("holds")


if __name__ == "__main__":
    main()
