"""``tonearm export``: the whole library as a table for other programs."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tonearm.cli import console, outputs
from tonearm.cli.library_options import Location, location
from tonearm.errors import TonearmError, counted, writing

if TYPE_CHECKING:
    from tonearm.library.store import Library


class ExportForm(StrEnum):
    """Kinds of tables."""

    csv = "csv"
    parquet = "parquet"


def export(
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", callback=outputs.output_file, help="The file to write."),
    ],
    output_format: Annotated[
        ExportForm | None,
        typer.Option("--format", "-f", help="Output format.", show_default="by the file's name"),
    ] = None,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Write the library as CSV or Parquet.

    One row per file: path, tags, genre by sound, and the probability of each genre. Parquet holds
    the embeddings too, so that `tonearm import` can make a library from it.
    """
    from tonearm.library.store import Library

    if output is None:
        raise typer.BadParameter("name a file: the table cannot go to stdout", param_hint="-o")
    form = output_format or _form_named(output)
    # Asked before it is written, said after it.
    replaced = outputs.replaced(output)
    with Library(location(library)) as opened, writing(output, TonearmError):
        write = _write_csv if form is ExportForm.csv else _write_parquet
        count = write(opened, output)
    console.say(f"{counted(count, 'file')} in {console.printable(output)}{replaced}")


def _form_named(output: Path) -> ExportForm:
    """The kind of table that a file's name asks for."""
    ending = output.suffix.lower().removeprefix(".")
    if ending not in set(ExportForm):
        known = " or ".join(f".{form}" for form in ExportForm)
        words = f"{console.printable(output)} does not end in {known}: rename it, or give --format"
        raise typer.BadParameter(words, param_hint="-o")
    return ExportForm(ending)


def _rows(library: Library) -> Iterator[dict[str, Any]]:
    from tonearm.cli.formats import shares

    model = library.model()
    # Those of the model that classified most: the others' genres have no column in CSV.
    labels = model.labels if model else ()
    # With those that are missing: a table may be a person's only record of them.
    for track in library.tracks(missing=True):
        yield {
            "path": track.path,
            "missing": track.missing,
            "duration_s": track.duration_s,
            "title": track.tags.title,
            "artist": track.tags.artist,
            "album": track.tags.album,
            "album_artist": track.tags.album_artist,
            "genre_tags": "; ".join(track.tags.genres),
            "tagged_by_tonearm": track.tags.by_tonearm,
            "genre": track.genre,
            "nearest": track.nearest,
            "confidence": track.confidence,
            "mix": shares(track.mix),
            "error": track.error_message or track.tags.error,
            # A column for each genre, so that the header is right from the first row on.
            **{f"p_{label}": track.probabilities.get(label) for label in labels},
        }


def _write_csv(library: Library, output: Path) -> int:
    from tonearm.files import replacing

    count = 0
    with replacing(output, "t", newline="") as file:
        writer = None
        for row in _rows(library):
            if writer is None:
                writer = csv.DictWriter(file, list(row))
                writer.writeheader()
            # Names that are not UTF-8 have no place in a text file.
            row["path"] = console.printable(row["path"])
            writer.writerow(row)
            count += 1
    return count


def _write_parquet(library: Library, output: Path) -> int:
    from tonearm.files import replacing
    from tonearm.library.table import write_library

    with replacing(output, "b") as file:
        return write_library(library, file)
