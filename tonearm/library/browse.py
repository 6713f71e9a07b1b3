"""Pages of a library's tracks, filtered and sorted, for those who look through it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from tonearm.genres import UNKNOWN
from tonearm.library.overview import known_genres
from tonearm.library.reviews import Review, attach, of_keys
from tonearm.library.rows import folded
from tonearm.library.store import Library, Track
from tonearm.tagging.plan import album_key

TagState = Literal["any", "none", "tonearm", "person"]
ReviewState = Literal["any", "none", "some", "accept", "change", "reject"]
State = Literal["any", "analysed", "failed", "damaged", "copy"]
Sort = Literal["path", "title", "artist", "album", "tag", "genre", "confidence", "duration"]

_FROM = "FROM tracks t LEFT JOIN sounds s ON s.id = t.sound LEFT JOIN reviews r ON r.key = s.key"
_ALBUM = "album_key(t.path, t.album, t.album_artist)"
_STATES = {
    "analysed": "t.sound IS NOT NULL",
    "failed": "t.error_kind IS NOT NULL",
    "damaged": "s.warning IS NOT NULL",
    # Links to one file are one copy: device and inode tell them apart.
    "copy": "t.sound IN (SELECT sound FROM (SELECT DISTINCT sound, device, inode FROM tracks"
    " WHERE NOT missing AND sound IS NOT NULL) GROUP BY sound HAVING count(*) > 1)",
}
_AMONG = "IN (SELECT value FROM json_each(?))"
_ORDERS: dict[str, tuple[str, ...]] = {
    "path": ("t.path",),
    "title": ("folded(t.title)",),
    "artist": ("folded(t.artist)", "folded(t.title)"),
    "album": (_ALBUM,),
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
        Bounds of the probability of the most probable genre.
    tag : 'any', 'none', 'tonearm' or 'person'
        Who wrote the genre in the file's tags.
    disagree : bool
        Only files whose tag, by a person, names another known genre than by sound.
    review : 'any', 'none', 'some', 'accept', 'change' or 'reject'
        What a person said so far; ``some`` is any of the last three.
    state : 'any', 'analysed', 'failed', 'damaged' or 'copy'
        Files that could be read, or not, or in part; or whose sound another file holds too.
    artist : str
        This artist, letters of either case.
    album : int or None
        Id of a track: it and the others of its album.
    """

    text: str = ""
    genre: str | None = None
    min_confidence: float = 0.0
    max_confidence: float = 1.0
    tag: TagState = "any"
    disagree: bool = False
    review: ReviewState = "any"
    state: State = "any"
    artist: str = ""
    album: int | None = None


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
    _prepare(library)
    meets = _conditions(library, wanted)
    total = count(library, wanted)
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
    _prepare(library)
    # -1 is SQLite's word for no limit.
    return _sorted(library, _conditions(library, wanted), order, offset=0, limit=-1)


def count(library: Library, wanted: Filter) -> int:
    """How many tracks meet a filter.

    Parameters
    ----------
    library : Library
        The library, open.
    wanted : Filter
        Which tracks.
    """
    _prepare(library)
    meets = _conditions(library, wanted)
    return int(library.rows(f"SELECT count(*) {_FROM} WHERE {meets.sql}", meets.values)[0][0])


def reviewed(library: Library) -> dict[str, int]:
    """How many tracks were accepted, changed and rejected.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    _prepare(library)
    rows = library.rows(
        f"SELECT r.verdict, count(*) {_FROM} WHERE NOT t.missing"
        " AND r.verdict IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return {verdict: int(number) for verdict, number in rows}


@dataclass(frozen=True)
class Unwritten:
    """A file whose tag is not the genre that a person said: ``genres`` now, ``said`` then."""

    id: int
    path: str
    title: str | None
    artist: str | None
    genres: tuple[str, ...]
    by_tonearm: bool
    said: str


def unwritten(library: Library, ids: Sequence[int] | None = None) -> Iterator[Unwritten]:
    """Files whose tags do not hold the genre that a person said; of all, or of some.

    Parameters
    ----------
    library : Library
        The library, open.
    ids : sequence of int or None
        Numbers of tracks.
    """
    for number, path, title, artist, genres, by_tonearm, said in _unwritten(
        library, "t.id, t.path, t.title, t.artist, t.genres, t.by_tonearm, r.genre", ids
    ):
        old = tuple(json.loads(genres))
        yield Unwritten(number, os.fsdecode(path), title, artist, old, bool(by_tonearm), said)


def count_unwritten(library: Library) -> int:
    """How many files :func:`unwritten` gives.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    return int(_unwritten(library, "count(*)", None)[0][0])


def _unwritten(library: Library, what: str, ids: Sequence[int] | None) -> list[tuple[Any, ...]]:
    attach(library)
    some, values = ("", []) if ids is None else (f" AND t.id {_AMONG}", [json.dumps(list(ids))])
    return library.rows(
        # From the reviews on, which may be few, to the tracks, which may be many.
        f"SELECT {what} FROM reviews r CROSS JOIN sounds s ON s.key = r.key"  # noqa: S608
        " CROSS JOIN tracks t ON t.sound = s.id WHERE r.genre IS NOT NULL AND NOT t.missing"
        f" AND t.genres != genre_tag(r.genre){some} ORDER BY t.path",
        values,
    )


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
    where, values = f"t.id {_AMONG}", [json.dumps(list(ids))]
    found = {track.id: track for track in library.tracks(missing=True, where=where, values=values)}
    said = of_keys(library, (track.key for track in found.values()))
    return [
        (found[number], said.get(found[number].key or ""))
        for number in dict.fromkeys(ids)
        if number in found
    ]


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
    _prepare(library)
    meets = _conditions(library, wanted)
    rows = library.rows(
        f"SELECT min(t.id), max(t.album), coalesce(max(t.album_artist), max(t.artist)),"
        f" max(t.path), s.genre, count(*), {_ALBUM} {_FROM} WHERE {meets.sql}"
        f" GROUP BY {_ALBUM}, s.genre ORDER BY {_ALBUM}",
        meets.values,
    )
    found: dict[str, Album] = {}
    for first, title, artist, path, genre, count, key in rows:
        name = title or os.path.basename(os.path.dirname(os.fsdecode(path)))
        old = found.get(key) or Album(first, name, artist, 0, None, 0)
        new = replace(old, first=min(old.first, first), tracks=old.tracks + count)
        # The commonest genre so far; of equal ones the first stays.
        if genre is not None and count > old.agree:
            new = replace(new, genre=genre, agree=count)
        found[key] = new
    return list(found.values())


def _prepare(library: Library) -> None:
    """Let queries see the reviews and the keys of albums."""
    attach(library)
    library.function("album_key", _album_key)


def _album_key(path: bytes, album: str | None, album_artist: str | None) -> str:
    place = os.fsdecode(path)
    key = album_key(place, album=album, album_artist=album_artist) or (os.path.dirname(place), "")
    # Unit separator: names do not hold it, so no two keys join to one text.
    return "\x1f".join(key).encode("utf-8", "replace").decode()


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
    pairs: list[tuple[str, Any]] = [("NOT t.missing", None)]
    if wanted.text:
        # Found once, for the count and the page: SQLite folds ASCII alone, and Python is slower.
        found = library.rows(
            "SELECT id FROM tracks WHERE instr(folded(title, artist, album, path), ?)",
            [folded(wanted.text)],
        )
        pairs.append((f"t.id {_AMONG}", json.dumps([number for (number,) in found])))
    if wanted.genre == UNKNOWN:
        pairs.append(("t.sound IS NOT NULL AND s.genre IS NULL", None))
    elif wanted.genre is not None:
        pairs.append(("s.genre = ?", wanted.genre))
    if wanted.min_confidence > 0:
        pairs.append(("s.confidence >= ?", wanted.min_confidence))
    if wanted.max_confidence < 1:
        pairs.append(("s.confidence <= ?", wanted.max_confidence))
    pairs += _tag_conditions(library, wanted)
    if wanted.state != "any":
        pairs.append((_STATES[wanted.state], None))
    if wanted.artist:
        pairs.append(("folded(t.artist) = ?", folded(wanted.artist)))
    if wanted.album is not None:
        album = f"{_ALBUM} = (SELECT {_ALBUM} FROM tracks t WHERE t.id = ?)"  # noqa: S608
        pairs.append((album, wanted.album))
    values = [value for _, value in pairs if value is not None]
    return _Conditions(" AND ".join(sql for sql, _ in pairs), values)


def _tag_conditions(library: Library, wanted: Filter) -> list[tuple[str, Any]]:
    """What the file's tag and a person's review have to be."""
    pairs: list[tuple[str, Any]] = []
    if wanted.tag == "none":
        pairs.append(("NOT names_genre(t.genres)", None))
    elif wanted.tag != "any":
        pairs.append(("names_genre(t.genres) AND t.by_tonearm = ?", int(wanted.tag == "tonearm")))
    if wanted.disagree:
        pairs.append(
            (
                f"NOT t.by_tonearm AND t.genres || s.genre {_AMONG}",
                json.dumps(disagreeing(library)),
            )
        )
    if wanted.review in {"none", "some"}:
        pairs.append((f"r.verdict IS {'NOT ' * (wanted.review == 'some')}NULL", None))
    elif wanted.review != "any":
        pairs.append(("r.verdict = ?", wanted.review))
    return pairs


def disagreeing(library: Library) -> list[str]:
    """Tag and genre, in one string, of every pair in the library that does not agree.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    model = library.model()
    labels = model.labels if model else ()
    # A distinct pair once: a large library has some hundred of them.
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
