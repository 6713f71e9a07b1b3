"""Playlists for programs that do not read M3U8 well: XSPF, Rekordbox's XML, and Mixxx.

Each gives the same :class:`~tonearm.library.playlist.Playlist`. Files are named by URLs, in which
any byte of a name has its place, or by whole paths.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from tonearm.faults import Faults
from tonearm.library.playlist import Entry, Playlist, title_of, why_left_out

_XML = '<?xml version="1.0" encoding="UTF-8"?>'
# What Rekordbox plays, after its manual; any other track would be a missing one there.
_REKORDBOX = frozenset({".mp3", ".m4a", ".mp4", ".aac", ".wav", ".aif", ".aiff", ".flac", ".fla"})
# Code points that XML 1.0 does not allow in any form.
_NOT_IN_XML = {*range(9), 11, 12, *range(14, 32), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF}


def xspf(entries: Iterable[Entry]) -> Playlist:
    """XSPF 1, as VLC, Clementine and Strawberry read it.

    Parameters
    ----------
    entries : iterable of Entry
        The tracks.
    """
    lines = [_XML, '<playlist version="1" xmlns="http://xspf.org/ns/0/">', "<trackList>"]
    for entry in entries:
        parts = [f"<location>{escape(_url(entry.path))}</location>"]
        parts += [f"<title>{escape(_text(entry.title))}</title>"] if entry.title else []
        parts += [f"<creator>{escape(_text(entry.artist))}</creator>"] if entry.artist else []
        parts.append(f"<duration>{round(entry.duration_s * 1_000)}</duration>")
        lines.append(f"<track>{''.join(parts)}</track>")
    lines += ["</trackList>", "</playlist>", ""]
    return Playlist("\n".join(lines).encode(), Faults())


def rekordbox(entries: Iterable[Entry], name: str) -> Playlist:
    """Rekordbox's XML (File › Preferences › rekordbox xml): tracks, and one playlist of them.

    Files in formats that it does not play are left out.

    Parameters
    ----------
    entries : iterable of Entry
        The tracks.
    name : str
        Of the playlist.
    """
    found: list[Entry] = []
    unplayable: Counter[str] = Counter()
    for entry in entries:
        ending = os.path.splitext(entry.path)[1].lower()
        if ending in _REKORDBOX:
            found.append(entry)
        else:
            unplayable[ending] += 1
    lines = [_XML, '<DJ_PLAYLISTS Version="1.0.0">', '<PRODUCT Name="Tonearm" Version="1"/>']
    lines.append(f'<COLLECTION Entries="{len(found)}">')
    for number, entry in enumerate(found, 1):
        values = {
            "TrackID": str(number),
            "Name": entry.title or os.path.basename(entry.path),
            "Artist": entry.artist or "",
            "Album": entry.album or "",
            "Genre": entry.genre or "",
            "TotalTime": str(round(entry.duration_s)),
            # With the host: Rekordbox does not take file:/// for a file of this computer.
            "Location": _url(entry.path, host="localhost"),
        }
        fields = " ".join(f"{key}={quoteattr(_text(value))}" for key, value in values.items())
        lines.append(f"<TRACK {fields}/>")
    lines += ["</COLLECTION>", "<PLAYLISTS>", '<NODE Type="0" Name="ROOT" Count="1">']
    lines.append(
        f'<NODE Name={quoteattr(_text(name))} Type="1" KeyType="0" Entries="{len(found)}">'
    )
    lines += [f'<TRACK Key="{number}"/>' for number in range(1, len(found) + 1)]
    lines += ["</NODE>", "</NODE>", "</PLAYLISTS>", "</DJ_PLAYLISTS>", ""]
    return Playlist("\n".join(lines).encode(), Faults(), unplayable)


def mixxx(entries: Iterable[Entry], *, in_text: bool = False) -> Playlist:
    """M3U8 with whole paths, which Mixxx finds wherever the list lies.

    Parameters
    ----------
    entries : iterable of Entry
        The tracks.
    in_text : bool
        As of :func:`~tonearm.library.playlist.why_left_out`.
    """
    lines, left_out = ["#EXTM3U"], Faults()
    for entry in entries:
        if reason := why_left_out(entry.path, in_text=in_text):
            left_out.add(entry.path, reason)
        else:
            lines += [f"#EXTINF:{round(entry.duration_s)},{title_of(entry)}", entry.path]
    return Playlist("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"), left_out)


def _url(path: str, *, host: str = "") -> str:
    # Bytes, not text: a URL holds names that are not UTF-8 as well.
    stored = os.fsencode(path).replace(os.fsencode(os.sep), b"/")
    return f"file://{host}/{quote(stored.lstrip(b'/'))}"


def _text(text: str) -> str:
    """Without the code points that XML cannot hold."""
    return "".join("\ufffd" if ord(each) in _NOT_IN_XML else each for each in text)
