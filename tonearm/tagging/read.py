"""Reading tags: what a file says of itself, in whichever of its tags.

What Tonearm wrote (`fields.py`) is read back here, through mutagen, which knows nothing of how it
was written.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tonearm.containers.edits import JOINT, MARKER, MP4_MARKER, joined_forms
from tonearm.containers.kinds import sniff
from tonearm.containers.mp4 import mp4_values
from tonearm.containers.mutagen_tags import (
    Loaded,
    flac_pictures,
    genre_names,
    is_binary,
    load,
    load_id3,
)
from tonearm.containers.riff import ChunkFile, info_values
from tonearm.data.groups import credited
from tonearm.errors import TagError
from tonearm.tagging.fields import written_genres


@dataclass(frozen=True)
class Tags:
    """What a file says of itself; None and empty where it says nothing.

    ``guesses`` are those of ``genres`` that Tonearm wrote, ``by_tonearm`` says that all are.

    Parameters
    ----------
    title, artist, album, album_artist : str or None
        The first value of each.
    genres : tuple of str
        All values of the genre tag.
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genres: tuple[str, ...] = ()
    by_tonearm: bool = False
    guesses: tuple[str, ...] = ()


# Title, artist, album, album artist, genre, marker: `_values` gives them in this order.
_ID3 = ("TIT2", "TPE1", "TALB", "TPE2", "TCON", f"TXXX:{MARKER}")
_VORBIS = ("title", "artist", "album", "albumartist", "genre", MARKER)
_MP4 = ("\xa9nam", "\xa9ART", "\xa9alb", "aART", "\xa9gen", MP4_MARKER)
_ASF = ("Title", "Author", "WM/AlbumTitle", "WM/AlbumArtist", "WM/Genre", MARKER)
_NAMES = {"flac": _VORBIS, "ogg": _VORBIS, "mp4": _MP4, "asf": _ASF}
_APE = ("Title", "Artist", "Album", "Album Artist", "Genre", MARKER)


def read_artist(path: str | os.PathLike[str]) -> str | None:
    """Who made a recording; None also for a file whose tags cannot be read.

    Parameters
    ----------
    path : path
        The file.
    """
    try:
        tags = read_tags(path)
    except TagError:
        return None
    return credited(tags.artist, tags.album_artist)


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Tags of one file.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    TagError
        When the file cannot be read, keeps no tags that Tonearm knows, or its tags are damaged.
    """
    kind = sniff(path)
    found: list[tuple[str, ...]] = [()] * 6  # as many as the fields of `_ID3`
    for values in _values(path, kind):
        # Of two tags in one file the first that says something counts, as for most players.
        found = [old or _cleaned(new) for old, new in zip(found, values, strict=True)]
    title, artist, album, album_artist, genre, marker = found
    # U+FFFD: mutagen met bytes that do not fit their encoding.
    if not genre or any("\ufffd" in name for name in genre):
        genre = _lenient_genres(path) or genre
    genres = tuple(dict.fromkeys(genre))
    # The marker names genres one by one, or joined where the format holds one value.
    names = [name for text in marker for name in text.split(JOINT)]
    own = {*marker, *names, *joined_forms(names)}
    guesses = tuple(name for name in genres if name in own)
    return Tags(
        title=JOINT.join(title) or None,
        artist=JOINT.join(artist) or None,
        album=JOINT.join(album) or None,
        album_artist=JOINT.join(album_artist) or None,
        genres=genres,
        by_tonearm=bool(genres) and guesses == genres,
        guesses=guesses,
    )


def others(path: str | os.PathLike[str]) -> dict[str, object]:
    """All that mutagen reads of a file's tags but the genre and the marker, to be compared.

    Parameters
    ----------
    path : path
        The file.
    """
    kind = sniff(path)
    kept: dict[str, object] = {}
    for loaded in load(path, kind, translate=False):
        is_id3 = hasattr(loaded, "getall")
        names = _ID3 if is_id3 else _NAMES.get(kind, _APE)
        for key in set(loaded.keys()):
            if _is_other(key, names):
                kept[f"{type(loaded).__name__} {key}"] = repr(loaded[key])
        if is_id3 and loaded.unknown_frames:
            kept["unknown"] = [bytes(frame) for frame in loaded.unknown_frames]
    if kind == "flac":
        kept["pictures"] = flac_pictures(path)
    return kept


def _is_other(key: str, names: tuple[str, ...]) -> bool:
    key = key.lower()
    # The first four are compared as other tags are; genre and marker may change.
    return key not in {name.lower() for name in names[4:]} and not key.startswith("tcon")


def _lenient_genres(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """What a person wrote although mutagen takes it for nothing."""
    try:
        return _cleaned(written_genres(path))
    except TagError:
        return ()


def _values(path: str | os.PathLike[str], kind: str) -> Iterable[Iterable[list[str]]]:
    """Six lists for each tag of the file: title, artist, album, its artist, genre, marker."""
    # Mutagen does not look into all lists of tags of an MP4, and takes gnre 0 for a genre.
    raw = _mp4_values(path) if kind == "mp4" else []
    yield from raw
    for loaded in _loaded(path, kind):
        if hasattr(loaded, "getall"):
            yield _id3_values(loaded)
        else:
            *values, genre, marker = _plain_values(loaded, _NAMES.get(kind, _APE))
            yield [*values, [] if raw else genre, marker]
    if kind == "wav":
        with suppress(TagError):
            yield info_values(path)


def _mp4_values(path: str | os.PathLike[str]) -> list[list[list[str]]]:
    """What stands in the file itself; empty where the sizes of its atoms do not add up."""
    try:
        return list(mp4_values(path))
    except (TagError, IndexError, ValueError, struct.error):
        return []


def _loaded(path: str | os.PathLike[str], kind: str) -> list[Loaded]:
    """Mutagen's tags; of a WAV in which it finds none, the tag in its ID3 chunk."""
    try:
        found = load(path, kind)
    except TagError:
        if kind != "wav":
            raise
        found = []
    if kind == "wav" and not found:
        id3 = load_id3(ChunkFile(path).id3_bytes)
        found = [] if id3 is None else [id3]
    if kind == "flac":
        # A FLAC file may begin with a foreign ID3 tag.
        found += load(path, "mp3", only_id3=True)
    return found


def _cleaned(values: list[str]) -> tuple[str, ...]:
    return tuple(text for text in (part.strip("\0 \n\t") for part in values) if text)


def _id3_values(tags: Loaded) -> Iterable[list[str]]:
    for key in _ID3:
        frames = tags.getall(key)
        if key == "TCON":
            yield _split([n for frame in frames for n in genre_names(frame.text)], tags.version)
        else:
            yield [str(text) for frame in frames for text in frame.text]


def _split(names: list[str], version: tuple[int, ...]) -> list[str]:
    """Version 2.3 has but one value, in which everyone joins several with a semicolon."""
    if version >= (2, 4):
        return names
    return [part for name in names for part in name.split(";")]


def _plain_values(tags: Loaded, keys: tuple[str, ...]) -> Iterable[list[str]]:
    for key in keys:
        found = tags.get(key, [])
        # In an APEv2 tag only text is a sequence: bytes, and a link to a text, are single values.
        several = isinstance(found, Sequence) and not isinstance(found, str)
        yield [
            part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
            for part in (found if several else [found])
            if not is_binary(part)
        ]
