"""Scanning: from folders to a library; nothing is analysed twice.

First the folders are walked (:mod:`tonearm.library.walk`). What is new or changed goes, one file at
a time, to worker processes (:mod:`tonearm.library.file_analysis`), which first give its sound key:
a sound that is known is not analysed again. This process alone writes the database, and commits
after each file: a kill at any moment loses what was in flight.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.database import alone
from tonearm.files import cores, why_unreadable
from tonearm.library.classify import classify_stored, stored_sounds
from tonearm.library.file_analysis import (
    Looked,
    MakeEmbed,
    ReadTags,
    analyse,
    embed_of,
    make_work,
)
from tonearm.library.file_tags import file_tags
from tonearm.library.scan_result import Scan
from tonearm.library.store import FileTags, Library, ModelRecord
from tonearm.library.walk import ListedFile, Walk
from tonearm.model import file as model_file
from tonearm.model.file import Model
from tonearm.workers import Failure, Limits, Pool


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
        Patterns of names, or of whole paths, to skip; files scanned before count as missing.
    limits : Limits or None
        Time and memory that one file may take.
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
    make_embed = make_embed or partial(embed_of, model)
    named = [Path(os.path.abspath(path)) for path in paths]
    # The lock lies next to the library, so it also keeps a scan by the page or a second shell out.
    with alone(library.path, what="another scan"):
        session = _Session(library, model, result, lambda: on_progress(result))
        # Before the walk: what needs no audio is right at once, however long the rest takes.
        session.reclassify()
        walk = Walk(library, model.encoder_sha256, result, lambda: on_progress(result))
        walk.walk(named, again=again, retry=retry, exclude=exclude)
        # From here on the number of files is known, and with it the time that is left.
        result.looking = False
        on_progress(result)
        if result.to_do:
            with Pool(
                min(jobs or cores(), result.to_do),
                make_work=partial(make_work, make_embed, read_tags),
                limits=limits,
            ) as pool:
                session.analyse(pool, walk.to_do())
        # Last: only what was looked at to the end may be called missing.
        walk.finish(named, again=again)
    return result


def model_of(model: Model) -> ModelRecord:
    """What the library keeps of a model file.

    Parameters
    ----------
    model : Model
        An open model file.
    """
    return ModelRecord(
        sha256=model.sha256,
        name=model.name,
        encoder=model.encoder_sha256,
        labels=model.labels,
        names=model.embedding_names,
    )


class _Session:
    """The analysing half of a scan: what is in flight, and how results are kept."""

    def __init__(
        self, library: Library, model: Model, result: Scan, on_progress: Callable[[], None]
    ) -> None:
        self._library, self._loaded_model, self._result = library, model, result
        self._on_progress = on_progress
        record = model_of(model)
        self._encoder = record.encoder
        self._model = library.model_id(record)
        self._files: dict[int, ListedFile] = {}  # in flight, by number
        self._waiting: dict[str, list[ListedFile]] = {}  # copies of a sound in flight, by its key

    def reclassify(self) -> None:
        """Classify again, without audio, what the same encoder analysed for another model."""
        for batch in stored_sounds(self._library, self._encoder, not_by=self._model):
            predictions = [
                (sound.number, classify_stored(self._loaded_model, sound.kept)) for sound in batch
            ]
            with self._library.transaction():
                self._library.put_predictions(self._model, predictions)
            self._result.reclassified += len(batch)
            self._on_progress()

    def analyse(self, pool: Pool, to_do: Iterator[tuple[int, ListedFile]]) -> None:
        """Give files to the workers, and keep what they find, until the list is done."""
        analyse(pool, self._tasks(to_do), self, on_progress=self._on_progress)

    def _tasks(self, to_do: Iterator[tuple[int, ListedFile]]) -> Iterator[tuple[int, str]]:
        """Each file's number and path, as a worker gets idle."""
        for number, file in to_do:
            self._files[number] = file
            # Bytes of a name that are not UTF-8 survive (surrogateescape).
            yield number, os.fsdecode(file.path)

    def is_new(self, number: int, looked: Looked) -> bool:
        """Whether a file is to be analysed, after a first look at it."""
        file = self._files[number] = replace(self._files[number], looked=looked)
        # Cheapest first: a sound of a track, then one in the store, then one in flight.
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

    def take_in(self, number: int, outcome: StoredEmbeddings | Failure | None) -> None:
        """Keep what became of a file."""
        file = self._files.pop(number)
        if isinstance(outcome, StoredEmbeddings):
            self._keep_analysed(file, outcome)
        elif outcome is not None:
            self._keep_failure(file, outcome)

    def _keep_analysed(self, file: ListedFile, sound: StoredEmbeddings) -> None:
        assert file.looked is not None
        with self._library.transaction():
            number = self._put_sound(
                file.looked.key,
                sound,
            )
            # In one transaction with its sound, which a kill would otherwise leave without a file.
            self._library.put_track(file.path, file.status, file.looked.tags, sound=number)
        self._result.analysed += 1
        self._result.done += 1
        self._result.new.append(os.fsdecode(file.path))
        if sound.warning:
            self._result.damaged.add(os.fsdecode(file.path), sound.warning)
        # They waited for it, and count as recognised: nothing was analysed for them.
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
            prediction=classify_stored(self._loaded_model, embeddings),
            texture=embeddings.texture,
        )

    def _keep_recognised(self, file: ListedFile, sound: int) -> None:
        assert file.looked is not None
        moved = False
        with self._library.transaction():
            if not self._library.known(file.path):
                moved = self._follow(file.path, sound)
            self._library.put_track(file.path, file.status, file.looked.tags, sound=sound)
        self._result.moved += moved
        self._result.new += [] if moved else [os.fsdecode(file.path)]
        self._result.recognised += 1
        self._result.done += 1

    def _follow(self, path: bytes, sound: int) -> bool:
        """Give the track of that sound whose file is missing the new path, so that it stays."""
        # Files known to be missing first: they are the likeliest old place.
        for number, old in self._library.rows(
            "SELECT id, path FROM tracks WHERE sound = ? ORDER BY missing DESC, id", [sound]
        ):
            # A file that is there is a copy, not the old place of this one.
            if not os.path.lexists(old):
                self._library.write("UPDATE tracks SET path = ? WHERE id = ?", [[path, number]])
                return True
        return False

    def _keep_failure(self, file: ListedFile, failure: Failure) -> None:
        tags = file.looked.tags if file.looked else FileTags()
        try:
            os.stat(file.path)
        except OSError as gone:
            # Whatever a decoder said: its disk went away, and the file may be back with it.
            failure = Failure("missing", why_unreadable(os.fsdecode(file.path), gone))
        error = (failure.kind, failure.reason)
        # Its copies shared its wait, and share its fate: their audio is the same.
        copies = self._waiting.pop(file.looked.key) if file.looked else []
        with self._library.transaction():
            self._library.put_track(file.path, file.status, tags, error=error)
            for copy in copies:
                own = copy.looked.tags if copy.looked else FileTags()
                self._library.put_track(copy.path, copy.status, own, error=error)
        for path in (file.path, *(copy.path for copy in copies)):
            self._result.failures.add(os.fsdecode(path), failure.reason)
            self._result.done += 1
