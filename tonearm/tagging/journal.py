"""What was written, and what stood there before: a SQLite file of its own next to the library.

A library can be scanned again, the journal cannot: so they are two files, and this one's decisive
commit is flushed to the disk. An entry goes ``begun`` (a copy may lie next to the file) →
``verified`` (the copy may be renamed over the file any moment) → ``done`` or ``failed``. What a
killed run left is settled at the next start, by the file itself; where its folder is offline, it
stays open. An entry that cannot be read any more costs that entry alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tonearm.database import Database, Schema, alone
from tonearm.errors import LibraryError, NothingToUndoError
from tonearm.tagging.delta import Delta
from tonearm.tagging.fields import GenreFields
from tonearm.tagging.journal_records import (
    INTERRUPTED,
    UNREADABLE,
    Entry,
    FileIdentity,
    Run,
    entry_of,
    next_to_undo,
)
from tonearm.tagging.recovery import what_became_of

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
        # Not in version 1: an older Tonearm ignores these, and restores fields instead of bytes.
        "CREATE TABLE IF NOT EXISTS held(entry INTEGER PRIMARY KEY REFERENCES entries,"
        " track INTEGER NOT NULL, key TEXT NOT NULL);"
        "CREATE TABLE IF NOT EXISTS deltas(entry INTEGER PRIMARY KEY REFERENCES entries,"
        " delta TEXT NOT NULL)"
    ),
)


class Journal(Database):
    """The journal, open; with ``write``, for one program at a time.

    Parameters
    ----------
    path : path
        The SQLite file, next to the library.
    write : bool
        Open it for writing; it is made where it is missing.

    Raises
    ------
    LibraryError
        From every method, as :class:`~tonearm.database.Database`, and when another run writes.
    """

    def __init__(self, path: str | os.PathLike[str], *, write: bool = False) -> None:
        self.recovered: list[str] = []
        with contextlib.ExitStack() as stack:
            if write:
                # Before the database is opened: two starts must not settle at once.
                stack.enter_context(alone(Path(path), what="another `tonearm tag` or `undo`"))
            super().__init__(path, SCHEMA, write=write)
            # Closed in the opposite order: first the database, then the lock, or another run could
            # start in between.
            stack.callback(super().close)
            if write:
                self.recover()
            self._held = stack.pop_all()

    def close(self) -> None:
        """Let the file go, and then the lock."""
        self._held.close()

    def start(self, command: str, *, undoes: int | None = None) -> int:
        """Number of a new run.

        Parameters
        ----------
        command : str
            The run's name in the history.
        undoes : int or None
            Number of the entry or run that this undoes.
        """
        # The name of a folder may hold bytes that are not UTF-8, which SQLite refuses.
        words = command.encode("utf-8", "backslashreplace").decode()
        return self._insert(
            "INSERT INTO runs(started_s, command, undoes) VALUES (?, ?, ?)",
            (time.time(), words, undoes),
        )

    def finish(self, run: int) -> None:
        """The run has come to its end.

        Parameters
        ----------
        run : int
            Number of the run.
        """
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
        """Number of an entry: a copy of the file is about to be made.

        Parameters
        ----------
        run : int
            Number of the run.
        path : Path
            The file.
        before : GenreFields
            The genre fields before the change.
        genres : sequence of str
            Names of genres.
        temporary : Path
            Its edited copy.
        undoes : int or None
            Number of the entry or run that this undoes.
        """
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

    def verified(
        self, entry: int, *, after: GenreFields, genres: Sequence[str], delta: Delta
    ) -> None:
        """The copy is good and about to be renamed over the file: flushed to the disk.

        Parameters
        ----------
        entry : int
            Number of the entry.
        after : GenreFields
            The genre fields after it.
        genres : sequence of str
            Names of genres.
        delta : Delta
            The way back to the original.
        """
        # For this commit: after it the rename may come, and a power cut must find it on the disk.
        self.rows("PRAGMA synchronous = FULL")
        with self.transaction():
            self.rows("INSERT OR REPLACE INTO deltas VALUES (?, ?)", (entry, delta.to_json()))
            self.rows(
                "UPDATE entries SET state = 'verified', after = ?, new_genres = ? WHERE id = ?",
                (after.to_json(), json.dumps(list(genres)), entry),
            )
        # Other commits may be lost in a power cut: `recover` finds out from the files themselves.
        self.rows("PRAGMA synchronous = NORMAL")

    def delta(self, entry: int) -> Delta | None:
        """What the change replaced, byte by byte; None for entries that do not have it.

        Parameters
        ----------
        entry : int
            Number of the entry.
        """
        if not self.has("deltas"):
            return None
        found = self.rows("SELECT delta FROM deltas WHERE entry = ?", (entry,))
        try:
            return Delta.from_json(found[0][0]) if found else None
        except UNREADABLE:
            return None

    def done(self, entry: int) -> None:
        """The file is changed. What it undoes is undone with the same commit.

        Parameters
        ----------
        entry : int
            Number of the entry.
        """
        with self.transaction():
            self.rows("UPDATE entries SET state = 'done' WHERE id = ?", (entry,))
            # Undoing an undo makes the first change count again, and so on.
            counts, seen = True, {entry}
            parent = self._undone_by(entry)
            # Not for ever, whatever a damaged journal says.
            while parent is not None and parent not in seen:
                seen.add(parent)
                undone_by = entry if counts else None
                self.rows("UPDATE entries SET undone_by = ? WHERE id = ?", (undone_by, parent))
                entry, parent, counts = parent, self._undone_by(parent), not counts

    def _undone_by(self, entry: int) -> int | None:
        """Number of the entry that this one undoes."""
        number = self.rows("SELECT undoes FROM entries WHERE id = ?", (entry,))[0][0]
        return None if number is None else int(number)

    def failed(self, entry: int, reason: str) -> None:
        """The file is as it was.

        Parameters
        ----------
        entry : int
            Number of the entry.
        reason : str
            Why, for people, without the path.
        """
        self.rows(
            "UPDATE entries SET state = 'failed', reason = ? WHERE id = ?",
            # Reasons may hold names of files that are not UTF-8, which SQLite refuses.
            (reason.encode("utf-8", "replace").decode(), entry),
        )

    def refused(self, run: int, path: Path, reason: str) -> None:
        """A file that was skipped before anything was done to it.

        Parameters
        ----------
        run : int
            Number of the run.
        path : Path
            The file.
        reason : str
            Why, for people, without the path.
        """
        entry = self._insert(
            "INSERT INTO entries(run, path, state, temporary, before, old_genres)"
            " VALUES (?, ?, 'failed', x'', '{}', '[]')",
            (run, os.fsencode(path)),
        )
        self.failed(entry, reason)

    def keep_identity(self, entry: int, identity: FileIdentity) -> None:
        """Keep which track a changed file is, since its path may change.

        Parameters
        ----------
        entry : int
            Number of the entry.
        identity : FileIdentity
            Which track it is.
        """
        self.rows(
            "INSERT OR REPLACE INTO held VALUES (?, ?, ?)", (entry, identity.track, identity.key)
        )

    def identity(self, entry: int) -> FileIdentity | None:
        """Which track it is; None where the library did not have the file.

        Parameters
        ----------
        entry : int
            Number of the entry.
        """
        found = self.rows("SELECT track, key FROM held WHERE entry = ?", (entry,))
        return FileIdentity(*found[0]) if found else None

    def held(self) -> set[str]:
        """Paths of files that hold what a ``tag`` wrote that is not undone."""
        found = self.rows(
            "SELECT DISTINCT path FROM entries WHERE state = 'done' AND undoes IS NULL"
            " AND undone_by IS NULL"
        )
        return {os.fsdecode(path) for (path,) in found}

    def recover(self) -> None:
        """Settle what a killed run left: remove its copy, and see whether the file is changed.

        Paths of files that were changed, and of the last change before, are in ``recovered`` then,
        since the library may not know of them yet.
        """
        rows = self.rows(
            "SELECT id, path, temporary, before, after FROM entries"
            " WHERE state IN ('begun', 'verified')"
        )
        last = self.rows(
            # The library is told after each file; a kill may have come in between.
            "SELECT path FROM entries WHERE state = 'done' AND run ="
            " (SELECT MAX(id) FROM runs WHERE finished_s IS NULL) ORDER BY id DESC LIMIT 1"
        )
        self.recovered = [os.fsdecode(row[0]) for row in last]
        for entry, path, temporary, before, after in rows:
            # Paths are bytes to the system; SQLite keeps them as such, since not all are UTF-8.
            name = os.fsdecode(path)
            found = what_became_of(name, os.fsdecode(temporary), before, after)
            if found.written:
                self.done(entry)
                self.recovered.append(name)
            elif found.reason is not None:
                self.failed(entry, found.reason)
            # Else its disk is offline, and the entry stays open until it is back.
        self.rows("UPDATE runs SET finished_s = ? WHERE finished_s IS NULL", (INTERRUPTED,))

    def runs(self) -> list[Run]:
        """All runs, the latest first."""
        rows = self.rows(
            "SELECT r.id, r.started_s, r.finished_s, r.command, r.undoes,"
            " COUNT(*) FILTER (WHERE e.state = 'done'),"
            " COUNT(*) FILTER (WHERE e.state = 'failed'),"
            " COUNT(*) FILTER (WHERE e.undone_by IS NOT NULL), GROUP_CONCAT(DISTINCT u.run)"
            " FROM runs r LEFT JOIN entries e ON e.run = r.id"
            " LEFT JOIN entries u ON u.id = e.undone_by GROUP BY r.id ORDER BY r.id DESC"
        )
        return [
            replace(Run(*row[:-1]), undone_by=tuple(sorted(map(int, row[-1].split(",")))))
            if row[-1]
            else Run(*row[:-1])
            for row in rows
        ]

    def run(self, number: int | None) -> Run:
        """A run by its number, or the latest ``tag`` that is not undone.

        Parameters
        ----------
        number : int or None
            Number of the run; None is the last one that is not undone.

        Raises
        ------
        LibraryError
            When there is no such run.
        NothingToUndoError
            When none is left to undo.
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
            if run.is_left:
                raise NothingToUndoError(
                    "nothing to undo but files that were skipped: "
                    f"`tonearm undo {run.id}` tries those of run {run.id} again"
                )
        raise NothingToUndoError(
            "nothing to undo: all that `tonearm tag` wrote is undone (see `tonearm history`)"
        )

    def entries(self, run: int) -> list[Entry]:
        """Files of a run in their order.

        Parameters
        ----------
        run : int
            Number of the run.
        """
        rows = self.rows(
            "SELECT id, run, path, state, before, after, old_genres, new_genres, reason,"
            " undone_by IS NOT NULL FROM entries WHERE run = ? ORDER BY id",
            (run,),
        )
        return [entry_of(row) for row in rows]

    def latest(self) -> dict[str, int]:
        """Number of the last change of each file, by its path."""
        rows = self.rows("SELECT path, max(id) FROM entries WHERE state = 'done' GROUP BY path")
        return {os.fsdecode(path): number for path, number in rows if isinstance(path, bytes)}

    def last_tagged(self) -> dict[str, int]:
        """Number of the last run that tagged each file, by its path, unless that was undone."""
        rows = self.rows(
            "SELECT path, max(run) FROM entries WHERE state = 'done' AND undoes IS NULL"
            " AND undone_by IS NULL GROUP BY path"
        )
        return {os.fsdecode(path): run for path, run in rows if isinstance(path, bytes)}

    def _insert(self, sql: str, values: Sequence[Any]) -> int:
        return int(self.rows(f"{sql} RETURNING id", values)[0][0])


def journal_path(library: Path) -> Path:
    """Where the journal of a library is.

    Parameters
    ----------
    library : Path
        The library's file.
    """
    return library.with_name(f"{library.stem}.journal.sqlite")
