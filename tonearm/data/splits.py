"""Splits are data: named subsets of tracks, a hash, and a check that nothing leaks.

No group (artist, copies) may be in two subsets. The exceptions are splits that show how much
leaking flatters: their names begin with ``leaking-``. A split is made of all tracks; if some are
copies, a subset uses one of them, so that no recording counts twice. Files are read and written by
``split_files.py``; splits are made by ``split_makers.py``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from tonearm.data import groups
from tonearm.data.index import Index, Track
from tonearm.data.split_files import SUBSETS, Split, is_official, load, official, written
from tonearm.data.split_makers import EXCERPTS, FRACTIONS, grouped, leaking
from tonearm.errors import DatasetError, counted

__all__ = [
    "EXCERPTS",
    "FRACTIONS",
    "SUBSETS",
    "Split",
    "Subset",
    "check",
    "crossing",
    "find",
    "find_all",
    "grouped",
    "is_official",
    "leaking",
    "load",
    "make",
    "official",
    "select",
    "whole",
    "written",
]


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
_EXCERPT = re.compile(r"\d{1,9}")  # its number; there are never so many


def find(split: Split, subset: str, index: Index) -> Subset:
    """Find a subset of a split in an index; empty if the split has no such subset.

    ``a#3`` is excerpt 3 of ``a``, unless a track has that name, as ``Étude #3`` does.

    Parameters
    ----------
    split : Split
        Whose subsets are meant.
    subset : str
        train, valid, test or excluded.
    index : Index
        The data set that it is applied to.

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
        Whose subsets are meant.
    index : Index
        The data set that it is applied to.
    """
    named = _named(split, index)
    # Over all subsets: the copy with another genre may be in another one.
    used = {track.name: track for subset in SUBSETS for track in named.get(subset, _NOTHING).tracks}
    # A recording with two genres teaches and measures nothing, whichever copy one takes.
    unclear = {track.name for each in groups.contradictions(used.values()) for track in each}
    return {subset: _once(found, unclear) for subset, found in named.items()}


def unnamed(found: Mapping[str, Subset], index: Index) -> list[str]:
    """Names of the tracks that no subset names, nor copies of them.

    Parameters
    ----------
    found : mapping of str to Subset
        From :func:`find_all`.
    index : Index
        The data set that the split was applied to.
    """
    named = {
        track.copy_of or track.name
        for subset in found.values()
        for track in (*subset.tracks, *subset.copies, *subset.contradictions)
    }
    return [track.name for track in index.tracks if (track.copy_of or track.name) not in named]


def whole(index: Index) -> Subset:
    """All tracks as one subset, without a split.

    Parameters
    ----------
    index : Index
        The data set that it is applied to.
    """
    unclear = {track.name for each in groups.contradictions(index.tracks) for track in each}
    return _once(Subset(index.tracks, {}, len(index.tracks)), unclear)


def _once(found: Subset, unclear: Collection[str]) -> Subset:
    """The subset with each recording once, and without the tracks of these names."""
    clear = [track for track in found.tracks if track.name not in unclear]
    # Within one subset; that copies lie in two is a leak, which `check` refuses.
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
        # What the list names, here or not: a figure on a part of it has to say so.
        promised = set()
        for name in names:
            # `track#3` is an excerpt, unless a track is really called so.
            stem, mark, number = name.rpartition("#")
            excerpt = bool(mark) and _EXCERPT.fullmatch(number) is not None and name not in written
            wanted = stem if excerpt else name
            promised.add(wanted)
            meant = [tracks[each] for each in groups.written_as(wanted, written)]
            # Several files of one name are fine if they are copies of each other.
            if len({track.copy_of or track.name for track in meant}) > 1:
                raise DatasetError(
                    f"split {split.name}: {wanted!r} fits {len(meant)} tracks here "
                    f"({', '.join(track.name for track in meant[:3])}): write genre/…/file"
                )
            # One of several copies: they are the same sound.
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
        Whose subsets are meant.
    index : Index
        The data set that it is applied to.
    """
    return {subset: list(found.tracks) for subset, found in find_all(split, index).items()}


def crossing(split: Split, index: Index) -> dict[str, dict[str, str]]:
    """Groups (artists, copies) in several subsets, with a track of each subset.

    Parameters
    ----------
    split : Split
        Whose subsets are meant.
    index : Index
        The data set that it is applied to.
    """
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    for subset, tracks in select(split, index).items():
        # Tracks that are excluded may be by anybody.
        if subset in SUBSETS:
            for track in tracks:
                # One example for each subset is enough for a message.
                seen[track.group].setdefault(subset, track.name)
    return {group: seen[group] for group in sorted(seen) if len(seen[group]) > 1}


def check(split: Split, index: Index) -> tuple[str, ...]:
    """Reject a split that leaks.

    An official list is accepted as it is, because everyone measures on it: the filtered split of
    GTZAN has two artists on both sides (Slayer, Burning Spear; 7 of its 197 valid clips).

    Parameters
    ----------
    split : Split
        Whose subsets are meant.
    index : Index
        The data set that it is applied to.

    Returns
    -------
    tuple of str
        Groups that cross an official list or a ``leaking-`` split, to report with its figures.

    Raises
    ------
    DatasetError
        If groups (artists, copies) are in several subsets; the message names them.
    """
    found = crossing(split, index)
    # Splits that are made to leak, and official lists, are used all the same; their figures are
    # marked.
    if found and not split.leaks and not is_official(split):
        examples = "; ".join(
            f"{group} ({', '.join(f'{subset}: {name}' for subset, name in subsets.items())})"
            for group, subsets in list(found.items())[:3]
        )
        raise DatasetError(
            f"split {split.name} leaks: {counted(len(found), 'group is', 'groups are')} in several "
            f"subsets: {examples}"
        )
    return tuple(found)


def make(wanted: str, index: Index, *, seed: int = 0) -> Split:
    """Find or make the split of that name for an index, and check it.

    Parameters
    ----------
    wanted : str
        ``grouped``, ``random-tracks``, ``random-segments``, an official name, or a path.
    index : Index
        The data set that it is applied to.
    seed : int
        Of a split that is made now.
    """
    split = written(wanted)
    if split is None and wanted == "grouped":
        split = grouped(index, seed=seed)
    elif split is None:
        split = leaking(index, unit=wanted.removeprefix("random-"), seed=seed)
    check(split, index)
    return split
