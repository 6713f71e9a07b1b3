"""What a folder of music holds, before anything is decoded: its files and their genres.

One folder a genre; deeper folders are artists' or albums'. Must not read audio.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tonearm import audio
from tonearm.data.index import genre_of
from tonearm.errors import DatasetError
from tonearm.files import find
from tonearm.genres import key


@dataclass(frozen=True)
class Listing:
    """The audio files below genre folders.

    Parameters
    ----------
    names : tuple of str
        Paths from the folder, with ``/``.
    genres : dict of str to str
        Genre of each folder that has files.
    empty : tuple of str
        Folders that have none.
    failed : tuple of (str, str)
        What cannot be used, and why.
    """

    names: tuple[str, ...]
    genres: Mapping[str, str]
    empty: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]

    def genre(self, name: str) -> str:
        """Of a file, by its folder.

        Parameters
        ----------
        name : str
            Path of the file, relative to the folder.
        """
        return self.genres[name.split("/", maxsplit=1)[0]]

    @property
    def renamed(self) -> dict[str, str]:
        """Folders whose genre is not called as they are."""
        return {folder: genre for folder, genre in self.genres.items() if folder != genre}


def look(folder: Path, *, out: Path | None = None) -> Listing:
    """List a folder of music, but what lies below ``out``.

    Parameters
    ----------
    folder : Path
    out : Path or None
        A folder below it that is not part of the music.

    Raises
    ------
    DatasetError
        When it is no folder, has no audio below genre folders, or a genre no model could name.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: is no folder; one with a folder for each genre is needed")
    failed: list[tuple[str, str]] = []

    def on_error(bad: Path, error: OSError) -> None:
        failed.append((os.path.relpath(bad, folder), f"folder cannot be read: {error.strerror}"))

    names = []
    for path in find([folder], suffixes=audio.AUDIO_SUFFIXES, on_error=on_error):
        name = path.relative_to(folder).as_posix()
        if "/" not in name:
            failed.append((name, "lies in no genre's folder"))
        elif out is not None and out.resolve() in path.parents:
            continue
        elif "\n" in name or "\r" in name:
            failed.append((name, "its name has a line break, which no list can hold: rename it"))
        else:
            names.append(name)
    if not names:
        raise DatasetError(
            f"{folder}: no audio files in folders below it; one folder for each genre is needed"
        )
    genres = genres_of(sorted({name.split("/", maxsplit=1)[0] for name in names}))
    empty = _folders(folder, out) - {*genres, *(name.split("/")[0] for name, _ in failed)}
    return Listing(tuple(names), genres, tuple(sorted(empty)), tuple(failed))


def genres_of(folders: Iterable[str]) -> dict[str, str]:
    """The genre of each folder; spellings of one name (`genres.key`) are one genre, the first.

    Parameters
    ----------
    folders : iterable of str

    Raises
    ------
    DatasetError
        For a name that is no Unicode: no model could hold it.
    """
    spellings: dict[str, str] = {}
    genres = {}
    for folder in folders:
        try:
            folder.encode()
        except UnicodeEncodeError:
            raise DatasetError(f"genre {folder!r}: its name is no UTF-8: rename it") from None
        genre = genre_of(folder)
        genres[folder] = spellings.setdefault(key(genre), genre)
    return genres


def _folders(folder: Path, out: Path | None) -> set[str]:
    """The folders right below one, without hidden ones and ``out``."""
    try:
        with os.scandir(folder) as entries:
            found = {entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."}
    except OSError:  # named as failed by `find`
        return set()
    return {name for name in found if out is None or folder / name != out.resolve()}
