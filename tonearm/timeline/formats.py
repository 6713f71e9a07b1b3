"""A timeline in the formats of other programs: CUE sheet, Audacity labels, FFmpeg chapters.

Segments come from :mod:`tonearm.timeline.segments`: end to end, smoothed, none shorter than the
minimum, in seconds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tonearm.files import is_utf8
from tonearm.genres import UNKNOWN, id3_name
from tonearm.timeline.segments import Segment

FORMATS = ("cue", "audacity", "ffmetadata")

_CUE_FRAMES = 75  # frames a second, as on a compact disc
_CUE_TRACKS = 99  # track numbers have two digits
_CUE_TYPES = {".mp3": "MP3", ".aif": "AIFF", ".aiff": "AIFF"}  # WAVE means any other format


def render(form: str, parts: Sequence[Segment], *, path: str, folder: str | None = None) -> str:
    """Write a timeline in one of :data:`FORMATS`.

    Parameters
    ----------
    form : str
        ``cue``, ``audacity`` or ``ffmetadata``.
    parts : sequence of Segment
        At least one.
    path : str
        The audio file.
    folder : str or None
        Folder of a CUE sheet, which names the audio relative to it; None is the audio's folder.

    Returns
    -------
    str
        Lines that end with a line feed. Bytes of the name that are not UTF-8 are escaped.
    """
    if form == "cue":
        text = _cue(
            parts, os.path.relpath(path, folder) if folder else os.path.basename(path), path
        )
    else:
        text = {"audacity": _audacity, "ffmetadata": _ffmetadata}[form](parts)
    return text.encode("utf-8", "backslashreplace").decode()


def _cue(parts: Sequence[Segment], name: str, path: str) -> str:
    """One track per segment. Positions are minutes:seconds:frames; minutes may exceed 99."""
    kind = _CUE_TYPES.get(os.path.splitext(path)[1].lower(), "WAVE")
    lines = [f'FILE "{_quoted(name)}" {kind}']
    for i, part in enumerate(fewer(parts, most=_CUE_TRACKS), 1):  # tracks count from 1
        # A tiny amount more, so that 1.0 s is not rounded down to 0:74.
        seconds, frames = divmod(int(part.start_s * _CUE_FRAMES + 1e-6), _CUE_FRAMES)
        lines += [
            f"  TRACK {i:02} AUDIO",
            f'    TITLE "{_name(part)}"',
            # Of an unknown sound it would be that of a genre that it is not.
            *([f"    REM CONFIDENCE {part.confidence:.2f}"] if part.genre else []),
            f"    INDEX 01 {seconds // 60:02}:{seconds % 60:02}:{frames:02}",
        ]
    return "\n".join(lines) + "\n"


def _audacity(parts: Sequence[Segment]) -> str:
    """Start and end in seconds and a label, separated by tabs."""
    lines = (
        f"{part.start_s:.6f}\t{part.end_s:.6f}\t{_name(part)}"
        + (f" {part.confidence:.0%}\n" if part.genre else "\n")
        for part in parts
    )
    return "".join(lines)


def _ffmetadata(parts: Sequence[Segment]) -> str:
    """Chapters in milliseconds, for ``ffmpeg -i mix.mp3 -i FILE -map_chapters 1 -codec copy``."""
    lines = [";FFMETADATA1"]
    for part in parts:
        lines += [
            "[CHAPTER]",
            "TIMEBASE=1/1000",
            f"START={round(part.start_s * 1_000)}",
            f"END={round(part.end_s * 1_000)}",
            f"title={_escaped(_name(part))}",
        ]
    return "\n".join(lines) + "\n"


def fewer(parts: Sequence[Segment], *, most: int) -> list[Segment]:
    """Join the shortest segment to its longer neighbour until there are at most ``most``.

    Neighbours that then have the same genre are joined too. Confidence is weighted by length.

    Parameters
    ----------
    parts : sequence of Segment
        End to end, in seconds.
    most : int
        Number of segments to keep.
    """
    left = list(parts)
    while len(left) > most:
        # The shortest goes first, since it loses the least.
        i = min(range(len(left)), key=lambda i: left[i].end_s - left[i].start_s)
        near = [j for j in (i - 1, i + 1) if 0 <= j < len(left)]
        j = max(near, key=lambda j: left[j].end_s - left[j].start_s)
        # The longer neighbour names the whole.
        left[min(i, j) : max(i, j) + 1] = [_joined(left[min(i, j)], left[max(i, j)], left[j].genre)]
        k = min(i, j)
        # From behind, so that a join at k does not move k - 1.
        for at in (k, k - 1):
            if 0 <= at < len(left) - 1 and left[at].genre == left[at + 1].genre:
                left[at : at + 2] = [_joined(left[at], left[at + 1], left[at].genre)]
    return left


def _joined(first: Segment, second: Segment, genre: str | None) -> Segment:
    lengths = [part.end_s - part.start_s for part in (first, second)]
    # A segment of another genre is no evidence for this one.
    confidences = [part.confidence * (part.genre == genre) for part in (first, second)]
    weighted = sum(length * each for length, each in zip(lengths, confidences, strict=True))
    return Segment(first.start_s, second.end_s, genre, round(weighted / max(sum(lengths), 1e-9), 4))


def _name(part: Segment) -> str:
    return id3_name(part.genre or UNKNOWN)


def changes_in_cue(path: str) -> bool:
    """Whether a CUE sheet cannot hold a name: it is a text, and has no way to write a quote.

    Parameters
    ----------
    path : str
        The audio file.
    """
    return _quoted(path) != path or not is_utf8(path)


def _quoted(text: str) -> str:
    """Replace what CUE cannot hold within quotes: a quote, and a line break."""
    return " ".join(text.replace('"', "'").splitlines())


def _escaped(text: str) -> str:
    # The backslash comes first, or it would escape the others again.
    for character in "\\=;#\n":
        text = text.replace(character, "\\" + character)
    return text
