"""Lists of files that a person, ``find -print0`` or a player wrote: which paths they name."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from urllib.parse import unquote

_LINE_ENDS = re.compile(r"\r\n|\n|\r")
_PLAYLIST = "#EXTM3U"
# How a line ends in UTF-16, and where in its two bytes the NUL is; a list that is separated by NUL
# holds these only where a name begins or ends with a line end.
_LITTLE, _BIG = b"\n\0", b"\0\n"


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
    if is_playlist or (names and names[0].startswith(_PLAYLIST)):
        entries = (name.strip() for name in names if not name.lstrip().startswith("#"))
        return [_entry(entry, folder) for entry in entries if entry]
    return [Path(name) for name in names if name]


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
    path = folder / entry
    if os.sep == "/" and "\\" in entry and not path.exists():
        return folder / entry.replace("\\", "/")
    return path
