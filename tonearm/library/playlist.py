"""Playlists of tracks by their sound, as extended M3U in UTF-8."""

from __future__ import annotations

import json
import operator
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import GenreError, LibraryError
from tonearm.faults import Faults
from tonearm.files import is_utf8
from tonearm.genres import find, id3_name
from tonearm.library.filters import AMONG, HAS_GENRE, TAGGED, resolve_genres
from tonearm.library.links import no_link
from tonearm.library.places import PRESENT, note_offline
from tonearm.library.rows import below
from tonearm.library.store import Library, ModelRecord, Track
from tonearm.tagging.plan import names_genre

_COMPARED = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
# Longest comparison first, or >= would be read as > and a value that begins with =.
_CONDITION = re.compile(r"^\s*(.+?)\s*(>=|<=|>|<)\s*([0-9.]+)\s*$")


class Entry(NamedTuple):
    """One line of a playlist; a tuple, since there may be a hundred thousand.

    ``tagged`` are the genres of the file's tags, as JSON, and ``sounding`` is the one by sound.
    """

    path: str
    duration_s: float
    artist: str | None
    title: str | None
    album: str | None = None
    tagged: str = "[]"
    sounding: str | None = None

    @property
    def genre(self) -> str | None:
        """The genre of the tags if they name one, else that by sound."""
        if names_genre(self.tagged):
            return "; ".join(json.loads(self.tagged))
        return id3_name(self.sounding) if self.sounding else None

    @classmethod
    def of(cls, track: Track) -> Entry:
        """From a track of the library.

        Parameters
        ----------
        track : Track
            As the library has it.
        """
        tags = track.tags
        line = (track.path, track.duration_s or 0.0, tags.artist, tags.title, tags.album)
        return cls(*line, json.dumps(tags.genres), track.genre)


def why_left_out(path: str, *, in_text: bool = False) -> str | None:
    """Why a list of lines cannot hold a file; None if it can.

    Parameters
    ----------
    path : str
        The file.
    in_text : bool
        Whether the list is passed on as text, as JSON is; a file holds any bytes.
    """
    if "\n" in path or "\r" in path:
        return "its name has a line break, which an M3U cannot hold"
    if in_text and not is_utf8(path):
        return "its name has bytes that are not UTF-8; `tonearm playlist` can write it"
    return None


@dataclass(frozen=True)
class Playlist:
    """A file's content, and what it does not hold.

    Parameters
    ----------
    data : bytes
        The content.
    left_out : Faults
        Files that it cannot hold, and why.
    unplayable : mapping of str to int
        Endings of files that the list's program does not play, and how many files have each.
    """

    data: bytes
    left_out: Faults
    unplayable: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TagCondition:
    """A mood or style and a bound on its mean over the track, e.g. ``Mellow > 0.2``.

    Parameters
    ----------
    name : str
        A tag of the model, in letters of either case.
    comparison : str
        ``>``, ``>=``, ``<`` or ``<=``.
    value : float
        The bound, 0 to 1.
    """

    name: str
    comparison: str
    value: float

    @classmethod
    def parse(cls, text: str) -> TagCondition:
        """From ``NAME>VALUE``; also ``>=``, ``<`` and ``<=``.

        Parameters
        ----------
        text : str
            The text.
        """
        match = _CONDITION.match(text)
        # The pattern lets "1.2.3" and "." through, which float() would refuse with its own words.
        if not match or match[3].count(".") > 1 or match[3] == ".":
            raise LibraryError(f"condition '{text}' is not of the form 'NAME>0.2'")
        return cls(match[1], match[2], float(match[3]))


@dataclass(frozen=True)
class Conditions:
    """What the tracks of a playlist have in common; None or empty sets no condition.

    Parameters
    ----------
    genres : tuple of str
        One of these, in any spelling; ``mix`` and ``unknown`` are such too.
    second : str or None
        The second most likely genre.
    min_confidence : float
        Of the most likely genre.
    tags : tuple of TagCondition
        All of these.
    min_length_s, max_length_s : float or None
        Length of the track.
    has_genre : bool or None
        Whether the file's own tags name a genre.
    copies : bool
        Whether all files of one sound are listed, not only one: that among its album's tracks.
    styles : tuple of str
        All of these styles, in any spelling.
    """

    genres: tuple[str, ...] = ()
    second: str | None = None
    min_confidence: float = 0.0
    tags: tuple[TagCondition, ...] = ()
    min_length_s: float | None = None
    max_length_s: float | None = None
    has_genre: bool | None = None
    copies: bool = False
    styles: tuple[str, ...] = ()


def select(library: Library, conditions: Conditions) -> list[Entry]:
    """Entries that meet all conditions, in the order of their paths.

    Parameters
    ----------
    library : Library
        The library, open.
    conditions : Conditions
        What they have in common.

    Raises
    ------
    LibraryError
        When the library's model does not know a genre or a tag.
    """
    model = library.model()
    if model is None:
        raise LibraryError(f"{library.path} holds no analysed track yet: run `tonearm scan FOLDER`")
    conditions = replace(conditions, genres=resolve_genres(library, conditions.genres))
    if conditions.second is not None:
        # Neither a mix nor an unknown track has a second guess of that name.
        second = find(conditions.second, model.labels)
        if second is None:
            raise GenreError(conditions.second, model.labels)
        conditions = replace(conditions, second=second)
    note_offline(library)
    where, values = _in_sql(conditions)
    # Arrays are blobs to SQLite: what is asked of them is asked in Python, and only then.
    if conditions.second is not None or conditions.tags:
        numbers = _by_arrays(library, model, conditions)
        where.append(f"s.id {AMONG}")
        values.append(json.dumps(numbers))
    # A file is listed once, whatever its names.
    condition, links = no_link(library)
    where.append(condition)
    values.append(links)
    sql = (
        "SELECT t.path, s.duration_s, t.artist, t.title, t.album, t.genres, s.genre, s.id"  # noqa: S608
        " FROM tracks t JOIN sounds s ON s.id = t.sound"
        f" WHERE {' AND '.join(where)} ORDER BY t.path"
    )
    found = library.rows(sql, values)
    if not conditions.copies:
        found = _one_each(library, found)
    return [Entry(os.fsdecode(path), *rest) for path, *rest, _ in found]


_Row = tuple[Any, ...]  # what an entry has, and the sound
_ALBUM = Entry._fields.index("album")


def _one_each(library: Library, found: list[_Row]) -> list[_Row]:
    """One file of each sound: of copies the one that lies among the tracks of its album."""
    counts = Counter(sound for *_, sound in found)
    company_of = cache(partial(_company, library))
    best: dict[int, tuple[int, _Row]] = {}
    for row in found:
        path, album, sound = row[0], row[_ALBUM], row[-1]
        if counts[sound] > 1:
            company = company_of(os.path.dirname(os.fsdecode(path)), album)
            # The first by path of those that have equally many tracks around them.
            if sound not in best or company > best[sound][0]:
                best[sound] = company, row
    return [row for row in found if row[-1] not in best or best[row[-1]][1] is row]


def _company(library: Library, folder: str, album: str | None) -> int:
    """How many tracks of an album lie in a folder."""
    if not album:
        return 0
    condition, value = below([folder])
    sql = f"SELECT t.path FROM tracks t WHERE {PRESENT} AND t.album = ? AND {condition}"  # noqa: S608
    paths = library.rows(sql, [album, value])
    # Not those of folders below: a copy at the top of everything would have the whole album.
    return sum(os.path.dirname(os.fsdecode(path)) == folder for (path,) in paths)


def _in_sql(conditions: Conditions) -> tuple[list[str], list[object]]:
    where: list[str] = [PRESENT, "s.confidence >= ?"]
    values: list[object] = [conditions.min_confidence]
    if conditions.genres:
        where.append(HAS_GENRE)
        values.append(json.dumps(conditions.genres))
    if conditions.min_length_s is not None:
        where.append("s.duration_s >= ?")
        values.append(conditions.min_length_s)
    if conditions.max_length_s is not None:
        where.append("s.duration_s <= ?")
        values.append(conditions.max_length_s)
    for style in conditions.styles:
        # A function of ours: SQLite's lower() knows ASCII alone.
        where.append("EXISTS (SELECT 1 FROM json_each(s.styles) e WHERE folded(e.key) = folded(?))")
        values.append(style)
    if conditions.has_genre is not None:
        where.append("names_genre(t.genres)" if conditions.has_genre else TAGGED["none"])
    return where, values


def styles_in(library: Library) -> list[str]:
    """Names of the styles that any track of the library has, in their order.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    rows = library.rows("SELECT DISTINCT e.key FROM sounds s, json_each(s.styles) e ORDER BY e.key")
    return [name for (name,) in rows]


def _by_arrays(library: Library, model: ModelRecord, conditions: Conditions) -> list[int]:
    """Numbers of the sounds whose probabilities and tags meet the conditions."""
    rows = library.rows(
        "SELECT s.id, s.probabilities, s.pooled FROM sounds s JOIN models m ON m.id = s.model"
        # Of this model alone: another one's arrays have other genres in other places.
        " WHERE m.sha256 = ?",
        [model.sha256],
    )
    numbers, probabilities, pooled = zip(*rows, strict=True)
    met: NDArray[np.bool_] = np.ones(len(rows), dtype=bool)  # (sounds,)
    if conditions.second is not None:
        ranked = np.frombuffer(b"".join(probabilities), np.float32).reshape(len(rows), -1)  # (n, k)
        # Stable: genres that are equally likely keep the model's order.
        second = np.argsort(-ranked, axis=1, kind="stable")[:, 1]
        met &= second == model.labels.index(conditions.second)
    positions = {name.lower(): i for i, name in enumerate(model.names or ())}
    means = np.frombuffer(b"".join(pooled), np.float32).reshape(len(rows), -1)  # (sounds, tags)
    for condition in conditions.tags:
        place = positions.get(condition.name.lower())
        if place is None:
            known = ", ".join(model.names or ()) or "none"
            raise LibraryError(f"no tag '{condition.name}'; this model has {known}")
        met &= _COMPARED[condition.comparison](means[:, place], condition.value)
    return [number for number, wanted in zip(numbers, met, strict=True) if wanted]


def m3u8(entries: Iterable[Entry], folder: str | os.PathLike[str]) -> Playlist:
    """Extended M3U in UTF-8.

    Parameters
    ----------
    entries : iterable of Entry
        The tracks.
    folder : path
        Where the list will lie. Paths are relative to it, so that both can move together; bytes of
        names that are not UTF-8 stay as they are.

    Returns
    -------
    Playlist
        Its content, and the paths that M3U cannot hold.
    """
    lines, left_out = ["#EXTM3U"], Faults()
    # A hundred thousand tracks lie in a few thousand folders; relpath of each would be the cost.
    relative: dict[str, str] = {}  # the way to each folder, with a separator at its end
    for entry in entries:
        head, _, name = entry.path.rpartition(os.sep)
        if head not in relative:
            relative[head] = _relative(head or os.sep, os.path.abspath(folder))
        path = relative[head] + name
        if reason := why_left_out(path):
            left_out.add(entry.path, reason)
            continue
        # A line that begins with # is a comment, and players strip spaces.
        path = f".{os.sep}{path}" if path.startswith(("#", " ")) else path
        lines += [f"#EXTINF:{round(entry.duration_s)},{title_of(entry)}", path]
    # Names that are not UTF-8 become their bytes again.
    return Playlist("\n".join([*lines, ""]).encode("utf-8", "surrogateescape"), left_out)


def title_of(entry: Entry) -> str:
    """How a track is called in a list, on one line.

    Parameters
    ----------
    entry : Entry
        The track.
    """
    name = os.path.splitext(os.path.basename(entry.path))[0]
    shown = entry.title or name
    shown = f"{entry.artist} - {shown}" if entry.artist and entry.title else shown
    return " ".join(shown.split())


def _relative(folder: str, base: str) -> str:
    """The way from ``base`` to ``folder``, a separator at its end; empty where they are one."""
    try:
        path = os.path.relpath(folder, base)
    except ValueError:  # another drive
        path = folder
    return "" if path == os.curdir else path.rstrip(os.sep) + os.sep
