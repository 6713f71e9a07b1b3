"""For the commands of a library: common options, where the library is, how a run is shown."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.cli.progress_bar import Counting
from tonearm.errors import counted

if TYPE_CHECKING:
    from tonearm.library.store import Library
    from tonearm.library.tag_runs import RunResult

_OUTPUT_SCHEMA = 1
# Of files that would change: more lines than this are summed, unless --details asks for all.
MOST_LINES = 40

# An environment variable, since scripts and services call many commands on one library.
Location = Annotated[
    Path | None,
    typer.Option(
        "--library",
        envvar="TONEARM_LIBRARY",
        help="The library file.",
        show_default="in the user's data folder",
        show_envvar=True,
    ),
]


def path(given: str) -> str:
    """A path or a URI as it is given: a Path would make s3:/a of s3://a.

    Parsers are known by their names: completion offers files where this one is.

    Parameters
    ----------
    given : str
        A word of the command line.
    """
    return given


def run_number(given: str) -> int:
    """The number of a run, as `tonearm history` lists them.

    Parameters
    ----------
    given : str
        A word of the command line.
    """
    if not given.isdecimal():
        words = (
            f"{console.printable(given)} is not the number of a run (`tonearm history` lists them)"
        )
        raise typer.BadParameter(f"{words}; a run is restored as a whole, not file by file")
    return int(given)


ModelOption = Annotated[
    Path | None,
    typer.Option(
        help="Model file to use; 'built-in' is Tonearm's own.",
        show_default="that of the last scan, or the built-in model",
    ),
]


class Form(StrEnum):
    """How changes are shown."""

    table = "table"
    json = "json"


KeepMtime = Annotated[
    bool, typer.Option("--keep-mtime", help="Keep file times; players may miss the change.")
]
FormOption = Annotated[Form, typer.Option("--format", "-f", help="Output format.")]


def location(named: Path | None) -> Path:
    """The library's file: as named, or ``library.sqlite`` where the platform keeps such data.

    Parameters
    ----------
    named : Path or None
        What ``--library`` was given.

    Raises
    ------
    LibraryError
        If a folder was named that is not there: its disk may be off, or it is mistyped, and a new
        library in a new folder would be empty.
    """
    from tonearm.errors import LibraryError

    if named is not None:
        if not named.parent.is_dir():
            folder = console.printable(named.parent)
            words = f"there is no folder {folder} for the library {console.printable(named)}"
            raise LibraryError(f"{words}: create it, or connect its disk")
        return named
    # Late, as everything that most calls of a command do not need: help has to be there at once.
    import platformdirs

    return Path(platformdirs.user_data_dir("tonearm", appauthor=False)) / "library.sqlite"


def existing(named: Path | None) -> Path:
    """The library's file as :func:`location` gives it, for commands that change one that is there.

    Parameters
    ----------
    named : Path or None
        What ``--library`` was given.

    Raises
    ------
    LibraryError
        If it is not: an empty one would be made, and a mistyped name go unnoticed.
    """
    from tonearm.errors import LibraryError

    place = location(named)
    if not place.exists():
        words = f"there is no library at {console.printable(place)} yet: run `tonearm scan FOLDER`"
        raise LibraryError(words)
    return place


def say_if_empty(library: Library) -> bool:
    """Whether a library holds no file, which it says: the first folder may have been mistyped.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    if library.rows("SELECT 1 FROM tracks LIMIT 1"):
        return False
    place = console.printable(library.path)
    console.say(f"the library {place} holds no file yet: run `tonearm scan FOLDER`")
    return True


def chosen_model(library: Library, named: Path | None) -> Path | None:
    """The model file to use, None for the built-in: the named one, or that of the last scan.

    Parameters
    ----------
    library : Library
        The library, open.
    named : Path or None
        What ``--model`` was given.

    Raises
    ------
    LibraryError
        If it is missing; another model would classify the whole library again without being asked.
    """
    from tonearm.errors import LibraryError
    from tonearm.model import file as model_file

    if named is not None:
        return model_file.named(named)
    remedy = "name a model file with --model, or use --model built-in"
    # Empty is the built-in model, None is a library from before paths were kept.
    kept = library.model_path()
    if kept is None and _is_foreign(library):
        raise LibraryError(
            f"{library.path} was classified by a model that is not the built-in one: {remedy}"
        )
    if not kept:
        return None
    if not Path(kept).exists():
        raise LibraryError(f"{library.path} was last scanned with {kept}, which is gone: {remedy}")
    console.say(
        f"model: {console.printable(kept)}, as in the last scan (for Tonearm's own, use --model "
        "built-in)"
    )
    return Path(kept)


def _is_foreign(library: Library) -> bool:
    """Whether an old library, which keeps no model path, was classified by a custom model."""
    from tonearm.model import file as model_file

    model = library.model()
    if model is None:
        return False
    built_in = model_file.load()
    # Not by checksum: a release may bring the built-in model with other bytes.
    return (model.name, model.labels) != (built_in.name, built_in.labels)


def command() -> str:
    """The command as it was typed, which names the run in the history."""
    # Quoted, so that it can be typed again.
    return shlex.join(["tonearm", *sys.argv[1:]])


@contextmanager
def progress() -> Iterator[Callable[[RunResult], None]]:
    """A callback that draws the progress of a run once its number of files is known."""
    with Counting("files") as counting:
        # The first call comes before any file: it only says how many there are.
        yield lambda result: counting.reach(
            result.total, len(result.paths) + len(result.failures), len(result.failures)
        )


def close(headline: str, failures: Sequence[tuple[str, str]], *, interrupted: bool) -> None:
    """The end of a run that writes tags.

    Parameters
    ----------
    headline : str
        Goes on from the number of files.
    failures : sequence of (path, reason)
        What failed.
    interrupted : bool
        Whether Ctrl-C ended the run.
    """
    words = "Interrupted. `tonearm history` lists what was written."
    console.close(headline, failures, interrupted=words if interrupted else None)


def arrow(old: Iterable[str], new: Iterable[str]) -> str:
    """``Rock → Jazz; Blues``.

    Parameters
    ----------
    old, new : iterable of str
        Genres before and after.
    """
    before, after = ("; ".join(map(console.printable, genres)) or "none" for genres in (old, new))
    return f"{before} → {after}"


def print_object(values: dict[str, object]) -> None:
    """One JSON object on stdout.

    Parameters
    ----------
    values : dict
        Everything but the schema.
    """
    from tonearm.cli.formats import to_json

    print(to_json({"schema": _OUTPUT_SCHEMA, **values}))


def has_journal(place: Path) -> bool:
    """Whether anything was written yet; where nothing was, says so.

    Parameters
    ----------
    place : Path
        The library's file.

    Raises
    ------
    LibraryError
        Where there is no library either, whose name may be a slip; or where genres were written
        all the same, and only the library was moved.
    """
    from tonearm.errors import LibraryError
    from tonearm.library.store import Library
    from tonearm.tagging.journal import journal_path

    journal = journal_path(place)
    if journal.exists():
        return True
    if not place.exists():
        words = f"there is no library at {console.printable(place)}, and no journal next to it"
        raise LibraryError(f"{words}: no genre has been written yet")
    with Library(place) as library:
        written = library.rows("SELECT count(*) FROM tracks WHERE by_tonearm AND genres != '[]'")
    if written[0][0]:
        files = counted(written[0][0], "file holds", "files hold")
        words = (
            f"{files} a genre by Tonearm, but there is no journal at {console.printable(journal)}"
        )
        raise LibraryError(f"{words}: move it there from where the library was")
    console.say("No genre has been written yet.")
    return False
