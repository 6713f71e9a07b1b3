"""The commands as data: for completion, man pages and the command reference of the docs.

Everything comes from the program's own help, so that none of them can differ from it. typer's
objects are asked through their public methods alone: newer versions bring their own click.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from typer import Typer
from typer.main import get_command

PROGRAM = "tonearm"


@dataclass(frozen=True)
class Entry:
    """An argument or option: how it is written, and its help."""

    written: str
    help: str
    names: tuple[str, ...]
    takes_value: bool
    choices: tuple[str, ...]
    is_path: bool


@dataclass(frozen=True)
class Page:
    """One command.

    Parameters
    ----------
    name : str
        Its name; ``tonearm`` for the program itself.
    usage, help : str
        One line, and paragraphs.
    arguments, options : tuple of Entry
        In the order of the help.
    """

    name: str
    usage: str
    help: str
    arguments: tuple[Entry, ...]
    options: tuple[Entry, ...]

    @property
    def summary(self) -> str:
        """The first sentence of the help."""
        return self.help.split("\n")[0].split(". ")[0].rstrip(".") + "."


def pages(app: Typer) -> list[Page]:
    """The program, then each command in the order of its help.

    Parameters
    ----------
    app : Typer
        The program.

    Examples
    --------
    >>> from tonearm.cli.app import app
    >>> [page.name for page in pages(app)][:2]
    ['tonearm', 'predict']
    """
    root: Any = get_command(app)
    # resilient_parsing: help is asked for without the arguments that a run needs.
    context = root.make_context(PROGRAM, [], resilient_parsing=True)
    found = [_page(PROGRAM, root, context)]
    for name, command in root.commands.items():
        if not command.hidden:
            inner = command.make_context(name, [], parent=context, resilient_parsing=True)
            found.append(_page(name, command, inner))
    return found


def _page(name: str, command: Any, context: Any) -> Page:  # noqa: ANN401
    entries = list(_entries(command, context))
    return Page(
        name=name,
        usage=" ".join(command.get_usage(context).removeprefix("Usage: ").split()),
        help=_paragraphs(command.help or ""),
        arguments=tuple(entry for kind, entry in entries if kind == "argument"),
        options=tuple(entry for kind, entry in entries if kind == "option"),
    )


def _entries(command: Any, context: Any) -> Iterator[tuple[str, Entry]]:  # noqa: ANN401
    for parameter in command.get_params(context):
        if getattr(parameter, "hidden", False):
            continue
        kind = parameter.param_type_name
        written, text = parameter.get_help_record(context) or (parameter.human_readable_name, "")
        choices = getattr(parameter.type, "choices", ())
        yield (
            kind,
            Entry(
                written=" ".join(written.split()),
                help=" ".join(text.split()),
                # Positional arguments have no name to be typed.
                names=(*parameter.opts, *parameter.secondary_opts) if kind == "option" else (),
                takes_value=not getattr(parameter, "is_flag", False),
                choices=tuple(str(getattr(choice, "value", choice)) for choice in choices),
                is_path=parameter.type.name in ("path", "file", "directory", "filename"),
            ),
        )


def _paragraphs(text: str) -> str:
    """Lines that belong together as one; a blank line stays between paragraphs."""
    # The backspace is click's mark for a block that must not be wrapped.
    blocks = text.replace("\b", "").strip().split("\n\n")
    return "\n\n".join(" ".join(block.split()) for block in blocks)
