"""The ``tonearm`` command: its groups, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tonearm import __version__
from tonearm.cli import (
    completion,
    console,
    doctor,
    evaluate,
    explain,
    export,
    extend,
    forget,
    history,
    learn,
    listing,
    models,
    playlist,
    predict,
    prepare,
    scan,
    serve,
    settings,
    similar,
    status,
    tag,
    train,
    undo,
)
from tonearm.errors import TonearmError

# How --help lists the commands.
_GROUPS = {
    "Analyse": ("predict", "explain"),
    "Library": (
        *("scan", "list", "status", "tag", "undo", "history", "forget", "playlist", "similar"),
        *("doctor", "export", "import"),
    ),
    "Your own genres": ("train", "extend", "learn"),
    "Research": ("prepare", "evaluate", "audit", "models"),
    "Serve": ("serve", "settings"),
}


class _Commands(TyperGroup):
    """The commands, listed in groups; a reader that stops early (``| head``) is not a failure."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Write the list of commands, group by group."""
        rest = [name for name in self.commands if not any(name in of for of in _GROUPS.values())]
        for title, names in {**_GROUPS, "Other": tuple(rest)}.items():
            rows = [
                (name, self.commands[name].get_short_help_str(limit=60))
                for name in names
                if name in self.commands and not self.commands[name].hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

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
    invoke_without_command=True,
    add_completion=False,  # completion.py offers file names too
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich's would cost half of the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)


# What somebody sees who types the program's name and nothing else.
_WELCOME = """\
Tonearm hears the genre of music. Most people want one of these:

  tonearm predict song.mp3   name the genre of files, albums, folders
  tonearm scan ~/Music       analyse a library; `tonearm tag` then fills in its missing genres
  tonearm serve              do the same in the browser

`tonearm --help` lists all commands, `tonearm COMMAND --help` explains one."""


class _Shell(StrEnum):
    """Shells that can complete Tonearm's commands."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def _show_completion(shell: _Shell | None) -> None:
    if shell:
        print(completion.script(shell), end="")
        raise typer.Exit


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tonearm {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    show_completion: Annotated[
        _Shell | None,
        typer.Option(callback=_show_completion, is_eager=True, help="Print tab completion for it."),
    ] = None,
) -> None:
    """Hears the genre of music: what it is, from when to when, and with what confidence."""
    if context.invoked_subcommand is None:
        print(_WELCOME)


app.command()(predict.predict)
app.command()(explain.explain)
app.command()(scan.scan)
app.command("list")(listing.list_tracks)
app.command()(status.status)
app.command()(playlist.playlist)
app.command()(similar.similar)
app.command()(tag.tag)
app.command()(undo.undo)
app.command()(history.history)
app.command()(forget.forget)
app.command()(doctor.doctor)
app.command()(export.export)
app.command()(prepare.prepare)
app.command()(train.train)
app.command()(extend.extend)
app.command()(learn.learn)
app.command()(evaluate.evaluate)
app.command()(models.models)
app.command()(serve.serve)
app.command()(settings.settings)


def main() -> None:
    """Run the command line; never ends in a traceback unless ``--verbose`` was given."""
    if sys.argv[1:2] == [completion.ASK]:
        completion.answer(app, sys.argv[2:])
        return
    try:
        try:
            commands: Any = get_command(app)
            app(default_map=settings.defaults(commands.commands))
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
