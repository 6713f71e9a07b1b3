"""How answers are written: a table for people; JSON, JSON lines and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tonearm.answer import Answer
from tonearm.cli.console import clock, columns, printable, rich_console
from tonearm.errors import TonearmError
from tonearm.files import replacing
from tonearm.genres import colour, id3_name
from tonearm.timeline_formats import FORMATS, render

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from tonearm.classifier import Prediction
    from tonearm.timeline import Segment

Writer = Callable[[Answer], None]

_TAGS_SHOWN = 6
_BAR_CELLS = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_GENRE_CELLS, _LENGTH_CELLS, _GUESS_CELLS = 10, 8, 16
_LEAST_NAME_CELLS, _MOST_NAME_CELLS = 16, 60
_CSV_COLUMNS = (
    "path genre nearest confidence second second_confidence duration_s tags timeline warnings error"
).split()


@contextmanager
def open_writer(form: str, output: Path | None, *, top: int, below: str = "") -> Iterator[Writer]:
    """A function that writes one answer; what was written is whole also after Ctrl-C.

    A table shows paths as they are from the folder ``below``.
    With ``output`` everything takes the place of that file at the end; a timeline of a track that
    could not be heard leaves it alone.
    """
    if output is None:
        with _writer(form, sys.stdout, top=top, below=below, folder=None) as write:
            yield write
        return
    told = 0

    def anything() -> bool:
        return told > 0 or form not in FORMATS

    try:
        with (
            replacing(output, "t", newline="", wanted=anything) as file,
            _writer(form, file, top=top, below=below, folder=output.parent) as write,
        ):

            def counted(answer: Answer) -> None:
                nonlocal told
                told += answer.prediction is not None
                write(answer)

            yield counted
    except OSError as error:
        raise TonearmError(f"{output}: cannot be written: {error.strerror}") from error


@contextmanager
def _writer(
    form: str, stream: IO[str], *, top: int, below: str, folder: Path | None
) -> Iterator[Writer]:
    if form == "table":
        table = _Table(stream, top=top, below=below)
        yield table.write
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
    row += [second, share, values["duration_s"], "; ".join(list(values["tags"])[:_TAGS_SHOWN])]
    row += ["; ".join(parts), "; ".join(values.get("warnings", [])), ""]
    return [str(value) for value in row]


class _Table:
    """One line a file, printed as it comes; strips, changes and tags below it."""

    def __init__(self, stream: IO[str], *, top: int, below: str) -> None:
        # rich takes as long to load as a track to hear, so it loads while the first one is heard.
        threading.Thread(target=import_module, args=["rich.console"]).start()
        self._stream, self._below = stream, below
        width = columns(stream)
        fixed = _GENRE_CELLS + _BAR_CELLS + 6 + _LENGTH_CELLS + 5
        self._guesses = max(0, min(top - 1, (width - fixed - _LEAST_NAME_CELLS) // _GUESS_CELLS))
        room = width - fixed - self._guesses * _GUESS_CELLS
        self._name_cells = max(_LEAST_NAME_CELLS // 2, min(_MOST_NAME_CELLS, room))
        self._strip_cells = max(20, min(width - 4, 100))
        self._header_due = True

    @cached_property
    def _console(self) -> Console:
        return rich_console(self._stream)

    def write(self, answer: Answer) -> None:
        """Print one answer; an error is left to the closing summary."""
        if answer.heard is None or answer.prediction is None:
            return
        from rich.text import Text

        if self._header_due:
            self._header_due = False
            self._console.print(self._header())
        prediction, heard = answer.prediction, answer.heard
        shown = colour(prediction.genre)
        line = Text(fit(self._name(answer.path), self._name_cells) + "  ")
        line.append(fit(_name(prediction.genre), _GENRE_CELLS), style=f"bold {shown}")
        line.append_text(self._sureness(prediction))
        line.append(f"{clock(heard.duration_s):>{_LENGTH_CELLS}}")
        self._console.print(line)
        if prediction.timeline:
            self._console.print(_strip(prediction.timeline, self._strip_cells))
            self._console.print(_changes(prediction.timeline))
        if answer.with_tags:
            words = ", ".join(list(heard.tags())[:_TAGS_SHOWN])
            self._console.print(Text(f"  {words}", style="dim"))

    def _name(self, path: str) -> str:
        return printable(os.path.relpath(path, self._below) if self._below else path)

    def _sureness(self, prediction: Prediction) -> Text:
        """Bar, share and further guesses; of an unknown sound only what it is nearest to."""
        from rich.text import Text

        guesses = list(prediction.probabilities.items())
        if prediction.genre is None:
            cells = _BAR_CELLS + 7 + _GUESS_CELLS * self._guesses
            return Text(fit(f"(nearest: {id3_name(prediction.nearest)})", cells), style="dim")
        line = Text(bar(prediction.confidence), style=colour(prediction.genre))
        line.append(f" {prediction.confidence:4.0%}  ", style="default")
        for genre, share in guesses[1 : self._guesses + 1]:
            line.append(f"{fit(id3_name(genre), 9)} {share:4.0%}  ", style="dim")
        return line

    def _header(self) -> Text:
        from rich.text import Text

        names = ["second guess", "third", "fourth", *["…"] * 50]
        line = "".join(
            [
                fit("file", self._name_cells) + "  ",
                fit("genre", _GENRE_CELLS),
                fit("how sure", _BAR_CELLS + 7),
                *(fit(name, _GUESS_CELLS) for name in names[: self._guesses]),
                f"{'length':>{_LENGTH_CELLS}}",
            ]
        )
        return Text(line, style="dim underline")


def _name(genre: str | None) -> str:
    return id3_name(genre) if genre else "unknown"


def fit(text: str, cells: int) -> str:
    """Exactly ``cells`` columns of a terminal (wide signs take two); cut in the middle."""
    from rich.cells import cell_len, chop_cells, set_cell_size

    if cell_len(text) <= cells:
        return set_cell_size(text, cells)
    tail_cells = cells // 3
    head = chop_cells(text, cells - tail_cells - 1)[0]
    tail = text
    while cell_len(tail) > tail_cells:
        tail = tail[1:]
    return set_cell_size(f"{head}…{tail}", cells)


def bar(share: float) -> str:
    """A bar of ten cells."""
    eighths = round(share * _BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR_CELLS)


def _strip(parts: list[Segment], cells: int) -> Text:
    """The whole track as one coloured line, each part with its name where that fits."""
    from rich.text import Text

    total_s = parts[-1].end_s
    line = Text("  ")
    for part in parts:
        width = round(part.end_s / total_s * cells) - round(part.start_s / total_s * cells)
        name = _name(part.genre)
        label = f"▏{name}"[:width] if width else ""
        line.append(label.ljust(width), style=f"black on {colour(part.genre)}")
    return line


def _changes(parts: list[Segment]) -> Text:
    from rich.text import Text

    line = Text("  ")
    for part in parts:
        line.append(f"{clock(part.start_s)} ", style="dim")
        line.append(f"{_name(part.genre)} {part.confidence:.0%}", style=colour(part.genre))
        line.append("   ")
    return line
