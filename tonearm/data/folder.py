"""List a folder of music: its files and the genre of each, before anything is decoded.

There is one folder per genre, and deeper folders are artists or albums; or a table of labels says
the genre of each file, wherever it lies. Must not read audio.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tonearm import audio
from tonearm.data import labels as tables
from tonearm.data.index import genre_of
from tonearm.data.labels import Label, Labels
from tonearm.errors import DatasetError
from tonearm.faults import Fault, Faults
from tonearm.files import find
from tonearm.genres import GTZAN_GENRES, key

# Folders that hold the folders of genres, as they are called in circulating copies of GTZAN.
_WRAPPER = re.compile(r"data|dataset|gtzan|genres(_original)?|audio|music|gtzan[-_ ]?dataset")


@dataclass(frozen=True)
class Listing:
    """The audio files below genre folders.

    Parameters
    ----------
    names : tuple of str
        Paths from the folder, with ``/``.
    genres : dict of str to str
        Genre of each folder with files.
    empty : tuple of str
        Folders without files.
    failed : tuple of Fault
        Files that cannot be used, each with a reason.
    inside : str
        The folder that the genre folders are in, with a slash at its end, or empty.
    labels : dict of str to Label
        What a table says of files, by name.
    unlabelled : int
        Files that a table of genres does not name, which are left out.
    absent : tuple of str
        What the table names that is not here.
    """

    names: tuple[str, ...]
    genres: Mapping[str, str]
    empty: tuple[str, ...]
    failed: tuple[Fault, ...]
    inside: str = ""
    labels: Mapping[str, Label] = field(default_factory=dict)
    unlabelled: int = 0
    absent: tuple[str, ...] = ()

    def genre(self, name: str) -> str:
        """Genre of a file, by the table if it has genres, else by its folder.

        Parameters
        ----------
        name : str
            Path of the file, relative to the folder.
        """
        label = self.labels.get(name)
        if label and label.genres:
            return label.genres[0]
        return self.genres[self.below(name).split("/", maxsplit=1)[0]]

    def also(self, name: str) -> tuple[str, ...]:
        """Further genres of a file, where a table names several.

        Parameters
        ----------
        name : str
            Path of the file, relative to the folder.
        """
        return self.labels[name].genres[1:] if name in self.labels else ()

    def below(self, name: str) -> str:
        """``genre/…/file`` of a file.

        Parameters
        ----------
        name : str
            Path of the file, relative to the folder.
        """
        return name.removeprefix(self.inside)

    @property
    def renamed(self) -> dict[str, str]:
        """Folders whose genre has another name."""
        return {folder: genre for folder, genre in self.genres.items() if folder != genre}


def look(folder: Path, *, out: Path | None = None, labels: Labels | None = None) -> Listing:
    """List a folder of music, without what lies below ``out``.

    Parameters
    ----------
    folder : Path
        The folder of music.
    out : Path or None
        A folder below it that is not part of the music.
    labels : mapping of str to Label, or None
        A table: where it has genres, these count instead of folders.

    Raises
    ------
    DatasetError
        If it is not a folder, has no audio in genre folders, or has an impossible genre name.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder: name one that has a folder for each genre")
    names, failed = _files(folder, out)
    if labels is not None:
        named, absent = tables.of_names(labels, names)
        found = tables.spelled(named)
        # A table may name artists only: genres are then those of the folders.
        if any(label.genres for label in found.values()):
            chosen = tuple(name for name in names if name in found and found[name].genres)
            unlabelled = len(names) - len(chosen)
            return Listing(chosen, {}, (), tuple(failed), "", found, unlabelled, absent)
        return replace(_by_folders(folder, names, failed, out), labels=found, absent=absent)
    return _by_folders(folder, names, failed, out)


def _files(folder: Path, out: Path | None) -> tuple[list[str], Faults]:
    """Names of the audio files below a folder, and what cannot be used."""
    names: list[str] = []
    failed = Faults()

    def on_error(bad: Path, error: OSError) -> None:
        failed.add_folder(Path(os.path.relpath(bad, folder)), error)

    for path in find([folder], suffixes=audio.AUDIO_SUFFIXES, on_error=on_error):
        name = path.relative_to(folder).as_posix()
        if out is not None and out.resolve() in path.parents:
            continue
        # Splits and lists have a name a line.
        if "\n" in name or "\r" in name:
            failed.add(name, "has a line break in its name: rename it")
        else:
            names.append(name)
    return names, failed


def _by_folders(folder: Path, files: list[str], failed: Faults, out: Path | None) -> Listing:
    """The listing of files whose folders are their genres."""
    names = [name for name in files if "/" in name]
    for name in files:
        if "/" not in name:
            # Named rather than passed over: a song next to the folders is a slip, and would be
            # missed.
            failed.add(name, "is not in the folder of a genre")
    if not names:
        raise DatasetError(
            f"{folder} has no audio files in folders: it needs a folder for each genre"
        )
    inside = _inside(names)
    names = [name for name in names if name.removeprefix(inside).count("/")]
    tops = sorted({name.removeprefix(inside).split("/", maxsplit=1)[0] for name in names})
    # Somebody else's split by folders is not taken over: it says nothing of artists.
    if set(map(str.casefold, tops)) <= tables.SUBSET_WORDS:
        raise DatasetError(
            f"{folder / inside} is divided into {', '.join(tops)} instead of genres: name one of "
            f"these folders, e.g. {folder / inside / tops[-1]}"
        )
    genres = genres_of(tops)
    known = {*genres, *(name.split("/")[0] for name, _ in failed)}
    empty = _folders(folder / inside, out) - known
    return Listing(tuple(names), genres, tuple(sorted(empty)), tuple(failed), inside)


def _inside(names: list[str]) -> str:
    """The folder that all genre folders are in, as in GTZAN's ``Data/genres_original/``; or ''.

    A folder alone is not a genre if its own folders are at least two of GTZAN's, or if it is called
    as data sets are.
    """
    inside = ""
    while True:
        below = [name.removeprefix(inside).split("/") for name in names]
        tops = {parts[0] for parts in below}
        # At least genre/file must be left below.
        if len(tops) != 1 or min(map(len, below)) < 3:
            return inside
        (top,) = tops
        within = {parts[1] for parts in below}
        gtzan = {genre_of(name) for name in within} & set(GTZAN_GENRES)
        # A single one of GTZAN's genres may be the name of an artist or album.
        if not (_WRAPPER.fullmatch(top.casefold()) or len(gtzan) >= 2) or key(top) in GTZAN_GENRES:
            return inside
        inside += f"{top}/"


def genres_of(folders: Iterable[str]) -> dict[str, str]:
    """Genre of each folder; spellings of one name (`genres.key`) are one genre, the first.

    Parameters
    ----------
    folders : iterable of str
        Names of folders, in the order in which spellings count.

    Raises
    ------
    DatasetError
        If a name is not valid Unicode, which a model file requires.
    """
    spellings: dict[str, str] = {}
    genres = {}
    for folder in folders:
        try:
            folder.encode()
        except UnicodeEncodeError:
            raise DatasetError(
                f"the name of genre {folder!r} is not UTF-8: rename the folder"
            ) from None
        genre = genre_of(folder)
        # The first spelling names the genre: `Hip Hop` and `hip-hop` side by side are one.
        genres[folder] = spellings.setdefault(key(genre), genre)
    return genres


def _folders(folder: Path, out: Path | None) -> set[str]:
    """Folders directly below one, without hidden ones and ``out``."""
    try:
        with os.scandir(folder) as entries:
            found = {entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."}
    except OSError:  # `find` has reported it
        return set()
    return {name for name in found if out is None or folder / name != out.resolve()}
