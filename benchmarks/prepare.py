"""Preparing 1,000 files of which 30 are bad, killed once on the way; threads; files or shards.

    python -m benchmarks.prepare [FILES]

Clips are made by code (ten genres, 3 s). Prints seconds and what came out.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.support import music
from tonearm.data import feature_store, index
from tonearm.features import GTZAN_SPEC
from tonearm.genres import GTZAN_GENRES


def make(root: Path, files: int) -> int:
    """Music with 3 % bad files in it; how many are bad."""
    bad = round(0.03 * files)
    for i in range(files):
        path = root / GTZAN_GENRES[i % 10] / f"Artist {i} - {i}.wav"
        if i < bad:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"" if i % 2 else b"RIFF no music")
        else:
            music.write(path, music.clip(i % 10 % 4, i, seconds=3))
    return bad


def prepare(root: Path, out: Path, jobs: int) -> subprocess.Popen[str]:
    """The command, running."""
    options = ["prepare", str(root), "-o", str(out), "--jobs", str(jobs)]
    command = [sys.executable, "-m", "tonearm", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def main(files: int) -> None:
    """Print every figure."""
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder) / "music", Path(folder) / "out"
        bad = make(root, files)
        process = prepare(root, out, 2)
        while (kept := len(list((out / "features").rglob("*.npy")))) < files // 4:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        begun = time.perf_counter()
        process = prepare(root, out, 2)
        said = process.communicate()[1]
        made = index.load(out)
        print(f"killed after {kept} files, then {time.perf_counter() - begun:.0f} s to the end")
        named = sum(name in said for name, _ in made.failed)
        print(f"exit {process.returncode}, {len(made.tracks)} tracks, {named} of {bad} bad named")
        print(f"{sum(t.copy_of is not None for t in made.tracks)} found to be copies")
        for jobs in (1, 2):
            begun = time.perf_counter()
            prepare(root, Path(folder) / f"jobs{jobs}", jobs).communicate()
            print(f"jobs {jobs}: {files / (time.perf_counter() - begun):.1f} files a second")
        compare_layouts(Path(folder), made, feature_store.open_store(out / "features"))


def compare_layouts(folder: Path, made: index.Index, features: feature_store.FeatureStore) -> None:
    """Reading 3 s windows in random order: one file a track, or one mapped array of all."""
    spec = feature_store.spec_of(features, window_s=1.0)
    sounds = [track.sound for track in made.tracks]
    arrays = [np.array(features.get(sound)) for sound in sounds]
    starts = np.cumsum([0, *map(len, arrays)])
    np.save(folder / "shard.npy", np.concatenate(arrays))
    rng = np.random.default_rng(0)
    order = rng.integers(0, len(sounds), 5_000)
    begun = time.perf_counter()
    for i in order:
        feature_store.cut(features.get(sounds[i]), 10, spec)
    one_file = (time.perf_counter() - begun) / len(order)
    shard = np.load(folder / "shard.npy", mmap_mode="r")
    begun = time.perf_counter()
    for i in order:
        feature_store.cut(shard[starts[i] : starts[i + 1]], 10, spec)
    sharded = (time.perf_counter() - begun) / len(order)
    cached = dict(zip(sounds, arrays, strict=True))
    begun = time.perf_counter()
    for i in order:
        feature_store.cut(cached[sounds[i]], 10, spec)
    memory = (time.perf_counter() - begun) / len(order)
    print(
        f"a window from a file a track {one_file * 1e6:.0f} us, from a shard {sharded * 1e6:.0f}, "
        f"from memory {memory * 1e6:.0f}; GTZAN_SPEC frames {GTZAN_SPEC.frame_s * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="?", type=int, default=1_000)
    main(parser.parse_args().files)
