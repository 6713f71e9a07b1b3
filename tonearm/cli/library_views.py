"""Show a library in a terminal: its numbers, and lists of tracks."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tonearm.cli.console import clock, printable, rich_console
from tonearm.cli.table import bar, fit
from tonearm.errors import counted
from tonearm.genres import MIX, UNKNOWN, colour, id3_name, shown

if TYPE_CHECKING:
    from tonearm.library.overview import Overview
    from tonearm.library.similar import Match

_LABEL_CELLS = 12


def show_overview(seen: Overview, path: os.PathLike[str]) -> None:
    """Print the numbers of a library, with bars for genres and confidence.

    Parameters
    ----------
    seen : Overview
        The numbers.
    path : path
        The library's file, which is named above them.
    """
    from rich.text import Text

    console = rich_console(sys.stdout)
    console.print(Text(f"{printable(path)}"), style="dim")
    by = f", analysed by {printable(seen.model)}" if seen.model else ""
    links = f" with {counted(seen.links, 'link')}" if seen.links else ""
    files = f"{counted(seen.tracks, 'file')}{links}"
    console.print(Text(f"{files}, {_days(seen.duration_s)} of sound{by}"))
    total = max(1, seen.analysed)
    if seen.analysed:
        console.print(Text("\ngenre", style="dim underline"))
    largest = max(seen.genres.values(), default=1)
    for genre, count in seen.genres.items():
        name = genre if genre in {MIX, UNKNOWN} else id3_name(genre)
        line = Text(fit(printable(name), _LABEL_CELLS), style="bold")
        line.append(bar(count / largest), style=colour(genre))
        line.append(f" {count:7,}  {count / total:4.0%}")
        console.print(line)
    known = sum(seen.confidence)
    if known:
        console.print(Text("\nconfidence", style="dim underline"))
    largest = max(1, *seen.confidence)
    # From the lowest tenth that holds tracks; empty ones below say nothing.
    first = next((i for i, count in enumerate(seen.confidence) if count), len(seen.confidence))
    for i in range(len(seen.confidence) - 1, first - 1, -1):
        count = seen.confidence[i]
        line = Text(fit(f"{i * 10:3}–{i * 10 + 10} %", _LABEL_CELLS))
        line.append(bar(count / largest), style=_confidence_colour(i))
        line.append(f" {count:7,}  {count / known:4.0%}")
        console.print(line)
    console.print()
    rows = [
        (seen.untagged, "without a genre tag"),
        (seen.tagged_by_tonearm, "with a genre tag by Tonearm"),
        (seen.disagreeing, "with a genre tag by a person that differs from the genre by sound"),
        (seen.damaged, "damaged (`tonearm list --damaged` lists them)"),
        (seen.copies, "with the sound of another file (`tonearm list --copies` lists them)"),
        (seen.failed, "could not be read (`tonearm list --failed` lists them)"),
        (seen.missing, "missing or excluded (`tonearm list --missing` lists them)"),
    ]
    if seen.untaggable:
        words = "with tags that cannot be read or written (`tonearm list --failed`, too)"
        rows.append((seen.untaggable, words))
    if seen.offline:
        folders = ", ".join(map(printable, seen.offline_folders))
        rows.append((seen.offline, f"offline, perhaps on a disk that is not connected: {folders}"))
    for count, words in rows:
        console.print(f"{count:7,}  {words}", style="" if count else "dim")


def show_matches(matches: list[Match]) -> None:
    """Print tracks, nearest first.

    Parameters
    ----------
    matches : list of Match
        Tracks with their similarity, nearest first.
    """
    from rich.text import Text

    console = rich_console(sys.stdout)
    # What the other columns leave, and never less than a short title.
    cells = max(20, console.width - 43)
    header = f"{'alike':>6}  {'genre':11}{'confidence':12}{'length':>9}  track"
    console.print(Text(header, style="dim underline"))
    for match in matches:
        track = match.track
        line = Text(f"{match.similarity:6.3f}  ")
        name = shown(track.genre, track.mix)
        line.append(fit(printable(name), 11), style=f"bold {colour(track.genre)}")
        # Of an unknown sound, or a mix, it would be that of a genre that it is not.
        share = f"{track.confidence or 0:.0%}" if track.genre else ""
        line.append(f"{share:>10}  {clock(track.duration_s or 0):>9}  ")
        by = f"{track.tags.artist} – " if track.tags.artist and track.tags.title else ""
        title = track.tags.title or os.path.basename(track.path)
        line.append(fit(printable(f"{by}{title}"), cells).rstrip())
        console.print(line)


def _confidence_colour(tenth: int) -> str:
    """From red at a tenth to green at all."""
    return f"rgb({230 - tenth * 20},{60 + tenth * 15},70)"


def _days(seconds: float) -> str:
    """``2 days 3:04:05``."""
    days, rest = divmod(round(seconds), 86_400)
    return f"{counted(days, 'day')} {clock(rest)}" if days else clock(rest)
