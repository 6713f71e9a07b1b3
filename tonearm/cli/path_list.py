"""Lists of files that a person, ``find -print0`` or a player wrote: which paths they name."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from urllib.parse import unquote

from tonearm.containers.kinds import container_of
from tonearm.containers.not_audio import CUE_SHEET, packed

_LINE_ENDS = re.compile(r"\r\n|\n|\r")
_PLAYLIST = "#EXTM3U"
# How a line ends in UTF-16, and where in its two bytes the NUL is; a list that is separated by NUL
# holds these only where a name begins or ends with a line end.
_LITTLE, _BIG = b"\n\0", b"\0\n"
# An entry of a playlist as Winamp writes it.
_PLS, _PLS_ENTRY = "[playlist]", re.compile(r"\s*File\d+=(.+)", re.IGNORECASE)
_MPEG = (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf1")
# How lists of other kinds begin, and what they are.
_OTHER_LISTS = (
    (b"<", "is XML: give an M3U8, or a list of paths"),
    (b'FILE "', CUE_SHEET),
    (b'["', "is JSON. Write one path a line"),
    (b"{", "is JSON. Write one path a line"),
)


def paths_in(data: bytes, *, folder: Path, is_playlist: bool = False) -> list[Path]:
    """The paths that a list names.

    One a line, or separated by NUL as ``find -print0`` writes them; in UTF-8 or the bytes of the
    file system, or in UTF-16 as Windows writes it.

    Parameters
    ----------
    data : bytes
        The list.
    folder : path
        Where a playlist lies: its entries are relative to that. Those of any other list are
        relative to the working directory.
    is_playlist : bool
        Whether it is an M3U playlist though its first line does not say so: a line that begins
        with ``#`` is then a remark.
    """
    text = _utf16(data)
    if text is not None:
        names = _LINE_ENDS.split(text)
    else:
        data = data.removeprefix(codecs.BOM_UTF8)
        # Not str.splitlines, which also ends lines at characters that are in names.
        parts = data.split(b"\0") if b"\0" in data else data.splitlines()
        names = [os.fsdecode(part) for part in parts]
    if names and names[0].strip().lower() == _PLS:
        found = map(_PLS_ENTRY.fullmatch, names)
        return [_entry(each[1].strip(), folder) for each in found if each]
    if is_playlist or (names and names[0].startswith(_PLAYLIST)):
        entries = (name.strip() for name in names if not name.lstrip().startswith("#"))
        return [_entry(entry, folder) for entry in entries if entry]
    return [Path(name) for name in names if name]


def not_a_list(data: bytes) -> str | None:
    """Why the lines of this are no paths: it is a song, an archive or a list of another kind.

    Parameters
    ----------
    data : bytes
        What was given as a list.
    """
    if container_of(data[:64]) or data.startswith(_MPEG):
        return "is a song, not a list of paths. Name it without --files-from"
    if reason := packed(data[:16]):
        return reason
    first = data.removeprefix(codecs.BOM_UTF8).lstrip()
    return next((reason for start, reason in _OTHER_LISTS if first.startswith(start)), None)


def _utf16(data: bytes) -> str | None:
    """The text of a list in UTF-16, with or without its mark; None if it is not."""
    if data.startswith(codecs.BOM_UTF16_LE) or data.startswith(codecs.BOM_UTF16_BE):
        encoding = "utf-16"
    elif _holds_at_even(data, _LITTLE):
        encoding = "utf-16-le"
    elif _holds_at_even(data, _BIG):
        encoding = "utf-16-be"
    else:
        return None
    return data.decode(encoding, "replace").strip("\0")


def _holds_at_even(data: bytes, unit: bytes) -> bool:
    at = data.find(unit)
    while at % 2:  # -1, not found, is odd too
        if at < 0:
            return False
        at = data.find(unit, at + 1)
    return True


def _entry(entry: str, folder: Path) -> Path:
    """The path of an entry of a playlist, which may be a URL, or written by Windows."""
    if entry.startswith("file://"):
        host, slash, rest = entry.removeprefix("file://").partition("/")
        return Path(unquote(slash + rest) or host)
    if (folder / entry).exists():
        return folder / entry
    # As Windows writes it, as a URL is written, or in the letters of a playlist without Unicode.
    slashed = entry.replace("\\", "/") if os.sep == "/" else entry
    forms = (slashed, unquote(entry), os.fsencode(entry).decode("cp1252", "replace"))
    return next((folder / form for form in forms if (folder / form).exists()), folder / slashed)
