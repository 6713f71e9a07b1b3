"""Encode the free music of Debian packages that the built-in model learns from.

    apt-get download PACKAGE; dpkg-deb -x PACKAGE*.deb FOLDER/PACKAGE   # for each of the list
    python -m runs.free_music --packages FOLDER --backbone backbone.onnx --out free_music.npz

``runs/free_music.tsv`` lists the packages, with the genre, where it is from, the artist (none: each
track stands for itself) and the licence. Archives inside a package (``public.zip`` of 0ad-data,
``*.pk3`` of nexuiz-music) are unpacked in its folder first. What is shorter than 20 s is a jingle
and left out.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs.texture import modulations_of
from tonearm.audio import AUDIO_SUFFIXES, open_audio, read_span
from tonearm.containers.sound_key import sound_key
from tonearm.errors import DecodeError
from tonearm.features import MUSICNN_SPEC, TEXTURE_SPEC, FeatureSpec, mel_power, to_level
from tonearm.files import write_atomically
from tonearm.model.network import onnx_session
from tonearm.windows import place

Float32 = NDArray[np.float32]

LIST = Path(__file__).with_name("free_music.tsv")
SHORTEST_S = 20.0
TAG_WINDOWS, TEXTURE_WINDOWS = 12, 3
# Abagames' eight packages are one collection: one man made all of its music.
ONE_COLLECTION = {"Kenta Cho": "abagames"}


@dataclass(frozen=True)
class FreeTrack:
    """A track of the list: tags [n, 50] and modulations [m, 1275] of some of its windows."""

    name: str
    collection: str
    label: str
    artist: str
    key: str
    tags: Float32
    modulations: Float32


def windows_of(path: Path, spec: FeatureSpec, count: int) -> Float32:
    """Levels [count, frames, bands] of windows spread over a file."""
    with open_audio(path) as reader:
        rate_hz = reader.info.sample_rate_hz
        frames = spec.frames_of(reader.info.samples * spec.sample_rate_hz // rate_hz)
        levels = []
        for start in place(frames, spec.window_frames, count=count):
            last = min(int(start) + spec.window_frames, frames) - 1
            begin = int(start) * spec.hop_samples - spec.n_fft // 2
            end = last * spec.hop_samples + spec.n_fft // 2
            span = read_span(reader, begin, end, rate_hz=spec.sample_rate_hz)
            power = mel_power(span, spec, centre=False)
            power = np.tile(power, (-(-spec.window_frames // len(power)), 1))
            levels.append(to_level(power[: spec.window_frames], spec))
    return np.stack(levels)


def encode(packages: Path, backbone: bytes) -> list[FreeTrack]:
    """Every track of the list that is there, with progress on stderr."""
    session = onnx_session(backbone)
    found = []
    with open(LIST, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        root = packages / row["package"]
        paths = sorted(p for p in root.glob(row["files"]) if p.suffix.lower() in AUDIO_SUFFIXES)
        for path in paths:
            try:
                with open_audio(path) as reader:
                    seconds = reader.info.samples / reader.info.sample_rate_hz
                if seconds < SHORTEST_S:
                    continue
                tags = windows_of(path, MUSICNN_SPEC, TAG_WINDOWS)
                levels = windows_of(path, TEXTURE_SPEC, TEXTURE_WINDOWS)
            except DecodeError as error:
                print(error, file=sys.stderr)
                continue
            name = path.relative_to(packages).as_posix()
            artist = row["artist"]
            found.append(
                FreeTrack(
                    name=name,
                    collection=ONE_COLLECTION.get(artist, row["package"]),
                    label=row["label"],
                    artist=artist or name,
                    key=sound_key(path),
                    tags=np.asarray(session.run(None, {"features": tags})[0]),
                    modulations=modulations_of(levels),
                )
            )
        print(f"{row['package']}: {len(found)} tracks so far", file=sys.stderr, flush=True)
    return found


def save(found: list[FreeTrack], path: Path) -> None:
    """Write the tracks as arrays."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        name=[track.name for track in found],
        collection=[track.collection for track in found],
        label=[track.label for track in found],
        artist=[track.artist for track in found],
        key=[track.key for track in found],
        tags=np.concatenate([track.tags for track in found]),
        tag_counts=[len(track.tags) for track in found],
        modulations=np.concatenate([track.modulations for track in found]),
        modulation_counts=[len(track.modulations) for track in found],
    )
    write_atomically(path, file.getvalue())


def load(path: Path) -> list[FreeTrack]:
    """What :func:`save` wrote."""
    with np.load(path) as file:
        arrays = dict(file)
    tags = np.split(arrays["tags"], np.cumsum(arrays["tag_counts"])[:-1])
    modulations = np.split(arrays["modulations"], np.cumsum(arrays["modulation_counts"])[:-1])
    words = (arrays[name].tolist() for name in ("name", "collection", "label", "artist", "key"))
    return [FreeTrack(*row) for row in zip(*words, tags, modulations, strict=True)]


def main() -> None:
    """Encode and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    found = encode(args.packages, args.backbone.read_bytes())
    save(found, args.out)
    print(f"{args.out}: {len(found)} tracks")


if __name__ == "__main__":
    main()
