"""Where the files of a run are now: at their place, or where the library saw them move to."""

from __future__ import annotations

import os
from functools import cached_property

from tonearm.containers.sound_key import sound_key
from tonearm.errors import TonearmError
from tonearm.library.store import Library
from tonearm.tagging.fields import read_fields
from tonearm.tagging.journal import Journal
from tonearm.tagging.journal_records import Entry
from tonearm.tagging.write import is_as_written


class MovedFiles:
    """Finds the files of one undo; each file is found for one entry only.

    Parameters
    ----------
    library : Library or None
        The library, open; without one, files are where the journal names them.
    journal : Journal
        The journal, open.
    """

    def __init__(self, library: Library | None, journal: Journal) -> None:
        self._library, self._journal = library, journal
        self._found: set[str] = set()

    @cached_property
    def _held(self) -> set[str]:
        """Read once: where files are is decided before the first of them is undone."""
        return self._journal.held()

    def place_of(self, entry: Entry) -> str:
        """Where the file of an entry is; where it was, if it is not found.

        A file at the old path wins, even over one that was moved: it is what the journal names.

        Parameters
        ----------
        entry : Entry
            The change.
        """
        identity = self._journal.identity(entry.id)
        if self._library is None or identity is None or os.path.lexists(entry.path):
            return entry.path
        path = self._library.place_of(identity.track, identity.key)
        if path is None:
            # `forget`, or a library made again, gave the file another number.
            path = self._by_its_bytes(self._library.places_of(identity.key), entry)
        if path is None or not _holds(path, identity.key):
            return entry.path
        self._found.add(path)
        return path

    def _by_its_bytes(self, paths: list[str], entry: Entry) -> str | None:
        """The file among those of one sound that is as the change left it.

        A copy that Tonearm never wrote to is none, and neither is a file that another run changed.
        """
        for path in paths:
            if path in self._found or path in self._held:
                continue
            if self._is_as_left(path, entry):
                return path
        return None

    def _is_as_left(self, path: str, entry: Entry) -> bool:
        """Whether all bytes, or at least the genre fields, are what the change left."""
        delta = self._journal.delta(entry.id)
        if delta is not None and is_as_written(path, delta):
            return True
        try:
            return entry.after is not None and read_fields(path).same_as(entry.after)
        except (OSError, TonearmError):
            return False


def _holds(path: str, key: str) -> bool:
    """Whether a file is there and holds the sound of that key now."""
    try:
        return sound_key(path) == key
    except (OSError, TonearmError):
        return False
