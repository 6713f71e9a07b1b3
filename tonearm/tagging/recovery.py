"""What a killed run left of one file: the file itself tells whether its change was made."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from tonearm.errors import TagError
from tonearm.tagging.fields import GenreFields, read_fields
from tonearm.tagging.journal_records import UNREADABLE
from tonearm.tagging.replace import TEMPORARY_PREFIX


@dataclass(frozen=True)
class Outcome:
    """``written``, or the ``reason`` why not; neither where the file's disk is offline."""

    written: bool = False
    reason: str | None = None


_NOT_WRITTEN = Outcome(reason="interrupted before it was written")


def what_became_of(path: str, temporary: str, before: str, after: str | None) -> Outcome:
    """Find out what became of a change that was begun, and remove its copy.

    Parameters
    ----------
    path : str
        The file.
    temporary : str
        Its edited copy.
    before, after : str, str or None
        The genre fields as JSON; after is None where the copy was never verified.
    """
    if os.path.lexists(temporary):
        # As long as there is a copy, it was not renamed.
        if _is_copy_of(temporary, path):
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return _NOT_WRITTEN
    # The folder alone: where that is there, a missing copy was renamed, or never made.
    if not os.path.isdir(os.path.dirname(os.path.realpath(path))):
        return Outcome()
    # Never verified, so never renamed.
    return _NOT_WRITTEN if after is None else _as_the_file_tells(path, before, after)


def _as_the_file_tells(path: str, before: str, after: str) -> Outcome:
    try:
        present = read_fields(path)
        is_written = present.same_as(GenreFields.from_json(after))
        is_old = present.same_as(GenreFields.from_json(before))
    except TagError as error:
        return Outcome(reason=f"interrupted, and cannot be read now: {error}")
    except UNREADABLE:
        return Outcome(reason="interrupted, and its entry cannot be read")
    # First: where old and new fields are the same, nothing is lost by calling it written.
    if is_written:
        return Outcome(written=True)
    if is_old:
        return _NOT_WRITTEN
    return Outcome(reason="interrupted, and changed since by another program")


def _is_copy_of(copy: str, path: str) -> bool:
    """Whether a file's name and place are those of a copy that Tonearm makes."""
    folder, name = os.path.split(copy)
    # The journal is a file that others could edit: it must not make Tonearm delete anything else.
    same = os.path.realpath(folder) == os.path.dirname(os.path.realpath(path))
    return same and name.startswith(TEMPORARY_PREFIX)
