"""Tags as mutagen parses them: the only module that imports it.

Mutagen only reads: when it writes, it rewrites all of a tag (reorders, merges and translates
frames, turns ID3v2.3 into 2.4). It is imported when the first file is read.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from tonearm.errors import TagError
from tonearm.files import as_path

# Mutagen's classes have no common base with what is used of them here.
Loaded = Any
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


def load(
    path: str | os.PathLike[str], kind: str, *, translate: bool = True, only_id3: bool = False
) -> list[Loaded]:
    """Mutagen's tags of a file: two where it may have ID3 and APEv2, none where it has none.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        Kind of the file, see :func:`~tonearm.containers.kinds.sniff`.
    translate : bool
        Whether mutagen brings old frames into the form of ID3v2.4.
    only_id3 : bool
        Whether only an ID3 tag is looked for.
    """
    from mutagen import MutagenError

    name = os.fspath(path)
    place = as_path(path)
    # An object of a store has no name by which mutagen could open it.
    opened = name if isinstance(place, Path) else place.open("rb")
    try:
        if kind in {"mp3", "ape"}:
            # In the order in which players of that kind look.
            places = [_ID3_TAG, _APE_TAG] if kind == "mp3" else [_APE_TAG, _ID3_TAG]
            places = [_ID3_TAG] if only_id3 else places
            found = [_load_tag(opened, each, translate=translate) for each in places]
        elif kind == "ogg":
            found = [_load_ogg(opened)]
        else:
            options = {} if translate or kind not in _ID3_KINDS else {"translate": False}
            found = [_class(_CLASSES[kind])(opened, **options).tags]
    except (MutagenError, OSError) as error:
        # The message names the file already, and has one line.
        reason = " ".join(str(error).replace(repr(name), "it").split())
        raise TagError(f"{path}: tags cannot be read: {reason or type(error).__name__}") from None
    except (ValueError, KeyError, IndexError, TypeError, ArithmeticError, EOFError) as error:
        # Damage that mutagen's parsers did not foresee.
        raise TagError(f"{path}: tags are damaged ({type(error).__name__}: {error})") from error
    return [tags for tags in found if tags is not None]


def is_binary(value: object) -> bool:
    """Whether a value of an ASF or APEv2 tag is binary.

    Parameters
    ----------
    value : object
        A value of a tag.
    """
    return type(value).__name__ in {"ASFByteArrayAttribute", "APEBinaryValue"}


def flac_pictures(path: str | os.PathLike[str]) -> list[bytes]:
    """The pictures of a FLAC file, which do not belong to its tags.

    Parameters
    ----------
    path : path
        The file.
    """
    return [picture.write() for picture in _class(_CLASSES["flac"])(os.fspath(path)).pictures]


def load_id3(data: bytes) -> Loaded | None:
    """The ID3 tag at the beginning of some bytes, None where mutagen cannot read it.

    Parameters
    ----------
    data : bytes
        The bytes.
    """
    from mutagen import MutagenError

    with suppress(MutagenError, ValueError, KeyError, IndexError, TypeError, EOFError):
        return _class(_ID3_TAG)(io.BytesIO(data))
    return None


def genre_names(texts: Sequence[str]) -> list[str]:
    """Names in the texts of an ID3 genre: ``(17)`` and ``17`` are Rock.

    A number that stands for no genre, such as ``(255)``, is none; mutagen calls it Unknown.

    Parameters
    ----------
    texts : sequence of str
        The texts of an ID3 genre frame.
    """
    names = _class("id3.TCON")(encoding=3, text=list(texts)).genres
    return [name for name in names if name != "Unknown"]


def genre_by_number(number: int) -> str | None:
    """The genre that has this number in ID3v1, if any has.

    Parameters
    ----------
    number : int
        The number.
    """
    from mutagen.id3 import TCON

    return TCON.GENRES[number] if 0 <= number < len(TCON.GENRES) else None


def v1_number(genre: str) -> int:
    """Number of a genre in ID3v1, 255 where it has none.

    Parameters
    ----------
    genre : str
        Name of a genre.
    """
    from mutagen.id3 import TCON

    names = [name.lower() for name in TCON.GENRES]
    return names.index(genre.lower()) if genre.lower() in names else 255


def _load_tag(opened: str | IO[bytes], place: str, *, translate: bool) -> Loaded:
    from mutagen.apev2 import APENoHeaderError
    from mutagen.id3 import ID3NoHeaderError

    options = {"translate": translate} if place == _ID3_TAG else {}
    with suppress(APENoHeaderError, ID3NoHeaderError):
        if not isinstance(opened, str):
            opened.seek(0)
        return _class(place)(opened, **options)
    return None


def _load_ogg(opened: str | IO[bytes]) -> Loaded:
    from mutagen import File

    # Named, because without a list mutagen imports every format it knows to choose from.
    names = ("oggvorbis.OggVorbis", "oggopus.OggOpus", "oggflac.OggFLAC", "oggspeex.OggSpeex")
    found = File(opened, options=list(map(_class, names)))
    if found is None:
        name = opened if isinstance(opened, str) else getattr(opened, "name", "a file")
        raise TagError(f"{name}: an Ogg file, but of no sound that has tags")
    return found.tags


def _class(name: str) -> Loaded:
    """One of mutagen's classes, by its module and name; imported when it is needed."""
    module, _, member = name.rpartition(".")
    return getattr(import_module(f"mutagen.{module}"), member)
