"""Several names of one file: hard links, and symbolic links to it or to a folder above it.

Each name is a row of its own in the library, since people name files by any of them. What is
counted, tagged or called a copy is the file, once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from tonearm.library.store import Library


def names_of_others(rows: Iterable[tuple[int, str, int, int]]) -> dict[int, str]:
    """For each row that is only another name of a file: its number, and the file's first name.

    Parameters
    ----------
    rows : iterable of (int, str, int, int)
        Number, path, device and inode.
    """
    files: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for number, path, device, inode in rows:
        if inode:  # 0 where nobody knows, such as in a table that was imported
            files.setdefault((device, inode), []).append((path, number))
    others: dict[int, str] = {}
    for names in files.values():
        if len(names) > 1:
            (first, _), *rest = sorted(names, key=_rank)
            others.update((number, first) for _, number in rest)
    return others


def link_paths(library: Library) -> dict[int, str]:
    """Numbers of the tracks that are links, and the path of the file that each leads to.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    rows = library.rows(
        "SELECT id, path, device, inode FROM tracks WHERE NOT missing AND (sound IS NULL"
        # One file has one sound: only files of a sound that several rows hold are looked at.
        " OR sound IN (SELECT sound FROM tracks WHERE NOT missing AND sound IS NOT NULL"
        " GROUP BY sound HAVING count(*) > 1))"
    )
    return names_of_others((number, os.fsdecode(path), *ids) for number, path, *ids in rows)


def _rank(name: tuple[str, int]) -> tuple[bool, str]:
    """The file itself before links to it; hard links are equal, and go by their paths."""
    path, _ = name
    return os.path.realpath(path) != path, path
