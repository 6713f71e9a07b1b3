"""The whole story of 0.8248: what each difference between the original and an honest figure does.

    python -m runs.seed FOLDER [--artists TABLE] [--out FOLDER] [--epochs 50]

FOLDER holds a folder of audio for each genre: GTZAN as it is distributed, or any music of yours.
The first row is the original as it was (raw MFCCs of librosa's settings, 130 frames a segment,
Keras' recipe, segments divided at random). Each further row changes one thing. Rows that leak are
marked, and stand apart from those that do not. Artists come from the table, or from one that
``tonearm prepare FOLDER`` was given before, else from tags and file names; without any, the script
says so instead of an honest row.

A row of 60 clips takes half a minute of processor time. GTZAN's 1,000 clips take some three hours
on one core; ``--epochs 10`` shows the same order in 40 minutes. A row that is done is kept in
--out, so the same command continues; rows of other tracks, genres or artists are kept apart.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tonearm import audio, metrics
from tonearm.data import groups, prepare, splits
from tonearm.data import labels as tables
from tonearm.data.feature_store import checksum
from tonearm.data.folds import assign_groups
from tonearm.data.index import Index, Track
from tonearm.data.original_json import segment_levels
from tonearm.features import GTZAN_SPEC, mfcc
from tonearm.nets.window_net import normalised
from tonearm.tagging.read import read_artist

Float32 = NDArray[np.float32]
HELD_OUT = 0.25  # as the original
# The arrays of GTZAN that research passes around keep 387 of a clip's 1,293 frames.
ARRAY_FRAMES = 39
# Of processor time, in an epoch: 27 s for 600 segments and 50 epochs.
SECONDS_PER_SEGMENT = 0.0009
NOISE = (
    "Each row is one training run: with few tracks, chance alone moves it by several points, so a "
    "row may even stand above one that leaks more. Only intervals that lie apart say something."
)
ORIGINAL = Path(__file__).parents[1] / "examples" / "original" / "network.py"


@dataclass(frozen=True)
class Segments:
    """MFCCs of every segment of a data set, with what divides them.

    Parameters
    ----------
    raw, scaled : float32 [n, frames, 13]
        As librosa gives them; and of levels at mean 0 and deviation 1 within the segment.
    tracks : int64 [n]
        The track of each segment.
    of : tuple of Track
    """

    raw: Float32
    scaled: Float32
    tracks: NDArray[np.int64]
    of: tuple[Track, ...]


@dataclass(frozen=True)
class Row:
    """One row of the table: what it changes, and how segments are divided and described."""

    name: str
    changes: str
    units: str  # segments, tracks, or groups
    copies: bool = False
    scaled: bool = False
    frames: int = 130


ROWS = (
    Row("original", "as it was", "segments", copies=True),
    Row("copies", "a recording that is there twice counts once", "segments"),
    Row("frames-129", "129 frames, as whole windows of 3 s have", "segments", frames=129),
    Row("frames-39", "12.9 frames a second, as GTZAN's arrays", "segments", frames=ARRAY_FRAMES),
    Row("scaled", "levels normalised within each segment", "segments", scaled=True),
    Row("tracks", "no segment of a track on both sides", "tracks"),
    Row("artists", "no artist on both sides", "groups"),
    Row("artists-scaled", "the same with normalised levels: --arch lstm", "groups", scaled=True),
)


def read(made: Index) -> Segments:
    """Decode every track and describe its segments."""
    raw, scaled, tracks = [], [], []
    used: list[Track] = []
    for track in made.tracks:
        sound = audio.decode(Path(made.source) / track.name)
        rate_hz = GTZAN_SPEC.sample_rate_hz
        found = segment_levels(audio.resample(sound.samples, sound.sample_rate_hz, rate_hz))
        for level in found:
            # The package's front end: relative to the loudest value, then normalised.
            window = np.maximum(level - level.max(), -80)
            even = normalised(torch.from_numpy(window[None])).numpy()[0]
            raw.append(mfcc(level, coefficients=13))
            scaled.append(mfcc(even, coefficients=13))
            tracks.append(len(used))
        if found:
            used.append(track)
    return Segments(np.stack(raw), np.stack(scaled), np.array(tracks), tuple(used))


def thinned(x: Float32, frames: int) -> Float32:
    """So many of the frames: the first ones, or spread evenly where many are left out."""
    whole = x.shape[1]
    if frames > whole // 2:
        return x[:, :frames]
    return x[:, np.floor((np.arange(frames) + 0.5) * whole / frames).astype(int)]


def held_out(segments: Segments, row: Row, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of the segments are measured on; copies that are not ``used`` are on neither side."""
    owners = {
        "segments": [str(i) for i in range(len(segments.tracks))],
        "tracks": [segments.of[i].name for i in segments.tracks],
        "groups": [segments.of[i].group for i in segments.tracks],
    }[row.units]
    places = np.flatnonzero(used)
    labels = [segments.of[segments.tracks[i]].genre for i in places]
    chosen = assign_groups(
        labels, [owners[i] for i in places], fractions=(1 - HELD_OUT, HELD_OUT), seed=0
    )
    out = np.zeros(len(used), dtype=bool)
    out[places] = chosen == 1
    return out


def _original() -> ModuleType:
    """The example's own network and recipe: there is one of each."""
    spec = importlib.util.spec_from_file_location("original_network", ORIGINAL)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(segments: Segments, row: Row, labels: Sequence[str], epochs: int) -> dict[str, Any]:
    """Train the original network as a row says; figures of segments and of tracks."""
    original = _original()
    first = {track.name for track in groups.distinct(segments.of)}
    used = np.array([row.copies or segments.of[i].name in first for i in segments.tracks])
    out = held_out(segments, row, used)
    x = torch.from_numpy(thinned(segments.scaled if row.scaled else segments.raw, row.frames))
    truth = np.array([labels.index(segments.of[i].genre) for i in segments.tracks])
    y = torch.from_numpy(truth)
    torch.manual_seed(0)
    net = original.network(len(labels))
    train, valid = ((x[where], y[where]) for where in map(torch.from_numpy, (used & ~out, out)))
    last = {}
    for last in original.fit(net, train, valid, epochs):
        print(f"  {row.name}: epoch {last['epoch']} {last['valid_accuracy']:.3f}", file=sys.stderr)
    with torch.no_grad():
        logits = torch.cat([net.classify(some) for some in valid[0].split(256)])
    probabilities = torch.softmax(logits.double(), 1).numpy()
    owners = segments.tracks[out]
    names = sorted(set(owners.tolist()))
    mean = np.stack([probabilities[owners == i].mean(axis=0) for i in names])
    of_tracks = np.array([labels.index(segments.of[i].genre) for i in names])
    return {
        "loss": last["valid_loss"],
        "segments": _figures(truth[out], probabilities, [segments.of[i].group for i in owners]),
        "tracks": _figures(of_tracks, mean, [segments.of[i].group for i in names]),
    }


def _figures(truth: NDArray[Any], values: NDArray[Any], owners: list[str]) -> dict[str, Any]:
    right = (values.argmax(axis=1) == truth).astype(float)
    low, high = metrics.accuracy_interval(right, groups=owners)
    return {"accuracy": float(right.mean()), "interval_95_by_group": [low, high], "n": len(right)}


def table(found: dict[str, dict[str, Any]]) -> str:
    """The rows that were measured: those that leak, then the honest ones."""
    lines = []
    for title, honest in (("LEAKS", False), ("honest", True)):
        for row in ROWS:
            if row.name in found and (row.units == "groups") == honest:
                cells = [f"{title:<6}", f"{row.changes:<44}", f"loss {found[row.name]['loss']:.3f}"]
                for unit in ("segments", "tracks"):
                    of = found[row.name][unit]
                    low, high = of["interval_95_by_group"]
                    cells.append(f"{unit} {of['accuracy']:.3f} [{low:.3f}, {high:.3f}] n={of['n']}")
                lines.append("  ".join(cells))
    return "\n".join(lines)


def main(folder: Path, artists: Path | None, out: Path, epochs: int) -> None:
    """Prepare, measure every row that is not measured yet, print the table."""
    before = prepare.prepared_path(folder)
    if artists is None and (before / prepare.ARTISTS).exists():
        artists = before / prepare.ARTISTS
    prepared = prepare.prepare_folder(
        folder,
        out / "prepared",
        spec=GTZAN_SPEC,
        artists=groups.read_artists(artists) if artists else None,
        labels=tables.kept(before),
        artist_of=read_artist,
    )
    made = prepared.index
    for name, reason in made.failed:
        print(f"{name} is left out: {reason}", file=sys.stderr)
    unknown = groups.without_artist(track.group for track in made.tracks)["track"]
    known = len(made.tracks) - unknown
    print(f"{len(made.tracks)} tracks, {len(made.labels)} genres; the artist of {known} is known")
    copies = len(made.tracks) - len(splits.whole(made).tracks)
    print(f"{copies} tracks are copies of others: all rows but the first do without them")
    segments = read(made)
    # Other artists change the intervals even of rows that do not split by artist.
    of = checksum(repr(segments.of).encode("utf-8", "surrogateescape"))[:12]
    path = out / f"seed-{epochs}-{of}.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    left, each_s = len(ROWS) - len(found), len(segments.tracks) * epochs * SECONDS_PER_SEGMENT
    print(f"up to {left} rows to train, some {max(1, round(each_s / 60))} min each on one core")
    for row in ROWS:
        if row.name == "copies" and not copies:
            continue
        if row.units == "groups" and unknown == len(made.tracks):
            print("No artist is known: an honest row needs --artists, tags or `Artist - Title`.")
            break
        if row.name not in found:
            found[row.name] = measure(segments, row, made.labels, epochs)
            path.write_text(json.dumps(found, indent=1))
    print(table(found))
    print(NOISE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="one folder of audio for each genre")
    parser.add_argument("--artists", type=Path, help="table clip<TAB>artist")
    parser.add_argument("--out", type=Path, default=Path("runs/out/seed"))
    parser.add_argument("--epochs", type=int, default=50)
    options = parser.parse_args()
    main(options.folder, options.artists, options.out, options.epochs)
