"""Labels from tables: genres, artists, albums and subsets of tracks that folders do not tell.

Three kinds of table are read. Plain CSV (or TSV) has a heading: ``path`` and ``genre``, and
``artist``, ``album`` and ``split`` where they are known; several genres of a track are divided by a
semicolon or a bar. ``tracks.csv`` of the Free Music Archive has three rows of headings; the words
for its genres are in ``genres.csv`` next to it. mirdata's index of GTZAN is JSON. A track is named
by its path, or by the name of its file, with or without a suffix.

Must not read audio.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tonearm.data.csv_rows import csv_rows
from tonearm.data.groups import by_written_name, written_as
from tonearm.data.index import genre_of
from tonearm.errors import DatasetError, writing
from tonearm.files import write_atomically
from tonearm.genres import key

KEPT = "labels.csv"
# Headings, as tables in circulation have them; the first is the one that is written.
_COLUMNS = {
    "path": ("path", "filename", "file", "file_name", "filepath", "track", "clip", "name", "song"),
    "genre": ("genre", "genres", "label", "labels", "genre_top", "class"),
    # A column `group` says what no split divides, as the artist does.
    "artist": ("artist", "artist_name", "artists", "group", "groups", "group_id"),
    "album": ("album", "album_title", "release"),
    "split": ("split", "subset", "set", "partition"),
}
_SUBSETS = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing", "eval"),
    "excluded": ("excluded", "unused", "none"),
}
_SUBSET_OF = {word: subset for subset, words in _SUBSETS.items() for word in words}
SUBSET_WORDS = frozenset(word for word, subset in _SUBSET_OF.items() if subset != "excluded")
_SEVERAL = re.compile(r"[;|]")
_NUMBER = re.compile(r"\d+")  # of genres in a cell of FMA's: [21, 45]


@dataclass(frozen=True)
class Label:
    """What a table says of one track.

    Parameters
    ----------
    genres : tuple of str
        The main one first; empty where the table has none.
    artist, album : str or None
    subset : str or None
        train, valid, test or excluded.
    """

    genres: tuple[str, ...] = ()
    artist: str | None = None
    album: str | None = None
    subset: str | None = None


Labels = Mapping[str, Label]  # by path, or by the name of a file


def read(path: str | os.PathLike[str]) -> Labels:
    """Read a table of labels, by track as it is written there.

    Parameters
    ----------
    path : path
        CSV, TSV, ``tracks.csv`` of FMA, or mirdata's index of GTZAN.

    Raises
    ------
    DatasetError
        If it cannot be read, or is no such table; the message names the line.
    """
    path = Path(path)
    try:
        # utf-8-sig: some spreadsheets begin a table with a byte order mark.
        text = path.read_text("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise DatasetError(f"the labels in {path} cannot be read: {error.strerror}") from None
    if text.lstrip().startswith("{"):
        found = dict(_of_mirdata(text, path))
    else:
        # FMA's table has three lines of headings, of which the third begins with the name of its
        # index.
        rows = _rows(text, path)
        fma = len(rows) > 2 and rows[2][:1] == ["track_id"]
        found = _collected(_of_fma(rows, path) if fma else _of_table(rows, path), path)
    if not found:
        raise DatasetError(f"{path} names no track")
    return found


def write(labels: Labels, path: Path, *, columns: Sequence[str] = tuple(_COLUMNS)) -> None:
    """Write plain CSV that :func:`read` reads.

    Parameters
    ----------
    labels : mapping of str to Label
        By track, as a table writes it.
    path : Path
        Where to; what is there is replaced.
    columns : sequence of str
        Some of path, genre, artist, album and split.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for name, label in labels.items():
        row = {"path": name, "genre": ";".join(label.genres), "artist": label.artist}
        table.writerow(row | {"album": label.album, "split": label.subset})
    with writing(path, DatasetError):
        write_atomically(path, text.getvalue().encode("utf-8", "surrogateescape"))


def kept(prepared: Path) -> Labels | None:
    """The labels that a prepared folder was given, or None.

    Parameters
    ----------
    prepared : Path
        The folder that `tonearm prepare` made, or would make.
    """
    path = prepared / KEPT
    return read(path) if path.exists() else None


def of_names(labels: Labels, names: Sequence[str]) -> tuple[dict[str, Label], tuple[str, ...]]:
    """The labels of the tracks that a table names, and its rows without a track.

    The former by the names of the tracks, the latter as they are written in the table.

    Parameters
    ----------
    labels : mapping of str to Label
        By track, as a table writes it.
    names : sequence of str
        Names of tracks.

    Raises
    ------
    DatasetError
        If a name without a folder fits several tracks, or no track is named.
    """
    known = by_written_name(names)
    found: dict[str, Label] = {}
    absent = []
    for written, label in labels.items():
        meant = written_as(written, known)
        if len(meant) > 1:
            raise DatasetError(
                f"table of labels: {written!r} fits {len(meant)} files here "
                f"({', '.join(meant[:3])}): write the path"
            )
        if not meant:
            absent.append(written)
        found |= dict.fromkeys(meant, label)
    if names and not found:
        example = next(iter(labels))
        raise DatasetError(
            f"the table of labels names none of the files, such as "
            f"{names[0]!r}; its first is {example!r}"
        )
    return found, tuple(absent)


def _rows(text: str, path: Path) -> list[list[str]]:
    """The rows of a table; the first line shows what divides its cells."""
    first = text.split("\n", 1)[0]
    # By the heading, which holds no free text: titles further down may be full of commas.
    divider = max("\t,;", key=first.count)
    # newline="": cells in quotes may hold line breaks.
    return csv_rows(io.StringIO(text, newline=""), path, delimiter=divider)


def _of_table(rows: list[list[str]], path: Path) -> Iterator[tuple[str, Label]]:
    """Name and label of each row of a plain table."""
    heading = [cell.strip().casefold() for cell in rows[0]] if rows else []
    place = {
        column: next((heading.index(name) for name in names if name in heading), None)
        for column, names in _COLUMNS.items()
    }
    if place["path"] is None or not any(
        place[name] is not None for name in place if name != "path"
    ):
        raise DatasetError(
            f"{path} is not a table of labels: its first line must name the columns path and "
            f"genre, artist, album or split; it is {','.join(rows[0])[:80]!r}"
            if rows
            else f"{path} is empty"
        )
    for number, row in enumerate(rows[1:], 2):
        cells = {
            column: row[at].strip() if at is not None and at < len(row) else ""
            for column, at in place.items()
        }
        if not cells["path"]:
            raise DatasetError(f"{path}, line {number} names no track")
        # `rock; pop`: the first is the main genre.
        several = (word.strip() for word in _SEVERAL.split(cells["genre"]))
        yield (
            cells["path"],
            Label(
                tuple(dict.fromkeys(word for word in several if word)),
                cells["artist"] or None,
                cells["album"] or None,
                subset_of(cells["split"], f"{path}, line {number}"),
            ),
        )


def subset_of(word: str, where: str) -> str | None:
    """The subset that a word means: ``training`` is train; None for an empty one.

    Parameters
    ----------
    word : str
        As a table has it.
    where : str
        File and line, for the message.
    """
    if not word:
        return None
    if word.casefold() not in _SUBSET_OF:
        known = ", ".join(_SUBSETS)
        raise DatasetError(f"{where}: {word!r} is not a subset ({known})")
    return _SUBSET_OF[word.casefold()]


def _of_fma(rows: list[list[str]], path: Path) -> Iterator[tuple[str, Label]]:
    """Name and label of each track of FMA's ``tracks.csv``, whose files are ``000/000002.mp3``."""
    # Two rows name a column together, e.g. ("track", "genre_top"); the third names the first.
    place = {names: i for i, names in enumerate(zip(rows[0], rows[1], strict=False))}
    wanted = {
        column: place.get(names)
        for column, names in {
            "top": ("track", "genre_top"),
            "all": ("track", "genres"),
            "artist": ("artist", "name"),
            "album": ("album", "title"),
            "split": ("set", "split"),
        }.items()
    }
    if wanted["top"] is None:
        raise DatasetError(f"{path} has no column track, genre_top, as FMA's tracks.csv has")
    words = _fma_genres(path.with_name("genres.csv"))
    for number, row in enumerate(rows[3:], 4):
        cells = {c: row[at] if at is not None and at < len(row) else "" for c, at in wanted.items()}
        if not row[0].isdecimal():
            raise DatasetError(f"{path}, line {number} has no track_id: {row[0]!r}")
        genres = [cells["top"]] if cells["top"] else []
        # The main genre first; those that `genres.csv` does not name are left out.
        genres += [words[each] for each in _NUMBER.findall(cells["all"]) if each in words]
        yield (
            row[0].lstrip("0").zfill(6),
            Label(
                tuple(dict.fromkeys(genres)),
                cells["artist"] or None,
                cells["album"] or None,
                subset_of(cells["split"], f"{path}, line {number}"),
            ),
        )


def _fma_genres(path: Path) -> dict[str, str]:
    """Titles of FMA's genres by their number; empty without that table."""
    if not path.exists():
        return {}
    rows = _rows(path.read_text("utf-8-sig", "surrogateescape"), path)
    heading = rows[0] if rows else []
    if not {"genre_id", "title"} <= {*heading}:
        raise DatasetError(f"{path} has no columns genre_id and title, as FMA's genres.csv has")
    number, title = heading.index("genre_id"), heading.index("title")
    return {row[number]: row[title] for row in rows[1:] if len(row) > max(number, title)}


def _of_mirdata(text: str, path: Path) -> Iterator[tuple[str, Label]]:
    """Name and label of each track of mirdata's index: the genre is the folder of the audio."""
    try:
        tracks = json.loads(text)["tracks"]
        for name, files in tracks.items():
            parts = str(files["audio"][0]).split("/")
            yield name, Label((parts[-2],))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{path} is not an index of mirdata ({error!r})") from None


def _collected(rows: Iterator[tuple[str, Label]], path: Path) -> dict[str, Label]:
    """Labels by name; a track that is named twice with two labels is refused."""
    found: dict[str, Label] = {}
    for name, label in rows:
        if found.setdefault(name, label) != label:
            raise DatasetError(f"{path} names {name!r} twice, and says different things of it")
    return found


def spelled(labels: Mapping[str, Label]) -> dict[str, Label]:
    """The labels with one spelling for each genre, as folders have it: ``Hip-Hop`` is ``hiphop``.

    Parameters
    ----------
    labels : mapping of str to Label
        By track, as a table writes it.
    """
    spellings: dict[str, str] = {}
    made = {}
    for name, label in labels.items():
        named = (genre_of(genre) for genre in label.genres)
        # The first spelling that occurs counts for all.
        genres = tuple(dict.fromkeys(spellings.setdefault(key(each), each) for each in named))
        made[name] = Label(genres, label.artist, label.album, label.subset)
    return made
