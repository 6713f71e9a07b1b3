"""Which tracks of a library somebody wants to see: a filter, and its condition in SQL."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from tonearm.errors import GenreError
from tonearm.genres import MIX, UNKNOWN, find
from tonearm.library.links import COPIED, no_link
from tonearm.library.overview import known_genres
from tonearm.library.places import PRESENT, note_offline
from tonearm.library.reviews import attach
from tonearm.library.rows import KIND, folded
from tonearm.library.store import Library
from tonearm.tagging.plan import album_key

TagState = Literal["any", "none", "tonearm", "person"]
ReviewState = Literal["any", "none", "some", "accept", "change", "reject", "unwritten"]
State = Literal["any", "analysed", "failed", "damaged", "copy"]

FROM = "FROM tracks t LEFT JOIN sounds s ON s.id = t.sound LEFT JOIN reviews r ON r.key = s.key"
# Its tag does not name the reviewed genre in any spelling, be it next to others.
_UNWRITTEN = "r.genre IS NOT NULL AND lacks_genre(t.genres, r.genre)"
ALBUM = "album_key(t.path, t.album, t.album_artist)"
_STATES = {
    "analysed": "t.sound IS NOT NULL",
    "failed": "t.error_kind IS NOT NULL",
    "damaged": "s.warning IS NOT NULL",
    "copy": COPIED,
}
AMONG = "IN (SELECT value FROM json_each(?))"
# The genre by sound. A file that failed has none either, but nothing was said of its sound.
HAS_GENRE = f"t.sound IS NOT NULL AND {KIND} {AMONG}"
# Who wrote the genre in the file's tags. What programs write where nobody chose a genre counts as
# none; of a file that cannot be read nobody knows.
TAGGED = {
    "none": "NOT names_genre(t.genres) AND t.error_kind IS NULL AND t.tag_error IS NULL",
    "tonearm": "names_genre(t.genres) AND t.by_tonearm",
    "person": "names_genre(t.genres) AND NOT t.by_tonearm",
}
# Of the pairs that `disagreeing` gives: few, so that SQLite compares strings alone.
DISAGREES = f"NOT t.by_tonearm AND t.genres || s.genre {AMONG}"


@dataclass(frozen=True)
class Filter:
    """Which tracks; all conditions hold together.

    Parameters
    ----------
    text : str
        Part of title, artist, album or path; letters of either case.
    genre : str or None
        By sound, in any spelling; ``mix`` for tracks that change genre, ``unknown`` for those of
        no known one.
    min_confidence, max_confidence : float
        Bounds of the probability of the most probable genre.
    tag : 'any', 'none', 'tonearm' or 'person'
        Who wrote the genre in the file's tags.
    disagree : bool
        Only files whose tag, by a person, names another known genre than by sound.
    review : 'any', 'none', 'some', 'accept', 'change', 'reject' or 'unwritten'
        What a person said so far; ``some`` is any of the three verdicts, ``unwritten`` a genre that
        the file does not have yet.
    state : 'any', 'analysed', 'failed', 'damaged' or 'copy'
        Files that could be read, or not, or in part; or whose sound another file holds too.
    artist : str
        This artist, letters of either case.
    album : int or None
        Id of a track: it and the others of its album.
    also : tuple of str
        Genres that may be asked for besides the library's, as for :func:`resolve_genres`.
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
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conditions:
    """What follows WHERE, and the values of its marks: ``sql`` and ``values``."""

    sql: str
    values: list[Any]


def prepare(library: Library) -> None:
    """Let queries see the reviews, the keys of albums, and which tracks are offline.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    attach(library)
    note_offline(library)
    library.function("album_key", _album_key)


def _album_key(path: bytes, album: str | None, album_artist: str | None) -> str:
    place = os.fsdecode(path)
    key = album_key(place, album=album, album_artist=album_artist) or (os.path.dirname(place), "")
    # Unit separator: names do not hold it, so no two keys join to one text.
    return "\x1f".join(key).encode("utf-8", "replace").decode()


def conditions(library: Library, wanted: Filter) -> Conditions:
    """The condition of a filter, on the tables that :data:`FROM` joins.

    Parameters
    ----------
    library : Library
        The library, prepared.
    wanted : Filter
        Which tracks.

    Raises
    ------
    GenreError
        When the library does not know the genre.
    """
    pairs: list[tuple[str, Any]] = [(PRESENT, None)]
    if wanted.text:
        # Found once, for the count and the page: SQLite folds ASCII alone, and Python is slower.
        found = library.rows(
            "SELECT id FROM tracks WHERE instr(folded(title, artist, album, path), ?)",
            [_folded(wanted.text)],
        )
        pairs.append((f"t.id {AMONG}", json.dumps([number for (number,) in found])))
    if wanted.genre is not None:
        pairs.append(
            (HAS_GENRE, json.dumps(resolve_genres(library, [wanted.genre], also=wanted.also)))
        )
    if wanted.min_confidence > 0:
        pairs.append(("s.confidence >= ?", wanted.min_confidence))
    if wanted.max_confidence < 1:
        pairs.append(("s.confidence <= ?", wanted.max_confidence))
    pairs += _tag_conditions(library, wanted)
    if wanted.state != "any":
        pairs.append((_STATES[wanted.state], None))
    if wanted.state == "copy":
        pairs.append(no_link(library))
    if wanted.artist:
        pairs.append(("folded(t.artist) = ?", _folded(wanted.artist)))
    if wanted.album is not None:
        # By one of its tracks: names of albums are not unique, ids are.
        album = f"{ALBUM} = (SELECT {ALBUM} FROM tracks t WHERE t.id = ?)"  # noqa: S608
        pairs.append((album, wanted.album))
    values = [value for _, value in pairs if value is not None]
    # Values apart from SQL, always: a title may hold a quote.
    return Conditions(" AND ".join(sql for sql, _ in pairs), values)


def _folded(text: str) -> str | None:
    # Lone surrogates cannot be encoded, and a NUL ends a text in SQLite's functions.
    return folded(text.encode("utf-8", "replace").decode().replace("\0", ""))


def _tag_conditions(library: Library, wanted: Filter) -> list[tuple[str, Any]]:
    """What the file's tag and a person's review have to be."""
    pairs: list[tuple[str, Any]] = []
    if wanted.tag != "any":
        pairs.append((TAGGED[wanted.tag], None))
    if wanted.disagree:
        pairs.append((DISAGREES, json.dumps(disagreeing(library))))
    if wanted.review in {"none", "some"}:
        pairs.append((f"r.verdict IS {'NOT ' * (wanted.review == 'some')}NULL", None))
    elif wanted.review == "unwritten":
        pairs.append((_UNWRITTEN, None))
    elif wanted.review != "any":
        pairs.append(("r.verdict = ?", wanted.review))
    return pairs


def resolve_genres(
    library: Library, genres: Iterable[str], *, also: Iterable[str] = ()
) -> tuple[str, ...]:
    """Genres by sound as the library spells them; ``mix`` and ``unknown`` may be among them.

    Parameters
    ----------
    library : Library
        The library, open.
    genres : iterable of str
        Names in any spelling.
    also : iterable of str
        Genres that may be asked for besides: of a model that has not classified the library yet.

    Raises
    ------
    GenreError
        When no model knows one.
    """
    # Of every model: tracks that another one classified keep its genres.
    every = (label for model in library.models() for label in model.labels)
    labels = list(dict.fromkeys([*every, *also]))
    found = {genre: find(genre, [*labels, MIX, UNKNOWN]) for genre in genres}
    for genre, label in found.items():
        # In a library without a track every genre is one that none of them has.
        if label is None and labels:
            raise GenreError(genre, labels)
    return tuple(label for label in found.values() if label)


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
        # A tag of which the model knows no genre contradicts nothing.
        if named and genre not in named:
            pairs.append(text + genre)
    return pairs
