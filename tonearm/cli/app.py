"""The ``tonearm`` command: its groups, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys

import typer

from tonearm import __version__
from tonearm.cli import changes, console, library, lists, predict, serve, tag
from tonearm.errors import TonearmError

app = typer.Typer(
    name="tonearm",
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
app.command()(library.scan)
app.command()(library.status)
app.command()(lists.playlist)
app.command()(lists.similar)
app.command()(tag.tag)
app.command()(changes.undo)
app.command()(changes.history)
app.command()(serve.serve)


def main() -> None:
    """Run the command line; never ends in a traceback unless ``--verbose`` was given."""
    try:
        app()
    except TonearmError as error:
        if console.is_verbose():
            raise
        console.say(f"tonearm: {console.printable(str(error))}")
        sys.exit(console.EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(console.EXIT_INTERRUPTED)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
