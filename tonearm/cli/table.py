"""The table of ``tonearm predict``: one line per file, with its timeline and tags below."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import IO, TYPE_CHECKING

from tonearm.cli.console import clock, columns, printable, rich_console
from tonearm.genres import colour, shown
from tonearm.model.prediction import NOTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console
    from rich.text import Text

    from tonearm.errors import DecodeError
    from tonearm.model.prediction import Prediction
    from tonearm.timeline.segments import Segment

TAGS_SHOWN = 6
_BAR_CELLS = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LENGTH_CELLS = 8  # 1:02:07, and a space
_LEAST_NAME_CELLS, _MOST_NAME_CELLS = 16, 60
_ROUGH = "  roughly, from a few windows: --timeline finds each change"
_MOST_GENRE_CELLS = 16  # longer names of own genres are cut


@dataclass(frozen=True)
class View:
    """What a table shows.

    Parameters
    ----------
    labels : tuple of str
        The genres that may occur.
    top : int
        Guesses for each file, as far as the terminal is wide enough.
    below : str
        Folder from which paths are given; empty for whole paths.
    styles : bool
        Whether the styles of each file are shown.
    every_second : bool
        Whether each second was classified. If not, the changes of a mix are known to within the
        distance of two windows.
    """

    labels: tuple[str, ...]
    top: int
    below: str = ""
    styles: bool = False
    every_second: bool = False


class Table:
    """One line a file, printed as it comes; strips, changes and tags below it.

    Parameters
    ----------
    stream : text file
        Where lines go.
    view : View
        What is shown of each file.
    """

    def __init__(self, stream: IO[str], view: View) -> None:
        # rich takes as long to load as a track to analyse, so it loads during the first one.
        threading.Thread(target=import_module, args=["rich.console"]).start()
        self._stream, self._below, self._shows_styles = stream, view.below, view.styles
        self._every_second = view.every_second
        # Columns are fixed at the start: a table that is printed as it comes cannot look ahead.
        names = max(len(_genre(label)) for label in (None, *view.labels))
        self._genre_cells = min(names, _MOST_GENRE_CELLS) + 1
        self._guess_cells = self._genre_cells + 6
        width = columns(stream)
        fixed = self._genre_cells + _BAR_CELLS + 6 + _LENGTH_CELLS + 5
        # As many guesses as leave the name its least.
        fitting = (width - fixed - _LEAST_NAME_CELLS) // self._guess_cells
        self._guesses = max(0, min(view.top - 1, len(view.labels) - 1, fitting))
        room = width - fixed - self._guesses * self._guess_cells
        # In a very narrow terminal, even half of that.
        self._name_cells = max(_LEAST_NAME_CELLS // 2, min(_MOST_NAME_CELLS, room))
        self._strip_cells = max(20, min(width - 4, 100))
        self._header_due = True

    @cached_property
    def _console(self) -> Console:
        return rich_console(self._stream)

    def write(self, result: Prediction | DecodeError) -> None:
        """Print one result; an error is left to the closing summary.

        Parameters
        ----------
        result : Prediction or DecodeError
            What came of a file.
        """
        if isinstance(result, Exception):
            return
        from rich.text import Text

        if self._header_due:
            self._header_due = False
            self._console.print(self._header())
        line = Text(fit(self._name(result.path or ""), self._name_cells) + "  ")
        line.append(
            fit(_genre(result.genre, result.mix), self._genre_cells),
            style=f"bold {colour(result.genre)}",
        )
        line.append_text(self._confidence(result))
        line.append(f"{clock(result.duration_s or 0):>{_LENGTH_CELLS}}")
        self._console.print(line)
        if result.note and result.note != "silent":  # which the line itself says
            self._console.print(Text(f"  {NOTES[result.note]}", style="dim"))
        if result.timeline:
            self._console.print(_strip(result.timeline, self._strip_cells))
            self._console.print(_changes(result.timeline))
            if not self._every_second:
                self._console.print(Text(_ROUGH, style="dim"))
        if result.styles and self._shows_styles:
            self._console.print(Text(f"  {printable(', '.join(result.styles))}", style="dim"))
        if result.tags:
            tags = ", ".join(list(result.tags)[:TAGS_SHOWN])
            self._console.print(Text(f"  {printable(tags)}", style="dim"))

    def _name(self, path: str) -> str:
        return printable(os.path.relpath(path, self._below) if self._below else path)

    def _confidence(self, prediction: Prediction) -> Text:
        """Bar, percentage, further guesses; a mix's shares; an unknown sound's nearest genre."""
        from rich.text import Text

        guesses = list(prediction.probabilities.items())
        cells = _BAR_CELLS + 7 + self._guess_cells * self._guesses
        if prediction.mix:
            shares = [f"{_genre(each)} {share:.0%}  " for each, share in prediction.mix.items()]
            return Text(fit(_whole(shares, cells), cells))
        if prediction.note == "silent":
            return Text(fit("(silent)", cells), style="dim")
        if prediction.genre is None:
            return Text(fit(f"(nearest: {_genre(prediction.nearest)})", cells), style="dim")
        line = Text(bar(prediction.confidence), style=colour(prediction.genre))
        line.append(f" {prediction.confidence:4.0%}  ", style="default")
        for genre, probability in guesses[1 : self._guesses + 1]:
            line.append(
                f"{fit(_genre(genre), self._genre_cells - 1)} {probability:4.0%}  ", style="dim"
            )
        return line

    def _header(self) -> Text:
        from rich.text import Text

        names = ["second guess", "third", "fourth", *["…"] * 50]
        line = "".join(
            [
                fit("file", self._name_cells) + "  ",
                fit("genre", self._genre_cells),
                fit("confidence", _BAR_CELLS + 7),
                *(fit(name, self._guess_cells) for name in names[: self._guesses]),
                f"{'length':>{_LENGTH_CELLS}}",
            ]
        )
        return Text(line, style="dim underline")


def _whole(parts: list[str], cells: int) -> str:
    """As many parts as fit unabridged, the first in any case, and an ellipsis for the others."""
    shown = parts[0]
    for part in parts[1:]:
        if len(shown) + len(part) > cells - 1:
            return shown + "…"
        shown += part
    return shown


def fit(text: str, cells: int) -> str:
    """Exactly ``cells`` columns of a terminal (wide characters take two); cut in the middle.

    Parameters
    ----------
    text : str
        A name, printable.
    cells : int
        Columns of the terminal.
    """
    from rich.cells import cell_len, chop_cells, set_cell_size

    if cell_len(text) <= cells:
        return set_cell_size(text, cells)
    # A third for the end, where names of tracks differ: "Artist - Album - 01 …".
    tail_cells = cells // 3
    head = chop_cells(text, cells - tail_cells - 1)[0]
    tail = text
    while cell_len(tail) > tail_cells:
        tail = tail[1:]
    return set_cell_size(f"{head}…{tail}", cells)


def bar(fraction: float) -> str:
    """A bar of ten cells.

    Parameters
    ----------
    fraction : float
        0 to 1.
    """
    eighths = round(fraction * _BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR_CELLS)


def _genre(genre: str | None, mix: Mapping[str, float] | None = None) -> str:
    """The genre as people see it: its name may come from the model file of a stranger."""
    return printable(shown(genre, mix))


def _strip(timeline: list[Segment], cells: int) -> Text:
    """The whole track as one coloured line, each segment with its name where that fits."""
    from rich.text import Text

    total_s = timeline[-1].end_s
    line = Text("  ")
    for segment in timeline:
        # From rounded ends, not rounded lengths: the widths add up to the whole line.
        width = round(segment.end_s / total_s * cells) - round(segment.start_s / total_s * cells)
        label = f"▏{_genre(segment.genre)}"[:width] if width else ""
        line.append(label.ljust(width), style=f"black on {colour(segment.genre)}")
    return line


def _changes(timeline: list[Segment]) -> Text:
    from rich.text import Text

    line = Text("  ")
    for segment in timeline:
        line.append(f"{clock(segment.start_s)} ", style="dim")
        # A high figure beside "unknown" would read as if it were good.
        confidence = f" {segment.confidence:.0%}" if segment.genre else ""
        line.append(_genre(segment.genre) + confidence, style=colour(segment.genre))
        line.append("   ")
    return line
