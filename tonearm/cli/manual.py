"""Man pages and the command reference of the docs, from the program's own help.

``python -m tonearm.cli.manual man FOLDER`` and ``... markdown FOLDER`` write them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tonearm import __version__
from tonearm.cli.reference import PROGRAM, Entry, Page

# One table for man pages and docs: `console` has the same numbers.
EXIT_CODES = (
    ("0", "Nothing new is wrong."),
    ("1", "Something failed. Each failure is named with its reason in a closing summary."),
    ("2", "Wrong usage or configuration."),
    ("130", "Interrupted by Ctrl-C. What was done so far is kept."),
)


def write_man(found: Sequence[Page], folder: Path) -> list[Path]:
    """Write ``tonearm.1`` and ``tonearm-COMMAND.1``; returns their paths.

    Parameters
    ----------
    found : sequence of Page
        The program and all commands.
    folder : Path
        Where to; it is made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for page in found:
        path = folder / f"{_man_name(page)}.1"
        # LF on every system: man pages are packaged from any of them.
        path.write_text(man(page, found), encoding="utf-8", newline="\n")
        paths.append(path)
    return paths


def man(page: Page, found: Sequence[Page]) -> str:
    r"""One man page; ``found`` are all, which the program's own page lists.

    Parameters
    ----------
    page : Page
        The program or a command.
    found : sequence of Page
        The program and all commands.

    Examples
    --------
    >>> page = Page("play", "tonearm play FILE", "Play a file. Loudly.", (), ())
    >>> man(page, [page]).splitlines()[2]
    'tonearm\\-play \\- Play a file'
    """
    title = _man_name(page)
    lines = [
        f'.TH {_escaped(title.upper())} 1 "" "Tonearm {__version__}" "Tonearm"',
        ".SH NAME",
        f"{_escaped(title)} \\- {_escaped(page.summary.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_escaped(page.usage)}",
        ".SH DESCRIPTION",
        *(line for block in page.help.split("\n\n") for line in (_text(block), ".PP")),
    ]
    for headline, entries in (("ARGUMENTS", page.arguments), ("OPTIONS", page.options)):
        if entries:
            lines.append(f".SH {headline}")
            lines += [line for entry in entries for line in _item(entry.written, entry.help)]
    if page.name == PROGRAM:
        lines.append(".SH COMMANDS")
        lines += [
            line
            for other in found
            if other is not page
            for line in _item(f"{_man_name(other)}(1)", other.summary)
        ]
    lines.append(".SH EXIT STATUS")
    lines += [line for code, meaning in EXIT_CODES for line in _item(code, meaning)]
    if page.name != PROGRAM:
        lines += [".SH SEE ALSO", f".BR {PROGRAM} (1)"]
    return "\n".join(lines) + "\n"


def markdown(found: Sequence[Page]) -> str:
    """The command reference: each command with its arguments and options.

    Parameters
    ----------
    found : sequence of Page
        The program and all commands.
    """
    lines = [
        "# Commands",
        "",
        "Made from the program: `tonearm COMMAND --help` says the same.",
        "",
    ]
    for page in found:
        name = page.name if page.name == PROGRAM else f"{PROGRAM} {page.name}"
        lines += [f"## {name}", "", _in_markdown(page.help), "", f"    {page.usage}", ""]
        lines += _table("argument", page.arguments)
        lines += _table("option", page.options)
    lines += ["## Exit codes", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES]
    return "\n".join(lines) + "\n"


def _table(headline: str, entries: Sequence[Entry]) -> Iterator[str]:
    if entries:
        yield from (f"| {headline} | |", "|---|---|")
        for entry in entries:
            yield f"| `{entry.written}` | {_in_markdown(entry.help)} |"
        yield ""


def _in_markdown(text: str) -> str:
    # Help is plain text, in which these signs stand for themselves; in code they do so unescaped,
    # but for the one that ends a cell of a table.
    parts = text.replace("|", "\\|").split("`")
    parts[::2] = [
        part.replace("<", "&lt;").replace("[", "\\[").replace("*", "\\*") for part in parts[::2]
    ]
    return "`".join(parts)


def _man_name(page: Page) -> str:
    return page.name if page.name == PROGRAM else f"{PROGRAM}-{page.name}"


def _item(term: str, text: str) -> tuple[str, str, str]:
    # An empty line would end the item.
    return ".TP", f".B {_escaped(term)}", _text(text) or "\\&"


def _text(text: str) -> str:
    """A paragraph; a line must not begin with a dot or a quote, which would be a request."""
    escaped = _escaped(text)
    return f"\\&{escaped}" if escaped[:1] in (".", "'") else escaped


def _escaped(text: str) -> str:
    # A bare hyphen may be set as a typographic one, which nobody can paste into a shell.
    return text.replace("\\", "\\e").replace("-", "\\-")


def main(arguments: Sequence[str]) -> None:
    """Write man pages or the reference into a folder.

    Parameters
    ----------
    arguments : sequence of str
        ``man`` or ``markdown``, and the folder.
    """
    from tonearm.cli.app import app
    from tonearm.cli.reference import pages

    kind, folder = arguments
    found = pages(app)
    if kind == "man":
        write_man(found, Path(folder))
    else:
        (Path(folder) / "commands.md").write_text(markdown(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
