"""A timeline as other programs read it: CUE sheet, Audacity labels, FFmpeg chapters.

Segments come from :mod:`tonearm.timeline.segments`, end to end, smoothed, none shorter than its
minimum; times are seconds there, and here whatever the format counts in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tonearm.genres import UNKNOWN, id3_name
from tonearm.timeline.segments import Segment

FORMATS = ("cue", "audacity", "ffmetadata")

_CUE_FRAMES = 75  # a second, as on a compact disc
_CUE_TRACKS = 99  # two digits
_CUE_TYPES = {".mp3": "MP3", ".aif": "AIFF", ".aiff": "AIFF"}  # players take WAVE for all others


def render(form: str, parts: Sequence[Segment], *, path: str, folder: str | None = None) -> str:
    """A timeline in one of :data:`FORMATS`.

    Parameters
    ----------
    form : str
        ``cue``, ``audacity`` or ``ffmetadata``.
    parts : sequence of Segment
        At least one.
    path : str
        The audio file.
    folder : str or None
        Where a CUE sheet will lie, which names the audio relative to it; None is beside the audio.

    Returns
    -------
    str
        Lines that end with a line feed; bytes of the name that are no UTF-8 are spelt.
    """
    if form == "cue":
        text = _cue(
            parts, os.path.relpath(path, folder) if folder else os.path.basename(path), path
        )
    else:
        text = {"audacity": _audacity, "ffmetadata": _ffmetadata}[form](parts)
    return text.encode("utf-8", "backslashreplace").decode()


def _cue(parts: Sequence[Segment], name: str, path: str) -> str:
    """One track a part; positions minutes:seconds:frames, minutes as many as it takes."""
    kind = _CUE_TYPES.get(os.path.splitext(path)[1].lower(), "WAVE")
    lines = [f'FILE "{_quoted(name)}" {kind}']
    for i, part in enumerate(fewer(parts, most=_CUE_TRACKS), 1):
        seconds, frames = divmod(int(part.start_s * _CUE_FRAMES + 1e-6), _CUE_FRAMES)
        lines += [
            f"  TRACK {i:02} AUDIO",
            f'    TITLE "{_name(part)}"',
            f"    REM CONFIDENCE {part.confidence:.2f}",
            f"    INDEX 01 {seconds // 60:02}:{seconds % 60:02}:{frames:02}",
        ]
    return "\n".join(lines) + "\n"


def _audacity(parts: Sequence[Segment]) -> str:
    """Start, end in seconds and a label, between tabs."""
    lines = (
        f"{part.start_s:.6f}\t{part.end_s:.6f}\t{_name(part)} {part.confidence:.0%}\n"
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
    """At most that many parts: the shortest joins its longer neighbour, until they are few enough.

    Neighbours that become equal in genre by this are joined as well; confidence is weighted by
    length.

    Parameters
    ----------
    parts : sequence of Segment
    most : int
        Number of segments to keep.
    """
    left = list(parts)
    while len(left) > most:
        i = min(range(len(left)), key=lambda i: left[i].end_s - left[i].start_s)
        near = [j for j in (i - 1, i + 1) if 0 <= j < len(left)]
        j = max(near, key=lambda j: left[j].end_s - left[j].start_s)
        left[min(i, j) : max(i, j) + 1] = [_joined(left[min(i, j)], left[max(i, j)], left[j].genre)]
        k = min(i, j)
        for at in (k, k - 1):
            if 0 <= at < len(left) - 1 and left[at].genre == left[at + 1].genre:
                left[at : at + 2] = [_joined(left[at], left[at + 1], left[at].genre)]
    return left


def _joined(first: Segment, second: Segment, genre: str | None) -> Segment:
    lengths = [part.end_s - part.start_s for part in (first, second)]
    shares = [part.confidence * (part.genre == genre) for part in (first, second)]
    weighted = sum(length * share for length, share in zip(lengths, shares, strict=True))
    return Segment(first.start_s, second.end_s, genre, round(weighted / max(sum(lengths), 1e-9), 4))


def _name(part: Segment) -> str:
    return id3_name(part.genre or UNKNOWN)


def _quoted(text: str) -> str:
    """CUE has no way to write a quote or a line break within quotes."""
    return " ".join(text.replace('"', "'").splitlines())


def _escaped(text: str) -> str:
    for sign in "\\=;#\n":
        text = text.replace(sign, "\\" + sign)
    return text
