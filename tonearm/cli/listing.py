"""``tonearm list``: the files of the library that meet conditions."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache, partial
from itertools import islice
from json.encoder import encode_basestring
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Location, location, say_if_empty
from tonearm.genres import UNKNOWN, shown
from tonearm.model.prediction import NOTES

if TYPE_CHECKING:
    from tonearm.library.listing import Row
    from tonearm.library.store import Library


_LINES = 1_000  # written at once


class TagFilter(StrEnum):
    """Who wrote the genre in a file's tags."""

    none = "none"
    tonearm = "tonearm"
    person = "person"


class ListForm(StrEnum):
    """How rows are written."""

    table = "table"
    csv = "csv"
    json = "json"
    m3u8 = "m3u8"


def list_tracks(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(readable=False, help="Files and folders. [default: the whole library]"),
    ] = None,
    genre: Annotated[
        list[str] | None,
        typer.Option("--genre", "-g", help="Genre by sound, or mix; may be repeated."),
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Minimum confidence, 0 to 1.")
    ] = None,
    max_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Maximum confidence, 0 to 1.")
    ] = None,
    tag: Annotated[
        TagFilter | None,
        typer.Option("--genre-tag", help="Genre tag: none, by Tonearm or by a person."),
    ] = None,
    disagree: Annotated[
        bool, typer.Option("--disagree", help="Genre tag and genre by sound differ.")
    ] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Unlike any genre that the model knows.")
    ] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="Missing at the last scan, or offline.")
    ] = False,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Damaged; only a part was analysed.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Sound or tags cannot be read.")] = False,
    copies: Annotated[bool, typer.Option("--copies", help="Same sound as another file.")] = False,
    output_format: Annotated[
        ListForm, typer.Option("--format", "-f", help="Output format.")
    ] = ListForm.table,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """List files of the library.

    Lists the files that meet all conditions, with absolute paths, so that other programs can use
    them.
    """
    from tonearm.library import listing
    from tonearm.library.places import not_usable
    from tonearm.library.store import Library

    query = listing.Query(
        paths=tuple(paths or ()),
        genres=(*(genre or ()), *((UNKNOWN,) if unknown else ())),
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        tag=tag.value if tag else None,
        disagree=disagree,
        missing=missing,
        damaged=damaged,
        failed=failed,
        copies=copies,
    )
    with Library(location(library)) as opened:
        # A mistyped path would else give an empty list, as if nothing met the conditions.
        faults = not_usable(opened, paths or (), absent=missing)
        rows = listing.rows(opened, query)
        # Only the table says what a file is to another.
        notes = _notes(opened, copies=copies) if output_format is ListForm.table else {}
        if output_format is ListForm.m3u8:
            empty = _print_m3u8(rows)
        else:
            empty = _print(rows, output_format, notes)
        # A program knows what an empty list is.
        told = empty and not faults and output_format is ListForm.table
        if told and not say_if_empty(opened):
            console.say("no file in the library meets these conditions")
    console.close("could not be listed", faults)


def _notes(library: Library, *, copies: bool) -> dict[str, str]:
    """Of paths, which file they are a link to and, where they are asked for, a copy of."""
    from tonearm.library import links
    from tonearm.library.places import note_offline

    notes = {link.path: f"a link to {link.first}" for link in links.links_of(library)}
    if copies:
        note_offline(library)
        for first, *others in links.copies(library):
            notes |= dict.fromkeys(others, f"the same sound as {first}")
    return notes


def _print(rows: Iterable[Row], form: ListForm, notes: Mapping[str, str]) -> bool:
    """Write rows to stdout; gives whether there were none."""
    writers: dict[ListForm, Callable[[Iterable[Row]], Iterator[str]]] = {
        ListForm.table: partial(_table, notes=notes),
        ListForm.csv: _csv,
        ListForm.json: _json,
    }
    pieces = iter(writers[form](rows))
    empty = True
    # Many at once: a write to a pipe of each line takes longer than to make it.
    most = 1 if form is ListForm.json else _LINES  # whose pieces are long already
    while some := list(islice(pieces, most)):
        sys.stdout.write("".join(some))
        empty = False
    return empty


def _table(rows: Iterable[Row], *, notes: Mapping[str, str]) -> Iterator[str]:
    for row in rows:
        # Of an unknown sound the number would be that of a genre that it is not.
        share = f"{row.confidence:.0%}" if row.genre and row.confidence is not None else ""
        note = notes.get(row.path) or row.error or row.warning or (row.note and NOTES[row.note])
        # Of a file that could not be analysed nothing is said.
        name = console.printable(shown(row.genre, row.mix)) if row.nearest else "–"
        tags = _joined(row.tags)
        line = f"{name:12} {share:>4}  {tags:20}  {console.printable(row.path)}"
        yield line + (f"  ({console.printable(note)})" if note else "") + "\n"


# The same few genres and tags come again in a hundred thousand rows.
@lru_cache(maxsize=1_024)
def _joined(tags: tuple[str, ...]) -> str:
    return console.printable("; ".join(tags) or "none")


def _json(rows: Iterable[Row]) -> Iterator[str]:
    from tonearm.cli.formats import to_json
    from tonearm.library.listing import Row

    # Half the time of `json.dumps` of a dict for each row, and the same text.
    form = "{" + ", ".join(f'"{name}": %s' for name in Row._fields) + "}"
    yield '{"schema": 1, "files": ['
    joint = ""
    remaining = iter(rows)
    while some := list(islice(remaining, _LINES)):
        text = ", ".join([form % _encoded(row) for row in some])
        # What a terminal might act on is escaped, by the slower way.
        yield joint + (
            text if text.isprintable() else to_json([row._asdict() for row in some])[1:-1]
        )
        joint = ", "
    yield "]}\n"


def _encoded(row: Row) -> tuple[str | float, ...]:
    """The values of a row as JSON has them, in their order."""
    path, genre, nearest, confidence, mix, seconds, tags, own, *texts, missing = row
    return (
        _text(path),
        _again(genre),
        _again(nearest),
        "null" if confidence is None else confidence,
        "null" if mix is None else json.dumps(mix, ensure_ascii=False),
        "null" if seconds is None else seconds,
        _tags(tags),
        "true" if own else "false",
        *map(_text, texts),
        "true" if missing else "false",
    )


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring(text)


_again = lru_cache(maxsize=1_024)(_text)


@lru_cache(maxsize=1_024)
def _tags(tags: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_text, tags))}]"


def _csv(rows: Iterable[Row]) -> Iterator[str]:
    from tonearm.cli.formats import shares
    from tonearm.library.listing import Row

    def field(value: object) -> object:
        if isinstance(value, tuple):
            return ";".join(value)
        return shares(value) if isinstance(value, dict) else value

    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(Row._fields)
    yield buffer.getvalue()
    for row in rows:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(map(field, row))
        yield buffer.getvalue()


def _print_m3u8(rows: Iterable[Row]) -> bool:
    """Write a playlist to stdout, and name what it cannot hold."""
    from tonearm.library.playlist import Entry
    from tonearm.library.playlist_formats import mixxx

    # What has no length could not be read, and no player plays it. Whole paths, as in every list.
    made = mixxx(
        Entry(row.path, row.duration_s, row.artist, row.title)
        for row in rows
        if row.duration_s is not None
    )
    # As bytes: names that are not UTF-8 must come out as they are.
    sys.stdout.buffer.write(made.data)
    console.report("left out", made.left_out)
    return False
