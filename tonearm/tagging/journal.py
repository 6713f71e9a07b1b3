"""What was written, and what stood there before: a SQLite file of its own beside the library.

A library can be scanned again, the journal cannot: so they are two files, and this one's decisive
commit is flushed to the disk. An entry goes ``begun`` (a copy may lie beside the file) →
``verified`` (the copy may be renamed over the file any moment) → ``done`` or ``failed``. What a
killed run left is settled at the next start, by the file itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tonearm.database import Database, Schema, alone
from tonearm.errors import LibraryError, TagError
from tonearm.tagging.fields import GenreFields, read_fields

# Stands for the end of a run that did not come to it.
INTERRUPTED = 0.0

_TABLES = """
CREATE TABLE runs(
    id INTEGER PRIMARY KEY, started_s REAL NOT NULL, finished_s REAL, command TEXT NOT NULL,
    undoes INTEGER REFERENCES runs);
CREATE TABLE entries(
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, path BLOB NOT NULL,
    state TEXT NOT NULL, temporary BLOB NOT NULL, before TEXT NOT NULL, after TEXT,
    old_genres TEXT NOT NULL, new_genres TEXT NOT NULL DEFAULT '[]', reason TEXT,
    undoes INTEGER REFERENCES entries, undone_by INTEGER REFERENCES entries);
CREATE INDEX entries_run ON entries(run);
CREATE INDEX entries_open ON entries(state) WHERE state IN ('begun', 'verified');
"""
SCHEMA = Schema(
    "journal",
    application_id=0x544F4E4A,  # "TONJ"
    version=1,
    tables=_TABLES,
    remedy="nothing was written by `tonearm tag --write`",
    later=(
        "CREATE TABLE IF NOT EXISTS held(entry INTEGER PRIMARY KEY REFERENCES entries,"
        " track INTEGER NOT NULL, key TEXT NOT NULL)"
    ),
)


@dataclass(frozen=True)
class Run:
    """One run of ``tag --write`` or ``undo``; times in seconds since 1970."""

    id: int
    started_s: float
    finished_s: float | None
    command: str
    undoes: int | None
    done: int
    failed: int
    undone: int


@dataclass(frozen=True)
class FileIdentity:
    """Whose file it was in the library: the track's number, and the key of its sound."""

    track: int
    key: str


@dataclass(frozen=True)
class Entry:
    """One file of a run."""

    id: int
    run: int
    path: str
    state: str
    before: GenreFields
    after: GenreFields | None
    old_genres: tuple[str, ...]
    new_genres: tuple[str, ...]
    reason: str | None
    undone: bool


class Journal(Database):
    """The journal, open; with ``write``, for one program at a time.

    Raises
    ------
    LibraryError
        From every method, as :class:`~tonearm.database.Database`, and when another run writes.
    """

    def __init__(self, path: str | os.PathLike[str], *, write: bool = False) -> None:
        self.recovered: list[str] = []
        with contextlib.ExitStack() as stack:
            if write:
                stack.enter_context(alone(Path(path), what="another `tonearm tag` or `undo`"))
            super().__init__(path, SCHEMA, write=write)
            stack.callback(super().close)
            if write:
                self.recover()
            self._held = stack.pop_all()

    def close(self) -> None:
        """Let the file go, and then the lock."""
        self._held.close()

    def start(self, command: str, *, undoes: int | None = None) -> int:
        """Number of a new run."""
        return self._insert(
            "INSERT INTO runs(started_s, command, undoes) VALUES (?, ?, ?)",
            (time.time(), command, undoes),
        )

    def finish(self, run: int) -> None:
        """The run has come to its end."""
        self.rows("UPDATE runs SET finished_s = ? WHERE id = ?", (time.time(), run))

    def begin(
        self,
        run: int,
        path: Path,
        *,
        before: GenreFields,
        genres: Sequence[str],
        temporary: Path,
        undoes: int | None = None,
    ) -> int:
        """Number of an entry: a copy of the file is about to be made."""
        return self._insert(
            "INSERT INTO entries(run, path, state, temporary, before, old_genres, undoes)"
            " VALUES (?, ?, 'begun', ?, ?, ?, ?)",
            (
                run,
                os.fsencode(path),
                os.fsencode(temporary),
                before.to_json(),
                json.dumps(list(genres)),
                undoes,
            ),
        )

    def verified(self, entry: int, *, after: GenreFields, genres: Sequence[str]) -> None:
        """The copy is good and about to be renamed over the file: flushed to the disk."""
        self.rows("PRAGMA synchronous = FULL")
        self.rows(
            "UPDATE entries SET state = 'verified', after = ?, new_genres = ? WHERE id = ?",
            (after.to_json(), json.dumps(list(genres)), entry),
        )
        self.rows("PRAGMA synchronous = NORMAL")

    def done(self, entry: int) -> None:
        """The file is changed. What it takes back is taken back with the same commit."""
        with self.transaction():
            self.rows("UPDATE entries SET state = 'done' WHERE id = ?", (entry,))
            # Taking back an undo makes the first change count again, and so on.
            counts = True
            parent = self._undone_by(entry)
            while parent is not None:
                undone_by = entry if counts else None
                self.rows("UPDATE entries SET undone_by = ? WHERE id = ?", (undone_by, parent))
                entry, parent, counts = parent, self._undone_by(parent), not counts

    def _undone_by(self, entry: int) -> int | None:
        """Number of the entry that this one takes back."""
        number = self.rows("SELECT undoes FROM entries WHERE id = ?", (entry,))[0][0]
        return None if number is None else int(number)

    def failed(self, entry: int, reason: str) -> None:
        """The file is as it was."""
        self.rows(
            "UPDATE entries SET state = 'failed', reason = ? WHERE id = ?",
            (reason.encode("utf-8", "replace").decode(), entry),
        )

    def refused(self, run: int, path: Path, reason: str) -> None:
        """A file that was left alone before anything was done to it."""
        entry = self._insert(
            "INSERT INTO entries(run, path, state, temporary, before, old_genres)"
            " VALUES (?, ?, 'failed', x'', '{}', '[]')",
            (run, os.fsencode(path)),
        )
        self.failed(entry, reason)

    def keep_identity(self, entry: int, identity: FileIdentity) -> None:
        """Keep by what the library knows a changed file, whose path may be another one day."""
        self.rows(
            "INSERT OR REPLACE INTO held VALUES (?, ?, ?)", (entry, identity.track, identity.key)
        )

    def identity(self, entry: int) -> FileIdentity | None:
        """What was kept so; None where the library did not have the file."""
        found = self.rows("SELECT track, key FROM held WHERE entry = ?", (entry,))
        return FileIdentity(*found[0]) if found else None

    def recover(self) -> None:
        """Settle what a killed run left: remove its copy, and see whether the file is changed.

        Paths of files that were changed, and of the last change before, are in ``recovered`` then:
        who keeps a library may not have heard of them.
        """
        rows = self.rows(
            "SELECT id, path, temporary, before, after FROM entries"
            " WHERE state IN ('begun', 'verified')"
        )
        last = self.rows(
            "SELECT path FROM entries WHERE state = 'done' AND run ="
            " (SELECT MAX(id) FROM runs WHERE finished_s IS NULL) ORDER BY id DESC LIMIT 1"
        )
        self.recovered = [os.fsdecode(row[0]) for row in last]
        for entry, path, temporary, before, after in rows:
            if os.path.lexists(temporary):
                # As long as there is a copy, it was not renamed.
                with contextlib.suppress(OSError):
                    os.unlink(temporary)
                self.failed(entry, "interrupted before it was written")
                continue
            self._settle(entry, os.fsdecode(path), before, after)
        self.rows("UPDATE runs SET finished_s = ? WHERE finished_s IS NULL", (INTERRUPTED,))

    def _settle(self, entry: int, path: str, before: str, after: str | None) -> None:
        try:
            present = read_fields(path)
        except TagError as error:
            if after is None:
                self.failed(entry, "interrupted before it was written")
            else:
                self.failed(entry, f"interrupted, and cannot be read now: {error}")
            return
        if after is not None and present.same_as(GenreFields.from_json(after)):
            self.done(entry)
            self.recovered.append(path)
        elif present.same_as(GenreFields.from_json(before)) or after is None:
            self.failed(entry, "interrupted before it was written")
        else:
            self.failed(entry, "interrupted, and changed since by another program")

    def runs(self) -> list[Run]:
        """All runs, the latest first."""
        rows = self.rows(
            "SELECT r.id, r.started_s, r.finished_s, r.command, r.undoes,"
            " COUNT(*) FILTER (WHERE e.state = 'done'),"
            " COUNT(*) FILTER (WHERE e.state = 'failed'),"
            " COUNT(*) FILTER (WHERE e.undone_by IS NOT NULL)"
            " FROM runs r LEFT JOIN entries e ON e.run = r.id GROUP BY r.id ORDER BY r.id DESC"
        )
        return [Run(*row) for row in rows]

    def run(self, number: int | None) -> Run:
        """A run by its number, or the latest ``tag`` that is not undone.

        Raises
        ------
        LibraryError
            When there is none.
        """
        runs = self.runs()
        if number is not None:
            found = next((run for run in runs if run.id == number), None)
            if found is None:
                raise LibraryError(f"no run {number}: `tonearm history` lists all")
            return found
        found = next_to_undo(runs)
        if found is not None:
            return found
        for run in runs:
            if run.undoes is None and run.undone < run.done:
                raise LibraryError(
                    f"nothing to undo but what was left alone: `tonearm undo {run.id}` tries "
                    f"that of run {run.id} again"
                )
        raise LibraryError("nothing to undo: no `tonearm tag --write` is left in the journal")

    def entries(self, run: int) -> list[Entry]:
        """Files of a run in their order."""
        rows = self.rows(
            "SELECT id, run, path, state, before, after, old_genres, new_genres, reason,"
            " undone_by IS NOT NULL FROM entries WHERE run = ? ORDER BY id",
            (run,),
        )
        return [_entry(row) for row in rows]

    def _insert(self, sql: str, values: Sequence[Any]) -> int:
        return int(self.rows(f"{sql} RETURNING id", values)[0][0])


def next_to_undo(runs: Sequence[Run]) -> Run | None:
    """Of all runs, the latest first, the one that an undo without a number takes back.

    An undo that was interrupted goes on, and one that put nothing back (the disk was not there) is
    none; one that left some files alone came to its end.
    """
    taken_back = {
        run.undoes
        for run in runs
        if run.finished_s not in {None, INTERRUPTED} and run.undone < run.done
    }
    for run in runs:
        if run.undoes is None and run.undone < run.done and run.id not in taken_back:
            return run
    return None


def journal_path(library: Path) -> Path:
    """Where the journal of a library is."""
    return library.with_name(f"{library.stem}.journal.sqlite")


def _entry(row: tuple[Any, ...]) -> Entry:
    number, run, path, state, before, after, old_genres, new_genres, reason, undone = row
    return Entry(
        id=number,
        run=run,
        path=os.fsdecode(path),
        state=state,
        before=GenreFields.from_json(before),
        after=GenreFields.from_json(after) if after else None,
        old_genres=tuple(json.loads(old_genres)),
        new_genres=tuple(json.loads(new_genres)),
        reason=reason,
        undone=bool(undone),
    )
