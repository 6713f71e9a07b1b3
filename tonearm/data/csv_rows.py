"""The rows of a CSV table that a person made: labels, artists, splits. Imports only errors."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable

from tonearm.errors import DatasetError


def csv_rows(
    lines: Iterable[str], path: str | os.PathLike[str], *, delimiter: str = ","
) -> list[list[str]]:
    """The cells of each row, without empty rows.

    Parameters
    ----------
    lines : iterable of str
        The text of the table.
    path : path
        Where it comes from, for the message.
    delimiter : str
        What divides its cells.

    Raises
    ------
    DatasetError
        If it is no CSV: most often, because a quotation mark has no partner.

    Examples
    --------
    >>> csv_rows(["path,genre", "", 'a.mp3,"Rock, Pop"'], "labels.csv")
    [['path', 'genre'], ['a.mp3', 'Rock, Pop']]
    """
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        return [row for row in reader if row]
    except csv.Error as error:
        words = f"{path} cannot be read as CSV at line {reader.line_num} ({error})"
        raise DatasetError(f"{words}: close its quotation marks, or shorten the cell") from None
