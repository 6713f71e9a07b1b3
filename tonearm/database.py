"""An SQLite file of Tonearm: opening, checking, locking, and errors in plain words.

The library, its reviews and its journal are three files, because only the library can be made again
from the music. All three are opened, checked and locked here. The only module that imports sqlite3.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tonearm.errors import LibraryError

WAIT_S = 15.0  # for another program that writes
RUN_WAIT_S = 60.0  # for another run of the same kind, which may be about to end
_SILENT_S = 1.0  # most waits are shorter; nobody wants to read of them
_LOOK_S = 0.2  # between two looks whether the other run has ended

_LOGGER = logging.getLogger("tonearm.database")


@dataclass(frozen=True)
class Schema:
    """The kind of a file and its tables.

    Parameters
    ----------
    kind : str
        Its name in messages: library, journal.
    application_id : int
        Four letters that distinguish it from any other SQLite file.
    version : int
        Version of the tables. A file of a later version is rejected, one of an earlier version is
        upgraded.
    tables : str
        The SQL that creates them.
    remedy : str
        What to do when the file is missing or empty.
    later : str
        The SQL of tables that a file of this version may lack. They are created where they are
        missing; an older Tonearm ignores them.
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
    """An open file with a schema, in write-ahead mode.

    Parameters
    ----------
    path : path
        The SQLite file. With ``write``, it and its folder are created if they are missing.
    schema : Schema
        The schema it must have.
    write : bool
        Open it for writing. Otherwise it is only read, which works without write permission.

    Raises
    ------
    LibraryError
        From every method: if the file is missing, of another program, damaged, of a newer
        Tonearm or locked, or if the disk is full.
    """

    def __init__(self, path: str | os.PathLike[str], schema: Schema, *, write: bool) -> None:
        self.path = Path(path)
        self._schema = schema
        with self._explained():
            self._connection = self._connect(write)
            try:
                self._patiently(lambda: self._prepare(write))
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything in the block, or nothing."""
        with self._explained():
            # The write lock at once: a transaction that asks for it later can fail halfway.
            self._patiently(lambda: self._connection.execute("BEGIN IMMEDIATE"))
            try:
                yield
            except BaseException:
                # SQLite has rolled back already if the disk is full.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query.

        Parameters
        ----------
        sql : str
            A statement.
        values : sequence
            Values of its placeholders.
        """
        with self._explained():
            return self._connection.execute(sql, values).fetchall()

    def each_row(self, sql: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a large query, read as they are needed.

        Parameters
        ----------
        sql : str
            A statement.
        values : sequence
            Values of its placeholders.
        """
        with self._explained():
            cursor = self._connection.execute(sql, values)  # wrong SQL fails here
        while True:
            with self._explained():
                rows = cursor.fetchmany(1_000)  # bounds the memory for a large library
            if not rows:
                return
            yield from rows

    def write(self, sql: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
        """Run one statement for each row.

        Parameters
        ----------
        sql : str
            A statement.
        rows : iterable of sequence
            Values of its placeholders, for each time it runs; once without any by default.
        """
        with self._explained():
            self._connection.executemany(sql, rows)

    def has(self, table: str) -> bool:
        """Whether a table is there: a file of before, open to read, may lack the later ones.

        Parameters
        ----------
        table : str
            Its name.
        """
        return bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = ?", [table]))

    def function(self, name: str, function: Callable[..., Any]) -> None:
        """Let queries call a function without side effects, of any number of values.

        Parameters
        ----------
        name : str
            Its name in SQL.
        function : callable
            What SQL may call by that name.
        """
        with self._explained():
            self._connection.create_function(name, -1, function, deterministic=True)

    def attach(self, path: Path, name: str) -> None:
        """Let queries read another file of Tonearm under a name.

        Parameters
        ----------
        path : Path
            The other database.
        name : str
            The schema's name in SQL: ``name.table``.
        """
        self.rows("ATTACH DATABASE ? AS ?", (_uri(path, write=False), name))

    def _patiently(self, step: Callable[[], object]) -> None:
        """Take a step that may have to wait for another program, and say so if it does."""
        self._set_wait(min(_SILENT_S, WAIT_S))
        try:
            step()
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            kind, path = self._schema.kind, self.path
            words = "the %s %s is locked by another program; waiting up to %.0f s"
            _LOGGER.warning(words, kind, path, WAIT_S)
        else:
            return
        finally:
            self._set_wait(WAIT_S)
        step()

    def _set_wait(self, seconds: float) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1_000)}")

    def _connect(self, write: bool) -> sqlite3.Connection:
        name = f"{self._schema.kind} {self.path}"
        if self.path.is_dir():
            raise LibraryError(f"{name} is a folder: name a file")
        # SQLite would wait for somebody who writes into the pipe.
        if self.path.exists() and not self.path.is_file():
            raise LibraryError(f"{name} is a pipe or a device: name a file")
        if write:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = f"the folder of {name} cannot be created: {error.strerror}"
                raise LibraryError(reason) from None
        elif not self.path.exists():
            kind, remedy = self._schema.kind, self._schema.remedy
            raise LibraryError(f"there is no {kind} at {self.path} yet: {remedy}")
        # isolation_level None: Python's own implicit transactions would interfere with ours.
        uri = _uri(self.path, write=write)
        return sqlite3.connect(uri, uri=True, timeout=WAIT_S, isolation_level=None)

    def _prepare(self, write: bool) -> None:
        """Check whose file it is, and create the tables of a new one."""
        schema = self._schema
        # One query, so that no other program can change the file between the answers.
        ours, version, empty = self._connection.execute(
            "SELECT (SELECT application_id FROM pragma_application_id),"
            " (SELECT user_version FROM pragma_user_version), NOT EXISTS (SELECT 1 FROM"
            " sqlite_master)"
        ).fetchone()
        if not empty and ours != schema.application_id:
            raise LibraryError(
                f"{self.path} is a database, but not a Tonearm {schema.kind}: name another file"
            )
        if version > schema.version:
            raise LibraryError(
                f"{self.path} is the {schema.kind} of a newer Tonearm (schema {version}; this "
                f"one knows {schema.version}): update Tonearm, or name another file with --library"
            )
        if not write:
            if empty:
                raise LibraryError(f"the {schema.kind} {self.path} is empty: {schema.remedy}")
            if version < schema.version:
                # Reading needs the present tables; opening for writing upgrades them.
                Database(self.path, schema, write=True).close()
            return
        # With a write-ahead log the page can read while a scan writes.
        self._connection.execute("PRAGMA journal_mode = WAL")
        # With this, a commit survives kill -9. A power failure may lose it, but never half of it.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        # Off by default in SQLite, for each new connection.
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            # Checked again: another program may have created the tables in the meantime.
            (found,) = self._connection.execute("PRAGMA user_version").fetchone()
            if not found:
                self._run(schema.tables)
                self._connection.execute(f"PRAGMA application_id = {schema.application_id}")
            else:
                for upgrade in schema.upgrades[found - 1 :]:  # versions count from 1
                    self._run(upgrade)
            if found != schema.version:
                self._connection.execute(f"PRAGMA user_version = {schema.version}")
            self._run(schema.later)

    def _run(self, sql: str) -> None:
        """Run statements within the open transaction, which `executescript` would end."""
        for statement in sql.split(";"):
            self._connection.execute(statement)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn an error of SQLite into one line that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise LibraryError(f"the {self._schema.kind} {self.path} {_reason(error)}") from error


@contextmanager
def alone(path: Path, *, what: str) -> Iterator[None]:
    """Hold a lock on a file that ends with the process, on any system.

    It is SQLite's lock on an empty database next to the file.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What another process that holds the lock does, for the message: "another scan".

    Raises
    ------
    LibraryError
        If another process still holds the lock after a minute, or it cannot be created.
    """
    place = path.with_name(f"{path.name}.lock")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(place, timeout=0, isolation_level=None)
        try:
            _lock(lock, f"{what} is writing {path}")
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise LibraryError(f"{place} cannot be created: {error.strerror}") from error
    except sqlite3.Error as error:
        raise LibraryError(f"{place} {_reason(error)}") from error
    try:
        yield
    finally:
        lock.close()


def _lock(lock: sqlite3.Connection, who: str) -> None:
    """Take the lock, after a while of waiting for the one that holds it."""
    until = time.monotonic() + RUN_WAIT_S
    said = False
    while True:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            # It may be at work for hours; a command that never ends would pile up under cron.
            if time.monotonic() >= until:
                waited = f"still after {RUN_WAIT_S:.0f} s of waiting"
                raise LibraryError(f"{who}, {waited}: try again when it has ended") from None
        else:
            return
        if not said:
            _LOGGER.warning("%s; waiting up to %.0f s for it to end", who, RUN_WAIT_S)
            said = True
        time.sleep(_LOOK_S)


def _is_busy(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")


def _uri(path: Path, *, write: bool) -> str:
    if write:
        mode = "mode=rwc"
    elif os.access(path.parent, os.W_OK) or path.with_name(f"{path.name}-wal").exists():
        mode = "mode=ro"
    else:
        # A reader of a write-ahead file creates files next to it, unless it is marked immutable.
        mode = "mode=ro&immutable=1"
    return f"{path.absolute().as_uri()}?{mode}"


def _reason(error: sqlite3.Error) -> str:
    """What is wrong with a file and what to do, by SQLite's code: the predicate of a sentence."""
    code = getattr(error, "sqlite_errorname", "")  # SQLITE_BUSY_SNAPSHOT and the like begin alike
    for prefix, words in (
        (
            "SQLITE_BUSY",
            f"has been locked by another program for {WAIT_S:.0f} s: wait until it ends",
        ),
        (
            "SQLITE_FULL",
            "cannot be written: the disk is full; make room. What was written before is kept",
        ),
        ("SQLITE_READONLY", "cannot be written: the permissions, or a read-only disk, forbid it"),
        ("SQLITE_CANTOPEN", "cannot be opened: check its permissions"),
        (
            "SQLITE_NOTADB",
            "is not a database: name another with --library, or move it away and scan again",
        ),
        ("SQLITE_CORRUPT", "is damaged: move it away, or restore a backup"),
        ("SQLITE_IOERR", f"cannot be read or written: the disk is full or fails ({error})"),
    ):
        if code.startswith(prefix):
            return words
    return f"cannot be used: {error}"
