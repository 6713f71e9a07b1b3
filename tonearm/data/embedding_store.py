"""The embedding store: the embeddings of each sound, stored once for library and training.

It is two tables of the library's SQLite file. A row of ``embeddings`` is a sound (by its sound key)
under one encoder. A row of ``analysed`` is a file that a training run or an evaluation read, with
its sound key, so that it need not be opened again; the files of a scan are in the library's own
tables. Values are float16 [n, d], the start of each window is float32 [n], and the texture of the
second encoder is float16 [m, t], if it was asked for.

Must not decode audio or know about genres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonearm.database import Database
from tonearm.files import FileStatus

SILENT = " silent INTEGER NOT NULL DEFAULT 0,"
LOW_RATE = " low_rate INTEGER NOT NULL DEFAULT 0,"
TABLES = f"""
CREATE TABLE embeddings(
    key TEXT NOT NULL, encoder TEXT NOT NULL, duration_s REAL NOT NULL, warning TEXT,
    windows INTEGER NOT NULL, values_f16 BLOB NOT NULL, starts_f32 BLOB, texture_f16 BLOB,
    texture_windows INTEGER,{SILENT}{LOW_RATE} PRIMARY KEY(key, encoder)) WITHOUT ROWID;
CREATE TABLE analysed(
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, device INTEGER NOT NULL, inode INTEGER NOT NULL,
    key TEXT NOT NULL, artist TEXT) WITHOUT ROWID
"""


@dataclass(frozen=True)
class StoredEmbeddings:
    """The embeddings of one sound.

    Parameters
    ----------
    values : float16 [n, d]
        Embeddings of its windows.
    starts_s : float32 [n] or None
        Start of each window; None if an earlier version of Tonearm stored the row.
    duration_s : float
    warning : str or None
        What is wrong with the file.
    texture : float16 [m, t] or None
        What the second encoder gives.
    silent : bool
        Whether there is nothing but silence; False too if an earlier version stored the row.
    low_rate : bool
        Whether it was sampled at a lower rate than the encoder's; False as for ``silent``.
    """

    values: NDArray[np.float16]
    starts_s: NDArray[np.float32] | None
    duration_s: float
    warning: str | None = None
    texture: NDArray[np.float16] | None = None
    silent: bool = False
    low_rate: bool = False


def texture_of(values: bytes | None, windows: int | None) -> NDArray[np.float16] | None:
    """The texture [m, t] that these columns hold.

    Parameters
    ----------
    values : bytes or None
        Float16, as they are stored.
    windows : int or None
        How many windows they are.
    """
    if values is None or not windows:
        return None
    return np.frombuffer(values, dtype=np.float16).reshape(windows, -1)


@dataclass(frozen=True)
class AnalysedFile:
    """A file whose sound is known: its sound key, and the artist that its tags name."""

    key: str
    artist: str | None


class EmbeddingStore:
    """Embeddings by sound key and encoder, in a database that has these tables.

    Parameters
    ----------
    database : Database
        An open database with :data:`TABLES`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def has(self, key: str, encoder: str) -> bool:
        """Whether that encoder has analysed a sound.

        Parameters
        ----------
        key : str
            Sound key.
        encoder : str
            SHA-256 of the encoder.
        """
        sql = "SELECT 1 FROM embeddings WHERE key = ? AND encoder = ?"
        return bool(self._database.rows(sql, [key, encoder]))

    def get(self, key: str, encoder: str) -> StoredEmbeddings | None:
        """Embeddings of a sound by that encoder; None if it has not analysed it.

        Parameters
        ----------
        key : str
            Sound key.
        encoder : str
            SHA-256 of the encoder.
        """
        found = self._database.rows(
            "SELECT windows, values_f16, starts_f32, duration_s, warning, texture_f16,"
            " texture_windows, silent, low_rate FROM embeddings WHERE key = ? AND encoder = ?",
            [key, encoder],
        )
        if not found:
            return None
        windows, values, starts, duration_s, warning, *texture, silent, low_rate = found[0]
        return StoredEmbeddings(
            # Half precision, as stored; callers widen it before they compute.
            np.frombuffer(values, dtype=np.float16).reshape(windows, -1),
            None if starts is None else np.frombuffer(starts, dtype=np.float32),
            duration_s,
            warning,
            texture_of(*texture),
            bool(silent),
            bool(low_rate),
        )

    def put(self, key: str, encoder: str, made: StoredEmbeddings) -> None:
        """Store the embeddings of a sound, and replace older ones.

        Parameters
        ----------
        key : str
            Sound key.
        encoder : str
            SHA-256 of the encoder.
        made : StoredEmbeddings
            What the encoder gave.
        """
        starts = None if made.starts_s is None else made.starts_s.astype(np.float32).tobytes()
        # Half precision changes a probability by 2.5e-4 at most, less than another encoding does.
        values = made.values.astype(np.float16)
        row = (key, encoder, made.duration_s, made.warning, len(values), values.tobytes(), starts)
        # None says that the second encoder was not asked, which is the rule: most tracks leave no
        # doubt.
        texture: tuple[bytes | None, int | None] = (None, None)
        if made.texture is not None:
            # Windows are counted apart: a texture may have another number of them.
            texture = (made.texture.astype(np.float16).tobytes(), len(made.texture))
        self._database.write(
            "INSERT OR REPLACE INTO embeddings(key, encoder, duration_s, warning, windows,"
            " values_f16, starts_f32, texture_f16, texture_windows, silent, low_rate)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*row, *texture, made.silent, made.low_rate)],
        )

    def file(self, path: bytes, status: FileStatus) -> AnalysedFile | None:
        """The file of that path, if it was analysed and has not changed since.

        Parameters
        ----------
        path : bytes
            As the file system has it.
        status : FileStatus
            As it is now.
        """
        found = self._database.rows(
            "SELECT key, artist FROM analysed WHERE path = ?"
            # The same five as of a scan: see `FileStatus`.
            " AND (size, mtime_ns, ctime_ns, device, inode) = (?, ?, ?, ?, ?)",
            [path, *status],
        )
        # A changed file is simply not found: its row is replaced when it is analysed.
        return AnalysedFile(*found[0]) if found else None

    def put_file(self, path: bytes, status: FileStatus, file: AnalysedFile) -> None:
        """Store which sound a file holds.

        Parameters
        ----------
        path : bytes
            As the file system has it.
        status : FileStatus
            As it was when the file was read.
        file : AnalysedFile
            Its sound key, and its artist.
        """
        self._database.write(
            "INSERT OR REPLACE INTO analysed VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(path, *status, file.key, file.artist)],
        )

    def drop_unused(self) -> None:
        """Drop the embeddings of sounds that no file holds any more."""
        self._database.write(
            "DELETE FROM embeddings WHERE key NOT IN (SELECT key FROM sounds)"
            # Files of a training run count too, though no scan knows them.
            " AND key NOT IN (SELECT key FROM analysed)"
        )
