"""Pages of a library's tracks, filtered and sorted, for those who look through it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tonearm.library.filters import (
    ALBUM,
    AMONG,
    FROM,
    Conditions,
    Filter,
    ReviewState,
    State,
    TagState,
    conditions,
    prepare,
)
from tonearm.library.places import PRESENT
from tonearm.library.reviews import Review, of_keys
from tonearm.library.store import Library, Track

__all__ = ["Filter", "ReviewState", "State", "TagState"]

Sort = Literal["path", "title", "artist", "album", "tag", "genre", "confidence", "duration"]

_ORDERS: dict[str, tuple[str, ...]] = {
    "path": ("t.path",),
    "title": ("folded(t.title)",),
    "artist": ("folded(t.artist)", "folded(t.title)"),
    "album": (ALBUM,),
    "tag": ("folded(json_extract(t.genres, '$[0]'))",),
    # Within a genre the most confident come first, whichever way the genres go.
    "genre": ("s.genre", "s.mix IS NULL", "-s.confidence"),
    "confidence": ("s.confidence",),
    "duration": ("s.duration_s",),
}


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
    """Tracks ``offset`` to ``offset + limit`` of those that meet the filter.

    Parameters
    ----------
    library : Library
        The library, open.
    wanted : Filter
        Which tracks.
    order : Order
        How to sort.
    offset : int
        Tracks to pass over.
    limit : int
        Most tracks to give.
    """
    prepare(library)
    meets = conditions(library, wanted)
    # The count apart from the page: with both in one query, every row would have to be made.
    total = _count(library, meets)
    # Ids first, rows for these alone: whole rows, with their probabilities, are not worth sorting.
    ids = _sorted(library, meets, order, offset=offset, limit=limit)
    return Page(total, with_reviews(library, ids))


def numbers(
    library: Library,
    wanted: Filter,
    *,
    order: Order = Order(),
) -> list[int]:
    """Ids alone, in the same order.

    Parameters
    ----------
    library : Library
        The library, open.
    wanted : Filter
        Which tracks.
    order : Order
        How to sort.
    """
    prepare(library)
    # -1 is SQLite's word for no limit.
    return _sorted(library, conditions(library, wanted), order, offset=0, limit=-1)


def count(library: Library, wanted: Filter) -> int:
    """How many tracks meet a filter.

    Parameters
    ----------
    library : Library
        The library, open.
    wanted : Filter
        Which tracks.
    """
    prepare(library)
    return _count(library, conditions(library, wanted))


def _count(library: Library, meets: Conditions) -> int:
    return int(library.rows(f"SELECT count(*) {FROM} WHERE {meets.sql}", meets.values)[0][0])


def reviewed(library: Library) -> dict[str, int]:
    """How many tracks were accepted, changed and rejected.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    prepare(library)
    rows = library.rows(
        f"SELECT r.verdict, count(*) {FROM} WHERE {PRESENT}"
        " AND r.verdict IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return {verdict: int(number) for verdict, number in rows}


def with_reviews(library: Library, ids: Sequence[int]) -> list[tuple[Track, Review | None]]:
    """Tracks by id with their reviews, in the order of the ids; those that are not there are not.

    The reviews must be attached.

    Parameters
    ----------
    library : Library
        The library, open.
    ids : sequence of int
        Numbers of tracks.
    """
    where, values = f"t.id {AMONG}", [json.dumps(list(ids))]
    # SQLite gives them by path; the ids say which order is wanted.
    found = {track.id: track for track in library.tracks(missing=True, where=where, values=values)}
    said = of_keys(library, (track.key for track in found.values()))
    return [
        (found[number], said.get(found[number].key or ""))
        for number in dict.fromkeys(ids)
        if number in found
    ]


def of_sound(library: Library, key: str) -> Track | None:
    """A track that holds the sound of that key.

    Parameters
    ----------
    library : Library
        The library, open.
    key : str
        Sound key.
    """
    # Any of its copies: they sound the same.
    return next(library.tracks(where="s.key = ?", values=[key]), None)


@dataclass(frozen=True)
class Album:
    """Tracks of one album that meet a filter.

    Parameters
    ----------
    first : int
        Id of one of them, which stands for the album in a filter.
    title, artist : str or None
        By its tags; without a title, ``title`` is the name of its folder.
    tracks : int
        How many meet the filter.
    genre, agree : str or None, int
        The commonest genre by sound, and how many have it.
    """

    first: int
    title: str
    artist: str | None
    tracks: int
    genre: str | None
    agree: int


def albums(library: Library, wanted: Filter) -> list[Album]:
    """Albums of the tracks that meet a filter, in the order of sorting by album.

    Parameters
    ----------
    library : Library
        The library, open.
    wanted : Filter
        Which tracks.
    """
    prepare(library)
    meets = conditions(library, wanted)
    rows = library.rows(
        f"SELECT min(t.id), max(t.album), coalesce(max(t.album_artist), max(t.artist)),"
        f" max(t.path), s.genre, count(*), {ALBUM} {FROM} WHERE {meets.sql}"
        f" GROUP BY {ALBUM}, s.genre ORDER BY {ALBUM}",
        meets.values,
    )
    found: dict[str, Album] = {}
    # A row for each album and genre; here they become one album.
    for first, title, artist, path, genre, count, key in rows:
        name = title or os.path.basename(os.path.dirname(os.fsdecode(path)))
        # The first row of an album names it; the others only add to its counts.
        old = found.get(key) or Album(first, name, artist, 0, None, 0)
        new = replace(old, first=min(old.first, first), tracks=old.tracks + count)
        # The commonest genre so far; of equal ones the first stays.
        if genre is not None and count > old.agree:
            new = replace(new, genre=genre, agree=count)
        found[key] = new
    return list(found.values())


def _sorted(
    library: Library, meets: Conditions, order: Order, *, offset: int, limit: int
) -> list[int]:
    way = "DESC" if order.descending else "ASC"
    # Rows without a value come last in both directions.
    by = "".join(f"{column} {way} NULLS LAST, " for column in _ORDERS[order.by])
    rows = library.rows(
        f"SELECT t.id {FROM} WHERE {meets.sql} ORDER BY {by}t.path LIMIT ? OFFSET ?",
        [*meets.values, limit, offset],
    )
    return [int(number) for (number,) in rows]
