"""All errors that Tonearm raises on purpose.

A message names the value or file that is wrong and says what to do about it. The command line turns
an error into one line and an exit code; ``--verbose`` adds the traceback.
"""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

DecodeKind = Literal[
    "missing",
    "permission-denied",
    "not-a-file",
    "empty",
    "not-audio",
    "no-audio-stream",
    "protected",
    "too-short",
    "unreadable",
    "memory",
    "crash",
    "timeout",
    "internal",
]

# What the owner of a file can do about it.
INCOMPLETE = "It is incomplete: get it again"
REPORT = "Nothing was written: please report this file"
CHECK_DISK = "Check its disk and try again"
DISAPPEARED = "disappeared while Tonearm was reading it"
DAMAGED = "It is probably damaged: play it to the end, or get it again"

# Of the JSON object that describes one file: a prediction, or the error below.
SCHEMA = 2


def counted(number: int, one: str, many: str = "") -> str:
    """How many of what: ``1 file``, ``2,940 files``.

    Parameters
    ----------
    number : int
        How many.
    one, many : str
        The noun, and its plural where an s does not do.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def whole_number(value: object, name: str, *, otherwise: str = "") -> int:
    """A count as a plain integer, whatever integer it was: NumPy's are taken too.

    Parameters
    ----------
    value : object
        As the caller gave it.
    name : str
        Of the parameter, for the message.
    otherwise : str
        What else it may be, for the message.

    Raises
    ------
    ValueError
        When it is no integer, or less than 1.

    Examples
    --------
    >>> import numpy as np
    >>> whole_number(np.int64(3), "count")
    3
    """
    try:
        # True has an index, but who writes it means something else.
        number = 0 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"{name} is {value!r}, but must be a whole number, 1 or more{otherwise}")
    return number


def pip_install(extra: str) -> str:
    """The command that adds an extra to this installation, from where that came.

    Parameters
    ----------
    extra : str
        As in pyproject.toml.

    Returns
    -------
    str
        It names the folder or wheel that was installed, if it is still there: an index may not
        have the package.
    """
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    source = "tonearm"
    try:
        # Written by pip for what comes from a path or a URL (PEP 610).
        url = urlsplit(
            json.loads(distribution("tonearm").read_text("direct_url.json") or "{}")["url"]
        )
    except (PackageNotFoundError, KeyError, ValueError):
        url = urlsplit("")
    if url.scheme == "file" and os.path.exists(path := url2pathname(url.path)):
        source = path
    return f"pip install '{source}[{extra}]'"


class TonearmError(Exception):
    """Base of all errors that a user can do something about."""


class DecodeError(TonearmError):
    """An audio file could not be analysed.

    Parameters
    ----------
    path : str or os.PathLike
        The file.
    kind : DecodeKind
        A stable word for programs (``error.kind`` in JSON).
    reason : str
        What is wrong, for people: the path and it make a sentence.

    Examples
    --------
    >>> str(DecodeError("a.mp3", "empty", "is empty (0 bytes)"))
    'a.mp3 is empty (0 bytes)'
    """

    def __init__(self, path: str | os.PathLike[str], kind: DecodeKind, reason: str) -> None:
        # An empty path would leave a sentence without its subject.
        super().__init__(f"{os.fspath(path) or repr('')} {reason}")
        self.path = os.fspath(path)
        self.kind: DecodeKind = kind
        self.reason = reason

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of a file that failed, on the command line and over HTTP.

        Examples
        --------
        >>> DecodeError("a.mp3", "empty", "is empty (0 bytes)").to_dict()["error"]
        {'kind': 'empty', 'message': 'is empty (0 bytes)'}
        """
        return {
            "schema": SCHEMA,
            "path": self.path,
            "error": {"kind": self.kind, "message": self.reason},
        }

    def __reduce__(self) -> tuple[type[DecodeError], tuple[str, DecodeKind, str]]:
        """Pickle the three arguments, so that the error can pass between processes."""
        return type(self), (self.path, self.kind, self.reason)


class DatasetError(TonearmError):
    """A data set, split or feature store cannot be used as it is."""


class SettingsError(TonearmError):
    """The settings file cannot be read, or names what does not exist."""


class ModelError(TonearmError):
    """A model file is missing, damaged, foreign, or does not fit what it is used for."""


class LibraryError(TonearmError):
    """The library database cannot be opened, read or written."""


class GenreError(LibraryError):
    """No track of the library can have a genre that is asked for.

    Parameters
    ----------
    genre : str
        What was asked for.
    known : iterable of str
        Genres that tracks of the library can have.
    """

    def __init__(self, genre: str, known: Iterable[str]) -> None:
        super().__init__(f"no genre '{genre}' in this library; it knows {', '.join(known)}")


class NothingToUndoError(LibraryError):
    """All that was written is undone already: a command line says so, and does not fail."""


class TagError(TonearmError):
    """A file's tags cannot be read or written without harm."""


def would_lose(folder: str | os.PathLike[str], what: str) -> DatasetError:
    """The error of a command that would replace in a folder what it did not make itself.

    Parameters
    ----------
    folder : path
        The folder.
    what : str
        What is there.
    """
    return DatasetError(
        f"{os.fspath(folder)} holds {what}, which would be lost: name another folder with -o, or "
        "move it away"
    )


@contextmanager
def writing(path: str | os.PathLike[str], kind: type[TonearmError]) -> Iterator[None]:
    """Say in one sentence, the same everywhere, that a file or folder cannot be written.

    Parameters
    ----------
    path : path
        What is written in the ``with`` block.
    kind : type of TonearmError
        What is raised where the system refuses.

    Examples
    --------
    >>> with writing("a.csv", DatasetError):
    ...     raise PermissionError(13, "Permission denied")
    Traceback (most recent call last):
        ...
    tonearm.errors.DatasetError: a.csv cannot be written: Permission denied
    """
    try:
        yield
    except OSError as error:
        raise kind(f"{os.fspath(path)} cannot be written: {error.strerror or error}") from error
