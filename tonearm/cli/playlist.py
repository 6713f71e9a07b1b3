"""``tonearm playlist``: write a playlist of tracks from the library."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, outputs
from tonearm.cli.library_options import Location, location
from tonearm.errors import TonearmError, counted, writing

if TYPE_CHECKING:
    from tonearm.library.playlist import Entry, Playlist


class PlaylistForm(StrEnum):
    """Kinds of playlists."""

    m3u8 = "m3u8"
    xspf = "xspf"
    rekordbox = "rekordbox"
    mixxx = "mixxx"


Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        callback=outputs.output_file,
        help="Write to this file instead of stdout.",
    ),
]


# Formats by the ending of a file.
_FORMS = {
    "": PlaylistForm.m3u8,
    ".m3u8": PlaylistForm.m3u8,
    ".m3u": PlaylistForm.m3u8,
    ".xspf": PlaylistForm.xspf,
    ".xml": PlaylistForm.rekordbox,
}


def _seconds(text: str | None) -> str | None:
    parts = (text or "0").split(":")
    # A fraction is fine; signs and exponents, which float() takes, are slips here.
    if len(parts) > 3 or not all(part.replace(".", "", 1).isdecimal() for part in parts):
        raise typer.BadParameter("Give seconds, minutes:seconds or hours:minutes:seconds.")
    return text


def _in_seconds(text: str | None) -> float | None:
    if text is None:
        return None
    total = 0.0
    for part in text.split(":"):
        # From the left: 1:30 is a minute and a half, whatever the number of parts.
        total = total * 60 + float(part)
    return total


def playlist(
    genre: Annotated[
        list[str] | None,
        typer.Option("--genre", "-g", help="Genre by sound, mix or unknown; may be repeated."),
    ] = None,
    second: Annotated[str | None, typer.Option(help="Genre of the second guess.")] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Minimum confidence, 0 to 1.")
    ] = 0.0,
    tag: Annotated[
        list[str] | None,
        typer.Option("--tag", "-t", help="Mood or instrument: 'Mellow>0.2'; may be repeated."),
    ] = None,
    style: Annotated[
        list[str] | None, typer.Option(help="A style, such as Hard Rock; may be repeated.")
    ] = None,
    min_length: Annotated[
        str | None, typer.Option(callback=_seconds, help="Minimum length, such as 90 or 1:30.")
    ] = None,
    max_length: Annotated[
        str | None, typer.Option(callback=_seconds, help="Maximum length.")
    ] = None,
    has_genre: Annotated[
        bool | None,
        typer.Option("--has-genre/--no-genre", help="Only files with a genre tag, or without one."),
    ] = None,
    copies: Annotated[
        bool, typer.Option("--copies", help="List all copies of a sound, not only one.")
    ] = False,
    output_format: Annotated[
        PlaylistForm | None,
        typer.Option(
            "--format", "-f", help="Playlist format.", show_default="by the ending of --output"
        ),
    ] = None,
    output: Output = None,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Write a playlist of matching tracks.

    Tracks must meet all conditions. Paths in an M3U8 are relative to its folder.
    """
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
        copies=copies,
        styles=tuple(style or ()),
    )
    with Library(location(library)) as opened:
        entries = playlists.select(opened, conditions)
        if style and not entries:
            names = ", ".join(playlists.styles_in(opened)) or "none"
            console.say(f"styles in this library: {names}")
    write_playlist(entries, output, output_format)


def write_playlist(
    entries: list[Entry], output: Path | None, form: PlaylistForm | None = None
) -> None:
    """Write entries to a file, or to stdout.

    Parameters
    ----------
    entries : list of Entry
        Tracks in their order.
    output : Path or None
        The file to write; None is stdout.
    form : PlaylistForm or None
        None is by the file's ending.
    """
    from tonearm.files import write_atomically

    made = _made(entries, output, form)
    unplayable = sum(made.unplayable.values())
    count = len(entries) - len(made.left_out) - unplayable
    if not entries:
        console.say("no track meets all of these conditions")
    elif unplayable:
        # No fault: it is the list's form that has no place for them.
        left = counted(unplayable, "track")
        endings = ", ".join(
            console.printable(ending) or "files without an ending" for ending in made.unplayable
        )
        console.say(f"{left} left out: Rekordbox does not play {endings}")
    if output is None:
        # As bytes: names that are not UTF-8 must come out as they are.
        sys.stdout.buffer.write(made.data)
    elif not count:
        # A list that is there may be one that a person wants to keep.
        console.say(f"{console.printable(output)} is not written")
    else:
        replaced = outputs.replaced(output)
        with writing(output, TonearmError):
            write_atomically(output, made.data)
        console.say(f"{counted(count, 'track')} in {console.printable(output)}{replaced}")
    # Named, and no fault: such a name has no place in the list today and tomorrow.
    console.report("left out", made.left_out)
    console.leave(faults=output is not None and not count, interrupted=None)


def _form_named(output: Path) -> PlaylistForm:
    """The format that a file's name asks for; one without an ending, such as a pipe, gets M3U8."""
    form = _FORMS.get(output.suffix.lower())
    if form is None:
        known = ", ".join(ending for ending in _FORMS if ending)
        words = f"{console.printable(output)} ends in none of {known}: rename it, or give --format"
        raise typer.BadParameter(words, param_hint="-o")
    return form


def _made(entries: list[Entry], output: Path | None, form: PlaylistForm | None) -> Playlist:
    from tonearm.library import playlist_formats
    from tonearm.library.playlist import m3u8

    if form is None and output is not None:
        form = _form_named(output)
    if form is PlaylistForm.xspf:
        return playlist_formats.xspf(entries)
    if form is PlaylistForm.rekordbox:
        return playlist_formats.rekordbox(entries, output.stem if output else "Tonearm")
    if form is PlaylistForm.mixxx:
        return playlist_formats.mixxx(entries)
    # Relative to where the list will lie; on stdout to where one is.
    return m3u8(entries, output.parent if output else os.curdir)
