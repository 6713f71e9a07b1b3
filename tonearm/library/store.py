"""The library on disk: one SQLite file in write-ahead mode, whose SQL stays within this folder.

Two tables hold what matters. A row of ``sounds`` is an analysed sound, found by its key; a row
of ``tracks`` is a file: path, times, tags, and which sound it holds. So a file that moves or is
tagged changes its track alone, and a copy is a second track of one sound. Paths are kept as the
bytes of the file system, absolute. A sound keeps the mean of its embeddings, float32 [d]; the
embeddings themselves are in the tables of :mod:`tonearm.data.embedding_store`, which training and
evaluation share.

Imports no decoder, no classifier and nothing of the command line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.data.embedding_store import AnalysedFile, EmbeddingStore, StoredEmbeddings
from tonearm.data.groups import credited
from tonearm.database import Database
from tonearm.files import FileStatus
from tonearm.library.records import FileTags, Known, ModelRecord, Track
from tonearm.library.rows import (
    BELOW,
    TRACK_COLUMNS,
    as_stored,
    bounds_of,
    folded,
    genre_tag,
    lacks_genre,
    stored_prediction,
    stored_tags,
    track_of,
)
from tonearm.library.schema import SCHEMA
from tonearm.model.prediction import Prediction
from tonearm.tagging.plan import names_genre

__all__ = [
    "FileStatus",
    "FileTags",
    "Known",
    "Library",
    "ModelRecord",
    "Track",
    "as_stored",
]

_STATUS = "size, mtime_ns, ctime_ns, device, inode"
_JOINED = "tracks t LEFT JOIN sounds s ON s.id = t.sound LEFT JOIN models m ON m.id = s.model"


class Library(Database):
    """A library file, open; see :class:`~tonearm.database.Database` for what it may raise.

    Parameters
    ----------
    path : path
        The SQLite file.
    write : bool
        Open it for writing; it is created if it is missing.
    """

    def __init__(self, path: str | os.PathLike[str], *, write: bool = False) -> None:
        super().__init__(path, SCHEMA, write=write)
        self.embeddings = EmbeddingStore(self)
        self.function("unhexed", bytes.fromhex)
        self.function("folded", folded)
        self.function("genre_tag", genre_tag)
        self.function("names_genre", names_genre)
        self.function("lacks_genre", lacks_genre)

    def tracks(
        self,
        below: Iterable[str | os.PathLike[str]] | None = None,
        *,
        missing: bool = False,
        where: str = "1",
        values: Sequence[Any] = (),
    ) -> Iterator[Track]:
        """Tracks in the order of their paths.

        Parameters
        ----------
        below : iterable of path or None
            Files and folders; None is the whole library.
        missing : bool
            Also files that were missing at the last scan.
        where, values : str, sequence
            A further condition in SQL, for the modules of this folder.
        """
        if below is not None:
            where, values = f"({where}) AND {BELOW}", (*values, bounds_of(below))
        sql = (
            f"SELECT {TRACK_COLUMNS} FROM {_JOINED} WHERE ({where})"  # noqa: S608
            f" AND t.missing <= {int(missing)} ORDER BY t.path"
        )
        yield from map(track_of, self.each_row(sql, values))

    def track(self, path: str | os.PathLike[str]) -> Track | None:
        """The track of exactly that path, missing or not.

        Parameters
        ----------
        path : path
            As the file system has it.
        """
        # Paths are kept as bytes, since names on a disk need not be UTF-8.
        found = self.tracks(missing=True, where="t.path = ?", values=[as_stored(path)])
        return next(found, None)

    def place_of(self, track: int, key: str) -> str | None:
        """Path of the track of that number, as long as it holds the sound of that key.

        Parameters
        ----------
        track : int
            Number of the track.
        key : str
            Sound key.
        """
        found = self.rows(
            "SELECT t.path FROM tracks t JOIN sounds s ON s.id = t.sound"
            " WHERE t.id = ? AND s.key = ?",
            [track, key],
        )
        return os.fsdecode(found[0][0]) if found else None

    def places_of(self, key: str) -> list[str]:
        """Paths of all tracks that hold the sound of that key and are there.

        Parameters
        ----------
        key : str
            Sound key.
        """
        found = self.rows(
            "SELECT t.path FROM tracks t JOIN sounds s ON s.id = t.sound"
            " WHERE s.key = ? AND NOT t.missing ORDER BY t.path",
            [key],
        )
        return [os.fsdecode(path) for (path,) in found]

    def known(self, path: bytes) -> Known | None:
        """What is known of a path as it is stored.

        Parameters
        ----------
        path : bytes
            From :func:`as_stored`.
        """
        sql = (
            "SELECT t.id, t.size, t.mtime_ns, t.ctime_ns, t.device, t.inode,"  # noqa: S608
            f" t.error_kind, m.encoder, m.sha256 FROM {_JOINED} WHERE t.path = ?"
        )
        found = self.rows(sql, [path])
        if not found:
            return None
        number, *status, error_kind, encoder, model = found[0]
        return Known(number, FileStatus(*status), error_kind, encoder, model)

    def model_id(self, model: ModelRecord) -> int:
        """Number of a model, which is entered at its first use.

        Parameters
        ----------
        model : ModelRecord
            What the library keeps of a model.
        """
        names = json.dumps(model.names) if model.names else None
        self.write(
            "INSERT OR IGNORE INTO models(sha256, name, encoder, labels, names)"
            " VALUES (?, ?, ?, ?, ?)",
            [(model.sha256, model.name, model.encoder, json.dumps(model.labels), names)],
        )
        return int(self.rows("SELECT id FROM models WHERE sha256 = ?", [model.sha256])[0][0])

    def model(self) -> ModelRecord | None:
        """The model that classified most of the library; None while nothing is analysed."""
        return next(iter(self.models()), None)

    def models(self) -> list[ModelRecord]:
        """The models that classified something, the one that classified most first."""
        found = self.rows(
            "SELECT sha256, name, encoder, labels, names FROM models m JOIN"
            " (SELECT model, COUNT(*) n FROM sounds GROUP BY model) c ON c.model = m.id"
            " ORDER BY c.n DESC, m.id DESC"
        )
        return [
            ModelRecord(
                sha256,
                name,
                encoder,
                tuple(json.loads(labels)),
                tuple(json.loads(names)) if names else None,
            )
            for sha256, name, encoder, labels, names in found
        ]

    def model_path(self) -> str | None:
        """File of the model of the last scan, empty for the built-in; None where nobody said."""
        if not self.has("settings"):
            return None
        found = self.rows("SELECT value FROM settings WHERE name = 'model_path'")
        return os.fsdecode(found[0][0]) if found else None

    def keep_model_path(self, path: Path | None) -> None:
        """Keep it, for the next scan to go on with the same; None is the built-in.

        Parameters
        ----------
        path : Path or None
            The model file of a scan.
        """
        stored = as_stored(path) if path is not None else b""
        self.write("INSERT OR REPLACE INTO settings VALUES ('model_path', ?)", [[stored]])

    def sound_id(self, key: str, encoder: str) -> int | None:
        """Number of a sound, if that encoder has analysed it.

        Parameters
        ----------
        key : str
            Sound key.
        encoder : str
            SHA-256 of the encoders.
        """
        found = self.rows(
            "SELECT s.id FROM sounds s JOIN models m ON m.id = s.model"
            " WHERE s.key = ? AND m.encoder = ?",
            [key, encoder],
        )
        return int(found[0][0]) if found else None

    def roots(self) -> list[str]:
        """Folders that were scanned so far."""
        # Files that were named one by one were kept here once.
        sql = "SELECT path FROM roots WHERE path NOT IN (SELECT path FROM tracks) ORDER BY path"
        return [os.fsdecode(path) for (path,) in self.rows(sql)]

    def mounts(self) -> list[str]:
        """Folders at or below these that were on a disk of their own at the last scan."""
        if not self.has("mounts"):
            return []
        return [os.fsdecode(path) for (path,) in self.rows("SELECT path FROM mounts ORDER BY path")]

    def unread(self) -> list[tuple[str, str]]:
        """What the last scan could not look at, with the reason: links to nowhere, folders."""
        if not self.has("unread"):
            return []
        rows = self.rows("SELECT path, reason FROM unread ORDER BY path")
        return [(os.fsdecode(path), reason) for path, reason in rows]

    def strays(self) -> Iterator[Path]:
        """Files that lie in none of these folders: they were named one by one."""
        sql = f"SELECT t.path FROM tracks t WHERE NOT {BELOW} ORDER BY t.path"  # noqa: S608
        for (path,) in self.each_row(sql, [bounds_of(self.roots())]):
            yield Path(os.fsdecode(path))

    def forget(self, paths: Iterable[str | os.PathLike[str]] | None) -> int:
        """Drop files at or below paths, or all that are missing; gives their number.

        What no file holds any more goes too. Files on the disk, reviews and the journal stay.

        Parameters
        ----------
        paths : iterable of path or None
            Files and folders; None is all that are missing.
        """
        with self.transaction():
            if paths is None:
                condition, value = "t.missing", []
            else:
                paths = list(paths)
                condition, value = BELOW, [bounds_of(paths)]
                stored = [(as_stored(path),) for path in paths]
                # Else the next scan of everything would bring the files back.
                self.write("DELETE FROM roots WHERE path = ?", stored)
                self._forget_places(paths)
            count = self.rows(f"SELECT count(*) FROM tracks t WHERE {condition}", value)[0][0]  # noqa: S608
            self.rows(
                f"DELETE FROM tracks WHERE id IN (SELECT t.id FROM tracks t WHERE {condition})",  # noqa: S608
                value,
            )
            self.drop_unused()
        return int(count)

    def drop_unused(self) -> None:
        """Drop sounds that no file holds any more, missing ones among these, and what is theirs."""
        self.rows(
            "DELETE FROM sounds WHERE id NOT IN (SELECT sound FROM tracks WHERE sound IS NOT NULL)"
        )
        # Sounds first: what belongs to none of them goes.
        self.embeddings.drop_unused()

    def _forget_places(self, paths: Iterable[str | os.PathLike[str]]) -> None:
        """Drop what is noted of folders and links at or below paths."""
        for table in ("mounts", "unread"):
            self.rows(
                f"DELETE FROM {table} WHERE EXISTS (SELECT 1 FROM json_each(?)"  # noqa: S608
                f" WHERE {table}.path >= unhexed(json_extract(value, '$[0]'))"
                f" AND {table}.path < unhexed(json_extract(value, '$[1]')))",
                [bounds_of(paths)],
            )

    def put_sound(
        self,
        key: str,
        *,
        model: int,
        windows: NDArray[np.float16],
        starts_s: NDArray[np.float32] | None = None,
        duration_s: float,
        warning: str | None,
        prediction: Prediction,
        texture: NDArray[np.float16] | None = None,
    ) -> int:
        """Keep windows [n, d] and texture [m, t]; a sound that was analysed before is replaced.

        Parameters
        ----------
        key : str
            Sound key.
        model : int
            Number of the model.
        windows : float16 [n, d]
            Embeddings, as they are stored.
        starts_s : float32 [n] or None
            Where each window begins.
        duration_s : float
            Length of the sound.
        warning : str or None
            What is wrong with the file.
        prediction : Prediction
            What the model says of it.
        texture : float16 [m, t] or None
            From the second encoder, if it was asked.
        """
        # Kept next to the windows: `similar` and the map compare all tracks, and need no more.
        pooled = windows.astype(np.float32).mean(axis=0)  # (d,)
        ((encoder, labels),) = self.rows("SELECT encoder, labels FROM models WHERE id = ?", [model])
        predicted = stored_prediction(prediction, json.loads(labels))
        columns = (key, model, duration_s, *predicted, warning, pooled.tobytes())
        number = self.rows(
            "INSERT INTO sounds(key, model, duration_s, genre, nearest, confidence, mix,"
            " probabilities, styles, note, warning, pooled)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            # The number stays, so that tracks keep their sound when it is analysed again.
            " ON CONFLICT(key) DO UPDATE SET model = excluded.model,"
            " duration_s = excluded.duration_s, genre = excluded.genre,"
            " nearest = excluded.nearest, confidence = excluded.confidence, mix = excluded.mix,"
            " probabilities = excluded.probabilities, styles = excluded.styles,"
            " note = excluded.note, warning = excluded.warning,"
            " pooled = excluded.pooled RETURNING id",
            columns,
        )[0][0]
        silent, low_rate = prediction.note == "silent", prediction.note == "low-rate"
        made = StoredEmbeddings(windows, starts_s, duration_s, warning, texture, silent, low_rate)
        self.embeddings.put(key, encoder, made)
        return int(number)

    def analysed_file(
        self, path: str | os.PathLike[str], status: FileStatus
    ) -> AnalysedFile | None:
        """A file that a scan or a training run analysed, if it has not changed since.

        Parameters
        ----------
        path : path
            As the file system has it.
        status : FileStatus
            As it is now.
        """
        stored = as_stored(path)
        found = self.rows(
            f"SELECT s.key, t.artist, t.album_artist FROM tracks t JOIN sounds s ON s.id = t.sound"  # noqa: S608
            f" WHERE t.path = ? AND ({_STATUS}) = (?, ?, ?, ?, ?)",
            [stored, *status],
        )
        if not found:
            # A file that only a training run has analysed is no track, but its sound is known.
            return self.embeddings.file(stored, status)
        key, artist, album_artist = found[0]
        return AnalysedFile(key, credited(artist, album_artist))

    def put_predictions(self, model: int, predictions: Iterable[tuple[int, Prediction]]) -> None:
        """Replace the predictions of sounds, by number.

        Parameters
        ----------
        model : int
            Number of the model.
        predictions : iterable of (int, Prediction)
            By the number of the sound.
        """
        ((labels,),) = self.rows("SELECT labels FROM models WHERE id = ?", [model])
        names = json.loads(labels)
        self.write(
            "UPDATE sounds SET genre = ?, nearest = ?, confidence = ?, mix = ?,"
            " probabilities = ?, styles = ?, note = ?, model = ? WHERE id = ?",
            (
                (*stored_prediction(prediction, names), model, number)
                for number, prediction in predictions
            ),
        )

    def put_track(
        self,
        path: bytes,
        status: FileStatus,
        tags: FileTags,
        *,
        sound: int | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        """Keep a file with its sound, or with the kind and words of its error.

        Parameters
        ----------
        path : bytes
            From :func:`as_stored`.
        status : FileStatus
            Size and times when it was read.
        tags : FileTags
            What its tags say.
        sound : int or None
            Number of its sound.
        error : (str, str) or None
            Kind and message.
        """
        self.write(
            "INSERT OR REPLACE INTO tracks(id, path, size, mtime_ns, ctime_ns, device, inode,"
            " title, artist, album, album_artist, genres, by_tonearm, tag_error, sound,"
            # The number of a known path stays: the journal refers to tracks by it.
            " error_kind, error_message) VALUES ((SELECT id FROM tracks WHERE path = ?1),"
            " ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            [(path, *status, *stored_tags(tags), sound, *(error or (None, None)))],
        )

    def update_file(self, path: str | os.PathLike[str], tags: FileTags) -> None:
        """Take over a file's tags and times after they were written: its sound is the same.

        All paths by which the library knows that file (links lead to it) follow; nothing happens
        where it does not have this one.

        Parameters
        ----------
        path : path
            The file that was written.
        tags : FileTags
            Its tags as they are now.
        """
        # Before the row is written, or a change in between would be taken for known.
        status = FileStatus.of(os.stat(path))
        known = self.rows(f"SELECT sound, {_STATUS} FROM tracks WHERE path = ?", [as_stored(path)])  # noqa: S608
        self.write(
            "UPDATE tracks SET size = ?, mtime_ns = ?, ctime_ns = ?, device = ?, inode = ?,"  # noqa: S608
            " title = ?, artist = ?, album = ?, album_artist = ?, genres = ?, by_tonearm = ?,"
            f" tag_error = ? WHERE sound IS ? AND ({_STATUS}) = (?, ?, ?, ?, ?)",
            ((*status, *stored_tags(tags), *before) for before in known),
        )
