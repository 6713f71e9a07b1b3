"""Importing: tables of a cluster, or of another library, into a library; no audio is needed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tonearm.database import alone
from tonearm.files import FileStatus
from tonearm.library.file_tags import file_tags
from tonearm.library.records import ModelRecord
from tonearm.library.store import Library, as_stored
from tonearm.library.table import TableRow

# Of a file that is not here: a scan that meets it later looks into it again.
_ELSEWHERE = FileStatus(0, 0, 0, 0, 0)


@dataclass
class Import:
    """What an import did so far.

    Parameters
    ----------
    imported : int
        Files that are new or have a new prediction.
    kept : int
        Files that the library knew already, by the same model, and that have not changed since.
    errors : int
        Files that could not be read where the table was made; they are listed with their error.
    unplaced : list of str
        URIs that no ``--path-map`` brings to this machine; the first few.
    unplaced_count : int
    """

    imported: int = 0
    kept: int = 0
    errors: int = 0
    unplaced: list[str] = field(default_factory=list)
    unplaced_count: int = 0


@dataclass(frozen=True)
class Mapping:
    """Which paths of a table lie where on this machine.

    Parameters
    ----------
    pairs : sequence of (str, str)
        A beginning, and what takes its place; of several that fit, the longest counts.

    Examples
    --------
    >>> Mapping([("s3://archive/", "/music/")]).place("s3://archive/a/b.mp3")
    '/music/a/b.mp3'
    >>> Mapping([]).place("s3://archive/a/b.mp3") is None
    True
    """

    pairs: Sequence[tuple[str, str]]

    def place(self, path: str) -> str | None:
        """The path on this machine; None where it has none.

        Parameters
        ----------
        path : str
            As the table has it, on the machine that wrote it.
        """
        fitting = [pair for pair in self.pairs if path.startswith(pair[0])]
        if fitting:
            # The longest one: s3://a/live/ may lie elsewhere than the rest of s3://a/.
            old, new = max(fitting, key=lambda pair: len(pair[0]))
            path = new + path[len(old) :]
        # A URI is no place on a disk, and a relative path would depend on where the import runs.
        return path if os.path.isabs(path) and "://" not in path else None


def import_rows(
    library: Library,
    batches: Iterable[tuple[Iterable[TableRow], dict[str, ModelRecord]]],
    *,
    mapping: Mapping,
    result: Import,
) -> None:
    """Put the rows of tables into a library.

    Parameters
    ----------
    library : Library
        Open for writing.
    batches : iterable of (rows, models)
        Some rows, with the models that their table describes; each in one transaction.
    mapping : Mapping
        Where the files lie here. They need not be there.
    result : Import
        Filled as it goes, for a caller who is interrupted.

    Raises
    ------
    LibraryError
        When the library cannot be written, or is being scanned.
    """
    numbers: dict[str, int] = {}
    # A scan at the same time would call missing what it does not meet.
    with alone(library.path, what="a scan or another import"):
        for rows, models in batches:
            # A batch at a time: a commit for each row is slow, one for all would be lost by
            # Ctrl-C.
            with library.transaction():
                for row in rows:
                    _put(library, row, models, numbers, mapping, result)


def _put(
    library: Library,
    row: TableRow,
    models: dict[str, ModelRecord],
    numbers: dict[str, int],
    mapping: Mapping,
    result: Import,
) -> None:
    place = mapping.place(row.path)
    if place is None:
        result.unplaced_count += 1
        # Five say what is wrong; a wrong --path-map leaves out millions.
        if len(result.unplaced) < 5:
            result.unplaced.append(row.path)
        return
    path = as_stored(place)
    status = _status(place, row)
    known = library.known(path)
    # What was analysed here, or imported before with this file in place, is as good, if the same
    # model classified it: an archive is scanned again with a better one to have its genres.
    unchanged = (
        known is not None
        and known.status == status
        and status != _ELSEWHERE
        and known.model == row.model
    )
    if known is not None and known.encoder and (unchanged or row.prediction is None):
        result.kept += 1
        return
    # Of a file that is here its own: taggers write into the padding, which keeps the size, and a
    # genre that the library does not know of would be written over.
    tags = row.tags if status == _ELSEWHERE else file_tags(os.fsdecode(path))
    if row.prediction is None or row.embeddings is None or row.key is None or row.model is None:
        kind, message = row.error or ("internal", "was not analysed where the table was made")
        library.put_track(path, status, tags, error=(kind, message))
        result.errors += 1
        return
    # Entered with its first row, so that a table without rows leaves no model behind.
    if row.model not in numbers:
        numbers[row.model] = library.model_id(models[row.model])
    sound = library.put_sound(
        row.key,
        model=numbers[row.model],
        windows=row.embeddings.values,
        starts_s=row.embeddings.starts_s,
        duration_s=row.embeddings.duration_s,
        warning=row.embeddings.warning,
        prediction=row.prediction,
        texture=row.embeddings.texture,
    )
    library.put_track(path, status, tags, sound=sound)
    result.imported += 1


def _status(place: str, row: TableRow) -> FileStatus:
    """As of the file that lies there, if it can be the one that was analysed."""
    try:
        status = FileStatus.of(Path(place).stat())
    except OSError:
        return _ELSEWHERE
    # Another size is another file, or other tags: the next scan looks which.
    return status if row.size in (None, status.size) else _ELSEWHERE
