"""Pages of a library's tracks, filtered and sorted, for those who look through it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tonearm.genres import UNKNOWN
from tonearm.library.overview import known_genres
from tonearm.library.reviews import Review, attach, of_keys
from tonearm.library.store import Library, Track, folded

TagState = Literal["any", "none", "tonearm", "person"]
ReviewState = Literal["any", "none", "accept", "change", "reject"]
Sort = Literal["path", "title", "artist", "tag", "genre", "confidence", "duration"]

_FROM = "FROM tracks t LEFT JOIN sounds s ON s.id = t.sound LEFT JOIN reviews r ON r.key = s.key"
_AMONG = "IN (SELECT value FROM json_each(?))"
_ORDERS: dict[str, tuple[str, ...]] = {
    "path": ("t.path",),
    "title": ("folded(t.title)",),
    "artist": ("folded(t.artist)", "folded(t.title)"),
    "tag": ("folded(json_extract(t.genres, '$[0]'))",),
    "genre": ("s.genre", "-s.confidence"),
    "confidence": ("s.confidence",),
    "duration": ("s.duration_s",),
}


@dataclass(frozen=True)
class Filter:
    """Which tracks; all conditions hold together.

    Parameters
    ----------
    text : str
        Part of title, artist, album or path; letters of either case.
    genre : str or None
        By sound; ``unknown`` for tracks of no known genre.
    min_confidence, max_confidence : float
        Bounds of the probability of the likeliest genre.
    tag : 'any', 'none', 'tonearm' or 'person'
        Who wrote the genre in the file's tags.
    disagree : bool
        Only files whose tag, by a person, names another known genre than by sound.
    review : 'any', 'none', 'accept', 'change' or 'reject'
        What a person said so far.
    """

    text: str = ""
    genre: str | None = None
    min_confidence: float = 0.0
    max_confidence: float = 1.0
    tag: TagState = "any"
    disagree: bool = False
    review: ReviewState = "any"


@dataclass(frozen=True)
class Order:
    """By what tracks are sorted, and whether the last come first."""

    by: Sort = "path"
    descending: bool = False


@dataclass(frozen=True)
class Page:
    """Some of the tracks that meet a filter, each with its review, and how many there are."""

    total: int
    tracks: list[tuple[Track, Review | None]]


def page(
    library: Library,
    wanted: Filter,
    *,
    order: Order = Order(),
    offset: int = 0,
    limit: int = 200,
) -> Page:
    """Tracks ``offset`` to ``offset + limit`` of those that meet the filter."""
    attach(library)
    meets = _conditions(library, wanted)
    total = int(library.rows(f"SELECT count(*) {_FROM} WHERE {meets.sql}", meets.values)[0][0])
    ids = _sorted(library, meets, order, offset=offset, limit=limit)
    return Page(total, with_reviews(library, ids))


def numbers(
    library: Library,
    wanted: Filter,
    *,
    order: Order = Order(),
) -> list[int]:
    """Ids alone, in the same order."""
    attach(library)
    return _sorted(library, _conditions(library, wanted), order, offset=0, limit=-1)


def unwritten(library: Library, ids: Sequence[int] | None = None) -> list[int]:
    """Ids of files whose tags do not hold the genre that a person said; of all, or of some."""
    attach(library)
    some, values = ("", []) if ids is None else (f" AND t.id {_AMONG}", [json.dumps(list(ids))])
    rows = library.rows(
        # From the reviews on, which may be few, to the tracks, which may be many.
        "SELECT t.id FROM reviews r CROSS JOIN sounds s ON s.key = r.key"  # noqa: S608
        " CROSS JOIN tracks t ON t.sound = s.id WHERE r.genre IS NOT NULL AND NOT t.missing"
        f" AND t.genres != genre_tag(r.genre){some} ORDER BY t.path",
        values,
    )
    return [int(number) for (number,) in rows]


def with_reviews(library: Library, ids: Sequence[int]) -> list[tuple[Track, Review | None]]:
    """Tracks by id with their reviews, in the order of the ids; those that are not there are not.

    The reviews must be attached.
    """
    where, values = f"t.id {_AMONG}", [json.dumps(list(ids))]
    found = {track.id: track for track in library.tracks(missing=True, where=where, values=values)}
    said = of_keys(library, (track.key for track in found.values()))
    return [
        (found[number], said.get(found[number].key or ""))
        for number in dict.fromkeys(ids)
        if number in found
    ]


@dataclass(frozen=True)
class _Conditions:
    """What follows WHERE, and the values of its marks."""

    sql: str
    values: list[Any]


def _sorted(
    library: Library, meets: _Conditions, order: Order, *, offset: int, limit: int
) -> list[int]:
    way = "DESC" if order.descending else "ASC"
    # Rows without a value come last in both directions.
    by = "".join(f"{column} {way} NULLS LAST, " for column in _ORDERS[order.by])
    rows = library.rows(
        f"SELECT t.id {_FROM} WHERE {meets.sql} ORDER BY {by}t.path LIMIT ? OFFSET ?",
        [*meets.values, limit, offset],
    )
    return [int(number) for (number,) in rows]


def _conditions(library: Library, wanted: Filter) -> _Conditions:
    conditions = ["NOT t.missing"]
    values: list[Any] = []
    if wanted.text:
        # Found once, for the count and the page: SQLite folds ASCII alone, and Python is slower.
        found = library.rows(
            "SELECT id FROM tracks WHERE instr(folded(title, artist, album, path), ?)",
            [folded(wanted.text)],
        )
        conditions.append(f"t.id {_AMONG}")
        values.append(json.dumps([number for (number,) in found]))
    if wanted.genre == UNKNOWN:
        conditions.append("t.sound IS NOT NULL AND s.genre IS NULL")
    elif wanted.genre is not None:
        conditions.append("s.genre = ?")
        values.append(wanted.genre)
    if wanted.min_confidence > 0:
        conditions.append("s.confidence >= ?")
        values.append(wanted.min_confidence)
    if wanted.max_confidence < 1:
        conditions.append("s.confidence <= ?")
        values.append(wanted.max_confidence)
    if wanted.tag == "none":
        conditions.append("t.genres = '[]'")
    elif wanted.tag != "any":
        conditions.append("t.genres != '[]' AND t.by_tonearm = ?")
        values.append(int(wanted.tag == "tonearm"))
    if wanted.disagree:
        conditions.append(f"NOT t.by_tonearm AND t.genres || s.genre {_AMONG}")
        values.append(json.dumps(disagreeing(library)))
    if wanted.review == "none":
        conditions.append("r.verdict IS NULL")
    elif wanted.review != "any":
        conditions.append("r.verdict = ?")
        values.append(wanted.review)
    return _Conditions(" AND ".join(conditions), values)


def disagreeing(library: Library) -> list[str]:
    """Tag and genre, in one string, of every pair in the library that does not agree."""
    model = library.model()
    labels = model.labels if model else ()
    rows = library.rows(
        "SELECT DISTINCT t.genres, s.genre FROM tracks t JOIN sounds s ON s.id = t.sound"
        " WHERE t.genres != '[]' AND NOT t.by_tonearm AND s.genre IS NOT NULL"
    )
    pairs = []
    for text, genre in rows:
        named = set().union(*(known_genres(tag, labels) for tag in json.loads(text)))
        if named and genre not in named:
            pairs.append(text + genre)
    return pairs
