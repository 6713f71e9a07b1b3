"""``tonearm similar``: the tracks that sound most like one."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Location, ModelOption, chosen_model, location, print_object
from tonearm.cli.playlist import Output, write_playlist
from tonearm.files import cores

if TYPE_CHECKING:
    from tonearm.library.similar import Probe
    from tonearm.library.store import Library


class ListFormat(StrEnum):
    """How lists of tracks are written."""

    table = "table"
    json = "json"
    m3u8 = "m3u8"


def similar(
    file: Annotated[Path, typer.Argument(help="An audio file, in the library or not.")],
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Number of tracks.")] = 20,
    output_format: Annotated[
        ListFormat, typer.Option("--format", "-f", help="Output format.")
    ] = ListFormat.table,
    output: Output = None,
    library: Location = None,
    model: ModelOption = None,
    verbose: console.Verbose = False,
) -> None:
    """List the tracks that sound most like a file.

    Copies of the track are left out.
    """
    from tonearm.library.playlist import Entry
    from tonearm.library.similar import similar as search
    from tonearm.library.store import Library

    # Else -o would be ignored, or a table written where a player expects a list.
    if output is not None and output_format is ListFormat.json:
        raise typer.BadParameter("writes a playlist: leave out --format json", param_hint="-o")
    if output is not None:
        output_format = ListFormat.m3u8
    with Library(location(library)) as opened:
        probe = _probe(opened, file, model)
        matches = search(opened, probe, count=count)
    if not matches:
        console.say("the library holds no sound other than this one: scan more music")
    if output_format is ListFormat.m3u8:
        write_playlist([Entry.of(match.track) for match in matches], output)
    elif output_format is ListFormat.json:
        values = [
            {
                "path": match.track.path,
                "similarity": match.similarity,
                "genre": match.track.genre,
                "confidence": match.track.confidence,
                "mix": match.track.mix,
                "duration_s": match.track.duration_s,
                "artist": match.track.tags.artist,
                "title": match.track.tags.title,
            }
            for match in matches
        ]
        print_object({"path": str(file), "similar": values})
    else:
        from tonearm.cli.library_views import show_matches

        show_matches(matches)


def _probe(opened: Library, file: Path, model: Path | None) -> Probe:
    """The embedding of a file: from the library, else computed now."""
    from tonearm.containers.sound_key import sound_key
    from tonearm.errors import DecodeError, LibraryError
    from tonearm.library.similar import Probe, probe_of

    # The key first: a file that moved since the scan is known by it.
    key = sound_key(file) if file.is_file() and file.stat().st_size else None
    known = probe_of(opened, file, key)
    if known is not None:
        return known
    from tonearm.model.classifier import Classifier

    classifier = Classifier.load(chosen_model(opened, model), threads=cores())
    kept = opened.model()
    # Embeddings of two encoders have no distance from each other.
    if kept is not None and kept.encoder != classifier.model.encoder_sha256:
        raise LibraryError(
            f"{opened.path} was analysed by another model ({kept.name}): name it with --model, "
            "or scan again"
        )
    try:
        with console.quiet_decoders():
            embeddings = classifier.embed(file)
    except DecodeError as error:
        # A file that fails, not a wrong use: as for `predict` and `explain`.
        console.close("could not be read", [(error.path, error.reason)])
        raise
    return Probe.of(embeddings, classifier.model, key=key)
