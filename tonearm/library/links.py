"""Several names of one file: hard links, and symbolic links to it or to a folder above it.

Each name is a row of its own in the library, since people name files by any of them. What is
counted, tagged or called a copy is the file, once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import NamedTuple

from tonearm.library.places import PRESENT
from tonearm.library.store import Library

# A condition on a track ``t``: another file that is there holds the same sound. As for PRESENT,
# call :func:`tonearm.library.places.note_offline` first. Links to one file share device and
# inode; where nobody knows these (0: a table that was imported), each path is a file.
COPIED = (
    "t.sound IN (SELECT sound FROM (SELECT DISTINCT t.sound, t.device, t.inode,"  # noqa: S608
    f" iif(t.inode, '', t.path) FROM tracks t WHERE {PRESENT} AND t.sound IN (SELECT sound"
    " FROM tracks WHERE NOT missing AND sound IS NOT NULL GROUP BY sound HAVING count(*) > 1))"
    " GROUP BY sound HAVING count(*) > 1)"
)


class Link(NamedTuple):
    """A track that is only another name of a file: its number and path, and the file's first."""

    track: int
    path: str
    first: str


def links_among(rows: Iterable[tuple[int, str, int, int, object]]) -> list[Link]:
    """The rows that are only other names of a file that another row names.

    Parameters
    ----------
    rows : iterable of (int, str, int, int, object)
        Number, path, device and inode of tracks, and what their sound is known by.
    """
    files: dict[tuple[int, int, object], list[tuple[str, int]]] = {}
    for number, path, device, inode, sound in rows:
        # 0 where nobody knows, such as in a table that was imported. The sound too: the inode of a
        # file that was deleted since the scan may be another's by now.
        if inode:
            files.setdefault((device, inode, sound), []).append((path, number))
    found: list[Link] = []
    for names in files.values():
        if len(names) > 1:
            (first, _), *others = sorted(names, key=_rank)
            found += [Link(number, path, first) for path, number in others]
    return found


def links_of(library: Library) -> list[Link]:
    """All links of a library.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    rows = library.rows(
        "SELECT id, path, device, inode, sound FROM tracks WHERE NOT missing AND (sound IS NULL"
        # One file has one sound: only files of a sound that several rows hold are looked at.
        " OR sound IN (SELECT sound FROM tracks WHERE NOT missing AND sound IS NOT NULL"
        " GROUP BY sound HAVING count(*) > 1))"
    )
    return links_among((number, os.fsdecode(path), *file) for number, path, *file in rows)


def no_link(library: Library) -> tuple[str, str]:
    """The condition that a track ``t`` is no link, and its value.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    links = json.dumps([link.track for link in links_of(library)])
    return "t.id NOT IN (SELECT value FROM json_each(?))", links


def copies(library: Library) -> list[list[str]]:
    """Groups of files that hold one sound, in the order of paths; links are no copies.

    Parameters
    ----------
    library : Library
        The library, open; :func:`tonearm.library.places.note_offline` was called.
    """
    condition, links = no_link(library)
    rows = library.rows(
        f"SELECT sound, path FROM tracks t WHERE {PRESENT} AND {COPIED} AND {condition}"  # noqa: S608
        " ORDER BY path",
        [links],
    )
    groups: dict[int, list[str]] = {}
    for sound, path in rows:
        groups.setdefault(sound, []).append(os.fsdecode(path))
    return list(groups.values())


def _rank(name: tuple[str, int]) -> tuple[bool, str]:
    """The file itself before links to it; hard links are equal, and go by their paths."""
    path, _ = name
    return os.path.realpath(path) != path, path
