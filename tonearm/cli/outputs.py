"""Files that a command writes: what each may replace, and what it says of that.

One rule for every command: a file that somebody names with ``-o`` is written over, as other
programs do and cron needs, and the run says so. Music and databases never are. Where a slip would
lose the work of hours, a command replaces only what it made itself: :func:`only_over` for files,
:mod:`tonearm.training.run_folder` for folders.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from tonearm import files
from tonearm.cli.console import printable, say
from tonearm.errors import DatasetError, writing


def output_file(path: Path | None) -> Path | None:
    """Check a file to be written; ``-`` is None, which stands for stdout.

    A slip such as ``-o *.mp3`` would write over the first song of a folder.

    Parameters
    ----------
    path : Path or None
        What ``--output`` was given.
    """
    from tonearm.audio import AUDIO_SUFFIXES

    if path is None or path == Path("-"):
        return None
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise typer.BadParameter(
            f"{printable(path)} is named like a music file: choose another name"
        )
    if path.exists() and files.is_read_only(path):
        raise typer.BadParameter(f"{printable(path)} is read-only")
    # A journal that is written over cannot be made again.
    if is_database(path):
        raise typer.BadParameter(
            f"{printable(path)} is a database, such as a library or its journal: name another file"
        )
    return path


def only_over(path: Path | None, what: str, is_one: Callable[[Path], bool]) -> Path | None:
    """Check a file to be written that may replace only one of its own kind.

    Parameters
    ----------
    path : Path or None
        What the option was given.
    what : str
        The kind, with its article.
    is_one : callable
        Whether a file that is there is of that kind.
    """
    path = output_file(path)
    # A pipe or a device keeps nothing, and an empty file has nothing to lose.
    if path is None or not path.is_file() or not path.stat().st_size or is_one(path):
        return path
    raise typer.BadParameter(f"{printable(path)} is not {what}: name another file")


def begins(path: Path, first: bytes) -> bool:
    """Whether a file begins so, in letters of either case.

    Parameters
    ----------
    path : Path
        An existing file.
    first : bytes
        In lower case.
    """
    with path.open("rb") as file:
        return file.read(len(first)).lower() == first


def is_database(path: Path) -> bool:
    """Whether a file is one of SQLite, as libraries and journals are; none and folders are not.

    Parameters
    ----------
    path : Path
        A file or folder; it need not exist.
    """
    try:
        return path.is_file() and begins(path, b"sqlite format 3\0")
    except OSError:
        return False


def replaced(path: Path) -> str:
    """What to add to a message about a file that is written, if it takes the place of another.

    Parameters
    ----------
    path : Path
        The file that is going to be written.
    """
    return ", which replaces an older file" if path.is_file() else ""


def refuse_unwritable(folder: Path, *, of: Path | None = None) -> None:
    """Refuse a folder that cannot be written to: asked before an hour of analysis, not after.

    Parameters
    ----------
    folder : Path
        Where files are going to be written; it need not exist.
    of : Path or None
        The file there that was named, for the message.
    """
    if reason := files.refusal(folder):
        raise DatasetError(f"{of or folder} cannot be written: {reason}")


def _report_file(path: Path | None) -> Path | None:
    # --report stands next to the names of models and tables, which a slip would lose.
    path = only_over(path, "an HTML page", lambda there: begins(there, b"<!doctype html"))
    if path is not None:
        refuse_unwritable(path.parent, of=path)
    return path


Report = Annotated[
    Path | None,
    typer.Option("--report", callback=_report_file, help="Also write an HTML report to this file."),
]


def write_report(path: Path, page: str) -> None:
    """Write an HTML report, and say where it is.

    Parameters
    ----------
    path : Path
        What ``--report`` was given.
    page : str
        The page.
    """
    note = replaced(path)
    with writing(path, DatasetError):
        # A file name may hold bytes that are not Unicode: they are escaped.
        files.write_atomically(path, page.encode("utf-8", "backslashreplace"))
    say(f"report: {path}{note}")
