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
    some, values = ("", []) if ids is None else (f" AND t.id {AMONG}", [json.dumps(list(ids))])
    return library.rows(
        # From the reviews on, which may be few, to the tracks, which may be many.
        f"SELECT {what} FROM reviews r CROSS JOIN sounds s ON s.key = r.key"  # noqa: S608
        " CROSS JOIN tracks t ON t.sound = s.id WHERE r.genre IS NOT NULL AND NOT t.missing"
        f" AND t.genres != genre_tag(r.genre){some} ORDER BY t.path",
        values,
    )
