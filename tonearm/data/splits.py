"""Splits are data: named subsets of tracks, a hash, and a check that nothing leaks.

A split file is text: comment lines with its name, then ``subset<TAB>track``. No group (artist,
copies) may be in two subsets. The exceptions are splits that show how much leaking flatters: their
names begin with ``leaking-``. An excerpt of a track is written ``track#3``. A split is made of all
tracks; if some are copies, a subset uses one of them, so that no recording counts twice.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tonearm.data import folds, groups
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError
from tonearm.files import write_atomically

SUBSETS = ("train", "valid", "test")
_UNUSED = "excluded"
_LEAKING = "leaking-"
_GROUPED, _RANDOM = "grouped", "random-"
_HEADER = "# tonearm-split 1"
_LISTS = Path(__file__).parent / "lists"
FRACTIONS = (0.7, 0.15, 0.15)  # of the tracks of each genre
# The original experiment cut each clip of 30 s into ten excerpts and trained on 75 % of them.
EXCERPTS = 10
_LEAKING_TRAIN = 0.75


@dataclass(frozen=True)
class Split:
    """Named subsets, each the names of tracks (or of excerpts, ``track#3``), sorted."""

    name: str
    subsets: Mapping[str, tuple[str, ...]]

    @property
    def leaks(self) -> bool:
        """Whether groups cross it on purpose. Never report its accuracy next to an honest one."""
        return self.name.startswith(_LEAKING)

    @cached_property
    def text(self) -> str:
        """The canonical text, which is saved and hashed."""
        # Sorted, so that the hash does not depend on the order in which it was made.
        rows = sorted((subset, name) for subset, names in self.subsets.items() for name in names)
        for _, name in rows:
            if "\n" in name or "\r" in name:
                raise DatasetError(
                    f"{name!r} has a line break in its name: rename the file and prepare again"
                )
        return "\n".join([_HEADER, f"# name: {self.name}", *map("\t".join, rows), ""])

    @property
    def sha256(self) -> str:
        """Hash of the canonical text."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogateescape")).hexdigest()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, whole or not at all.

        Parameters
        ----------
        path : path
        """
        write_atomically(path, self.text.encode("utf-8", "surrogateescape"))


def load(path: str | os.PathLike[str]) -> Split:
    """Read a split file; DatasetError names the line that is wrong.

    Parameters
    ----------
    path : path
    """
    try:
        text = Path(path).read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise DatasetError(f"the split {path} cannot be read: {error.strerror}") from None
    # Not splitlines(), which also splits at U+2028 and other characters that names may contain.
    lines = text.removesuffix("\n").split("\n")
    if lines[:1] != [_HEADER] or not lines[1:2] or not lines[1].startswith("# name: "):
        raise DatasetError(
            f"{path} is not a split file: it must begin with {_HEADER!r} and its name"
        )
    subsets: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(lines[2:], 3):
        subset, tab, name = line.partition("\t")
        if not tab or not subset or not name:
            raise DatasetError(f"{path}, line {number} is not `subset<TAB>track`: {line!r}")
        if subset not in (*SUBSETS, _UNUSED):
            known = ", ".join((*SUBSETS, _UNUSED))
            raise DatasetError(f"{path}, line {number}: {subset!r} is not a subset ({known})")
        subsets[subset].append(name)
    counts = Counter(name for names in subsets.values() for name in names)
    # In two subsets it would leak; in one it would count twice.
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise DatasetError(f"{path} names tracks twice: {', '.join(twice[:5])}")
    return Split(lines[1][8:], {subset: tuple(sorted(names)) for subset, names in subsets.items()})


def official(name: str) -> Split:
    """A split that comes with the package, e.g. ``gtzan-filtered``.

    Parameters
    ----------
    name : str
    """
    path = _LISTS / f"{name}.split"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in _LISTS.glob("*.split")))
        made = f"{_GROUPED}, {_RANDOM}tracks, {_RANDOM}segments"
        raise DatasetError(f"there is no split {name!r}: name a file, or one of {made}, {known}")
    return load(path)


@dataclass(frozen=True)
class Subset:
    """What one subset of a split means in an index.

    Parameters
    ----------
    tracks : tuple of Track
        Those in the index, found by path or by file name alone; one of each recording.
    excerpts : dict of str to set of int
        The excerpts of each track, by its name, if the subset names excerpts.
    promised : int
        How many tracks the subset names.
    copies : tuple of Track
        Tracks left out as copies of others in the subset.
    contradictions : tuple of Track
        Tracks left out because a copy, in any subset, has another genre.
    """

    tracks: tuple[Track, ...]
    excerpts: Mapping[str, set[int]]
    promised: int
    copies: tuple[Track, ...] = ()
    contradictions: tuple[Track, ...] = ()

    @property
    def missing(self) -> int:
        """Number of named tracks that are not in the index."""
        return self.promised - sum(map(len, (self.tracks, self.copies, self.contradictions)))


_NOTHING = Subset((), {}, 0)


def find(split: Split, subset: str, index: Index) -> Subset:
    """Find a subset of a split in an index; empty if the split has no such subset.

    ``a#3`` is excerpt 3 of ``a``, unless a track has that name, as ``Étude #3`` does.

    Parameters
    ----------
    split : Split
    subset : str
        train, valid, test or excluded.
    index : Index

    Raises
    ------
    DatasetError
        If a name without a folder fits several tracks.
    """
    return find_all(split, index).get(subset, _NOTHING)


def find_all(split: Split, index: Index) -> dict[str, Subset]:
    """Every subset of a split, as `find` finds it.

    Parameters
    ----------
    split : Split
    index : Index
    """
    named = _named(split, index)
    # Over all subsets: the copy with another genre may be in another one.
    used = {track.name: track for subset in SUBSETS for track in named.get(subset, _NOTHING).tracks}
    unclear = {track.name for each in groups.contradictions(used.values()) for track in each}
    return {subset: _once(found, unclear) for subset, found in named.items()}


def whole(index: Index) -> Subset:
    """All tracks as one subset, without a split.

    Parameters
    ----------
    index : Index
    """
    unclear = {track.name for each in groups.contradictions(index.tracks) for track in each}
    return _once(Subset(index.tracks, {}, len(index.tracks)), unclear)


def _once(found: Subset, unclear: Collection[str]) -> Subset:
    """The subset with each recording once, and without the tracks of these names."""
    clear = [track for track in found.tracks if track.name not in unclear]
    kept = groups.distinct(clear)
    own = {track.name for track in kept}
    return replace(
        found,
        tracks=kept,
        excerpts={name: numbers for name, numbers in found.excerpts.items() if name in own},
        copies=tuple(track for track in clear if track.name not in own),
        contradictions=tuple(track for track in found.tracks if track.name in unclear),
    )


def _named(split: Split, index: Index) -> dict[str, Subset]:
    """What the subsets name, including copies."""
    tracks = index.by_name()
    written = groups.by_written_name(tracks)
    subsets = {}
    for subset, names in split.subsets.items():
        found: dict[str, Track] = {}
        excerpts: dict[str, set[int]] = defaultdict(set)
        promised = set()
        for name in names:
            # `track#3` is an excerpt, unless a track is really called so.
            stem, mark, number = name.rpartition("#")
            excerpt = bool(mark) and number.isdecimal() and name not in written
            wanted = stem if excerpt else name
            promised.add(wanted)
            meant = [tracks[each] for each in written.get(wanted, ())]
            # Several files of one name are fine if they are copies of each other.
            if len({track.copy_of or track.name for track in meant}) > 1:
                raise DatasetError(
                    f"split {split.name}: {wanted!r} is {len(meant)} tracks here "
                    f"({', '.join(track.name for track in meant[:3])}): write genre/…/file"
                )
            for track in meant[:1]:
                found[track.name] = track
                if excerpt:
                    excerpts[track.name].add(int(number))
        subsets[subset] = Subset(tuple(found.values()), dict(excerpts), len(promised))
    return subsets


def select(split: Split, index: Index) -> dict[str, list[Track]]:
    """Tracks of the index in each subset.

    Parameters
    ----------
    split : Split
    index : Index
    """
    return {subset: list(found.tracks) for subset, found in find_all(split, index).items()}


def is_official(split: Split) -> bool:
    """Whether it is one of the lists that come with the package, unchanged.

    Parameters
    ----------
    split : Split
    """
    path = _LISTS / f"{split.name}.split"
    # By its hash: a list that was edited is somebody's own, and is checked like one.
    return path.exists() and load(path).sha256 == split.sha256


def check(split: Split, index: Index) -> tuple[str, ...]:
    """Reject a split that leaks.

    An official list is accepted as it is, because everyone measures on it: the filtered split of
    GTZAN has two artists on both sides (Slayer, Burning Spear; 7 of its 197 valid clips).

    Parameters
    ----------
    split : Split
    index : Index

    Returns
    -------
    tuple of str
        Groups that cross an official list or a ``leaking-`` split, to report with its figures.

    Raises
    ------
    DatasetError
        If groups (artists, copies) are in several subsets; the message names them.
    """
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    for subset, tracks in select(split, index).items():
        # Tracks that are excluded may be by anybody.
        if subset in SUBSETS:
            for track in tracks:
                seen[track.group].setdefault(subset, track.name)
    crossing = {group: subsets for group, subsets in seen.items() if len(subsets) > 1}
    if crossing and not split.leaks and not is_official(split):
        examples = "; ".join(
            f"{group} ({', '.join(f'{subset}: {name}' for subset, name in subsets.items())})"
            for group, subsets in list(crossing.items())[:3]
        )
        raise DatasetError(
            f"split {split.name} leaks: {len(crossing)} groups are in several subsets: {examples}"
        )
    return tuple(sorted(crossing))


def grouped(index: Index, *, seed: int = 0) -> Split:
    """Make a split: groups stay together, genres stay balanced.

    A genre of one group alone is in train only, one of two groups in train and valid: it is learnt
    though it is not, or less well, measured.

    Parameters
    ----------
    index : Index
    seed : int

    Raises
    ------
    DatasetError
        When no genre can be measured, or one with enough groups misses a subset all the same.
    """
    tracks = index.tracks
    of_genre = groups.groups_of(
        [track.genre for track in tracks], [track.group for track in tracks]
    )
    if all(len(own) == 1 for own in of_genre.values()):
        raise DatasetError("every genre is by one artist or group alone: add music by others")
    placed = _scarce(tracks, of_genre)
    free = [track for track in tracks if track.group not in placed]
    assigned = folds.assign_groups(
        [track.genre for track in free],
        [track.group for track in free],
        fractions=FRACTIONS,
        seed=seed,
    )
    place = {track.name: int(subset) for track, subset in zip(free, assigned, strict=True)}
    place |= {track.name: placed[track.group] for track in tracks if track.group in placed}
    subsets: dict[str, tuple[str, ...]] = {}
    # Enough groups is not enough: a very large one may leave too little for the others.
    for i, subset in enumerate(SUBSETS):
        inside = [track for track in tracks if place[track.name] == i]
        lost = sorted(set(index.labels) - {track.genre for track in inside})
        lost = [genre for genre in lost if len(of_genre[genre]) >= len(SUBSETS)]
        if lost:
            raise DatasetError(
                f"genre {lost[0]!r} has too few groups for subset {subset}: add music"
            )
        subsets[subset] = tuple(sorted(track.name for track in inside))
    return Split(f"grouped-{seed}", subsets)


def _scarce(tracks: Sequence[Track], of_genre: Mapping[str, set[str]]) -> dict[str, int]:
    """Where the groups of genres go that have fewer groups than there are subsets.

    The largest goes to train, the next to valid; what has a place for another genre keeps it.
    """
    sizes = Counter(track.group for track in tracks)
    placed: dict[str, int] = {}
    for _, own in sorted(of_genre.items()):
        if len(own) < len(SUBSETS):
            # By name where sizes are equal: sets have no order.
            for subset, group in enumerate(sorted(own, key=lambda group: (-sizes[group], group))):
                placed[group] = min(subset, placed.get(group, subset))
    return placed


def leaking(
    index: Index,
    *,
    unit: str,
    seed: int = 0,
) -> Split:
    """Make the split of many reports, which ignores artists; only to show how much it flatters.

    Parameters
    ----------
    index : Index
    unit : 'tracks' or 'segments'
        What is assigned at random. With segments, excerpts of one track are on both sides.
    seed : int
        For the random draw.
    """
    rng = np.random.default_rng(seed)
    subsets: dict[str, list[str]] = {"train": [], "valid": []}
    for genre in index.labels:
        names = [track.name for track in index.tracks if track.genre == genre]
        if unit == "segments":
            # Excerpts of one clip on both sides: what makes such a split flatter most.
            names = [f"{name}#{i}" for name in names for i in range(EXCERPTS)]
        shuffled = [str(name) for name in rng.permutation(names)]
        edge = round(len(shuffled) * _LEAKING_TRAIN)
        subsets["train"] += shuffled[:edge]
        subsets["valid"] += shuffled[edge:]
    subsets = {subset: sorted(names) for subset, names in subsets.items()}
    return Split(f"{_LEAKING}{unit}-{seed}", {k: tuple(v) for k, v in subsets.items()})


def make(wanted: str, index: Index, *, seed: int = 0) -> Split:
    """Find or make the split of that name for an index, and check it.

    Parameters
    ----------
    wanted : str
        ``grouped``, ``random-tracks``, ``random-segments``, an official name, or a path.
    index : Index
    seed : int
    """
    split = written(wanted)
    if split is None and wanted == _GROUPED:
        split = grouped(index, seed=seed)
    elif split is None:
        split = leaking(index, unit=wanted.removeprefix(_RANDOM), seed=seed)
    check(split, index)
    return split


def written(wanted: str) -> Split | None:
    """Read the split of a file or an official name; None for one that is made from an index.

    Parameters
    ----------
    wanted : str
        A path or a name.

    Raises
    ------
    DatasetError
        If there is no such split.
    """
    if wanted in (_GROUPED, f"{_RANDOM}tracks", f"{_RANDOM}segments"):
        return None
    return load(wanted) if os.path.isfile(wanted) else official(wanted)
