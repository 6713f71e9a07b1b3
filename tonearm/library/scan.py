"""Scanning: from folders to a library, hearing nothing that was heard before.

First the folders are walked: a file of the same size and times as before costs its stat. What is
new or changed goes, one at a time, to the workers of :mod:`tonearm.workers`, who say its
sound key; a known key is not heard again. This process alone writes the database, and commits after
each file: a kill at any moment loses what was in flight.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.audio import AUDIO_SUFFIXES, check_file
from tonearm.containers.sound_key import sound_key
from tonearm.data.embedding_store import StoredEmbeddings, texture_of
from tonearm.database import alone
from tonearm.errors import DecodeError
from tonearm.files import cores, find, is_excluded
from tonearm.library.file_tags import file_tags
from tonearm.library.mounts import is_unmounted
from tonearm.library.scan_result import Scan
from tonearm.library.store import (
    FileStatus,
    FileTags,
    Known,
    Library,
    ModelRecord,
    as_stored,
)
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.model.encoder import Embeddings
from tonearm.model.file import Model
from tonearm.model.prediction import Prediction
from tonearm.workers import Caller, Done, Failure, Limits, Pool, Question, Work

Embed = Callable[[str], Embeddings]
# Called once in each worker: it may load a model that all its files share.
MakeEmbed = Callable[[], Embed]
ReadTags = Callable[[str], FileTags]

_BATCH = 1_000
# While folders are walked.
_TELL_S = 0.2


@dataclass(frozen=True)
class Looked:
    """What a first look at a file gave: its sound key and its tags."""

    key: str
    tags: FileTags


def scan(
    library: Library,
    paths: Iterable[str | os.PathLike[str]],
    *,
    model: Model | None = None,
    make_embed: MakeEmbed | None = None,
    read_tags: ReadTags = file_tags,
    jobs: int | None = None,
    again: bool = False,
    retry: bool = False,
    exclude: Sequence[str] = (),
    limits: Limits | None = None,
    result: Scan | None = None,
    on_progress: Callable[[Scan], None] = lambda _: None,
) -> Scan:
    """Bring the library up to date with files and folders.

    Parameters
    ----------
    library : Library
        Open for writing.
    paths : iterable of path
        Files and folders.
    model : Model or None
        The model that classifies; None is the built-in.
    make_embed : callable or None
        Gives, in each worker, the function that encodes a file; importable by name. None makes it
        of the model.
    read_tags : callable
        Reads the tags of a file; importable by name.
    jobs : int or None
        Files analysed at once, each in a process of its own; None is one for each core.
    again : bool
        Also look at all that was scanned before.
    retry : bool
        Also try files again that failed and have not changed since.
    exclude : sequence of str
        Patterns of names, or of whole paths, to skip; files that were scanned before count as gone.
    limits : Limits or None
        What one file may cost.
    result : Scan or None
        Filled as the scan goes, for a caller who is interrupted.
    on_progress : callable
        Called now and then, and after each file; may raise to stop.

    Raises
    ------
    LibraryError
        When the library cannot be written, or another scan of it goes on: both would analyse all.

    Examples
    --------
    >>> from tonearm.library.store import Library
    >>> with Library("library.sqlite", write=True) as library:
    ...     result = scan(library, ["midnight_walk.mp3"], jobs=1)
    >>> result.analysed, result.failures
    (1, [])
    """
    result = result or Scan()
    model = model or model_file.load()
    make_embed = make_embed or partial(_embed_of, model)
    named = [Path(os.path.abspath(path)) for path in paths]
    with alone(library.path, what="another scan"):
        session = _Session(library, model, result, lambda: on_progress(result))
        session.reclassify()
        session.walk(named, again=again, retry=retry, exclude=exclude)
        result.looking = False
        on_progress(result)
        if result.to_do:
            with Pool(
                min(jobs or cores(), result.to_do),
                make_work=partial(make_work, make_embed, read_tags),
                limits=limits,
            ) as pool:
                session.analyse(pool)
        session.finish(named, again=again)
    return result


def make_work(make_embed: MakeEmbed, read_tags: ReadTags) -> Work:
    """In a worker: the function that looks at a file, and analyses it if its sound is new."""
    embed = make_embed()

    def work(path: str, caller: Caller) -> StoredEmbeddings | None:
        check_file(Path(path))
        looked = Looked(sound_key(path), read_tags(path))
        return _rounded(path, embed(path)) if caller.ask(looked) else None

    return work


def _rounded(path: str, embeddings: Embeddings) -> StoredEmbeddings:
    windows = embeddings.values.astype(np.float16)
    if not np.isfinite(windows).all():
        reason = "cannot be analysed: the model's answer to it is not a number"
        raise DecodeError(path, "unreadable", reason)
    return StoredEmbeddings(
        values=windows,
        starts_s=embeddings.starts_s.astype(np.float32),
        duration_s=embeddings.duration_s,
        warning="; ".join(embeddings.warnings) or None,
        texture=None if embeddings.texture is None else embeddings.texture.astype(np.float16),
    )


def load_embed(model: Path | None) -> Embed:
    """In a worker: the function that encodes a file with that model file."""
    return Classifier.load(model, threads=1).embed


def _embed_of(model: Model) -> Embed:
    return Classifier(model, threads=1).embed


def model_of(model: Model) -> ModelRecord:
    """What the library keeps of a model file."""
    return ModelRecord(
        sha256=model.sha256,
        name=model.name,
        encoder=model.encoder_sha256,
        labels=model.labels,
        names=model.embedding_names,
    )


@dataclass(frozen=True)
class _File:
    """A file on its way: its row in the list of the walk, and what the first look gave."""

    path: bytes
    status: FileStatus
    looked: Looked | None = None


class _Session:
    """The state of one scan."""

    def __init__(
        self, library: Library, model: Model, result: Scan, on_progress: Callable[[], None]
    ) -> None:
        self._library, self._head, self._result = library, model.head, result
        self._on_progress, self._tell_at = on_progress, 0.0
        record = model_of(model)
        self._encoder = record.encoder
        self._model = library.model_id(record)
        self._files: dict[int, _File] = {}  # in flight, by number
        self._waiting: dict[str, list[_File]] = {}  # copies of a sound that is being heard
        self._unread: set[Path] = set()  # what is not there, and folders that cannot be read
        # The lists of a walk may be long, so they live in SQLite's temporary file.
        library.write("DROP TABLE IF EXISTS temp.walked")
        library.write("DROP TABLE IF EXISTS temp.to_do")
        library.write("CREATE TEMP TABLE walked(path BLOB PRIMARY KEY) WITHOUT ROWID")
        library.write(
            "CREATE TEMP TABLE to_do(number INTEGER PRIMARY KEY, path BLOB, size, mtime_ns,"
            " ctime_ns, device, inode)"
        )

    def reclassify(self) -> None:
        """Judge again, without audio, what the same encoder heard for another model."""
        sql = (
            "SELECT s.id, w.values_f16, w.texture_f16, w.texture_windows FROM sounds s"
            " JOIN models m ON m.id = s.model"
            " JOIN embeddings w ON w.key = s.key AND w.encoder = m.encoder"
            " WHERE s.model != ? AND m.encoder = ? LIMIT ?"
        )
        dimensions = self._head.dimensions
        while rows := self._library.rows(sql, [self._model, self._encoder, _BATCH]):
            predictions = []
            for number, data, *texture in rows:
                windows = np.frombuffer(data, dtype=np.float16).reshape(-1, dimensions)
                predictions.append((number, self._classify(windows, texture_of(*texture))))
            with self._library.transaction():
                self._library.put_predictions(self._model, predictions)
            self._result.reclassified += len(rows)
            self._on_progress()

    def walk(
        self, named: list[Path], *, again: bool, retry: bool, exclude: Sequence[str] = ()
    ) -> None:
        """List what is new or changed."""
        roots = [*named, *map(Path, self._library.roots())] if again else named
        for root in [root for root in roots if is_unmounted(self._library, root)]:
            roots.remove(root)
            self._unread.add(root)
            reason = "is empty: is its disk mounted? (`tonearm forget` drops its files)"
            self._result.failures.append((str(root), reason))

        def on_error(folder: Path, error: OSError) -> None:
            self._unread.add(folder)
            reason = f"folder cannot be read: {error.strerror}"
            self._result.failures.append((str(folder), reason))

        def look(path: Path) -> None:
            if reason := self._meet(path, retry=retry):
                self._unread.add(path)
                self._result.failures.append((str(path), reason))

        for path in find(roots, suffixes=AUDIO_SUFFIXES, on_error=on_error, exclude=exclude):
            look(path)
        for path in self._library.strays() if again else ():
            if is_excluded(path, exclude):
                continue
            if os.path.lexists(path):
                look(path)
            else:  # it was not named this time, so that is no failure
                self._unread.add(path)
        read = (root for root in named if root.is_dir() and root not in self._unread)
        self._library.write(
            "INSERT OR IGNORE INTO roots VALUES (?)", ([as_stored(root)] for root in read)
        )
        # Files that were kept here once, by the thousand, are looked at as strays.
        self._library.write("DELETE FROM roots WHERE path IN (SELECT path FROM tracks)")

    def _meet(self, path: Path, *, retry: bool) -> str | None:
        """Look at a file from outside; gives the reason if that cannot be done."""
        stored = as_stored(path)
        if self._library.rows("SELECT 1 FROM temp.walked WHERE path = ?", [stored]):
            return None  # named twice
        self._result.found += 1
        if time.monotonic() > self._tell_at:
            self._on_progress()
            self._tell_at = time.monotonic() + _TELL_S
        try:
            status = os.stat(path)
        except OSError as error:
            if path.is_symlink():
                return "is a link to nothing, or to itself"
            missing = isinstance(error, FileNotFoundError)
            self._result.found -= missing  # it was named, and is no file
            return "does not exist" if missing else error.strerror or str(error)
        self._library.write("INSERT INTO temp.walked VALUES (?)", [[stored]])
        now = FileStatus.of(status)
        known = self._library.known(stored)
        if known is not None and known.status == now and self._is_settled(known, retry):
            self._result.unchanged += 1
            self._result.failed_before += known.failed
            return None
        self._library.write(
            "INSERT INTO temp.to_do(path, size, mtime_ns, ctime_ns, device, inode)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(stored, *now)],
        )
        self._result.to_do += 1
        return None

    def _is_settled(self, known: Known, retry: bool) -> bool:
        return not retry if known.failed else known.encoder == self._encoder

    def analyse(self, pool: Pool) -> None:
        """Give files to the workers, and keep what they find, until the list is done."""
        to_do = self._to_do()
        while self._give(pool, to_do) or self._files:
            for event in pool.events():
                self._give(pool, to_do)  # first, so that the worker works while this is written
                if isinstance(event.news, Question):
                    pool.answer(event.number, self._is_new(event.number, event.news.value))
                elif isinstance(event.news, Done):
                    self._take_in(event.number, event.news.value)
                self._on_progress()
            self._on_progress()  # also while one file takes long

    def _give(self, pool: Pool, to_do: Iterator[tuple[int, _File]]) -> bool:
        """Give every idle worker a file; False once there are no more."""
        while pool.idle:
            number, file = next(to_do, (0, None))
            if file is None:
                return False
            self._files[number] = file
            pool.submit(number, os.fsdecode(file.path))
        return True

    def _to_do(self) -> Iterator[tuple[int, _File]]:
        last = 0
        sql = "SELECT * FROM temp.to_do WHERE number > ? ORDER BY number LIMIT ?"
        while rows := self._library.rows(sql, [last, _BATCH]):
            for last, path, *status in rows:
                yield last, _File(path, FileStatus(*status))

    def _is_new(self, number: int, looked: Looked) -> bool:
        """Whether a file is to be analysed, after a first look at it."""
        file = self._files[number]
        file = self._files[number] = _File(file.path, file.status, looked)
        known = self._library.sound_id(looked.key, self._encoder)
        if known is not None:
            self._keep_recognised(file, known)
        elif kept := self._library.embeddings.get(looked.key, self._encoder):
            self._keep_recognised(file, self._put_sound(looked.key, kept))
        elif looked.key in self._waiting:  # a copy is being analysed just now
            self._waiting[looked.key].append(file)
        else:
            self._waiting[looked.key] = []
            return True
        return False

    def _take_in(self, number: int, outcome: StoredEmbeddings | Failure | None) -> None:
        file = self._files.pop(number)
        if isinstance(outcome, StoredEmbeddings):
            self._keep_heard(file, outcome)
        elif outcome is not None:
            self._keep_failure(file, outcome)

    def _keep_heard(self, file: _File, sound: StoredEmbeddings) -> None:
        assert file.looked is not None
        with self._library.transaction():
            number = self._put_sound(
                file.looked.key,
                sound,
            )
            self._library.put_track(file.path, file.status, file.looked.tags, sound=number)
        self._result.analysed += 1
        self._result.done += 1
        if sound.warning:
            self._result.damaged.append((os.fsdecode(file.path), sound.warning))
        for copy in self._waiting.pop(file.looked.key):
            self._keep_recognised(copy, number)

    def _put_sound(self, key: str, embeddings: StoredEmbeddings) -> int:
        return self._library.put_sound(
            key,
            model=self._model,
            windows=embeddings.values,
            starts_s=embeddings.starts_s,
            duration_s=embeddings.duration_s,
            warning=embeddings.warning,
            prediction=self._classify(embeddings.values, embeddings.texture),
            texture=embeddings.texture,
        )

    def _keep_recognised(self, file: _File, sound: int) -> None:
        assert file.looked is not None
        with self._library.transaction():
            if not self._library.known(file.path):
                self._result.moved += self._follow(file.path, sound)
            self._library.put_track(file.path, file.status, file.looked.tags, sound=sound)
        self._result.recognised += 1
        self._result.done += 1

    def _follow(self, path: bytes, sound: int) -> bool:
        """Give the track of that sound whose file is gone its new path, so that it stays itself."""
        for number, old in self._library.rows(
            "SELECT id, path FROM tracks WHERE sound = ? ORDER BY missing DESC, id", [sound]
        ):
            if not os.path.lexists(old):
                self._library.write("UPDATE tracks SET path = ? WHERE id = ?", [[path, number]])
                return True
        return False

    def _keep_failure(self, file: _File, failure: Failure) -> None:
        tags = file.looked.tags if file.looked else FileTags()
        error = (failure.kind, failure.reason)
        # Its copies shared its wait, and share its fate: their audio is the same.
        copies = self._waiting.pop(file.looked.key) if file.looked else []
        with self._library.transaction():
            self._library.put_track(file.path, file.status, tags, error=error)
            for copy in copies:
                own = copy.looked.tags if copy.looked else FileTags()
                self._library.put_track(copy.path, copy.status, own, error=error)
        for path in (file.path, *(copy.path for copy in copies)):
            self._result.failures.append((os.fsdecode(path), failure.reason))
            self._result.done += 1

    def finish(self, named: list[Path], *, again: bool) -> None:
        """Note which files are gone, and drop sounds that no file holds any more."""
        with self._library.transaction():
            self._library.write(
                "UPDATE tracks SET missing = 0 WHERE missing AND path IN"
                " (SELECT path FROM temp.walked)"
            )
            not_met = self._library.tracks(
                None if again else named, where="t.path NOT IN (SELECT path FROM temp.walked)"
            )
            gone = [(track.id,) for track in not_met if self._is_gone(Path(track.path))]
            self._library.write("UPDATE tracks SET missing = 1 WHERE id = ?", gone)
            self._library.write(
                "DELETE FROM sounds WHERE id NOT IN"
                " (SELECT sound FROM tracks WHERE sound IS NOT NULL)"
            )
            self._library.embeddings.drop_unused()
        self._result.gone = len(gone)

    def _is_gone(self, path: Path) -> bool:
        """Whether a file that was not met was removed.

        It may also be on a disk that is not mounted: where what was named, a folder, or a link's
        end is not there, files are not called gone.
        """
        if not self._unread.isdisjoint(path.parents):
            return False
        if path not in self._unread:
            return True
        try:
            os.lstat(path)
        except FileNotFoundError:
            return path.parent.is_dir()
        except OSError:
            return False
        return False

    def _classify(
        self, windows: NDArray[np.float16], texture: NDArray[np.float16] | None
    ) -> Prediction:
        """Classify windows as they are kept, so that classifying again gives the same."""
        output = self._head.classify(windows, texture)
        return Prediction.of(self._head.labels, output.probabilities, known=output.known)
