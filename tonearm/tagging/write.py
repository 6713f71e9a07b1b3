"""Write tags safely: edit a copy, compare it with the original, then replace the original.

Each step leaves the file either as it was or wholly changed, and the journal knows beforehand what
may happen next. A file that would lose something (a second name by hard link, an owner, a byte
that undo could not restore) is not touched.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from tonearm.audio.packets import packet_digest
from tonearm.containers.edits import JOINT, Edit, joined_forms
from tonearm.errors import REPORT, DecodeError, LibraryError, TagError
from tonearm.files import FileStatus
from tonearm.tagging.delta import Delta, delta_of, digest_of
from tonearm.tagging.fields import (
    GenreFields,
    edits_for_fields,
    edits_for_genres,
    other_items,
    read_fields,
    same_sound_bytes,
)
from tonearm.tagging.journal import Journal
from tonearm.tagging.journal_records import Entry
from tonearm.tagging.read import others, read_tags
from tonearm.tagging.replace import (
    REASONS,
    TEMPORARY_PREFIX,
    check,
    explained,
    foreign_owner,
    put_in_place,
    remove,
    write_copy,
)

# Why a genre is not restored; it lasts, as nobody but a person can decide that.
CHANGED_SINCE = "its genre has changed since"


def change(
    path: str | os.PathLike[str],
    edits_for: Callable[[Path], Sequence[Edit]],
    *,
    genres: Sequence[str],
    journal: Journal,
    run: int,
    keep_mtime: bool = False,
    undoes: int | None = None,
    restores: str | None = None,
) -> int | None:
    """Apply edits to one file; gives the journal's entry, None where there is nothing to do.

    Parameters
    ----------
    path : path
        The file; where it is a symbolic link, what it points to is changed.
    edits_for : callable
        Gives the edits of the genre fields, from the file as it is; may raise TagError.
    genres : sequence of str
        What has to be read from the file then.
    journal, run : Journal, int
        Where the change is entered.
    keep_mtime : bool
        Keep the time of the last modification (players then may not notice the change).
    undoes : int or None
        Number of the entry that this undoes.
    restores : str or None
        Digest of the original that the edits restore to the byte; nothing else is compared then.

    Raises
    ------
    TagError
        When the file cannot be changed safely; it is as before, and the journal has the reason.
    """
    # The journal keeps the path as it was named: by that the library knows the file.
    named, target = Path(os.path.abspath(path)), Path(os.path.realpath(path))
    try:
        with explained(target):
            # Taken before anything is read: `put_in_place` compares it again, so that a change by
            # another program at any time in between is noticed.
            status = FileStatus.of(target.stat())
            check(target)
            edits = edits_for(target)
            if not edits:
                return None
            # Twice: `before` is the exact bytes of the fields, for undo; `old` is how players read
            # them, for the history.
            before, old = read_fields(target), read_tags(target)
    except TagError as error:
        journal.refused(run, named, _bare(error, target))
        raise
    name = f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{target.suffix}"
    # In the same folder, so that the rename stays on one file system and is atomic.
    temporary = target.with_name(name)
    # Entered before the copy exists: a kill at any moment leaves something to settle by.
    entry = journal.begin(
        run, named, before=before, genres=old.genres, temporary=temporary, undoes=undoes
    )
    try:
        with explained(target):
            write_copy(target, temporary, edits, keep_mtime=keep_mtime)
            # An undo that brings back every byte needs no comparison of parts: one digest says it
            # all.
            if restores is None:
                after = compare(target, temporary)
                _check_genres(target, temporary, genres)
            else:
                after = _restored(target, temporary, restores)
            # Made from both files while both exist; by it, undo restores every byte.
            delta = delta_of(target, temporary)
            journal.verified(entry, after=after, genres=genres, delta=delta)
            put_in_place(target, temporary, status)
    except LibraryError:  # of the journal, without which nothing is written
        remove(temporary)
        raise
    except Exception as error:
        remove(temporary)
        if not isinstance(error, TagError):
            # A fault of Tonearm's own costs one file's change, not the run.
            what = f"made Tonearm fail ({type(error).__name__}: {error}), and was not written"
            error = TagError(f"{target}: {what}; please report this as a bug")
        journal.failed(entry, _bare(error, target))
        raise error from None
    # Only now: a kill between rename and here is settled by what the file holds.
    journal.done(entry)
    return entry


def _restored(target: Path, temporary: Path, digest: str) -> GenreFields:
    """The fields of a copy that is the original again, byte by byte."""
    # Checked on the copy: until the rename nothing has happened to the file.
    if digest_of(temporary) != digest:
        raise TagError(f"{target}: undo would not restore its original bytes. {REPORT}")
    return read_fields(temporary)


def _bare(error: TagError, target: Path) -> str:
    """The reason alone: an entry has its path."""
    return str(error).removeprefix(f"{target}: ")


def restore(
    entry: Entry,
    *,
    journal: Journal,
    run: int,
    path: str | None = None,
    keep_mtime: bool = False,
) -> int | None:
    """Restore a file as it was before one journaled change.

    Every byte comes back where nobody else changed the file since; else its genre fields do, and
    what others wrote stays.

    Parameters
    ----------
    entry : Entry
        The change.
    journal, run, keep_mtime
        As of :func:`change`, whose value is returned.
    path : str or None
        Where the file is now, if it moved since.

    Raises
    ------
    TagError
        When the genre was changed since, or as for :func:`change`.
    """
    place = path or entry.path
    delta = journal.delta(entry.id)
    if delta is not None and not is_as_written(place, delta):
        # Somebody changed the file since: bytes cannot come back, but its genre fields may.
        delta = None

    def edits(target: Path) -> Sequence[Edit]:
        # The quick way, for nearly all files.
        if delta is not None:
            return delta.edits
        return _edits_back(target, entry)

    return change(
        place,
        edits,
        genres=entry.old_genres,
        journal=journal,
        run=run,
        keep_mtime=keep_mtime,
        undoes=entry.id,
        restores=delta.before if delta is not None else None,
    )


def _edits_back(target: Path, entry: Entry) -> list[Edit]:
    """Edits that give a file, which somebody changed since, the old genre; raises TagError."""
    if entry.before is None:
        raise TagError(f"{target}: its entry in the journal cannot be read")
    present = read_fields(target)
    if entry.after is None or not present.same_as(entry.after):
        # Another program may have encoded the same genre in another way.
        genres = read_tags(target).genres
        if JOINT.join(genres) not in joined_forms(entry.new_genres):
            now = JOINT.join(genres) or "none"
            raise TagError(f"{target}: {CHANGED_SINCE} (now {now})")
        if not present.fits(entry.before):
            # Tags of another version, say, in which the old bytes would mean nothing: the names.
            return edits_for_genres(target, entry.old_genres, guesses=())
    return edits_for_fields(target, entry.before)


def undo_outlook(entry: Entry, journal: Journal, path: str) -> tuple[bool, str | None]:
    """Whether every byte of a file would come back, and why it would not be restored at all.

    Parameters
    ----------
    entry : Entry
        The change.
    journal : Journal
        The journal, open.
    path : str
        The file.
    """
    target = Path(os.path.realpath(path))
    try:
        with explained(target):
            check(target)
        delta = journal.delta(entry.id)
        if delta is not None and is_as_written(path, delta):
            return True, None
        # Made and thrown away, so that the outlook is what the undo will find.
        _edits_back(target, entry)
    except TagError as error:
        return False, _bare(error, target)
    return False, None


def is_as_written(path: str, delta: Delta) -> bool:
    """Whether a file is byte by byte what the change left.

    Parameters
    ----------
    path : str
        The file.
    delta : Delta
        What the change replaced.
    """
    try:
        # Edits of a delta are byte offsets: on any other content they would destroy the file.
        return digest_of(path) == delta.after
    except OSError:  # named when the file is opened for the change
        return False


def refusal(
    path: str | os.PathLike[str], genres: Sequence[str], *, guesses: Sequence[str]
) -> str | None:
    """Why genres cannot be written into a file; None if they can, as far as one can know.

    Parameters
    ----------
    path : path
        The file.
    genres : sequence of str
        Names of genres.
    guesses : sequence of str
        Those of the genres that Tonearm chose.
    """
    target = Path(os.path.realpath(path))
    try:
        with explained(target):
            check(target)
            if not os.access(target.parent, os.W_OK | os.X_OK):
                return REASONS[errno.EACCES]
            # Found out here, so that the plan names it and no copy is made in vain.
            foreign = foreign_owner(target)
        if foreign:
            return foreign
        edits_for_genres(target, genres, guesses=guesses)
    except TagError as error:
        return _bare(error, target)
    return None


def compare(target: Path, temporary: Path) -> GenreFields:
    """Check that the copy differs in nothing but its genre fields, which are returned.

    Sound is compared by its bytes, or by FFmpeg's packets where tags stand among them; tags and
    pictures by mutagen and item by item.

    Parameters
    ----------
    target : Path
        The file.
    temporary : Path
        Its edited copy.

    Raises
    ------
    TagError
        When anything else differs, or the sound cannot be compared.
    """
    try:
        after = read_fields(temporary)
        same = other_items(target) == other_items(temporary) and others(target) == others(temporary)
    except TagError as error:
        reason = str(error).removeprefix(f"{temporary}: ")
        raise TagError(f"{target}: cannot be read back ({reason})") from None
    if not same:
        raise TagError(f"{target}: other tags would have changed. {REPORT}")
    try:
        # None: tags stand among the sound, so FFmpeg's packets are compared instead.
        same_sound = same_sound_bytes(target, temporary)
        if same_sound is None:
            same_sound = packet_digest(target) == packet_digest(temporary)
    except DecodeError as error:
        reason = f"its sound cannot be compared ({error.reason})"
        raise TagError(f"{target}: {reason}") from None
    if not same_sound:
        raise TagError(f"{target}: its sound would have changed. {REPORT}")
    return after


def _check_genres(target: Path, temporary: Path, genres: Sequence[str]) -> None:
    found = read_tags(temporary).genres
    # Before ID3v2.4 several values are one, joined; a value that holds the joint reads as several.
    if JOINT.join(found) != JOINT.join(genres):
        reason = f"{JOINT.join(genres) or 'none'} would read as {JOINT.join(found) or 'none'}"
        raise TagError(f"{target}: {reason}")
