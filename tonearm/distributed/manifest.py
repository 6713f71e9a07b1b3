"""What a cluster is to analyse: from manifests and prefixes to slices of one manifest.

A manifest is a Parquet or CSV file with a column ``path``, ``uri``, ``url`` or ``file``, or a text
file with a path in each line. All inputs are brought into one form, without repetition, before
the first object is opened; memory stays at 16 bytes a path.
"""

from __future__ import annotations

import csv
import hashlib
import io
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.distributed import storage
from tonearm.distributed.objects import ObjectPath
from tonearm.distributed.output import SLICE_ROWS, Output
from tonearm.errors import TonearmError

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ("path", "uri", "url", "file")
_TEXT_SUFFIXES = frozenset({".txt", ".lst", ".list", ".m3u", ".m3u8"})
_BATCH_ROWS = 8_192


@dataclass(frozen=True)
class Item:
    """One line of a manifest.

    Parameters
    ----------
    path : str
        URI or absolute path; the place of the line itself, where that names nothing.
    size : int or None
        Bytes, where a listing says so.
    fault : str or None
        Why the line names nothing that could be opened.
    """

    path: str
    size: int | None = None
    fault: str | None = None


def items(uri: str) -> Iterator[Item]:
    """What a manifest, a prefix, or an object itself names.

    Parameters
    ----------
    uri : str
        URI or path; the ending says whether it is a manifest.

    Raises
    ------
    OSError, TonearmError
        When it cannot be read.
    """
    suffix = ObjectPath(uri).suffix.lower()
    if suffix == ".parquet":
        yield from _lines(uri, _parquet_cells(uri))
    elif suffix in (".csv", ".tsv"):
        yield from _lines(uri, _csv_cells(uri, "\t" if suffix == ".tsv" else ","))
    elif suffix in _TEXT_SUFFIXES:
        yield from _lines(uri, _text_cells(uri))
    else:
        # Neither manifest nor table: a prefix, a folder, or a single object.
        for path, size in storage.find(uri, suffixes=AUDIO_SUFFIXES):
            yield Item(path, size)


def _lines(uri: str, cells: Iterator[tuple[int, object]]) -> Iterator[Item]:
    path = uri.removeprefix("file://")
    whole = path if storage.is_uri(path) else storage.file_system(path)[1]
    folder = whole.rpartition("/")[0]
    for number, cell in cells:
        text = cell.strip() if isinstance(cell, str) else ""
        if not text or "\0" in text:
            # Named by its place, since there is nothing else to name it by.
            yield Item(f"{uri}#{number}", fault="is a line of a manifest that names no file")
        else:
            full = storage.is_uri(text) or text.startswith("/")
            name = (text if full else storage.joined(folder, text)).removeprefix("file://")
            # As a scan of the same files names them. In a store, `..` is a name as any other.
            yield Item(name if storage.is_uri(name) else posixpath.normpath(name))


def _parquet_cells(uri: str) -> Iterator[tuple[int, object]]:
    import pyarrow as pa
    from pyarrow import parquet

    with _opened(uri) as file:
        try:
            table = parquet.ParquetFile(file)
            column = _column(table.schema_arrow.names, uri)
            number = 0
            for batch in table.iter_batches(_BATCH_ROWS, columns=[column]):
                for cell in batch.column(0).to_pylist():
                    number += 1
                    yield number, cell
        except pa.ArrowInvalid as error:
            raise TonearmError(f"{uri} is not a readable Parquet file ({error})") from None


def _csv_cells(uri: str, delimiter: str) -> Iterator[tuple[int, object]]:
    with _opened(uri) as file:
        # A byte that is not UTF-8 spoils its own line, not the manifest.
        text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
        reader = csv.reader((line.replace("\0", "") for line in text), delimiter=delimiter)
        header = next(reader, [])
        column = _column(header, uri)
        place = header.index(column)
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:  # a field longer than any path
                row = []
            if row != [""]:
                yield reader.line_num, row[place] if place < len(row) else None


def _text_cells(uri: str) -> Iterator[tuple[int, object]]:
    with _opened(uri) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape")
        for number, line in enumerate(text, 1):
            # Comments are playlists' own; empty lines part what people write.
            if line.strip() and not line.startswith("#"):
                yield number, line.strip("\r\n")


def _opened(uri: str) -> IO[Any]:
    return storage.ask(uri, lambda store, name: store.open(name, "rb"))


def _column(names: Sequence[str], uri: str) -> str:
    # Reversed, so that the first of two columns of one name counts.
    lower = {name.strip().lower(): name for name in reversed(names)}
    for wanted in _COLUMNS:
        if wanted in lower:
            return lower[wanted]
    raise TonearmError(f"{uri} has no column {', '.join(_COLUMNS[:-1])} or {_COLUMNS[-1]}")


class Seen:
    """Paths that were seen before, at 16 bytes each."""

    def __init__(self) -> None:
        self._keys: NDArray[np.uint64] = np.empty((0, 2), dtype=np.uint64)

    def new(self, paths: Sequence[bytes]) -> list[bool]:
        """Which of the paths are new, and no repetition of one before; they count as seen then.

        Parameters
        ----------
        paths : sequence of bytes
            Names of objects, in the order of the manifest.
        """
        digests = b"".join(hashlib.blake2b(path, digest_size=16).digest() for path in paths)
        keys = np.frombuffer(digests, dtype=np.uint64).reshape(-1, 2)
        first = np.zeros(len(keys), dtype=bool)
        # Within this batch; `known` below compares with those before.
        first[np.unique(keys, axis=0, return_index=True)[1]] = True
        # Sorted by the first half; two different paths that share it are one in 10^19 pairs.
        places = np.searchsorted(self._keys[:, 0], keys[:, 0])
        inside = places < len(self._keys)
        known = np.zeros(len(keys), dtype=bool)
        known[inside] = (self._keys[places[inside]] == keys[inside]).all(axis=1)
        new = first & ~known
        added = np.concatenate([self._keys, keys[new]])
        # Kept sorted, so that a look-up is a binary search: a hundred million paths take 1.6 GB and
        # no Python objects.
        self._keys = added[np.argsort(added[:, 0], kind="stable")]
        return [bool(each) for each in new]


def write_slices(output: Output, inputs: Sequence[str], slices: int) -> list[int]:
    """Bring all inputs into slices behind those that are there; gives the rows of every slice.

    Parameters
    ----------
    output : Output
    inputs : sequence of str
        Manifests, prefixes, objects.
    slices : int
        Slices that are there already: their paths are not taken again.

    Raises
    ------
    TonearmError
        When an input cannot be read.
    """
    seen = Seen()
    rows = []
    for number in range(slices):
        paths = output.read_slice(number).column("path").to_pylist()
        # A scan that goes on must not take in again what its earlier slices name.
        seen.new(paths)
        rows.append(len(paths))
    # A generator: a manifest may be longer than the memory.
    fresh = _without_known((item for uri in inputs for item in _named(uri)), seen)
    while batch := list(islice(fresh, SLICE_ROWS)):
        output.put_slice(len(rows), _slice_table(batch))
        rows.append(len(batch))
    return rows


def _named(uri: str) -> Iterator[Item]:
    """The items of an input; what is wrong with it names it."""
    try:
        yield from items(uri)
    except OSError as error:
        words = "does not exist" if isinstance(error, FileNotFoundError) else f"{error}"
        raise TonearmError(f"{uri} cannot be read: {words}") from error


def _without_known(found: Iterator[Item], seen: Seen) -> Iterator[Item]:
    while batch := list(islice(found, _BATCH_ROWS)):
        new = seen.new([_stored(item.path) for item in batch])
        yield from (item for item, is_new in zip(batch, new, strict=True) if is_new)


def _slice_table(batch: Sequence[Item]) -> pa.Table:
    import pyarrow as pa

    columns = {
        "path": [_stored(item.path) for item in batch],
        "size": [item.size for item in batch],
        "fault": [item.fault for item in batch],
    }
    types = [("path", pa.binary()), ("size", pa.int64()), ("fault", pa.string())]
    return pa.table(columns, pa.schema(types))


def _stored(path: str) -> bytes:
    """Names on a disk need not be UTF-8."""
    return path.encode("utf-8", "surrogateescape")


def items_of(table: pa.Table) -> list[Item]:
    """The lines that a slice, or some rows of it, holds.

    Parameters
    ----------
    table : pyarrow.Table
        With the columns of a slice.
    """
    return [
        Item(row["path"].decode("utf-8", "surrogateescape"), row["size"], row["fault"])
        for row in table.to_pylist()
    ]
