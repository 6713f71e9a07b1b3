"""The folder that a cluster's scan fills, on any store.

::

    _scan.json               what the scan is: model, rows in a part
    _manifest/000000.parquet paths to analyse, in slices of 16,384; never changed once written
    000000/0003.parquet      part 3 of that slice: one row for each of its paths

A part is written whole, by whoever analysed it, under the name of its place in the manifest. So a
part that is there is done; one that is analysed twice, because a node was lost, replaces itself.
Names that begin with ``_`` are no rows to all readers of Parquet folders.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tonearm.distributed import storage
from tonearm.errors import TonearmError

if TYPE_CHECKING:
    import pyarrow as pa

SLICE_ROWS = 16_384
# More parts than rows of a slice there cannot be.
_PARTS = SLICE_ROWS
_VERSION = 1
_MANIFEST, _SETTINGS = "_manifest", "_scan.json"
_SLICE = re.compile(r"_manifest/(\d{6})\.parquet")
_PART = re.compile(r"(\d{6})/(\d{4})\.parquet")


@dataclass(frozen=True)
class Settings:
    """What a scan keeps of itself, so that it can only be continued as it began.

    Parameters
    ----------
    model : str
        SHA-256 of the model file.
    model_name : str
    part_rows : int
        Rows in a part.
    """

    model: str
    model_name: str
    part_rows: int


class Output:
    """The folder of a scan.

    Parameters
    ----------
    uri : str
        A folder or a prefix; it need not exist.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def settings(self) -> Settings | None:
        """How the scan began; None where none did.

        Raises
        ------
        TonearmError
            When a newer Tonearm wrote the folder.
        """
        try:
            values: dict[str, Any] = json.loads(storage.read(self._at(_SETTINGS)))
        except FileNotFoundError:
            return None
        # An older Tonearm would fill the rest of a folder in a form that its reader does not
        # expect.
        if values.pop("version") > _VERSION:
            raise TonearmError(f"{self.uri} was written by a newer Tonearm: update this one")
        return Settings(**values)

    def put_settings(self, settings: Settings) -> None:
        """Keep how the scan began.

        Parameters
        ----------
        settings : Settings
            Kept once; a scan that goes on is compared with them.
        """
        values = {"version": _VERSION, **asdict(settings)}
        storage.write(self._at(_SETTINGS), json.dumps(values, indent=1).encode())

    def forget(self) -> None:
        """Remove what a scan that wrote no part has begun."""
        slices, parts = self.contents()
        if parts:
            return
        for name in (*map(_slice_name, range(slices)), _SETTINGS):
            storage.remove(self._at(name))
        for folder in (self._at(_MANIFEST), self.uri):
            storage.remove_empty(folder)

    def contents(self) -> tuple[int, list[int]]:
        """How many slices of the manifest there are, and the numbers of the parts, rising."""
        names = storage.names(self.uri)
        slices = sum(bool(_SLICE.fullmatch(name)) for name in names)
        # By the names alone: no part has to be opened to know that it is there.
        found = filter(None, map(_PART.fullmatch, names))
        return slices, sorted(int(part[1]) * _PARTS + int(part[2]) for part in found)

    def read_slice(self, number: int) -> pa.Table:
        """Paths and sizes of a slice of the manifest.

        Parameters
        ----------
        number : int
            Number of the slice, from 0.
        """
        return _read(self._at(_slice_name(number)))

    def put_slice(self, number: int, table: pa.Table) -> None:
        """Write a slice of the manifest.

        Parameters
        ----------
        number : int
            Number of the slice, from 0.
        table : pyarrow.Table
            Its paths, sizes and faults.
        """
        storage.write(self._at(_slice_name(number)), _parquet(table))

    def read_part(self, part: int, columns: Sequence[str] | None = None) -> pa.Table | None:
        """The rows of a part; None where it is not there.

        Parameters
        ----------
        part : int
            Number of the part.
        columns : sequence of str or None
            None is all of them.
        """
        try:
            return _read(self._at(_part_name(part)), columns)
        except FileNotFoundError:
            return None

    def put_part(self, part: int, table: pa.Table) -> None:
        """Write a part.

        Parameters
        ----------
        part : int
            Number of the part.
        table : pyarrow.Table
            All rows of it.
        """
        # Stores replace an object whole, so a reader sees the old part or the new one.
        storage.write(self._at(_part_name(part)), _parquet(table))

    def _at(self, name: str) -> str:
        return storage.joined(self.uri, name)


def parts_of(slices: Sequence[int], *, part_rows: int) -> list[int]:
    """Numbers of the parts of slices with so many rows, rising.

    Parameters
    ----------
    slices : sequence of int
        Rows in each slice.
    part_rows : int
        Rows in a part.

    Examples
    --------
    >>> parts_of([100, 10], part_rows=64)
    [0, 1, 16384]
    """
    return [
        number * _PARTS + i
        for number, rows in enumerate(slices)
        for i in range(-(-rows // part_rows))  # rounded up
    ]


def place_of(part: int, *, part_rows: int) -> tuple[int, int]:
    """Slice of a part, and its first row there.

    Parameters
    ----------
    part, part_rows : int
        Number of the part, and rows in each.
    """
    number, i = divmod(part, _PARTS)
    return number, i * part_rows


def _slice_name(number: int) -> str:
    return f"{_MANIFEST}/{number:06}.parquet"


def _part_name(part: int) -> str:
    number, i = divmod(part, _PARTS)
    return f"{number:06}/{i:04}.parquet"


def _parquet(table: pa.Table) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    # Tables are made in memory and stored whole: a part is some megabytes.
    parquet.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _read(uri: str, columns: Sequence[str] | None = None) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    data = storage.read(uri)
    try:
        return parquet.read_table(pa.BufferReader(data), columns=columns)
    except pa.ArrowInvalid as error:
        raise TonearmError(f"{uri} is damaged ({error}): remove it and scan again") from None
