"""What the built-in model calls unknown of speech over music, singing alone, and applause.

    python -m runs.measure_voices --packages FOLDER

FOLDER holds Debian packages, unpacked as for ``runs/free_music.py``: speech is asterisk's English
prompts, singing the voice pack *Singer* of Hedgewars (unaccompanied, short), music the tracks of
Wesnoth and Warzone 2100. Applause is made by code: some hundred short bursts of noise a second.
Speech lies over the music at the same level, 6 dB above it, and 12 dB below it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.audio import decode, resample
from tonearm.model.classifier import Classifier

Float32 = NDArray[np.float32]
RATE_HZ = 22_050
SECONDS = 12
PIECES = 24
LEVELS_DB = (6, 0, -12)


def level(samples: Float32) -> Float32:
    """At a root mean square of 0.1."""
    return np.asarray(samples * (0.1 / (float(np.sqrt(np.mean(samples**2))) + 1e-9)), np.float32)


def spread(paths: list[Path], count: int) -> list[Path]:
    """So many of the paths, evenly over their order."""
    if len(paths) <= count:
        return paths
    return [paths[i] for i in np.linspace(0, len(paths) - 1, count).round().astype(int)]


def read(path: Path, *, start_s: float = 0.0) -> Float32:
    """Up to ``SECONDS`` of a file."""
    audio = decode(path, start_s=start_s, duration_s=SECONDS)
    return resample(audio.samples, audio.sample_rate_hz, RATE_HZ)


def speech(packages: Path) -> list[Float32]:
    """Prompts, joined to pieces of that length."""
    paths = sorted((packages / "asterisk-core-sounds-en-wav").rglob("*.wav"))
    joined = level(np.concatenate([read(path) for path in spread(paths, 200)]))
    size = SECONDS * RATE_HZ
    return [joined[i * size : (i + 1) * size] for i in range(min(PIECES, len(joined) // size))]


def applause(rng: np.random.Generator, claps_a_second: int) -> Float32:
    """Claps: bursts of noise of some milliseconds, each of its own colour."""
    samples = np.zeros(SECONDS * RATE_HZ + 2_000, dtype=np.float32)
    for _ in range(claps_a_second * SECONDS):
        length = int(rng.integers(150, 700))
        clap = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 5))
        hz = rng.uniform(700, 3_000)
        clap *= np.sin(2 * np.pi * hz * np.arange(length) / RATE_HZ)
        at = int(rng.integers(0, SECONDS * RATE_HZ))
        samples[at : at + length] += (rng.uniform(0.2, 1) * clap).astype(np.float32)
    return level(samples[: SECONDS * RATE_HZ])


def pieces(packages: Path) -> Iterator[tuple[str, list[Float32]]]:
    """Each kind of sound with its pieces."""
    rng = np.random.default_rng(0)
    voices = speech(packages)
    music = []
    for package in ("wesnoth-1.16-music", "warzone2100-music"):
        files = [p for p in (packages / package).rglob("*") if p.suffix in (".ogg", ".opus")]
        music += [level(read(path, start_s=20)) for path in spread(sorted(files), PIECES // 2)]
    yield "speech alone", voices
    yield "music alone", music
    for above_db in LEVELS_DB:
        gain = np.float32(10 ** (above_db / 20))
        mixed = []
        for voice, song in zip(voices, music, strict=False):
            length = min(len(voice), len(song))
            mixed.append(level(gain * voice[:length] + song[:length]))
        yield f"speech {above_db:+d} dB over music", mixed
    sung = sorted(p for p in (packages / "hedgewars-data").rglob("*.ogg") if "Singer" in p.parts)
    yield "singing alone", [level(read(path)) for path in sung]
    for many in (20, 100, 500):
        yield f"applause, {many} claps a second", [applause(rng, many) for _ in range(6)]
    clapped = [level(song + applause(rng, 100)[: len(song)]) for song in music[:12]]
    yield "applause over music", clapped


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True)
    args = parser.parse_args()
    classifier = Classifier.load()
    print("| sound | pieces | unknown |\n|---|---|---|")
    for name, found in pieces(args.packages):
        long = [samples for samples in found if len(samples) >= RATE_HZ]
        unknown = sum(classifier.predict(samples, RATE_HZ).genre is None for samples in long)
        print(f"| {name} | {len(long)} | {unknown} |", flush=True)


if __name__ == "__main__":
    main()
