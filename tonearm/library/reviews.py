"""User reviews of predictions (accepted, corrected, rejected), stored next to the library.

A library can be scanned again, a person's word cannot: so it has a SQLite file of its own, and is
kept by sound key, so that it stays with a recording that moves or is tagged, and counts for its
copies. Imports nothing that decides or decodes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.data.embedding_store import texture_of
from tonearm.database import Database, Schema
from tonearm.errors import LibraryError
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
    # Added to files of older versions when they are opened: each statement must bear repeating.
    later=(
        "CREATE TABLE IF NOT EXISTS steps(id INTEGER PRIMARY KEY AUTOINCREMENT, made_s REAL"
        " NOT NULL); CREATE TABLE IF NOT EXISTS before(step INTEGER NOT NULL REFERENCES steps ON"
        " DELETE CASCADE, key TEXT NOT NULL, verdict TEXT, genre TEXT, PRIMARY KEY(step, key))"
    ),
)
STEPS_KEPT = 1_000  # so many can be undone


class Verdict(StrEnum):
    """What a person said."""

    accept = "accept"
    change = "change"
    reject = "reject"


@dataclass(frozen=True)
class Review:
    """A person's review of a sound; ``genre`` is None where they only rejected one.

    Parameters
    ----------
    key : str
        Sound key.
    verdict : Verdict
        Accepted, changed or rejected.
    """

    key: str
    verdict: Verdict
    genre: str | None


@dataclass(frozen=True)
class Correction:
    """A sound with the genre that a person gave it, and its embeddings as they are stored.

    Parameters
    ----------
    key : str
        Sound key.
    genre : str
        What a person said that it is.
    windows : float32 [n, d]
        Embeddings of the first encoder.
    artist : str or None
        By the tags.
    texture : float16 [m, t] or None
        From the second encoder, where it was asked.
    """

    key: str
    genre: str
    windows: NDArray[np.float32]
    artist: str | None
    texture: NDArray[np.float16] | None = None


@dataclass(frozen=True)
class Undone:
    """A step that was undone: its number, how many sounds, and how many steps are left.

    Parameters
    ----------
    step : int
        Its number.
    sounds : int
        How many were reviewed by it.
    left : int
        Steps that can still be undone.
    """

    step: int
    sounds: int
    left: int


def reviews_path(library: Path) -> Path:
    """Where the reviews of a library are.

    Parameters
    ----------
    library : Path
        The library's file.
    """
    return library.with_name(f"{library.stem}.reviews.sqlite")


class Reviews(Database):
    """The reviews, open for writing; see :class:`~tonearm.database.Database` for what it raises.

    Parameters
    ----------
    path : Path
        The file of reviews, next to the library; it is made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, SCHEMA, write=True)

    def put(self, reviews: Iterable[Review], *, step: int | None = None) -> int:
        """Keep reviews, in the place of earlier ones of the same sounds; all or none of them.

        Parameters
        ----------
        reviews : iterable of Review
            What a person said.
        step : int or None
            The step that they belong to; None begins one.

        Returns
        -------
        int
            The step, which an undo reverts as a whole.
        """
        now = time.time()
        rows = [(review.key, review.verdict.value, review.genre, now) for review in reviews]
        with self.transaction():
            step = self._remember([row[0] for row in rows], step, now)
            self.write("INSERT OR REPLACE INTO reviews VALUES (?,?,?,?)", rows)
        return step

    def drop(self, keys: Iterable[str], *, step: int | None = None) -> int:
        """Clear the reviews of these sounds; steps as of :meth:`put`.

        Parameters
        ----------
        keys : iterable of str
            Keys of sounds.
        step : int or None
            Number of the step.
        """
        known = list(keys)
        with self.transaction():
            step = self._remember(known, step, time.time())
            self.write("DELETE FROM reviews WHERE key = ?", [(key,) for key in known])
        return step

    def undo(self, step: int | None = None) -> Undone | None:
        """Restore what was said before a step, the last one without a number; None without any.

        What a later step said of a sound stays; its own undo then leads back to before this one.

        Parameters
        ----------
        step : int or None
            Number of the step.
        """
        with self.transaction():
            if step is None:
                # Numbers only grow (AUTOINCREMENT), so the largest is the latest.
                step = self.rows("SELECT max(id) FROM steps")[0][0]
            rows = self.rows("SELECT key, verdict, genre FROM before WHERE step = ?", [step])
            if not rows:
                return None
            now = time.time()
            later = dict(
                self.rows(
                    "SELECT key, min(step) FROM before WHERE step > ?1 AND key IN"
                    " (SELECT key FROM before WHERE step = ?1) GROUP BY key",
                    [step],
                )
            )
            self.write(
                "UPDATE before SET verdict = ?, genre = ? WHERE step = ? AND key = ?",
                [(*said, later[key], key) for key, *said in rows if key in later],
            )
            last = [row for row in rows if row[0] not in later]
            self.write("DELETE FROM reviews WHERE key = ?", [(key,) for key, _, _ in last])
            self.write(
                "INSERT INTO reviews VALUES (?,?,?,?)",
                # A NULL verdict says that nothing had been said: the sound goes back to that.
                [(*row, now) for row in last if row[1] is not None],
            )
            self.write("DELETE FROM steps WHERE id = ?", [(step,)])
            left = self.rows("SELECT count(*) FROM steps")[0][0]
        return Undone(int(step or 0), len(rows), int(left))

    def _remember(self, keys: Sequence[str], step: int | None, now: float) -> int:
        """Keep what was said of the sounds until now, as part of a step."""
        if step is None:
            inserted = "INSERT INTO steps(made_s) VALUES (?) RETURNING id"
            step = int(self.rows(inserted, [now])[0][0])
            # Here, so that the list never grows beyond that; `before` follows by CASCADE.
            self.write("DELETE FROM steps WHERE id <= ?", [(step - STEPS_KEPT,)])
        elif not self.rows("SELECT 1 FROM steps WHERE id = ?", [step]):
            # By the page, while a batch of many tracks goes on: what is left of it stays as it is.
            raise LibraryError(f"step {step} of the reviews was undone in the meantime")
        self.write(
            # IGNORE: reviewed twice in one step, a sound goes back to what was before the step.
            "INSERT OR IGNORE INTO before SELECT ?, k.key, r.verdict, r.genre FROM"
            " (SELECT ? AS key) k LEFT JOIN reviews r ON r.key = k.key",
            [(step, key) for key in keys],
        )
        return step


def attach(library: Library) -> None:
    """Let queries of an open library see the table ``reviews``; empty where there is none yet.

    Parameters
    ----------
    library : Library
        The library, open.
    """
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
    """Reviews by sound key, of a library to which they are attached.

    Parameters
    ----------
    library : Library
        The library, open.
    keys : iterable of str or None
        Keys of sounds.
    """
    rows = library.rows(
        "SELECT key, verdict, genre FROM reviews WHERE key IN (SELECT value FROM json_each(?))",
        [json.dumps([key for key in keys if key is not None])],
    )
    return {key: Review(key, Verdict(verdict), genre) for key, verdict, genre in rows}


def genres_said(library: Library) -> list[str]:
    """Every genre that a person named or accepted, the commonest first.

    Parameters
    ----------
    library : Library
        The library, open; its reviews are read from next to it.
    """
    attach(library)
    rows = library.rows(
        "SELECT genre FROM reviews WHERE genre IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"
    )
    return [genre for (genre,) in rows]


def corrections(library: Library, *, encoder: str) -> list[Correction]:
    """Every sound that a person gave a genre, with its embeddings, to learn from.

    Parameters
    ----------
    library : Library
        Where the windows are; reviews are read from next to it.
    encoder : str
        Checksum of the encoder; sounds that only another encoder analysed are left out.
    """
    attach(library)
    rows = library.rows(
        "SELECT r.key, r.genre, w.values_f16, length(s.pooled) / 4, (SELECT max(t.artist) FROM"
        # Any artist of its files, but always the same one: groups keep them apart in a split.
        " tracks t WHERE t.sound = s.id), w.texture_f16, w.texture_windows"
        " FROM reviews r JOIN sounds s ON s.key = r.key"
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
            texture_of(*texture),
        )
        for key, genre, data, dimensions, artist, *texture in rows
    ]
