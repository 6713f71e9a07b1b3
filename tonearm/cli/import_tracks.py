"""``tonearm import``: what a cluster or another library analysed, into this library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Location, location, path
from tonearm.cli.progress_bar import Progress
from tonearm.errors import counted

if TYPE_CHECKING:
    from tonearm.library.import_table import Import
    from tonearm.library.records import ModelRecord
    from tonearm.library.table import TableRow

    Batch = tuple[Iterable[TableRow], dict[str, ModelRecord]]


def import_tracks(
    tables: Annotated[
        list[str],
        typer.Argument(help="Parquet files, or folders or URIs of them.", parser=path),
    ],
    maps: Annotated[
        list[str] | None,
        typer.Option("--path-map", help="Where files are on this machine: s3://a/=~/Music/."),
    ] = None,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Add tracks that were analysed elsewhere.

    Reads the output of `scan --on ray` and of `export`. No audio is needed: the library may list
    files that are not on this machine.
    """
    from tonearm.library.import_table import Import, Mapping, import_rows
    from tonearm.library.store import Library
    from tonearm.library.table import require_pyarrow

    require_pyarrow("an import")  # before a library is made
    mapping = Mapping([_pair(text) for text in maps or ()])
    # Listed before the library is opened, so that a mistyped folder leaves no empty library.
    files = [file for table in tables for file in _files(table)]
    result = Import()
    interrupted = False
    with (
        Library(location(library), write=True) as opened,
        Progress(len(files), unit="tables") as bar,
    ):
        known = {model.sha256 for model in opened.models()}
        try:
            import_rows(opened, _batches(files, bar), mapping=mapping, result=result)
        except KeyboardInterrupt:
            interrupted = True
        placed = next(opened.strays(), None) is None
        others = [model.name for model in opened.models() if model.sha256 not in known]
    print(_summary(result))
    if result.unplaced:
        more = result.unplaced_count - len(result.unplaced)
        also = f" (and {more:,} more)" if more else ""
        reason = "has no place on this machine: name one with --path-map s3://bucket/=FOLDER/"
        console.report(f"not imported{also}", [(uri, reason) for uri in result.unplaced])
    # A table of tracks does not say which folders they were found in.
    if not placed:
        console.say(
            "Later scans look at these files, but for new ones only in folders that were scanned "
            "here: `tonearm scan FOLDER`, once."
        )
    if known and others:
        named = " and ".join(map(console.printable, others))
        console.say(
            f"The answers of {named} stay until the next scan, which classifies everything by the "
            "model of the last scan here, unless --model names the file of another."
        )
    if interrupted:
        console.say(
            "Interrupted. What was imported is kept; the same command continues from there."
        )
        raise typer.Exit(console.EXIT_INTERRUPTED)
    if result.unplaced:
        raise typer.Exit(console.EXIT_FAILED_FILES)


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    # An empty side would map every path, or to nowhere.
    if not equals or not old or not new:
        words = f"{text} should be OLD=NEW: what paths begin with, and what replaces that"
        raise typer.BadParameter(words, param_hint="--path-map")
    place = os.path.abspath(os.path.expanduser(new))
    # abspath drops the end of FOLDER/, which belongs to what is replaced.
    return old, place + os.sep if new.endswith(("/", os.sep)) and place != os.sep else place


def _files(table: str) -> list[str]:
    """The Parquet files of a folder or URI; names that begin with `_` are no rows."""
    from tonearm.errors import LibraryError

    if "://" not in table and not os.path.isdir(os.path.expanduser(table)):
        return [os.path.abspath(os.path.expanduser(table))]
    # Of a store one file can be named, which no listing has to find.
    if "://" in table and table.endswith(".parquet"):
        return [table]
    found = [
        name
        for name in _names(table)
        if name.endswith(".parquet") and not any(p[:1] in "_." for p in name.split("/"))
    ]
    if not found:
        raise LibraryError(f"{table} holds no Parquet files")
    return [f"{table.rstrip('/')}/{name}" for name in sorted(found)]


def _names(folder: str) -> list[str]:
    if "://" in folder:
        from tonearm.distributed.storage import names

        return names(folder)
    top = os.path.expanduser(folder)
    return [
        os.path.relpath(os.path.join(place, name), top).replace(os.sep, "/")
        for place, _, below in os.walk(top)
        for name in below
    ]


def _batches(files: list[str], bar: Progress) -> Iterator[Batch]:
    import pyarrow as pa
    from pyarrow import parquet

    from tonearm.errors import LibraryError
    from tonearm.library.table import BATCH_ROWS, from_table, models_of

    for name in files:
        try:
            with parquet.ParquetFile(_source(name)) as table:
                models = models_of(table.schema_arrow, name=name)
                # In batches: an archive of millions of rows does not fit into memory.
                for batch in table.iter_batches(BATCH_ROWS):
                    yield from_table(batch, models), models
        except (pa.ArrowException, OSError) as error:
            missing = isinstance(error, FileNotFoundError)
            words = "it does not exist" if missing else " ".join(str(error).split())
            raise LibraryError(f"{name} cannot be read ({words})") from error
        bar.advance()


def _source(name: str) -> Any:  # noqa: ANN401 - pyarrow's own kinds of files have no types
    import pyarrow as pa

    if "://" not in name:
        return pa.OSFile(os.fsencode(name))  # as text, pyarrow takes UTF-8 alone
    from tonearm.distributed.storage import read

    # Whole: the footer of a Parquet file is at its end, and one request is cheaper than several.
    return pa.BufferReader(read(name))


def _summary(result: Import) -> str:
    parts = [f"{result.imported:,} imported"]
    parts += [f"{result.kept:,} known and unchanged"] * bool(result.kept)
    parts += [f"{result.errors:,} with an error"] * bool(result.errors)
    parts += [f"{result.unplaced_count:,} without a place on this machine"] * bool(
        result.unplaced_count
    )
    total = result.imported + result.kept + result.errors + result.unplaced_count
    return f"{counted(total, 'file')}: {', '.join(parts)}"
