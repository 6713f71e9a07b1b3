"""Embeddings of the files of a data set: from the embedding store, else analysed now and kept.

What a scan of the library or an earlier run analysed is not opened again, as long as the file's
size and times are the same. Everything else goes to the worker processes of
:mod:`tonearm.workers`: first the sound key, and the audio only where no file of that sound was
analysed before. Each result is committed as it comes, so that a run that is interrupted continues
where it stopped. Must not import torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tonearm.data.embedding_store import AnalysedFile, StoredEmbeddings
from tonearm.data.groups import credited
from tonearm.faults import Faults
from tonearm.files import FileStatus, why_unreadable
from tonearm.library import file_analysis
from tonearm.library.file_analysis import Embed, Looked, MakeEmbed, make_work
from tonearm.library.file_tags import file_tags
from tonearm.library.store import Library, as_stored
from tonearm.model.classifier import Classifier
from tonearm.workers import Failure, Pool

OnDone = Callable[[int, int], None]  # files so far, failures so far


def load_embed(model_path: Path | None) -> Embed:
    """In a worker: the function that embeds a file, always with as many windows as there may be.

    When to stop earlier is the decision of one head; what is kept here serves any head.

    Parameters
    ----------
    model_path : Path or None
        A model file; None is the built-in model.
    """
    classifier = Classifier.load(model_path)

    return partial(classifier.embed, count=classifier.model.windows_per_track)


@dataclass
class Analysis:
    """What is known of the files of a data set, by their names in it.

    Parameters
    ----------
    files : dict of str to AnalysedFile
        Those whose embeddings are in the store.
    failed : Faults
        The others, with the reason of each.
    """

    files: dict[str, AnalysedFile] = field(default_factory=dict)
    failed: Faults = field(default_factory=Faults)


def analyse(
    library: Library,
    paths: Mapping[str, Path],
    *,
    encoder: str,
    make_embed: MakeEmbed,
    jobs: int = 1,
    on_start: Callable[[int], None] = lambda _: None,
    on_done: OnDone = lambda _done, _failed: None,
) -> Analysis:
    """Make sure that the store holds the embeddings of files.

    Parameters
    ----------
    library : Library
        Open for writing.
    paths : mapping of str to Path
        The files by name.
    encoder : str
        Checksum of the encoder.
    make_embed : callable
        Gives, in each worker, the function that embeds a file; importable by name.
    jobs : int
        Files at once.
    on_start, on_done : callable
        Called with the number of files that have to be opened, then after each of them.

    Returns
    -------
    Analysis
        In the order of ``paths``.
    """
    run = _Run(library, encoder, on_done)
    # By size and times of the file alone: what is known is not opened.
    new = [name for name, path in paths.items() if not run.is_known(name, path)]
    # With 0 as well: a caller then draws no bar.
    on_start(len(new))
    if new:
        work = partial(make_work, make_embed, file_tags)
        # No more workers than files: each loads a model of its own.
        with Pool(min(jobs, len(new)), make_work=work) as pool:
            file_analysis.analyse(pool, run.tasks((name, paths[name]) for name in new), run)
    # Workers end in any order; figures must not depend on that.
    order = {name: i for i, name in enumerate(paths)}
    files = dict(sorted(run.found.files.items(), key=lambda item: order[item[0]]))
    return Analysis(files, Faults(sorted(run.found.failed, key=lambda fault: order[fault.path])))


@dataclass(frozen=True)
class _File:
    """A file on its way through a worker."""

    name: str
    path: Path
    status: FileStatus
    looked: Looked | None = None


class _Run:
    """The files in flight, and what is known so far: a keeper of :func:`file_analysis.analyse`."""

    def __init__(self, library: Library, encoder: str, on_done: OnDone) -> None:
        self._library, self._encoder, self._on_done = library, encoder, on_done
        self._copies: dict[str, list[_File]] = {}  # of sounds that are being analysed
        self._in_flight: dict[int, _File] = {}
        self._done = 0
        self.found = Analysis()

    def is_known(self, name: str, path: Path) -> bool:
        """Whether a file need not be opened, or cannot be."""
        try:
            status = FileStatus.of(os.stat(path))
        except OSError as error:
            self.found.failed.add(name, why_unreadable(path, error))
            return True
        file = self._library.analysed_file(path, status)
        # Of another encoder it may be known, which is no use here.
        if file is None or not self._library.embeddings.has(file.key, self._encoder):
            return False
        self.found.files[name] = file
        return True

    def tasks(self, files: Iterable[tuple[str, Path]]) -> Iterator[tuple[int, str]]:
        """The files for idle workers, by number; one that is gone by then fails here."""
        for number, (name, path) in enumerate(files):
            try:
                # Again at once before it is read, since the wait may have been long.
                status = FileStatus.of(os.stat(path))
            except OSError as error:
                self.found.failed.add(name, why_unreadable(path, error))
                self._done += 1
                continue
            self._in_flight[number] = _File(name, path, status)
            yield number, os.fspath(path)

    def is_new(self, number: int, looked: Looked) -> bool:
        """Whether a file is to be analysed, after a first look at it."""
        old = self._in_flight[number]
        file = self._in_flight[number] = _File(old.name, old.path, old.status, looked)
        # The key tells what the path did not: a file that was moved or tagged is known after all.
        if self._library.embeddings.has(looked.key, self._encoder):
            self._keep(file)
        # A copy of a sound that a worker has just now waits for it instead of being analysed too.
        elif looked.key in self._copies:
            self._copies[looked.key].append(file)
        else:
            self._copies[looked.key] = []
            return True
        return False

    def take_in(self, number: int, outcome: StoredEmbeddings | Failure | None) -> None:
        """Keep what a worker found of a file; None if it was not new."""
        file = self._in_flight.pop(number)
        self._done += 1
        if outcome is not None:
            self._take(file, outcome)
        self._on_done(self._done, len(self.found.failed))

    def _take(self, file: _File, outcome: StoredEmbeddings | Failure) -> None:
        copies = self._copies.pop(file.looked.key) if file.looked else []
        if isinstance(outcome, Failure):
            for each in (file, *copies):
                self.found.failed.add(each.name, outcome.reason)
            return
        assert file.looked is not None
        self._library.embeddings.put(file.looked.key, self._encoder, outcome)
        for each in (file, *copies):
            self._keep(each)

    def _keep(self, file: _File) -> None:
        assert file.looked is not None
        tags = file.looked.tags
        artist = credited(tags.artist, tags.album_artist)
        known = AnalysedFile(file.looked.key, artist)
        # The status from before it was read: a change since then makes it unknown again.
        self._library.embeddings.put_file(as_stored(file.path), file.status, known)
        self.found.files[file.name] = known
