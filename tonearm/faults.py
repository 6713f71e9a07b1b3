"""Files that failed or are damaged, each with its reason: what every command and the page collect.

A run never ends with its first bad file. It adds the file here, goes on, and names all of them at
the end.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from tonearm.errors import DecodeError
from tonearm.files import why_unreadable


class Fault(NamedTuple):
    """A file, or a folder, and what is wrong with it, in a phrase that does not repeat its name."""

    path: str
    reason: str


class Faults(list[Fault]):
    """What is wrong with files, in the order in which it was found.

    Examples
    --------
    >>> faults = Faults()
    >>> faults.add("a.mp3", DecodeError("a.mp3", "empty", "is empty (0 bytes)"))
    >>> faults.add("b.mp3", "is truncated")
    >>> faults.to_dicts(most=1)
    [{'path': 'a.mp3', 'message': 'is empty (0 bytes)'}]
    """

    def add(self, path: str | os.PathLike[str], why: str | Exception) -> None:
        """Name a file.

        Parameters
        ----------
        path : path
            The file.
        why : str or Exception
            Words, or the error that it raised.
        """
        name = os.fspath(path)
        self.append(Fault(name, why if isinstance(why, str) else _words(name, why)))

    def add_folder(self, folder: Path, error: OSError) -> None:
        """Name a folder that cannot be listed; the ``on_error`` of :func:`tonearm.files.find`.

        Parameters
        ----------
        folder : Path
            The folder.
        error : OSError
            What the system said of it.
        """
        self.add(folder, f"folder {why_unreadable(folder, error)}")

    def to_dicts(self, most: int | None = None) -> list[dict[str, str]]:
        """As JSON has it.

        Parameters
        ----------
        most : int or None
            So many at most; None is all.
        """
        return [{"path": path, "message": reason} for path, reason in self[:most]]


def _words(path: str, error: Exception) -> str:
    if isinstance(error, DecodeError):
        return error.reason
    if isinstance(error, OSError):
        return why_unreadable(path, error)
    return str(error).removeprefix(f"{path}: ")
