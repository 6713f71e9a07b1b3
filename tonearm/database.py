"""One SQLite file of ours, open: whose it is, its tables, and errors in words.

The library, its reviews and its journal are three files, since one of them can be made again and
the others cannot; how they are opened, checked, locked and explained is the same and stands here.
The only door to sqlite3.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tonearm.errors import LibraryError

_WAIT_S = 15.0  # for another program that is writing


@dataclass(frozen=True)
class Schema:
    """What kind of file it is.

    Parameters
    ----------
    kind : str
        In messages: library, journal.
    application_id : int
        Tells it from any other SQLite file; four letters.
    version : int
        Of the tables; a file of a later one is refused, one of an earlier one is upgraded.
    tables : str
        The SQL that makes them.
    remedy : str
        What to do when there is no file yet, or it is empty.
    later : str
        The SQL of tables that files of this version may lack: made where they are missing, and of
        no concern to an older Tonearm.
    upgrades : tuple of str
        The SQL that leads from version 1 to 2, from 2 to 3, and so on.
    """

    kind: str
    application_id: int
    version: int
    tables: str
    remedy: str
    later: str = ""
    upgrades: tuple[str, ...] = ()


class Database:
    """A file of a schema, open in write-ahead mode.

    Parameters
    ----------
    path : path
        The SQLite file; with ``write`` it is made, and its folder, where there is none.
    schema : Schema
        Whose file it has to be.
    write : bool
        Without it the file is only read, which also works where it may not be written.

    Raises
    ------
    LibraryError
        From every method: when the file is missing, foreign, damaged, of a newer Tonearm, locked
        by another program, or the disk is full.
    """

    def __init__(self, path: str | os.PathLike[str], schema: Schema, *, write: bool) -> None:
        self.path = Path(path)
        self._schema = schema
        with self._explained():
            self._connection = self._connect(write)
            try:
                self._prepare(write)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of the block is written, or nothing of it."""
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                # A full disk has rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self._explained():
            return self._connection.execute(sql, values).fetchall()

    def each_row(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query that may have very many, as they are wanted."""
        with self._explained():
            cursor = self._connection.execute(sql, values)
        while True:
            with self._explained():
                rows = cursor.fetchmany(1_000)
            if not rows:
                return
            yield from rows

    def write(self, sql: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        """One statement for each of the rows."""
        with self._explained():
            self._connection.executemany(sql, rows)

    def function(self, name: str, function: Callable[..., Any]) -> None:
        """Let queries call a function of any number of values, which has no side effects."""
        with self._explained():
            self._connection.create_function(name, -1, function, deterministic=True)

    def attach(self, path: Path, name: str) -> None:
        """Let queries see another file of ours under a name, to read."""
        self.rows("ATTACH DATABASE ? AS ?", (_uri(path, write=False), name))

    def _connect(self, write: bool) -> sqlite3.Connection:
        name = f"{self._schema.kind} {self.path}"
        if self.path.is_dir():
            raise LibraryError(f"{name}: is a folder; name a file")
        if write:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = f"its folder cannot be made: {error.strerror}"
                raise LibraryError(f"{name}: {reason}") from None
        elif not self.path.exists():
            kind, remedy = self._schema.kind, self._schema.remedy
            raise LibraryError(f"no {kind} at {self.path} yet: {remedy}")
        uri = _uri(self.path, write=write)
        return sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)

    def _prepare(self, write: bool) -> None:
        """Check whose file it is, and make the tables of a new one."""
        schema = self._schema
        ours, version, empty = self._connection.execute(
            "SELECT (SELECT application_id FROM pragma_application_id),"
            " (SELECT user_version FROM pragma_user_version), NOT EXISTS (SELECT 1 FROM"
            " sqlite_master)"
        ).fetchone()
        if not empty and ours != schema.application_id:
            raise LibraryError(f"{self.path}: a database, but not a Tonearm {schema.kind}")
        if version > schema.version:
            raise LibraryError(
                f"{self.path}: {schema.kind} of a newer Tonearm (schema {version}; this one knows "
                f"{schema.version}): update Tonearm, or name another file with --library"
            )
        if not write:
            if empty:
                raise LibraryError(f"{self.path}: {schema.kind} is empty: {schema.remedy}")
            if version < schema.version:
                Database(self.path, schema, write=True).close()
            return
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A commit survives kill -9 so; it may be lost, never torn, when the power fails.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            # Asked again: another program may have made the tables while this one waited.
            (found,) = self._connection.execute("PRAGMA user_version").fetchone()
            if not found:
                self._run(schema.tables)
                self._connection.execute(f"PRAGMA application_id = {schema.application_id}")
            else:
                for upgrade in schema.upgrades[found - 1 :]:
                    self._run(upgrade)
            if found != schema.version:
                self._connection.execute(f"PRAGMA user_version = {schema.version}")
            self._run(schema.later)

    def _run(self, sql: str) -> None:
        """Several statements, within the transaction that is open (`executescript` ends it)."""
        for statement in sql.split(";"):
            self._connection.execute(statement)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's errors into one line that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise LibraryError(f"{self._schema.kind} {self.path}: {_reason(error)}") from error


@contextmanager
def alone(path: Path, *, what: str) -> Iterator[None]:
    """Hold the lock beside a file: a lock that dies with the process, on any system.

    It is SQLite's own, of an empty database.

    Raises
    ------
    LibraryError
        When another process, which does ``what``, holds it, or it cannot be made.
    """
    place = path.with_name(f"{path.name}.lock")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(place, timeout=0, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise LibraryError(f"{place}: {error.strerror}") from error
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            raise LibraryError(f"{path}: {what} is writing: wait for its end") from None
        raise LibraryError(f"{place}: {_reason(error)}") from error
    try:
        yield
    finally:
        lock.close()


def _uri(path: Path, *, write: bool) -> str:
    if write:
        mode = "mode=rwc"
    elif os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists():
        mode = "mode=ro"
    else:
        # Readers of a write-ahead file write beside it, unless told that nobody else does.
        mode = "mode=ro&immutable=1"
    return f"{path.absolute().as_uri()}?{mode}"


def _reason(error: sqlite3.Error) -> str:
    """What went wrong, by SQLite's own code, and what to do about it."""
    code = getattr(error, "sqlite_errorname", "")
    for prefix, words in (
        ("SQLITE_BUSY", f"locked by another program for {_WAIT_S:.0f} s: wait for it to end"),
        ("SQLITE_FULL", "the disk is full: make room; what was written before is kept"),
        ("SQLITE_READONLY", "may not be written (no rights, or a read-only disk)"),
        ("SQLITE_CANTOPEN", "cannot be opened (no rights, most likely)"),
        ("SQLITE_NOTADB", "is no database of Tonearm but some other file"),
        ("SQLITE_CORRUPT", "is damaged: move it away, or restore a backup"),
        ("SQLITE_IOERR", f"the disk is full or failed ({error})"),
    ):
        if code.startswith(prefix):
            return words
    return str(error)
