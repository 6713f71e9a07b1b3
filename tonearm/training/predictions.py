"""``predictions.csv``: what a network says of each track it did not learn from.

A row a track: its name, group and true genre, its further genres with ``;`` between them, then the
probability of each label. Any figure can be had from it, by scikit-learn or a spreadsheet.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tonearm.data.index import Track
from tonearm.training.run import write

COLUMNS = ("track", "group", "genre", "also")


def write_predictions(
    path: Path, tracks: Sequence[Track], labels: Sequence[str], values: NDArray[Any]
) -> None:
    """Write the table of some tracks.

    Parameters
    ----------
    path : Path
        The CSV file; one that is there is replaced.
    tracks : sequence of Track
        A row each.
    labels : sequence of str
        A column each.
    values : float64 [tracks, labels]
        Probabilities.
    """
    with_numbers = [
        # Nine digits bring a float32 back exactly.
        [track.name, track.group, track.genre, ";".join(track.also), *(f"{v:.9g}" for v in row)]
        for track, row in zip(tracks, values.tolist(), strict=True)
    ]
    lines = csv_text([[*COLUMNS, *labels], *with_numbers])
    # Names on a disk need not be UTF-8; so written they are read back as the same names.
    write(path, lines.encode("utf-8", "surrogateescape"))


def csv_text(rows: Iterable[Iterable[str]]) -> str:
    """Rows as CSV with LF on every system, so that a table is the same bytes everywhere.

    Parameters
    ----------
    rows : iterable of iterable of str
        Cells of each row.
    """
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def read_predictions(path: Path) -> list[dict[str, str]]:
    """The rows of a table of `write_predictions`.

    Parameters
    ----------
    path : Path
        A ``predictions.csv``.
    """
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))
