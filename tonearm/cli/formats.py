"""How answers are written: a table for people (``table.py``); JSON, CSV and more for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tonearm.cli.table import TAGS_SHOWN, Table, View
from tonearm.errors import TonearmError
from tonearm.files import replacing
from tonearm.model.answer import Answer
from tonearm.timeline.formats import FORMATS, render

Writer = Callable[[Answer], None]

_CSV_COLUMNS = (
    "path genre nearest confidence second second_confidence duration_s tags timeline warnings error"
).split()


@contextmanager
def open_writer(form: str, output: Path | None, view: View) -> Iterator[Writer]:
    """A function that writes one answer; what was written is whole also after Ctrl-C.

    With ``output`` everything takes the place of that file at the end; a timeline of a track that
    could not be heard leaves it alone.
    """
    if output is None:
        with _writer(form, sys.stdout, view, folder=None) as write:
            yield write
        return
    told = 0

    def anything() -> bool:
        return told > 0 or form not in FORMATS

    try:
        with (
            replacing(output, "t", newline="", wanted=anything) as file,
            _writer(form, file, view, folder=output.parent) as write,
        ):

            def counted(answer: Answer) -> None:
                nonlocal told
                told += answer.prediction is not None
                write(answer)

            yield counted
    except OSError as error:
        raise TonearmError(f"{output}: cannot be written: {error.strerror}") from error


@contextmanager
def _writer(form: str, stream: IO[str], view: View, *, folder: Path | None) -> Iterator[Writer]:
    if form == "table":
        yield Table(stream, view).write
    elif form == "jsonl":
        yield lambda answer: print(to_json(answer.to_dict()), file=stream, flush=True)
    elif form == "json":
        answers: list[Answer] = []
        try:
            yield answers.append
        finally:
            rows = ",\n ".join(to_json(answer.to_dict()) for answer in answers)
            print(f"[{rows}]", file=stream)
    elif form in FORMATS:
        yield lambda answer: _write_timeline(form, stream, answer, folder)
    else:
        _write_csv(stream, _CSV_COLUMNS)
        yield lambda answer: _write_csv(stream, _csv_row(answer))


def _write_timeline(form: str, stream: IO[str], answer: Answer, folder: Path | None) -> None:
    """Print a track's parts; an error is left to the closing summary."""
    if answer.prediction and answer.prediction.timeline:
        beside = os.path.abspath(folder) if folder else None
        path = os.path.abspath(answer.path)
        stream.write(render(form, answer.prediction.timeline, path=path, folder=beside))


def to_json(values: dict[str, Any]) -> str:
    """One line of JSON; a name that is no valid Unicode keeps its odd bytes as escapes."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    return text if text.isprintable() else json.dumps(values, allow_nan=False)


def _write_csv(stream: IO[str], row: list[str]) -> None:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(row)
    stream.write(line.getvalue().encode("utf-8", "backslashreplace").decode())
    stream.flush()


def _csv_row(answer: Answer) -> list[str]:
    values = answer.to_dict()
    if "error" in values:
        return [answer.path, *[""] * 9, values["error"]["message"]]
    second, share = [*values["probabilities"].items(), ("", "")][1]
    parts = (
        f"{part['start_s']}-{part['end_s']} {part['genre'] or 'unknown'}"
        for part in values["timeline"]
    )
    row = [answer.path, values["genre"] or "", values["nearest"], values["confidence"]]
    row += [second, share, values["duration_s"], "; ".join(list(values["tags"])[:TAGS_SHOWN])]
    row += ["; ".join(parts), "; ".join(values.get("warnings", [])), ""]
    return [str(value) for value in row]
