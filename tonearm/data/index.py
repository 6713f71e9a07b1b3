"""The index of a data set: its tracks, each with genre, group, sound key and length.

An index is JSON lines: a header, then one track per line. A *group* must not be on both sides of a
split (``data/groups.py``). Paths are relative to the folder of music, with ``/``. Must not
decode audio (``data/prepare.py`` does) or import torch.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.errors import DatasetError, writing
from tonearm.faults import Fault
from tonearm.files import write_atomically
from tonearm.genres import BUILTIN_GENRES, key

FORMAT = "tonearm-index"
FORMAT_VERSION = 1
FILE_NAME = "index.jsonl"

# Folder names in circulating copies of GTZAN that differ from the genre by more than one letter.
_SPELLINGS = {
    "classic": "classical",
    "classicalmusic": "classical",
    "countrymusic": "country",
    "raggae": "reggae",
    "regae": "reggae",
    "regge": "reggae",
    "hiphoprap": "hiphop",
    "heavymetal": "metal",
    "popmusic": "pop",
    "rockmusic": "rock",
}


@dataclass(frozen=True)
class Track:
    """One recording of a data set.

    Parameters
    ----------
    name : str
        Its path, or its name if it came as an array; unique in the index.
    genre, group : str
        Its label, and what must not be on both sides of a split.
    sound : str
        Its sound key: the key of its features and embeddings.
    duration_s : float
        Length of the sound.
    copy_of : str or None
        Name of the track that holds the same recording, or the whole of it.
    also : tuple of str
        Further genres, where a table names several; only multi-label training uses them.
    """

    name: str
    genre: str
    group: str
    sound: str
    duration_s: float
    copy_of: str | None = None
    also: tuple[str, ...] = ()

    @property
    def genres(self) -> tuple[str, ...]:
        """All of its labels, the main one first."""
        return (self.genre, *self.also)

    @property
    def stem(self) -> str:
        """File name without folder and audio suffix, as in official lists."""
        return stem(self.name)


@dataclass(frozen=True)
class Index:
    """Tracks of a data set, and the files that could not be read, each with its reason.

    Parameters
    ----------
    tracks : tuple of Track
        Copies as well, which are marked as such.
    failed : tuple of Fault
        Files that are not among them.
    source : str
        The folder of music; empty for arrays.
    """

    tracks: tuple[Track, ...]
    failed: tuple[Fault, ...] = ()
    source: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Genres, sorted."""
        return tuple(sorted({track.genre for track in self.tracks}))

    def by_name(self) -> dict[str, Track]:
        """Tracks by their name."""
        return {track.name: track for track in self.tracks}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index whole or not at all.

        Parameters
        ----------
        path : path
            The file to write; one that is there is replaced.
        """
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "source": self.source,
            # Counted once more, so that a file that lost lines is noticed.
            "genres": dict(sorted(Counter(track.genre for track in self.tracks).items())),
            "failed": self.failed,
        }
        rows = [header, *(asdict(track) for track in self.tracks)]
        # ASCII: a file name that is not valid Unicode survives as escapes.
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        with writing(path, DatasetError):
            write_atomically(path, data)


def load(path: str | os.PathLike[str]) -> Index:
    """Read an index, or the one in a prepared folder.

    Parameters
    ----------
    path : path
        The index, or the prepared folder.

    Raises
    ------
    DatasetError
        If it is missing (preparing was interrupted), damaged, or not an index.
    """
    path = Path(path)
    if path.is_dir():
        path = path / FILE_NAME
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        header, *rows = map(json.loads, lines)
        # Refused rather than translated: it is made again from the music.
        if (header["format"], header["version"]) != (FORMAT, FORMAT_VERSION):
            raise DatasetError(f"{path} is an index of another version: prepare the folder again")
        index = Index(
            tuple(Track(**{**row, "also": tuple(row.get("also", ()))}) for row in rows),
            tuple(Fault(name, reason) for name, reason in header["failed"]),
            header["source"],
        )
        promised = sum(header["genres"].values())
    except FileNotFoundError:
        if path.name != FILE_NAME:
            raise DatasetError(f"{path} does not exist") from None
        raise DatasetError(
            f"{path.parent} has no {path.name}: run `tonearm prepare FOLDER` to its end"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path} is not an index, or is damaged ({error!r})") from None
    # Cut off at a line's end, it would still be valid JSON lines.
    if promised != len(index.tracks):
        raise DatasetError(f"{path} is damaged: it has {len(index.tracks)} of {promised} tracks")
    return index


def stem(name: str) -> str:
    """Remove folder and audio suffix: ``rock/rock.00001.au`` is ``rock.00001``.

    Parameters
    ----------
    name : str
        A track's path below the data set.
    """
    base = name.rsplit("/", 1)[-1]
    root, suffix = os.path.splitext(base)
    return root if suffix.lower() in AUDIO_SUFFIXES else base


def genre_of(folder: str) -> str:
    """Return the genre that a folder's name means: one of the ten if it is a misspelling of it.

    Besides a table of spellings, a name of four letters or more means one of the ten if a single
    letter is wrong, missing or added, and not the first: ``reggas``, ``hophop``, ``jazzz``, but not
    ``k-pop`` or ``post-rock``. Any other name is a genre of its own.

    Parameters
    ----------
    folder : str
        The folder's name, without what is above it.
    """
    letters = key(folder)
    # Exact names first: a guess is only for what is none.
    if letters in BUILTIN_GENRES:
        return letters
    if letters in _SPELLINGS:
        return _SPELLINGS[letters]
    near = [genre for genre in BUILTIN_GENRES if _one_letter_apart(letters, genre)]
    # A name near two genres is not guessed.
    return near[0] if len(near) == 1 else folder.strip()


def _one_letter_apart(word: str, genre: str) -> bool:
    shortest = min(len(word), len(genre))
    # Short names are one letter from too many: `pop` from `pup`, `rap` from `pap`.
    if word[:1] != genre[:1] or shortest < 4:
        return False
    if abs(len(word) - len(genre)) > 1:
        return False
    same = next((i for i, (a, b) in enumerate(zip(word, genre, strict=False)) if a != b), shortest)
    # After the first difference, the rest must agree: a letter replaced, added, or missing.
    rest, wanted = word[same:], genre[same:]
    return rest[1:] == wanted[1:] or rest == wanted[1:] or rest[1:] == wanted


def describe(index: Index) -> Mapping[str, Any]:
    """Count what is in an index, for people and reports.

    Parameters
    ----------
    index : Index
        A data set.
    """
    return {
        "tracks": len(index.tracks),
        "genres": dict(sorted(Counter(track.genre for track in index.tracks).items())),
        "groups": len({track.group for track in index.tracks}),
        "copies": sum(track.copy_of is not None for track in index.tracks),
        "failed": len(index.failed),
    }
