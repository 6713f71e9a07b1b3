"""Runs that write or restore the genres of many files, and keep the library up to date.

Command line and page share this. A file that cannot be changed safely is skipped and named; what
an interrupted run left open is settled before the next one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tonearm.containers.edits import Edit
from tonearm.errors import TagError
from tonearm.faults import Faults
from tonearm.files import FileStatus, why_unreadable
from tonearm.library.file_tags import file_tags
from tonearm.library.moved_files import MovedFiles
from tonearm.library.store import Library, as_stored
from tonearm.tagging.fields import edits_for_genres, read_fields
from tonearm.tagging.journal import Journal, journal_path
from tonearm.tagging.journal_records import Entry, FileIdentity
from tonearm.tagging.write import change, restore, undo_outlook

MOVED = "moved or deleted since the scan; run `tonearm scan`"


@dataclass(frozen=True)
class Wanted:
    """The genres to write into a file of the library; ``guesses`` of them are Tonearm's."""

    path: str
    genres: tuple[str, ...]
    guesses: tuple[str, ...] = ()


@dataclass
class RunResult:
    """What a run has done so far.

    Parameters
    ----------
    total : int
        Files to change; without any there is no run.
    run, undoes : int or None
        Its number in the journal, and that of the run it undoes.
    paths : list of str
        Files that are changed.
    failures : Faults
        Files that were skipped.
    interrupted : bool
        Whether Ctrl-C ended it.
    """

    total: int
    run: int | None = None
    undoes: int | None = None
    paths: list[str] = field(default_factory=list)
    failures: Faults = field(default_factory=Faults)
    interrupted: bool = False


ProgressCallback = Callable[[RunResult], None]


@contextmanager
def open_journal(place: Path, library: Library | None) -> Iterator[Journal]:
    """The journal next to the library at ``place``, for writing.

    Parameters
    ----------
    place : Path
        The library's file.
    library : Library or None
        The library, open; None if it is no longer there.
    """
    with Journal(journal_path(place), write=True) as journal:
        _refresh_recovered(library, journal)
        yield journal


def write_all(
    library: Library,
    journal: Journal,
    wanted: Sequence[Wanted],
    *,
    command: str,
    keep_mtime: bool = False,
    on_progress: ProgressCallback = lambda _: None,
) -> RunResult:
    """Write genres into files that are as they were scanned.

    Parameters
    ----------
    library, journal : Library, Journal
        Open for writing.
    wanted : sequence of Wanted
        What to write.
    command : str
        The run's name in the history.
    keep_mtime : bool
        Keep the times of files.
    on_progress : callable
        Called at the beginning and after each file.
    """

    def write(item: Wanted, run: int) -> None:
        def edits(target: Path) -> Sequence[Edit]:
            # Asked inside `change`, after its own stat: nothing can slip in between the two.
            require_unchanged(library, item.path)
            return edits_for_genres(target, item.genres, guesses=item.guesses)

        entry = change(
            item.path, edits, genres=item.genres, journal=journal, run=run, keep_mtime=keep_mtime
        )
        # Behind the change, since only what was written is looked for by an undo.
        _keep_identity(library, journal, entry, item.path)

    # Nothing is opened yet: each file is looked at when its turn has come.
    steps = [(item.path, partial(write, item)) for item in wanted]
    return _run(library, journal, steps, RunResult(len(steps)), command, on_progress)


def undo_run(
    library: Library | None,
    journal: Journal,
    number: int | None,
    *,
    command: str,
    keep_mtime: bool = False,
    on_progress: ProgressCallback = lambda _: None,
) -> RunResult:
    """Restore the genres of a run's files, by default those of the last run.

    Parameters
    ----------
    library : Library or None
        The library, open.
    journal : Journal
        The journal, open.
    number : int or None
        Number of the run; None is the last one that is not undone.
    command : str
        The run's name in the history.
    keep_mtime : bool
        Keep the time of the last change.
    on_progress : ProgressCallback
        Called at the beginning and after each file.

    Raises
    ------
    LibraryError
        When there is no such run.
    """

    def restore_one(entry: Entry, path: str, forbidden: str | None, run: int) -> None:
        if forbidden is not None:
            journal.refused(run, Path(path), forbidden)
            raise TagError(f"{path}: {forbidden}")
        number = restore(entry, journal=journal, run=run, path=path, keep_mtime=keep_mtime)
        _keep_identity(library, journal, number, path)

    undone = journal.run(number)
    entries = _not_restored(library, journal, undone.id)
    steps = [(path, partial(restore_one, entry, path, why)) for entry, path, why in entries]
    done = RunResult(len(steps), undoes=undone.id)
    return _run(library, journal, steps, done, command, on_progress)


@dataclass(frozen=True)
class PlannedUndo:
    """What an undo would do with one file.

    Parameters
    ----------
    path : str
        Where the file is now.
    old, new : tuple of str
        Its genres as the run left them, and as they would be restored.
    exact : bool
        Whether every byte comes back; else someone changed the file since.
    reason : str or None
        Why it cannot be restored.
    """

    path: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    exact: bool
    reason: str | None


def plan_undo(
    library: Library | None, journal: Journal, number: int | None
) -> tuple[int, list[PlannedUndo]]:
    """The number of the run that :func:`undo_run` would undo, and what becomes of its files.

    Parameters
    ----------
    library : Library or None
        The library, open.
    journal : Journal
        The journal, open.
    number : int or None
        Number of the run; None is the last one that is not undone.
    """
    undone = journal.run(number)
    planned = []
    for entry, path, forbidden in _not_restored(library, journal, undone.id):
        exact, reason = (False, forbidden) if forbidden else undo_outlook(entry, journal, path)
        planned.append(PlannedUndo(path, entry.new_genres, entry.old_genres, exact, reason))
    return undone.id, planned


def _not_restored(
    library: Library | None, journal: Journal, run: int
) -> list[tuple[Entry, str, str | None]]:
    """Changes of a run that an undo restores: with the place of the file, and what forbids it."""
    moved, latest, tagged = MovedFiles(library, journal), journal.latest(), journal.last_tagged()
    found: list[tuple[Entry, str, str | None]] = []
    # Backwards: where a run wrote a file twice, the last change is undone first.
    for entry in reversed(journal.entries(run)):
        if entry.state == "done" and not entry.undone:
            path = moved.place_of(entry)
            later = tagged.get(entry.path, 0)
            if later > run:
                # What stood there between the two runs would be lost: only the later one knows it.
                reason = f"was tagged again by run {later}: first run `tonearm undo {later}`"
                found.append((entry, path, reason))
            # After the undo of an undo, another run may have restored the file already.
            elif latest.get(entry.path, 0) == entry.id or not _is_restored(path, entry):
                found.append((entry, path, None))
    return found


def _is_restored(path: str, entry: Entry) -> bool:
    try:
        return entry.before is not None and read_fields(path).same_as(entry.before)
    except TagError:
        return False


def _run(
    library: Library | None,
    journal: Journal,
    steps: Iterable[tuple[str, Callable[[int], object]]],
    done: RunResult,
    command: str,
    on_progress: ProgressCallback,
) -> RunResult:
    """Change one file after the other, each on its own."""
    # No run without a file: an empty one in the history would only raise questions.
    if not done.total:
        return done
    # In the journal before the first file: a run that is killed shows in the history too.
    done.run = journal.start(command, undoes=done.undoes)
    try:
        on_progress(done)
        for path, step in steps:
            try:
                # Before the library is told: if that fails, the journal still knows the file.
                step(done.run)
                done.paths.append(path)
                _refresh(library, path)
            # Any other error is a fault of the program: it ends the run, which the journal settles.
            except TagError as error:
                done.failures.add(path, error)
            on_progress(done)
        # Not after Ctrl-C: `recover` ends the run, and marks it as interrupted.
        journal.finish(done.run)
    except KeyboardInterrupt:
        # The change in flight is settled now, not at the next start.
        journal.recover()
        _refresh_recovered(library, journal)
        done.interrupted = True
    return done


def _keep_identity(library: Library | None, journal: Journal, entry: int | None, path: str) -> None:
    """Note which track a file is, so that an undo finds it after a move."""
    # Only for files that were changed; `entry` is None where nothing had to be done.
    track = library.track(path) if library is not None and entry is not None else None
    if entry is not None and track is not None and track.key is not None:
        journal.keep_identity(entry, FileIdentity(track.id, track.key))


def _refresh_recovered(library: Library | None, journal: Journal) -> None:
    for path in journal.recovered:
        _refresh(library, path)


def _refresh(library: Library | None, path: str) -> None:
    """Tell the library what was written, or the next scan would read the file again.

    A file that cannot be looked at any more is the next scan's to find.
    """
    if library is not None:
        with contextlib.suppress(OSError):
            # Read back from the disk, not taken from the plan: what counts is what is there now.
            library.update_file(path, file_tags(path))


def require_unchanged(library: Library, path: str) -> None:
    """Raise TagError for a file that is not as the library knows it.

    By its row as it is now: of two names of one file, the first may just have been written.

    Parameters
    ----------
    library : Library
        The library, open.
    path : str
        The file.
    """
    try:
        now = FileStatus.of(os.stat(path))
    except FileNotFoundError:
        raise TagError(f"{path}: {MOVED}") from None
    except OSError as error:
        raise TagError(f"{path}: {why_unreadable(path, error)}") from None
    known = library.known(as_stored(path))
    # Not ctime: a chmod or a new link changes it, and neither changes what was read.
    if known is None or (known.status.size, known.status.mtime_ns) != (now.size, now.mtime_ns):
        raise TagError(f"{path}: changed since the scan; run `tonearm scan` again")
