"""What a person said of a sound: accepted, another genre, or rejected. Kept next to the library.

A library can be scanned again, a person's word cannot: so it has a SQLite file of its own, and is
kept by sound key, so that it stays with a recording that moves or is tagged, and counts for its
copies. Imports nothing that decides or decodes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.database import Database, Schema
from tonearm.library.store import Library

_TABLE = (
    "reviews(key TEXT PRIMARY KEY, verdict TEXT NOT NULL, genre TEXT, reviewed_s REAL NOT NULL)"
)
SCHEMA = Schema(
    "file of reviews",
    application_id=0x544F4E52,  # "TONR"
    version=1,
    tables=f"CREATE TABLE {_TABLE}",
    remedy="run `tonearm serve` and review",
)


class Verdict(StrEnum):
    """What a person said."""

    accept = "accept"
    change = "change"
    reject = "reject"


@dataclass(frozen=True)
class Review:
    """A person's review of a sound; ``genre`` is None where they only rejected one."""

    key: str
    verdict: Verdict
    genre: str | None


@dataclass(frozen=True)
class Correction:
    """A sound with the genre that a person gave it; windows float32 [n, d] as analysed."""

    key: str
    genre: str
    windows: NDArray[np.float32]
    artist: str | None


def reviews_path(library: Path) -> Path:
    """Where the reviews of a library are."""
    return library.with_name(f"{library.stem}.reviews.sqlite")


class Reviews(Database):
    """The reviews, open for writing; see :class:`~tonearm.database.Database` for what it raises."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA, write=True)

    def put(self, reviews: Iterable[Review]) -> None:
        """Keep reviews, in the place of earlier ones of the same sounds; all or none of them."""
        now = time.time()
        rows = [(review.key, review.verdict.value, review.genre, now) for review in reviews]
        with self.transaction():
            self.write("INSERT OR REPLACE INTO reviews VALUES (?,?,?,?)", rows)

    def drop(self, keys: Iterable[str]) -> None:
        """Forget what was said of these sounds."""
        rows = [(key,) for key in keys]
        with self.transaction():
            self.write("DELETE FROM reviews WHERE key = ?", rows)


def attach(library: Library) -> None:
    """Let queries of an open library see the table ``reviews``; empty where there is none yet."""
    path = reviews_path(library.path)
    if library.rows("SELECT 1 FROM pragma_database_list WHERE name = 'reviewed'"):
        return
    if path.exists():
        library.attach(path, "reviewed")
        # It is there a moment before its table is, when somebody reviews for the first time.
        if library.rows("SELECT 1 FROM reviewed.sqlite_master WHERE name = 'reviews'"):
            return
    library.write(f"CREATE TEMP TABLE IF NOT EXISTS {_TABLE}")


def of_keys(library: Library, keys: Iterable[str | None]) -> dict[str, Review]:
    """Reviews by sound key, of a library to which they are attached."""
    rows = library.rows(
        "SELECT key, verdict, genre FROM reviews WHERE key IN (SELECT value FROM json_each(?))",
        [json.dumps([key for key in keys if key is not None])],
    )
    return {key: Review(key, Verdict(verdict), genre) for key, verdict, genre in rows}


def corrections(library: Library, *, encoder: str) -> list[Correction]:
    """Every sound that a person gave a genre, with its embeddings, to learn from.

    Parameters
    ----------
    library : Library
        Where the windows are; reviews are read from next to it.
    encoder : str
        Checksum of who has to have heard them; sounds of another encoder are left out.
    """
    attach(library)
    rows = library.rows(
        "SELECT r.key, r.genre, w.values_f16, length(s.pooled) / 4, (SELECT max(t.artist) FROM"
        " tracks t WHERE t.sound = s.id) FROM reviews r JOIN sounds s ON s.key = r.key"
        " JOIN models m ON m.id = s.model JOIN embeddings w ON w.key = s.key"
        " AND w.encoder = m.encoder WHERE r.genre IS NOT NULL AND m.encoder = ?"
        " ORDER BY r.key",
        [encoder],
    )
    return [
        Correction(
            key,
            genre,
            np.frombuffer(data, dtype=np.float16).reshape(-1, dimensions).astype(np.float32),
            artist,
        )
        for key, genre, data, dimensions, artist in rows
    ]
