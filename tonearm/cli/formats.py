"""How results are written: a table for people (``table.py``); JSON, CSV and more for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path
from typing import IO, Any

from tonearm.cli import console
from tonearm.cli.table import TAGS_SHOWN, Table, View
from tonearm.errors import DecodeError, TonearmError, writing
from tonearm.files import replacing
from tonearm.model.prediction import Prediction
from tonearm.timeline.formats import FORMATS, render

Result = Prediction | DecodeError
Writer = Callable[[Result], None]

_CSV_COLUMNS = (
    "path genre nearest confidence second second_confidence duration_s tags timeline warnings error"
    " note mix"
).split()


@contextmanager
def open_writer(form: str, output: Path | None, view: View, *, total: int) -> Iterator[Writer]:
    """A function that writes one result; what was written is whole also after Ctrl-C.

    With ``output`` everything takes the place of that file at the end. A timeline of a track that
    could not be read leaves it as it was, and so do fewer results than ``total``: they lie next to
    it then.

    Parameters
    ----------
    form : str
        One of the formats of ``predict``.
    output : Path or None
        The file to write; None is stdout.
    view : View
        What a table shows of each file.
    total : int
        How many results there are, if nothing interrupts.
    """
    if output is None:
        with _writer(form, sys.stdout, view, folder=None) as write:
            yield write
        return
    predicted = written = 0
    was_there = output.is_file()
    # Tonearm names this file, so it replaces none.
    endings = chain([""], map(str, count(2)))
    numbered = (output.with_name(f"{output.name}{ending}.part") for ending in endings)
    part = next(name for name in numbered if not name.exists())

    def place() -> Path | None:
        if not predicted and form in FORMATS:
            return None
        return part if was_there and written < total else output

    with writing(output, TonearmError):
        with (
            replacing(output, "t", newline="", place=place) as file,
            _writer(form, file, view, folder=output.parent) as write,
        ):

            def counted(result: Result) -> None:
                nonlocal predicted, written
                write(result)
                written += 1
                predicted += isinstance(result, Prediction)

            yield counted
        if was_there and place() == output:
            console.say(f"{console.printable(output)} existed and is replaced")
        elif was_there and place() == part:
            kept, made = console.printable(output), console.printable(part)
            console.say(f"{kept} is as it was; what was analysed so far is in {made}")


@contextmanager
def _writer(form: str, stream: IO[str], view: View, *, folder: Path | None) -> Iterator[Writer]:
    if form == "table":
        yield Table(stream, view).write
    elif form == "jsonl":
        # Flushed line by line: another program may read along.
        yield lambda result: print(to_json(result.to_dict()), file=stream, flush=True)
    elif form == "json":
        results: list[Result] = []
        try:
            yield results.append
        finally:
            # Also after Ctrl-C: a list that breaks off would be no JSON.
            rows = ",\n ".join(to_json(result.to_dict()) for result in results)
            print(f"[{rows}]", file=stream)
    elif form in FORMATS:
        yield lambda result: _write_timeline(form, stream, result, folder)
    else:
        _write_csv(stream, _CSV_COLUMNS)
        yield lambda result: _write_csv(stream, _csv_row(result))


def _write_timeline(form: str, stream: IO[str], result: Result, folder: Path | None) -> None:
    """Print a track's segments; an error is left to the closing summary."""
    if isinstance(result, Prediction) and result.timeline:
        near = os.path.abspath(folder) if folder else None
        path = os.path.abspath(result.path or "")
        stream.write(render(form, result.timeline, path=path, folder=near))


def to_json(values: dict[str, Any] | list[dict[str, Any]]) -> str:
    """One line of JSON; a name that is not valid Unicode keeps its odd bytes as escapes.

    Parameters
    ----------
    values : dict or list of dict
        Plain JSON values.
    """
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    # Control characters and lone surrogates are escaped: some terminals act on them.
    return text if text.isprintable() else json.dumps(values, allow_nan=False)


def _write_csv(stream: IO[str], row: list[str]) -> None:
    # Through a buffer: what is not UTF-8 is escaped before the stream refuses it.
    line = io.StringIO(newline="")
    csv.writer(line).writerow(row)
    stream.write(line.getvalue().encode("utf-8", "backslashreplace").decode())
    stream.flush()


def _csv_row(result: Result) -> list[str]:
    if isinstance(result, DecodeError):
        return [result.path, *[""] * 9, result.reason, "", ""]
    # A model of one genre has no second.
    second, probability = [*result.probabilities.items(), ("", "")][1]
    timeline = (
        f"{segment.start_s}-{segment.end_s} {segment.genre or 'unknown'}"
        for segment in result.timeline
    )
    row: list[object] = [result.path, result.genre or "", result.nearest, result.confidence]
    row += [second, probability, result.duration_s, "; ".join(list(result.tags)[:TAGS_SHOWN])]
    row += ["; ".join(timeline), "; ".join(result.warnings), "", result.note or ""]
    return [*map(str, row), shares(result.mix)]


def shares(mix: Mapping[str, float] | None) -> str:
    """The genres of a mix as one field of a CSV: ``jazz 0.6; unknown 0.4``; empty for others.

    Parameters
    ----------
    mix : mapping of str to float or None
        Fraction of the track for each genre.
    """
    return "; ".join(f"{genre} {share}" for genre, share in (mix or {}).items())
