"""Reading tags: the only door to mutagen.

Mutagen reads; it does not write, since it rewrites all of a tag (reorders, merges and translates
frames, turns ID3v2.3 into 2.4). Tonearm changes the bytes of the genre alone (`fields.py`), and
reads the result back through mutagen, which knows nothing of how it was written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tonearm.errors import TagError
from tonearm.tagging.containers import sniff

# The field by which Tonearm knows its own genres; it holds their names, so that a genre which a
# person changes later is that person's although the field stays.
MARKER = "TONEARM"
MP4_MARKER = f"----:com.apple.iTunes:{MARKER}"
# Joins values where a container has but one; no genre's name holds it.
JOINT = "; "


@dataclass(frozen=True)
class Tags:
    """What a file says of itself; None and empty where it says nothing.

    ``guesses`` are those of ``genres`` that Tonearm wrote, ``by_tonearm`` says that all are.
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genres: tuple[str, ...] = ()
    by_tonearm: bool = False
    guesses: tuple[str, ...] = ()


# Mutagen's classes have no common base with what is used of them here.
_Loaded = Any
_ID3_TAG, _APE_TAG = "id3.ID3", "apev2.APEv2"
_ID3_KINDS = frozenset({"wav", "aiff", "dsf"})
_CLASSES = {
    "wav": "wave.WAVE",
    "aiff": "aiff.AIFF",
    "dsf": "dsf.DSF",
    "flac": "flac.FLAC",
    "mp4": "mp4.MP4",
    "asf": "asf.ASF",
}

_ID3 = ("TIT2", "TPE1", "TALB", "TPE2", "TCON", f"TXXX:{MARKER}")
_VORBIS = ("title", "artist", "album", "albumartist", "genre", MARKER)
_MP4 = ("\xa9nam", "\xa9ART", "\xa9alb", "aART", "\xa9gen", MP4_MARKER)
_ASF = ("Title", "Author", "WM/AlbumTitle", "WM/AlbumArtist", "WM/Genre", MARKER)
_APE = ("Title", "Artist", "Album", "Album Artist", "Genre", MARKER)


def read_tags(path: str | os.PathLike[str]) -> Tags:
    """Tags of one file.

    Raises
    ------
    TagError
        When the file cannot be read, keeps no tags that Tonearm knows, or its tags are damaged.
    """
    kind = sniff(path)
    loaded = _load(path, kind)
    if loaded is None:
        return Tags()
    values = _id3_values if hasattr(loaded, "getall") else _VALUES[kind]
    title, artist, album, album_artist, genre, marker = (
        tuple(text for text in (part.strip("\0 \n\t") for part in found) if text)
        for found in values(loaded)
    )
    genres = tuple(dict.fromkeys(genre))
    own = {name for text in marker for name in text.split(JOINT)}
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


def v1_number(genre: str) -> int:
    """Number of a genre in ID3v1, 255 where it has none."""
    from mutagen.id3 import TCON

    names = [name.lower() for name in TCON.GENRES]
    return names.index(genre.lower()) if genre.lower() in names else 255


def others(path: str | os.PathLike[str]) -> dict[str, object]:
    """All that mutagen reads of a file's tags but the genre and the marker, to be compared."""
    kind = sniff(path)
    loaded = _load(path, kind, translate=False)
    if loaded is None:
        return {}
    if hasattr(loaded, "getall"):
        kept: dict[str, object] = {
            key: repr(frame) for key, frame in loaded.items() if _is_other(key, _ID3)
        }
        return {**kept, "": [bytes(frame) for frame in loaded.unknown_frames]}
    names = {"flac": _VORBIS, "ogg": _VORBIS, "mp4": (*_MP4, "gnre"), "asf": _ASF, "ape": _APE}
    kept = {key: repr(loaded[key]) for key in set(loaded.keys()) if _is_other(key, names[kind])}
    if kind == "flac":
        pictures = _class(_CLASSES[kind])(os.fspath(path)).pictures
        kept[""] = [picture.write() for picture in pictures]
    return kept


def _is_other(key: str, names: tuple[str, ...]) -> bool:
    key = key.lower()
    return key not in {name.lower() for name in names[4:]} and not key.startswith("tcon")


def _load(path: str | os.PathLike[str], kind: str, *, translate: bool = True) -> _Loaded:
    """Mutagen's tags of a file, None without any."""
    from mutagen import MutagenError

    try:
        if kind == "mp3":
            return _first(os.fspath(path), _ID3_TAG, _APE_TAG, translate=translate)
        if kind == "ape":  # an ID3v1 tag may stand at their end, and others in front
            return _first(os.fspath(path), _APE_TAG, _ID3_TAG, translate=translate)
        if kind == "ogg":
            return _load_ogg(os.fspath(path))
        options = {} if translate or kind not in _ID3_KINDS else {"translate": False}
        return _class(_CLASSES[kind])(os.fspath(path), **options).tags
    except (MutagenError, OSError) as error:
        reason = " ".join(str(error).replace(repr(os.fspath(path)), "it").split())
        raise TagError(f"{path}: tags cannot be read: {reason or type(error).__name__}") from None
    except (ValueError, KeyError, IndexError, TypeError, ArithmeticError, EOFError) as error:
        # Damage that mutagen's parsers did not foresee.
        raise TagError(f"{path}: tags are damaged ({type(error).__name__}: {error})") from error


def _first(path: str, *places: str, translate: bool) -> _Loaded:
    """The first of two kinds of tags that there is."""
    from mutagen.apev2 import APENoHeaderError
    from mutagen.id3 import ID3NoHeaderError

    for place in places:
        options = {"translate": translate} if place == _ID3_TAG else {}
        with suppress(APENoHeaderError, ID3NoHeaderError):
            return _class(place)(path, **options)
    return None


def _load_ogg(path: str) -> _Loaded:
    from mutagen import File

    names = ("oggvorbis.OggVorbis", "oggopus.OggOpus", "oggflac.OggFLAC", "oggspeex.OggSpeex")
    opened = File(path, options=list(map(_class, names)))
    if opened is None:
        raise TagError(f"{path}: an Ogg file, but of no sound that has tags")
    return opened.tags


def _class(name: str) -> _Loaded:
    """One of mutagen's classes, by its module and name; imported when it is needed."""
    module, _, member = name.rpartition(".")
    return getattr(import_module(f"mutagen.{module}"), member)


def _id3_values(tags: _Loaded) -> Iterable[list[str]]:
    for key in _ID3:
        frames = tags.getall(key)
        if key == "TCON":
            yield _split([name for frame in frames for name in frame.genres], tags.version)
        else:
            yield [str(text) for frame in frames for text in frame.text]


def _split(names: list[str], version: tuple[int, ...]) -> list[str]:
    """Version 2.3 has but one value, in which everyone joins several with a semicolon."""
    if version >= (2, 4):
        return names
    return [part for name in names for part in name.split(";")]


def _plain_values(keys: tuple[str, ...]) -> Callable[[Any], Iterable[list[str]]]:
    def values(tags: _Loaded) -> Iterable[list[str]]:
        for key in keys:
            found = tags.get(key, [])
            yield [
                part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part)
                for part in ([found] if isinstance(found, str) else list(found))
            ]

    return values


_VALUES: dict[str, Callable[[Any], Iterable[list[str]]]] = {
    "mp3": _plain_values(_APE),
    "ape": _plain_values(_APE),
    "flac": _plain_values(_VORBIS),
    "ogg": _plain_values(_VORBIS),
    "mp4": _plain_values(_MP4),
    "asf": _plain_values(_ASF),
}
