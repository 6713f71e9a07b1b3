"""``tonearm playlist`` and ``similar``: lists of tracks out of a library."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.cli.scan import Location, ModelOption, chosen_model, location
from tonearm.files import cores

if TYPE_CHECKING:
    from tonearm.library.playlist import Entry
    from tonearm.library.similar import Probe
    from tonearm.library.store import Library


class ListFormat(StrEnum):
    """How lists of tracks are written."""

    table = "table"
    json = "json"
    m3u8 = "m3u8"


Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        callback=console.output_file,
        help="Write an M3U8 there instead of to stdout.",
    ),
]


def _seconds(text: str | None) -> str | None:
    parts = (text or "0").split(":")
    if len(parts) > 3 or not all(part.replace(".", "", 1).isdecimal() for part in parts):
        raise typer.BadParameter("seconds, or minutes:seconds, or hours:minutes:seconds")
    return text


def _in_seconds(text: str | None) -> float | None:
    if text is None:
        return None
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def playlist(
    genre: Annotated[
        list[str] | None, typer.Option("--genre", "-g", help="Heard as this; may be repeated.")
    ] = None,
    second: Annotated[
        str | None, typer.Option(help="With this as the second likeliest genre.")
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="At least this sure, 0 to 1.")
    ] = 0.0,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", "-t", help="A word for mood or style: 'Mellow>0.2'; all must hold."),
    ] = None,
    min_length: Annotated[
        str | None, typer.Option(callback=_seconds, help="At least so long: 90 or 1:30.")
    ] = None,
    max_length: Annotated[str | None, typer.Option(callback=_seconds, help="At most.")] = None,
    has_genre: Annotated[
        bool | None,
        typer.Option("--has-genre/--no-genre", help="Whose own tags name a genre, or none."),
    ] = None,
    output: Output = None,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Write an M3U8 of the tracks that meet all conditions, with paths relative to its folder."""
    from tonearm.library import playlist as playlists
    from tonearm.library.store import Library

    conditions = playlists.Conditions(
        genres=tuple(genre or ()),
        second=second,
        min_confidence=min_confidence,
        tags=tuple(map(playlists.TagCondition.parse, tag or ())),
        min_length_s=_in_seconds(min_length),
        max_length_s=_in_seconds(max_length),
        has_genre=has_genre,
    )
    with Library(location(library)) as opened:
        entries = playlists.select(opened, conditions)
    _write_playlist(entries, output)


def _write_playlist(entries: list[Entry], output: Path | None) -> None:
    from tonearm.files import write_atomically
    from tonearm.library.playlist import m3u8

    made = m3u8(entries, output.parent if output else os.curdir)
    if output is None:
        sys.stdout.buffer.write(made.data)
    else:
        try:
            write_atomically(output, made.data)
        except OSError as error:
            words = f"{console.printable(output)}: cannot be written: {error.strerror}"
            raise typer.BadParameter(words, param_hint="-o") from None
        tracks = console.counted(len(entries) - len(made.left_out), "track")
        console.say(f"{tracks} in {console.printable(output)}")
    if not entries:
        console.say("no track meets all of these conditions")
    reason = "a name with a line break has no place in M3U"
    console.report("left out", [(path, reason) for path in made.left_out])
    if made.left_out:
        raise typer.Exit(console.EXIT_FAILED_FILES)


def similar(
    file: Annotated[Path, typer.Argument(help="A track, in the library or not.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="How many.")] = 20,
    output_format: Annotated[ListFormat, typer.Option("--format", "-f")] = ListFormat.table,
    output: Output = None,
    library: Location = None,
    model: ModelOption = None,
    verbose: console.Verbose = False,
) -> None:
    """List the tracks that sound most like one; copies of it are left out."""
    from tonearm.library.playlist import Entry
    from tonearm.library.similar import similar as search
    from tonearm.library.store import Library

    if output is not None and output_format != "m3u8":
        raise typer.BadParameter("goes with --format m3u8", param_hint="-o")
    with Library(location(library)) as opened:
        probe = _probe(opened, file, model)
        matches = search(opened, probe, count=count)
    if not matches:
        console.say("nothing else is in the library but copies of it")
    if output_format == "m3u8":
        _write_playlist([Entry.of(match.track) for match in matches], output)
    elif output_format == "json":
        from tonearm.cli.formats import to_json

        values = [
            {
                "path": match.track.path,
                "similarity": match.similarity,
                "genre": match.track.genre,
                "confidence": match.track.confidence,
                "duration_s": match.track.duration_s,
                "artist": match.track.tags.artist,
                "title": match.track.tags.title,
            }
            for match in matches
        ]
        print(to_json({"schema": 1, "path": str(file), "similar": values}))
    else:
        from tonearm.cli.library_views import show_matches

        show_matches(matches)


def _probe(opened: Library, file: Path, model: Path | None) -> Probe:
    """The sound of a file: as the library knows it, else heard now."""
    from tonearm.containers.sound_key import sound_key
    from tonearm.errors import LibraryError
    from tonearm.library.similar import Probe, probe_of

    key = sound_key(file) if file.is_file() and file.stat().st_size else None
    known = probe_of(opened, file, key)
    if known is not None:
        return known
    from tonearm.model.classifier import Classifier

    classifier = Classifier.load(chosen_model(opened, model), threads=cores())
    kept = opened.model()
    if kept is not None and kept.encoder != classifier.model.encoder_sha256:
        raise LibraryError(
            f"{opened.path}: heard by another model ({kept.name}): name it with --model, or "
            "scan again"
        )
    with console.quiet_decoders():
        embeddings = classifier.embed(file)
    pooled = embeddings.values.mean(axis=0)
    return Probe(pooled, embeddings.duration_s, classifier.model.encoder_sha256, key)
