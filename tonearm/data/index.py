"""What a data set is: its tracks, each with genre, group, checksum and length, in one file.

An index is JSON lines: a header, then one track a line. A *group* is what may not be on both sides
of a split: the tracks of one artist, and copies of one recording. Paths are relative to the
folder of music, with ``/``. Must not decode audio (``data/prepare.py`` does) or import torch.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.errors import DatasetError
from tonearm.files import write_atomically
from tonearm.genres import GTZAN_GENRES, key

FORMAT = "tonearm-index"
FORMAT_VERSION = 1
FILE_NAME = "index.jsonl"

# Spellings more than one letter away from the ten, as folders of GTZAN's many copies bear them.
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
_ENSEMBLES = frozenset(("the", "trio", "quartet", "quintet", "band"))
_NOBODY = frozenset(("", "unknown", "unknownartist", "various", "variousartists", "va"))


@dataclass(frozen=True)
class Track:
    """One recording of a data set.

    Parameters
    ----------
    name : str
        Unique in the index: its path, or its name where it came as an array.
    genre, group : str
        Label, and what may not be on both sides of a split.
    sound : str
        Checksum of the decoded audio: the key of its features.
    duration_s : float
    copy_of : str or None
        Name of the earlier track of which this is another copy.
    """

    name: str
    genre: str
    group: str
    sound: str
    duration_s: float
    copy_of: str | None = None

    @property
    def stem(self) -> str:
        """File name without folder and audio suffix, as official lists write it."""
        return stem(self.name)


@dataclass(frozen=True)
class Index:
    """Tracks of a data set, and the files that could not be read with the reason of each."""

    tracks: tuple[Track, ...]
    failed: tuple[tuple[str, str], ...] = ()
    source: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Genres, sorted."""
        return tuple(sorted({track.genre for track in self.tracks}))

    def by_name(self) -> dict[str, Track]:
        """Tracks by their name."""
        return {track.name: track for track in self.tracks}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index whole or not at all."""
        header = {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "source": self.source,
            "genres": dict(sorted(Counter(track.genre for track in self.tracks).items())),
            "failed": self.failed,
        }
        rows = [header, *(asdict(track) for track in self.tracks)]
        # ASCII: a file name that is no valid Unicode survives as escapes.
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
        try:
            write_atomically(path, data)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be written: {error.strerror}") from None


def load(path: str | os.PathLike[str]) -> Index:
    """Read an index, or the one in a prepared folder.

    Raises
    ------
    DatasetError
        When it is missing (not prepared, or not to the end), no index, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        path = path / FILE_NAME
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        header, *rows = map(json.loads, lines)
        if (header["format"], header["version"]) != (FORMAT, FORMAT_VERSION):
            raise DatasetError(f"{path}: an index of another version; prepare the folder again")
        index = Index(
            tuple(Track(**row) for row in rows),
            tuple((name, reason) for name, reason in header["failed"]),
            header["source"],
        )
        promised = sum(header["genres"].values())
    except FileNotFoundError:
        raise DatasetError(
            f"{path.parent}: no {path.name} in it: run `tonearm prepare FOLDER` to its end"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{path}: no index, or a damaged one ({error!r})") from None
    if promised != len(index.tracks):
        raise DatasetError(f"{path}: damaged: {len(index.tracks)} of {promised} tracks in it")
    return index


def stem(name: str) -> str:
    """``rock/rock.00001.au`` and ``rock.00001`` are both ``rock.00001``."""
    base = name.rsplit("/", 1)[-1]
    root, suffix = os.path.splitext(base)
    return root if suffix.lower() in AUDIO_SUFFIXES else base


def genre_of(folder: str) -> str:
    """The genre that a folder's name means: one of the ten where it is a misspelling of it.

    Beyond a table, a name of four letters or more is taken for one of the ten when a single
    letter is wrong, missing or too many, and not the first: ``reggas``, ``hophop``, ``jazzz``,
    but not ``k-pop`` or ``post-rock``. Any other name stays as it is, a genre of its own.
    """
    letters = key(folder)
    if letters in GTZAN_GENRES:
        return letters
    if letters in _SPELLINGS:
        return _SPELLINGS[letters]
    near = [genre for genre in GTZAN_GENRES if _one_letter_apart(letters, genre)]
    return near[0] if len(near) == 1 else folder.strip()


def _one_letter_apart(word: str, genre: str) -> bool:
    shortest = min(len(word), len(genre))
    if word[:1] != genre[:1] or shortest < 4:
        return False
    if abs(len(word) - len(genre)) > 1:
        return False
    same = next((i for i, (a, b) in enumerate(zip(word, genre, strict=False)) if a != b), shortest)
    rest, wanted = word[same:], genre[same:]
    return rest[1:] == wanted[1:] or rest == wanted[1:] or rest[1:] == wanted


def group_of(name: str, *, artist: str | None) -> str:
    """The group of a track: its artist where known, else its album's folder, else itself.

    Parameters
    ----------
    name : str
        Path from the folder of music: ``genre/…/file``.
    artist : str or None
        From a table or the file's tags; without it ``Artist - Title`` in the file's name counts.
    """
    base = stem(name)
    written = base.split(" - ", 1)[0] if " - " in base else ""
    # A number is the track's, not an artist's.
    for candidate in (artist or "", re.sub(r"^[\d\s.]+$", "", written)):
        plain = plain_artist(candidate)
        if plain.replace(" ", "") not in _NOBODY:
            return f"artist:{plain}"
    folders = name.split("/")[1:-1]
    return f"folder:{'/'.join(folders)}" if folders else f"track:{name}"


def plain_artist(artist: str) -> str:
    """What spellings of an artist share: ``The Dave Brubeck Quartet`` is ``dave brubeck``.

    Credits of several are a name of their own: where everybody features everybody, all would be
    one group, and nothing could be held out.
    """
    text = re.sub(r"[^\w\s]|_", "", artist.casefold().replace("&", " and ")).split()
    return " ".join(word for word in text if word not in _ENSEMBLES) or " ".join(text)


def merge_copies(tracks: Iterable[Track], pairs: Iterable[tuple[str, str]]) -> tuple[Track, ...]:
    """Tracks with ``copy_of`` set, and the groups of copies made one.

    Parameters
    ----------
    tracks : iterable of Track
    pairs : iterable of (str, str)
        Names of two tracks that hold one recording.
    """
    tracks = list(tracks)
    place = {track.name: i for i, track in enumerate(tracks)}
    original: dict[str, str] = {}
    parent: dict[str, str] = {}

    def find(group: str) -> str:
        while parent.get(group, group) != group:
            group = parent[group]
        return group

    for pair in sorted(pairs, key=lambda pair: sorted(place[name] for name in pair)):
        first, second = sorted(pair, key=place.__getitem__)
        original.setdefault(second, original.get(first, first))
        ends = sorted(find(tracks[place[name]].group) for name in pair)
        parent[ends[1]] = ends[0]
    return tuple(
        replace(track, group=find(track.group), copy_of=original.get(track.name))
        for track in tracks
    )


def same_sound(tracks: Iterable[Track]) -> list[tuple[str, str]]:
    """Pairs of names (first, later) of tracks with one checksum."""
    first: dict[str, str] = {}
    same = [(first.setdefault(track.sound, track.name), track.name) for track in tracks]
    return [pair for pair in same if pair[0] != pair[1]]


def read_artists(path: str | os.PathLike[str]) -> dict[str, str]:
    """A table ``clip<TAB>artist`` with a header line; clips without an artist are left out."""
    try:
        rows = [line.split("\t") for line in Path(path).read_text("utf-8").splitlines()[1:]]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: artists cannot be read: {error}") from None
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[1].strip()}


def describe(index: Index) -> Mapping[str, Any]:
    """Counts, for people and reports."""
    return {
        "tracks": len(index.tracks),
        "genres": dict(sorted(Counter(track.genre for track in index.tracks).items())),
        "groups": len({track.group for track in index.tracks}),
        "copies": sum(track.copy_of is not None for track in index.tracks),
        "failed": len(index.failed),
    }
