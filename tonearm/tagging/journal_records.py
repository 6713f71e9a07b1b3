"""What the journal holds, as values: runs, entries, and which file an entry was.

Imports nothing that reads or writes a database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tonearm.tagging.fields import GenreFields

# Stands for the end of a run that did not come to it.
INTERRUPTED = 0.0
# What a damaged entry raises when it is parsed.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True)
class Run:
    """One run of ``tag --write`` or ``undo``; times in seconds since 1970.

    Of the ``done`` files, ``undone`` no longer hold what it wrote, by the runs in ``undone_by``.

    Parameters
    ----------
    id : int
        Its number, from 1 on.
    started_s, finished_s : float, float or None
        Seconds since 1970; None while it runs, or after a kill.
    command : str
        As it was typed, or ``page: write``.
    undoes : int or None
        The run that it takes back.
    done, failed, undone : int
        Files that were changed, that were refused, and that later runs changed back.
    """

    id: int
    started_s: float
    finished_s: float | None
    command: str
    undoes: int | None
    done: int
    failed: int
    undone: int
    undone_by: tuple[int, ...] = ()

    @property
    def is_left(self) -> bool:
        """Whether it is a ``tag`` of which files still hold what it wrote."""
        return self.undoes is None and self.undone < self.done


@dataclass(frozen=True)
class FileIdentity:
    """Whose file it was in the library: the track's number, and the key of its sound."""

    track: int
    key: str


@dataclass(frozen=True)
class Entry:
    """One file of a run; ``before`` is None where the entry cannot be read any more.

    Parameters
    ----------
    id, run : int
        Its number, and that of its run.
    path : str
        The file, as it was named then.
    state : str
        How far the change came; ``done`` is to its end.
    before, after : GenreFields or None
        Bytes of the genre fields before and after.
    old_genres, new_genres : tuple of str
        As players read them, before and after.
    reason : str or None
        Why it failed or was refused.
    undone : bool
        Whether a later run took it back.
    """

    id: int
    run: int
    path: str
    state: str
    before: GenreFields | None
    after: GenreFields | None
    old_genres: tuple[str, ...]
    new_genres: tuple[str, ...]
    reason: str | None
    undone: bool


def entry_of(row: tuple[Any, ...]) -> Entry:
    """The entry that a row describes; one that is damaged says so in its reason.

    Parameters
    ----------
    row : tuple
        Number, run, path, state, before, after, old and new genres, reason, whether undone.
    """
    number, run, path, state, before, after, old_genres, new_genres, reason, undone = row
    entry = Entry(number, run, _path(path), str(state), None, None, (), (), reason, bool(undone))
    try:
        return replace(
            entry,
            before=GenreFields.from_json(before),
            after=GenreFields.from_json(after) if after else None,
            old_genres=tuple(map(str, json.loads(old_genres))),
            new_genres=tuple(map(str, json.loads(new_genres))),
        )
    except UNREADABLE:
        return replace(entry, reason="its entry in the journal cannot be read")


def _path(stored: Any) -> str:  # noqa: ANN401 - whatever a damaged journal holds
    return os.fsdecode(stored) if isinstance(stored, bytes) else str(stored)


def next_to_undo(runs: Sequence[Run]) -> Run | None:
    """Of all runs, the latest first, the one that an undo without a number undoes.

    An undo that was interrupted goes on, and one that restored nothing (the disk was not there)
    does not count; one that skipped some files came to its end. Where an undo was undone, if
    only for some of its files, they hold what the first run wrote again.

    Parameters
    ----------
    runs : sequence of Run
        All runs, the latest first.
    """
    undone_runs = {
        run.undoes
        for run in runs
        if run.finished_s not in {None, INTERRUPTED} and run.done and not run.undone
    }
    for run in runs:
        if run.is_left and run.id not in undone_runs:
            return run
    return None
