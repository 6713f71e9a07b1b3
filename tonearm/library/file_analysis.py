"""In a worker: look at a file, then analyse it if its sound is new.

Scanning a library and preparing a data set both give this to the workers of
:mod:`tonearm.workers`; the pool's owner knows which sounds are new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tonearm.audio import check_file
from tonearm.containers.sound_key import sound_key
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.files import as_path
from tonearm.library.store import FileTags
from tonearm.model.classifier import Classifier, FilePath
from tonearm.model.encoder import Embeddings, refuse_invalid
from tonearm.model.file import Model
from tonearm.workers import Caller, Done, Failure, Pool, Question, Work

Embed = Callable[[FilePath], Embeddings]
# Called once in each worker: it may load a model that all its files share.
MakeEmbed = Callable[[], Embed]
ReadTags = Callable[[Any], FileTags]


@dataclass(frozen=True)
class Looked:
    """What a first look at a file gave.

    Parameters
    ----------
    key : str
        Its sound key: the same for every copy of the sound, whatever its tags.
    tags : FileTags
    size : int
        Bytes.
    """

    key: str
    tags: FileTags
    size: int


def make_work(
    make_embed: MakeEmbed, read_tags: ReadTags, place: Callable[[Any], FilePath] = str
) -> Work:
    """In a worker: the function that looks at a file, and analyses it if its sound is new.

    Parameters
    ----------
    make_embed : callable
        Gives the function that encodes a file.
    read_tags : callable
        Reads the tags of a file.
    place : callable
        Gives the path of a task; one of its own kind for an object of a store.

    Returns
    -------
    callable
        Asks its pool with a Looked whether the sound is new; gives the embeddings, rounded as they
        are kept, if it is, else None.
    """
    embed = make_embed()

    def work(task: object, caller: Caller) -> StoredEmbeddings | None:
        path = place(task)
        size = check_file(as_path(path))
        # The cheap part; what it finds may make the rest needless.
        looked = Looked(sound_key(path), read_tags(path), size)
        return _rounded(path, embed(path)) if caller.ask(looked) else None

    return work


class Keeper(Protocol):
    """Whoever keeps what workers find: a library, or the rows of a table."""

    def is_new(self, number: int, looked: Looked) -> bool:
        """Whether a file's sound is to be analysed, after a first look at the file.

        Parameters
        ----------
        number : int
            Number of the file.
        looked : Looked
            What a first look gave.
        """
        ...

    def take_in(self, number: int, outcome: StoredEmbeddings | Failure | None) -> None:
        """What became of a file; None where its sound was not new.

        Parameters
        ----------
        number : int
            Number of the file.
        outcome : StoredEmbeddings, Failure or None
            What its worker found.
        """
        ...


def analyse(
    pool: Pool,
    tasks: Iterator[tuple[int, Any]],
    keeper: Keeper,
    *,
    on_progress: Callable[[], None] = lambda: None,
) -> None:
    """Analyse a batch of files: the one function for it, on this machine and on a cluster.

    Parameters
    ----------
    pool : Pool
        Of :func:`make_work`; it is idle before and after.
    tasks : iterator of (int, object)
        Files by number, taken as workers get idle.
    keeper : Keeper
        Says what is new, and keeps what is found.
    on_progress : callable
        Called after each piece of news, and twice a second; may raise to stop.
    """
    given: set[int] = set()

    def give() -> bool:
        """Give every idle worker a file; False once there are no more."""
        while pool.idle:
            number, task = next(tasks, (0, None))
            if task is None:
                return False
            given.add(number)
            pool.submit(number, task)
        return True

    while give() or given:
        for event in pool.events():
            give()  # first, so that the worker works while this is kept
            if isinstance(event.news, Question):
                pool.answer(event.number, keeper.is_new(event.number, event.news.value))
            elif isinstance(event.news, Done):
                given.discard(event.number)
                keeper.take_in(event.number, event.news.value)
            on_progress()
        on_progress()  # also while one file takes long


def _rounded(path: FilePath, embeddings: Embeddings) -> StoredEmbeddings:
    # Float16 as it is stored, so that a scan and a later classification see the same numbers.
    windows = embeddings.values.astype(np.float16)
    refuse_invalid(windows, path)
    return StoredEmbeddings(
        values=windows,
        starts_s=embeddings.starts_s.astype(np.float32),
        duration_s=embeddings.duration_s,
        warning="; ".join(embeddings.warnings) or None,
        texture=None if embeddings.texture is None else embeddings.texture.astype(np.float16),
        silent=embeddings.silent,
        low_rate=embeddings.low_rate,
    )


def load_embed(model: Path | None) -> Embed:
    """In a worker: the function that encodes a file with a model file; None is the built-in.

    Parameters
    ----------
    model : Path or None
        A model file; None is the built-in.
    """
    # One thread: each core has a worker of its own.
    return Classifier.load(model, threads=1).embed


def embed_of(model: Model) -> Embed:
    """In a worker: the function that encodes a file with that model.

    Parameters
    ----------
    model : Model
        Sent to the worker with the task.
    """
    return Classifier(model, threads=1).embed
