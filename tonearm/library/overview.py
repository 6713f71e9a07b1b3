"""What is in a library, in numbers."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from tonearm.genres import UNKNOWN
from tonearm.library.store import Library

# What people write for the names that the model has; the words of a tag are compared.
_SPELT = {"hip hop": "hiphop", "rap": "hiphop"}
_BINS = 10


@dataclass(frozen=True)
class Overview:
    """A library in numbers.

    Parameters
    ----------
    tracks, heard, failed, missing : int
        Files that are there; of these, heard and not; and files that are gone.
    duration_s : float
        Of all that was heard.
    genres : dict of str to int
        Tracks of each genre, most first; ``unknown`` among them.
    confidence : list of int
        Tracks whose likeliest genre has a probability of 0 to .1, .1 to .2, and so on.
    untagged, tagged_by_tonearm, disagreeing : int
        Heard tracks without a genre tag; with one by Tonearm; with one by a person that names a
        known genre, though another than is heard.
    copies : int
        Files that could go without losing a sound; links to one file are none.
    errors : dict of str to int
        Files that were not heard, by kind.
    model : str or None
        Who heard.
    """

    tracks: int
    heard: int
    failed: int
    missing: int
    duration_s: float
    genres: dict[str, int]
    confidence: list[int]
    untagged: int
    tagged_by_tonearm: int
    disagreeing: int
    copies: int
    errors: dict[str, int]
    model: str | None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def overview(library: Library) -> Overview:
    """Count."""
    tracks, missing, heard, duration_s = library.rows(
        "SELECT coalesce(sum(NOT missing), 0), coalesce(sum(missing), 0),"
        " coalesce(sum(NOT missing AND sound IS NOT NULL), 0),"
        " coalesce(sum(CASE WHEN NOT missing THEN s.duration_s END), 0)"
        " FROM tracks t LEFT JOIN sounds s ON s.id = t.sound"
    )[0]
    genres = library.rows(
        "SELECT coalesce(s.genre, ?), count(*) FROM tracks t JOIN sounds s ON s.id = t.sound"
        " WHERE NOT t.missing GROUP BY 1 ORDER BY 2 DESC, 1",
        [UNKNOWN],
    )
    bins = library.rows(
        "SELECT min(cast(s.confidence * ? AS INTEGER), ?), count(*) FROM tracks t"
        " JOIN sounds s ON s.id = t.sound WHERE NOT t.missing GROUP BY 1",
        [_BINS, _BINS - 1],
    )
    confidence = [0] * _BINS
    for place, count in bins:
        confidence[place] = count
    errors = library.rows(
        "SELECT error_kind, count(*) FROM tracks WHERE NOT missing AND error_kind IS NOT NULL"
        " GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    copies = library.rows(
        "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) n FROM (SELECT DISTINCT sound,"
        " device, inode FROM tracks WHERE NOT missing AND sound IS NOT NULL) GROUP BY sound)"
    )[0][0]
    model = library.model()
    untagged, by_tonearm, disagreeing = _tagged(library)
    return Overview(
        tracks=tracks,
        heard=heard,
        failed=sum(count for _, count in errors),
        missing=missing,
        duration_s=round(duration_s, 1),
        genres=dict(genres),
        confidence=confidence,
        untagged=untagged,
        tagged_by_tonearm=by_tonearm,
        disagreeing=disagreeing,
        copies=copies,
        errors=dict(errors),
        model=model.name if model else None,
    )


def errors(library: Library) -> list[tuple[str, str]]:
    """Files that were not heard, with the reason."""
    rows = library.rows(
        "SELECT path, error_message FROM tracks WHERE NOT missing AND error_kind IS NOT NULL"
        " ORDER BY path"
    )
    return [(os.fsdecode(path), message) for path, message in rows]


def copies(library: Library) -> list[list[str]]:
    """Groups of files that hold one sound, each group and all of them in the order of paths."""
    rows = library.rows(
        "SELECT sound, path FROM tracks WHERE NOT missing AND sound IN (SELECT sound FROM"
        " (SELECT DISTINCT sound, device, inode FROM tracks WHERE NOT missing"
        " AND sound IS NOT NULL) GROUP BY sound HAVING count(*) > 1) ORDER BY path"
    )
    groups: dict[int, list[str]] = {}
    for sound, path in rows:
        groups.setdefault(sound, []).append(os.fsdecode(path))
    return list(groups.values())


def _tagged(library: Library) -> tuple[int, int, int]:
    """Tracks without a genre tag, with one by Tonearm, and with one that says another genre."""
    model = library.model()
    labels = model.labels if model else ()
    untagged = by_tonearm = disagreeing = 0
    for text, own, genre, count in library.rows(
        "SELECT t.genres, t.by_tonearm, s.genre, count(*) FROM tracks t"
        " JOIN sounds s ON s.id = t.sound WHERE NOT t.missing GROUP BY 1, 2, 3"
    ):
        tags = json.loads(text)
        if not tags:
            untagged += count
        elif own:
            by_tonearm += count
        elif genre is not None:
            named = set().union(*(known_genres(tag, labels) for tag in tags))
            disagreeing += count if named and genre not in named else 0
    return untagged, by_tonearm, disagreeing


def known_genres(tag: str, labels: tuple[str, ...]) -> set[str]:
    """Which of the labels a genre tag of any spelling names: "Alternative Rock" is rock."""
    words = re.findall(r"[a-z]+", tag.lower())
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    named = {_SPELT.get(word, word) for word in (*words, *pairs)}
    return named.intersection(labels)
