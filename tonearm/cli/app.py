"""The ``tonearm`` command: its groups, and how errors become one line and an exit code."""

from __future__ import annotations

import os
import re
import sys
import traceback
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from tonearm import __version__
from tonearm.cli import console
from tonearm.errors import TonearmError

# By name: the module that has the command, and its function.
_COMMANDS = {
    "predict": ("predict", "predict"),
    "explain": ("explain", "explain"),
    "scan": ("scan", "scan"),
    "list": ("listing", "list_tracks"),
    "status": ("status", "status"),
    "playlist": ("playlist", "playlist"),
    "similar": ("similar", "similar"),
    "tag": ("tag", "tag"),
    "undo": ("undo", "undo"),
    "history": ("history", "history"),
    "forget": ("forget", "forget"),
    "doctor": ("doctor", "doctor"),
    "export": ("export", "export"),
    "import": ("import_tracks", "import_tracks"),
    "prepare": ("prepare", "prepare"),
    "train": ("train", "train"),
    "extend": ("extend", "extend"),
    "learn": ("learn", "learn"),
    "evaluate": ("evaluate", "evaluate"),
    "audit": ("audit", "audit"),
    "models": ("models", "models"),
    "models import": ("models_import", "import_model"),
    "models export": ("models_export", "export_model"),
    "serve": ("serve", "serve"),
    "settings": ("settings", "settings"),
}
# How --help lists the commands.
_GROUPS = {
    "Analyse": ("predict", "explain"),
    "Library": (
        *("scan", "list", "status", "tag", "undo", "history", "forget", "playlist", "similar"),
        *("doctor", "export", "import"),
    ),
    "Your own genres": ("train", "extend", "learn"),
    "Research": ("prepare", "evaluate", "audit", "models", "models import", "models export"),
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

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """Find a command by its name, which may have two words."""
        two = " ".join(args[:2])
        if len(args) > 1 and two in self.commands:
            return two, self.commands[two], args[2:]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the type of typer's own is private
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _drop_output()
            raise typer.Exit from None
        except typer.BadParameter as error:
            # Click's name of a type, which says nothing to who typed 90%.
            error.message = re.sub("a valid (float|int) range", "a number", error.message)
            error.message += _of_settings(error)
            raise


def _of_settings(error: Any) -> str:  # noqa: ANN401
    """Where a wrong value stands, if nobody typed it."""
    source = error.param and error.ctx and error.ctx.get_parameter_source(error.param.name)
    if not source or source.name != "DEFAULT_MAP":
        return ""
    from tonearm.cli.settings import settings_path

    return f" (in {settings_path()})"


def _drop_output() -> None:
    """Let what cannot be written go: Python would try again at its end, and exit with 120."""
    # A closed pipe stays closed; /dev/null takes the rest.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# What somebody sees who types the program's name and nothing else.
_WELCOME = """\
Tonearm hears the genre of music. Most people want one of these:

  tonearm predict song.mp3   name the genre of files and folders
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
        from tonearm.cli import completion

        print(completion.script(shell), end="")
        raise typer.Exit


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tonearm {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    show_completion: Annotated[
        _Shell | None,
        typer.Option(
            callback=_show_completion, is_eager=True, help="Print tab completion for that shell."
        ),
    ] = None,
) -> None:
    """Hears the genre of music."""
    if context.invoked_subcommand is None:
        print(_WELCOME)


def build(only: str | None = None) -> typer.Typer:
    """The program with all its commands, or with one: each is imported only when it is built.

    Parameters
    ----------
    only : str or None
        The name of a command. Importing all of them takes half as long as analysing a track.
    """
    made = typer.Typer(
        name="tonearm",
        cls=_Commands,
        help="Hears the genre of music.",
        invoke_without_command=True,
        add_completion=False,  # completion.py offers file names too
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: rich's would cost half of the start-up time
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_options)
    for name, (module, function) in _COMMANDS.items():
        if only is None or only == name.partition(" ")[0]:
            made.command(name)(getattr(import_module(f"tonearm.cli.{module}"), function))
    return made


def __getattr__(name: str) -> typer.Typer:
    """``app``, the program with all its commands, for whoever documents or tests it."""
    if name != "app":
        raise AttributeError(name)
    made = globals()["app"] = build()
    return made


def _run(first: str) -> None:
    from tonearm.cli import completion, settings

    if first == completion.ASK:
        completion.answer(build(), sys.argv[2:])
        return
    if "" in sys.argv[1:]:
        # `tonearm scan "$MUSIC"` without MUSIC: as a path it would be the folder one stands in.
        raise TonearmError("an argument is empty: is a variable of your script not set?")
    if first != "settings" and not settings.is_there():
        # Without settings only the one command is imported; `settings` shows those of all.
        build(first if first in _COMMANDS else None)()
        return
    made = build()  # a settings file may name any of the commands
    commands: Any = get_command(made)
    made(default_map=settings.defaults(commands.commands))


def main() -> None:
    """Run the command line; an error is one line, and its traceback only with ``--verbose``."""
    first = next(iter(sys.argv[1:]), "")
    try:
        try:
            _run(first)
        finally:
            sys.stdout.flush()  # what is left to write may fail too
    except KeyboardInterrupt:
        sys.exit(console.EXIT_INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
    except Exception as error:
        if console.is_verbose():
            traceback.print_exc()
        else:
            console.say(f"tonearm: {_in_words(error)}")
        # stdout may be what failed (a full disk); a second failure must not hide the first.
        try:
            sys.stdout.flush()
        except OSError:
            _drop_output()
        sys.exit(console.EXIT_USAGE)


def _in_words(error: Exception) -> str:
    """What ended the run, and what to do."""
    if isinstance(error, TonearmError):
        return console.printable(str(error))
    if isinstance(error, MemoryError):
        return "not enough memory: close other programs, or allow this one more (ulimit -v)"
    # Bytes of the command line that are no UTF-8: Python reads them as halves of characters.
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        odd = console.printable(error.object[:200])
        return f"{odd} is not written in UTF-8: type it again, or rename the file"
    if isinstance(error, OSError):
        if error.filename is None and _is_nowhere():
            return "the folder that you are in was deleted: go to another one"
        where = f"{console.printable(str(error.filename))}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    what = console.printable(f"{type(error).__name__}: {error}")
    return f"{what} (a bug in Tonearm: please report it, with what --verbose shows)"


def _is_nowhere() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False
