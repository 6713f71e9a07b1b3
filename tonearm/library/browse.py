"""Pages of a library's tracks, filtered and sorted, for those who look through it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tonearm.genres import UNKNOWN
from tonearm.library.overview import known_genres
from tonearm.library.reviews import Review, attach, of_keys
from tonearm.library.store import Library, Track

TagState = Literal["any", "none", "tonearm", "person"]
ReviewState = Literal["any", "none", "accept", "change", "reject"]
Sort = Literal["path", "title", "artist", "tag", "genre", "confidence", "duration"]

_FROM = "FROM tracks t LEFT JOIN sounds s ON s.id = t.sound LEFT JOIN reviews r ON r.key = s.key"
_ORDERS: dict[str, str] = {
    "path": "t.path",
    "title": "lower(t.title)",
    "artist": "lower(t.artist), lower(t.title)",
    "tag": "lower(t.genres)",
    "genre": "s.genre, -s.confidence",
    "confidence": "s.confidence",
    "duration": "s.duration_s",
}


@dataclass(frozen=True)
class Filter:
    """Which tracks; all conditions hold together.

    Parameters
    ----------
    text : str
        Part of title, artist, album or path; letters of either case.
    genre : str or None
        Heard as this; ``unknown`` for what is none of them.
    min_confidence, max_confidence : float
        Bounds of the probability of the likeliest genre.
    tag : 'any', 'none', 'tonearm' or 'person'
        Whose genre the file's tags hold.
    disagree : bool
        Only files whose tag, by a person, names another known genre than is heard.
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
class Page:
    """Some of the tracks that meet a filter, each with its review, and how many there are."""

    total: int
    tracks: list[tuple[Track, Review | None]]


def page(
    library: Library,
    wanted: Filter,
    *,
    sort: Sort = "path",
    descending: bool = False,
    offset: int = 0,
    limit: int = 200,
) -> Page:
    """Tracks ``offset`` to ``offset + limit`` of those that meet the filter."""
    attach(library)
    where, values = _where(library, wanted)
    total = int(library.rows(f"SELECT count(*) {_FROM} WHERE {where}", values)[0][0])
    numbers = _numbers(library, where, values, sort, descending, offset, limit)
    return Page(total, with_reviews(library, numbers))


def numbers(
    library: Library, wanted: Filter, *, sort: Sort = "path", descending: bool = False, limit: int
) -> list[int]:
    """Ids alone, in the same order."""
    attach(library)
    where, values = _where(library, wanted)
    return _numbers(library, where, values, sort, descending, 0, limit)


def with_reviews(library: Library, ids: Sequence[int]) -> list[tuple[Track, Review | None]]:
    """Tracks by id with their reviews, in the order of the ids; those that are not there are not.

    The reviews must be attached.
    """
    where, values = "t.id IN (SELECT value FROM json_each(?))", [json.dumps(list(ids))]
    found = {track.id: track for track in library.tracks(missing=True, where=where, values=values)}
    said: dict[str, Review] = {}
    keys = [track.key for track in found.values()]
    for i in range(0, len(keys), 500):
        said |= of_keys(library, keys[i : i + 500])
    return [
        (found[number], said.get(found[number].key or ""))
        for number in dict.fromkeys(ids)
        if number in found
    ]


def _numbers(
    library: Library,
    where: str,
    values: list[Any],
    sort: Sort,
    descending: bool,
    offset: int,
    limit: int,
) -> list[int]:
    way = " DESC" if descending else ""
    order = ", ".join(f"{column}{way}" for column in _ORDERS[sort].split(", "))
    # Rows without a value come last in both directions.
    empty = f"({_ORDERS[sort].split(', ')[0]}) IS NULL"
    rows = library.rows(
        f"SELECT t.id {_FROM} WHERE {where} ORDER BY {empty}, {order}, t.path LIMIT ? OFFSET ?",
        [*values, limit, offset],
    )
    return [int(number) for (number,) in rows]


def _where(library: Library, wanted: Filter) -> tuple[str, list[Any]]:
    conditions = ["NOT t.missing"]
    values: list[Any] = []
    if wanted.text:
        pattern = wanted.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        columns = ("t.title", "t.artist", "t.album", "CAST(t.path AS TEXT)")
        conditions.append("(" + " OR ".join(f"{c} LIKE ? ESCAPE '\\'" for c in columns) + ")")
        values += [f"%{pattern}%"] * len(columns)
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
        conditions.append(
            "NOT t.by_tonearm AND t.genres || s.genre IN (SELECT value FROM json_each(?))"
        )
        values.append(json.dumps(_disagreeing(library)))
    if wanted.review == "none":
        conditions.append("r.verdict IS NULL")
    elif wanted.review != "any":
        conditions.append("r.verdict = ?")
        values.append(wanted.review)
    return " AND ".join(conditions), values


def _disagreeing(library: Library) -> list[str]:
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
