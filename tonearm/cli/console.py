"""The terminal, for all commands: data on stdout, progress and reports on stderr."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Annotated

import typer

from tonearm.errors import ModelError

if TYPE_CHECKING:
    from rich.console import Console

    from tonearm.training.caveats import Caveat

# 2 is click's own for wrong usage; 130 is 128 + SIGINT, as shells have it.
EXIT_FAILED_FILES = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

# What the summary of a run says of files with a genre in spite of damage.
DAMAGED_ARE = "damaged, classified by the part that can be read"

# As in `model.network`, which is imported only where somebody chose a device.
_DEVICE_VARIABLE = "TONEARM_DEVICE"

_LOGGER = logging.getLogger("tonearm")
# Reasons that begin with one of these have the file as their subject.
_VERBS = frozenset(
    "is has holds made was cannot does belongs needs disappeared states ended lies gives".split()
)


def _set_verbose(on: bool) -> bool:
    """Let tracebacks through."""
    if on:
        _LOGGER.setLevel(logging.DEBUG)
    return on


Verbose = Annotated[
    bool,
    typer.Option("--verbose", callback=_set_verbose, help="Show tracebacks."),
]


def use_device(device: str) -> str:
    """Run networks there, in worker processes too; a usage error where that is impossible.

    Parameters
    ----------
    device : str
        What ``--device`` was given: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """
    # What nobody chose needs no import; `auto` counts where the environment says otherwise.
    if device != "auto" or _DEVICE_VARIABLE in os.environ:
        from tonearm.model import network

        try:
            network.use_device(device)
        except ModelError as error:
            raise typer.BadParameter(str(error), param_hint="--device") from None
    return device


Device = Annotated[
    str,
    typer.Option(
        envvar=_DEVICE_VARIABLE,
        show_envvar=False,
        callback=use_device,
        help="Where networks run: auto, cpu, cuda or mps.",
    ),
]


Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", min=1, help="Files to analyse at once.", show_default="cores"),
]


def is_verbose() -> bool:
    """Whether ``--verbose`` was given."""
    return _LOGGER.level == logging.DEBUG


def printable(text: str | os.PathLike[str]) -> str:
    """A name as one line: newlines and escape codes, which could act on a terminal, are escaped.

    Parameters
    ----------
    text : str or path
        A name that somebody else chose.
    """
    text = os.fspath(text)
    if text.isprintable():  # nearly always, and lists may be very long
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text
    )


def usable_streams() -> None:
    """Let no character and no closed stream end a run; escape what cannot be encoded."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # the parent process closed it
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def rich_console(stream: IO[str]) -> Console:
    """Rich on a stream; if it is not a terminal, long lines stay whole.

    Parameters
    ----------
    stream : text file
        Where it prints.
    """
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 - called by Rich in its handler; the command decides

    return Plain(file=stream, width=columns(stream), highlight=False, soft_wrap=True)


def columns(stream: IO[str]) -> int:
    """Width of a terminal, or of a page where the stream is none.

    Parameters
    ----------
    stream : text file
        Where lines go.
    """
    # 120: pipes and files have no width, and lines must not depend on who reads.
    return shutil.get_terminal_size().columns if stream.isatty() else 120


def clock(seconds: float) -> str:
    """``3:07``, or ``1:02:07`` from an hour on.

    Parameters
    ----------
    seconds : float
        A length or a position.
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def say(text: str) -> None:
    """One line to stderr.

    Parameters
    ----------
    text : str
        A message; escape names with :func:`printable` first.
    """
    # In a pipe stdout waits, and the last word would come first. A disk that is full is an error
    # of the output, which is reported where it ends.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    print(text, file=sys.stderr)


def say_whole(most: int) -> None:
    """Say why another command may name another genre for the same file.

    Parameters
    ----------
    most : int
        Windows of a track that commands analyse which do not need all of it.
    """
    say(
        f"The whole track was analysed. `scan`, and `predict` without --timeline, analyse up to "
        f"{most} windows (of more than ten minutes, one every 15 s), so genre and confidence can "
        "differ; `tag` goes by those of the scan."
    )


def caveat(found: Iterable[Caveat], about: str = "") -> None:
    """What may flatter a figure, a line each.

    Parameters
    ----------
    found : iterable of Caveat
        What may flatter a figure.
    about : str
        Put before each, to say which model it is about.
    """
    for each in found:
        say(f"{each.kind.upper()}: {printable(about + each.text)}")


def sentence(name: str, reason: str) -> str:
    """A file with its reason: one sentence if the reason goes on from the name, as most do.

    Parameters
    ----------
    name : str
        A file or a folder.
    reason : str
        What is wrong with it.
    """
    joint = " " if reason.partition(" ")[0] in _VERBS else ": "
    return f"{printable(name)}{joint}{printable(reason)}"


def report(headline: str, files: Sequence[tuple[str, str]]) -> None:
    """A closing summary: each file with its reason; nothing where there are none.

    Parameters
    ----------
    headline : str
        Goes on from the number of files.
    files : sequence of (path, reason)
        What to name.
    """
    if files:
        say(f"{len(files):,} {headline}:")
    for name, reason in files:
        say(f"  {sentence(name, reason)}")


def close(
    headline: str,
    failed: Iterable[tuple[str, str]],
    *,
    damaged: Sequence[tuple[str, str]] = (),
    damaged_are: str = DAMAGED_ARE,
    interrupted: str | None = None,
) -> None:
    """The end of a run: name the files that are damaged or failed, and exit if there are any.

    Parameters
    ----------
    headline : str
        Goes on from the number of files that failed.
    failed : iterable of (path, reason)
        Files without a result; one that is named twice counts once.
    damaged : sequence of (path, reason)
        Files with a result in spite of damage.
    damaged_are : str
        Goes on from the number of damaged files.
    interrupted : str or None
        What to say where Ctrl-C ended the run.
    """
    # A file may fail twice, when it is read and when it is analysed.
    failed = list(dict.fromkeys(failed))
    report(damaged_are, damaged)
    report(headline, failed)
    leave(faults=bool(failed or damaged), interrupted=interrupted)


def leave(*, faults: bool, interrupted: str | None) -> None:
    """Exit where files are at fault, or where Ctrl-C ended the run, which it says.

    Parameters
    ----------
    faults : bool
        Whether a file failed or is damaged.
    interrupted : str or None
        What to say where Ctrl-C ended the run.
    """
    if interrupted is not None:
        say(interrupted)
        raise typer.Exit(EXIT_INTERRUPTED)
    if faults:
        raise typer.Exit(EXIT_FAILED_FILES)


@contextmanager
def interruptible(
    hint: str = "What was analysed is kept; the same command continues from there.",
) -> Iterator[None]:
    """Exit with 130 and a word on Ctrl-C.

    Parameters
    ----------
    hint : str
        What is kept, and what continues from there.
    """
    try:
        yield
    except KeyboardInterrupt:
        say(f"Interrupted. {hint}")
        raise typer.Exit(EXIT_INTERRUPTED) from None


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what C libraries print themselves off stderr, while Python's own stderr stays.

    mpg123 remarks on damaged files without naming them; Tonearm names each one in its summary.
    """
    if is_verbose() or not hasattr(sys.stderr, "fileno"):
        yield
        return
    python_stderr = sys.stderr
    try:
        number = sys.stderr.fileno()
    except (OSError, ValueError):  # a test's or a host program's stand-in
        yield
        return
    # At the level of descriptors: C libraries know nothing of sys.stderr.
    kept = os.dup(number)
    void = os.open(os.devnull, os.O_WRONLY)
    python_stderr.flush()
    with os.fdopen(kept, "w", buffering=1, errors="backslashreplace", closefd=False) as own:
        os.dup2(void, number)
        sys.stderr = own
        try:
            yield
        finally:
            own.flush()
            os.dup2(kept, number)
            sys.stderr = python_stderr
    os.close(void)
    os.close(kept)
