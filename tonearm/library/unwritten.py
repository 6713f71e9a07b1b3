"""Reviewed tracks whose files do not hold the reviewed genre yet: what there is to write."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tonearm.library.filters import AMONG
from tonearm.library.reviews import attach
from tonearm.library.store import Library

# Of a track t with a review r: its tag is not the reviewed genre alone.
_OTHER = "t.genres != genre_tag(r.genre)"


@dataclass(frozen=True)
class Unwritten:
    """A file whose tag is not the genre that a person said: ``genres`` now, ``said`` then.

    Parameters
    ----------
    id : int
        Number of the track.
    path : str
        The file.
    title, artist : str or None
        By its tags.
    by_tonearm : bool
        Whether Tonearm wrote the present genres.
    """

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
    for number, path, title, artist, genres, by_tonearm, said in _reviewed(
        library, "t.id, t.path, t.title, t.artist, t.genres, t.by_tonearm, r.genre", _OTHER, ids
    ):
        old = tuple(json.loads(genres))
        yield Unwritten(number, os.fsdecode(path), title, artist, old, bool(by_tonearm), said)


def count_named(library: Library, ids: Sequence[int] | None = None) -> int:
    """How many files have a genre that a person said, written or not; of all, or of some.

    Parameters
    ----------
    library : Library
        The library, open.
    ids : sequence of int or None
        Numbers of tracks.
    """
    return int(_reviewed(library, "count(*)", "1", ids)[0][0])


def _reviewed(
    library: Library, what: str, condition: str, ids: Sequence[int] | None
) -> list[tuple[Any, ...]]:
    attach(library)
    some, values = ("", []) if ids is None else (f" AND t.id {AMONG}", [json.dumps(list(ids))])
    return library.rows(
        # From the reviews on, which may be few, to the tracks, which may be many.
        f"SELECT {what} FROM reviews r CROSS JOIN sounds s ON s.key = r.key"  # noqa: S608
        " CROSS JOIN tracks t ON t.sound = s.id WHERE r.genre IS NOT NULL AND NOT t.missing"
        f" AND {condition}{some} ORDER BY t.path",
        values,
    )
