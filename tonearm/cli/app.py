"""The ``tonearm`` command: its groups, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from tonearm import __version__
from tonearm.cli import (
    console,
    evaluate,
    history,
    models,
    playlist,
    predict,
    prepare,
    scan,
    serve,
    similar,
    status,
    tag,
    train,
    undo,
)
from tonearm.errors import TonearmError


class _Commands(TyperGroup):
    """The commands; a reader that has seen enough (``| head``) is no failure."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the type of typer's own is private
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit from None


def _drop_output() -> None:
    """Let what cannot be written go: Python would try again at its end, and exit with 120."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    name="tonearm",
    cls=_Commands,
    help="Hears the genre of music.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich's would cost half of the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tonearm {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Hears the genre of music: what it is, from when to when, and how sure it is."""


app.command()(predict.predict)
app.command()(scan.scan)
app.command()(status.status)
app.command()(playlist.playlist)
app.command()(similar.similar)
app.command()(tag.tag)
app.command()(undo.undo)
app.command()(history.history)
app.command()(prepare.prepare)
app.command()(train.train)
app.command()(evaluate.evaluate)
app.command()(models.models)
app.command()(serve.serve)


def main() -> None:
    """Run the command line; never ends in a traceback unless ``--verbose`` was given."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # what is left to write may fail too
    except TonearmError as error:
        if console.is_verbose():
            raise
        console.say(f"tonearm: {console.printable(str(error))}")
        sys.exit(console.EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(console.EXIT_INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        if console.is_verbose():
            raise
        where = f"{console.printable(str(error.filename))}: " if error.filename else ""
        console.say(f"tonearm: {where}{error.strerror or error}")
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        sys.exit(console.EXIT_USAGE)
    except Exception as error:
        if console.is_verbose():
            raise
        what = console.printable(f"{type(error).__name__}: {error}")
        console.say(f"tonearm: {what} (a fault of Tonearm's own; --verbose shows where)")
        sys.exit(console.EXIT_USAGE)
