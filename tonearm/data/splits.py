"""Splits are data: named parts of tracks, a hash, and the check that nothing leaks.

A split file is text: comment lines with its name, then ``part<TAB>track``. No group (artist,
copies) may be in two parts, but for the splits that exist to show how much that flatters: their
names begin with ``leaking-``. A segment of a track is written ``track#3``.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tonearm import folds
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError
from tonearm.files import write_atomically

PARTS = ("train", "valid", "test")
_LEAKING = "leaking-"
_HEADER = "# tonearm-split 1"
_LISTS = Path(__file__).parent / "lists"
SHARES = (0.7, 0.15, 0.15)
# Where a track is cut into windows that a split may name.
SEGMENTS = 10
_LEAKING_TRAIN = 0.75


@dataclass(frozen=True)
class Split:
    """Named parts, each the names of tracks (or of segments, ``track#3``), sorted."""

    name: str
    parts: Mapping[str, tuple[str, ...]]

    @property
    def leaks(self) -> bool:
        """Whether groups cross it on purpose: no accuracy on it may stand beside an honest one."""
        return self.name.startswith(_LEAKING)

    @cached_property
    def text(self) -> str:
        """The canonical text: what is saved, and what the hash is of."""
        rows = sorted((part, name) for part, names in self.parts.items() for name in names)
        return "\n".join([_HEADER, f"# name: {self.name}", *map("\t".join, rows), ""])

    @property
    def sha256(self) -> str:
        """Of the canonical text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all."""
        write_atomically(path, self.text.encode("utf-8", "surrogateescape"))


def load(path: str | os.PathLike[str]) -> Split:
    """Read a split file; DatasetError names the line that is wrong."""
    try:
        text = Path(path).read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise DatasetError(f"{path}: split cannot be read: {error.strerror}") from None
    lines = text.splitlines()
    if lines[:1] != [_HEADER] or not lines[1:2] or not lines[1].startswith("# name: "):
        raise DatasetError(f"{path}: no split file: it must begin with {_HEADER!r} and its name")
    parts: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(lines[2:], 3):
        part, tab, name = line.partition("\t")
        if not tab or not part or not name:
            raise DatasetError(f"{path}, line {number}: not `part<TAB>track`: {line!r}")
        parts[part].append(name)
    counts = Counter(name for names in parts.values() for name in names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DatasetError(f"{path}: in two parts, or twice in one: {', '.join(twice[:5])}")
    return Split(lines[1][8:], {part: tuple(sorted(names)) for part, names in parts.items()})


def official(name: str) -> Split:
    """A split that comes with the package, e.g. ``gtzan-filtered``."""
    path = _LISTS / f"{name}.split"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in _LISTS.glob("*.split")))
        raise DatasetError(f"no official split {name!r}; there are: {known}")
    return load(path)


@dataclass(frozen=True)
class Part:
    """What one part of a split means in an index.

    Parameters
    ----------
    tracks : tuple of Track
        Those that are there, found by name or by file name alone.
    segments : dict of str to set of int
        Of each track, by its name, the segments that the part names, where it names segments.
    promised : int
        How many tracks the part names.
    """

    tracks: tuple[Track, ...]
    segments: Mapping[str, set[int]]
    promised: int


def find(split: Split, part: str, index: Index) -> Part:
    """A part of a split in an index; empty where the split has no such part.

    ``a#3`` is segment 3 of ``a``, unless a track is called so: then it is that track
    (``Prelude in C#.mp3``, ``Étude #3``).
    """
    known = {track.stem: track for track in index.tracks} | index.by_name()
    tracks: dict[str, Track] = {}
    segments: dict[str, set[int]] = defaultdict(set)
    promised = set()
    for name in split.parts.get(part, ()):
        stem, mark, number = name.rpartition("#")
        segment = bool(mark) and number.isdecimal() and name not in known
        wanted = stem if segment else name
        promised.add(wanted)
        if wanted in known:
            track = known[wanted]
            tracks[track.name] = track
            if segment:
                segments[track.name].add(int(number))
    return Part(tuple(tracks.values()), dict(segments), len(promised))


def select(split: Split, index: Index) -> dict[str, list[Track]]:
    """Tracks of the index in each part."""
    return {part: list(find(split, part, index).tracks) for part in split.parts}


def is_official(split: Split) -> bool:
    """Whether it is one of the lists that come with the package, unchanged."""
    path = _LISTS / f"{split.name}.split"
    return path.exists() and load(path).sha256 == split.sha256


def check(split: Split, index: Index) -> tuple[str, ...]:
    """Refuse a split that leaks.

    An official list is what everyone measures on and is taken as it is: the filtered split of
    GTZAN has two artists on both sides (Slayer, Burning Spear; 7 of its 197 valid clips).

    Returns
    -------
    tuple of str
        Groups that cross an official list or a ``leaking-`` split, to be named beside its figures.

    Raises
    ------
    DatasetError
        With the groups (artists, copies) that are in more than one part that is used.
    """
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    for part, tracks in select(split, index).items():
        if part in PARTS:
            for track in tracks:
                seen[track.group].setdefault(part, track.name)
    crossing = {group: parts for group, parts in seen.items() if len(parts) > 1}
    if crossing and not split.leaks and not is_official(split):
        examples = "; ".join(
            f"{group} ({', '.join(f'{part}: {name}' for part, name in parts.items())})"
            for group, parts in list(crossing.items())[:3]
        )
        raise DatasetError(
            f"split {split.name} leaks: {len(crossing)} groups are in several parts: {examples}"
        )
    return tuple(sorted(crossing))


def grouped(index: Index, *, seed: int = 0) -> Split:
    """A made split: whole groups, the genres as evenly spread as these allow.

    Raises
    ------
    DatasetError
        When a genre has too few groups to be in every part.
    """
    tracks = index.tracks
    for genre in index.labels:
        its = [track.group for track in tracks if track.genre == genre]
        if len(set(its)) < len(PARTS):
            raise DatasetError(
                f"genre {genre!r} has {len(its)} tracks of {len(set(its))} artists or groups; a "
                f"split into {len(PARTS)} parts needs {len(PARTS)} of them: add music"
            )
    dealt = folds.deal(
        [track.genre for track in tracks],
        [track.group for track in tracks],
        shares=SHARES,
        seed=seed,
    )
    parts: dict[str, tuple[str, ...]] = {}
    for i, part in enumerate(PARTS):
        inside = [track for track, its in zip(tracks, dealt, strict=True) if its == i]
        lost = sorted(set(index.labels) - {track.genre for track in inside})
        if lost:
            raise DatasetError(f"genre {lost[0]!r} has too few groups for part {part}: add music")
        parts[part] = tuple(sorted(track.name for track in inside))
    return Split(f"grouped-{seed}", parts)


def leaking(
    index: Index,
    *,
    unit: str,
    seed: int = 0,
) -> Split:
    """The split of old habit, by genre but blind to artists; only to show what it flatters.

    Parameters
    ----------
    index : Index
    unit : 'tracks' or 'segments'
        What is dealt at random: with segments, parts of one track are on both sides.
    seed : int
        Of the draw.
    """
    rng = np.random.default_rng(seed)
    parts: dict[str, list[str]] = {"train": [], "valid": []}
    for genre in index.labels:
        names = [track.name for track in index.tracks if track.genre == genre]
        if unit == "segments":
            names = [f"{name}#{i}" for name in names for i in range(SEGMENTS)]
        shuffled = [str(name) for name in rng.permutation(names)]
        edge = round(len(shuffled) * _LEAKING_TRAIN)
        parts["train"] += shuffled[:edge]
        parts["valid"] += shuffled[edge:]
    parts = {part: sorted(names) for part, names in parts.items()}
    return Split(f"{_LEAKING}{unit}-{seed}", {k: tuple(v) for k, v in parts.items()})


def make(wanted: str, index: Index, *, seed: int = 0) -> Split:
    """The split of that name for an index, checked: an official one, a made one, or a file.

    Parameters
    ----------
    wanted : str
        ``grouped``, ``random-tracks``, ``random-segments``, an official name, or a path.
    """
    if wanted == "grouped":
        split = grouped(index, seed=seed)
    elif wanted in ("random-tracks", "random-segments"):
        split = leaking(index, unit=wanted.removeprefix("random-"), seed=seed)
    elif os.path.exists(wanted):
        split = load(wanted)
    else:
        split = official(wanted)
    check(split, index)
    return split
