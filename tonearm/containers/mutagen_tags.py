"""Tags as mutagen parses them: the only module that imports it.

Mutagen only reads: when it writes, it rewrites all of a tag (reorders, merges and translates
frames, turns ID3v2.3 into 2.4). It is imported when the first file is read.
"""

from __future__ import annotations

import base64
import io
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from tonearm.containers.edits import RESAVE, damaged
from tonearm.errors import TagError
from tonearm.files import as_path

# Mutagen's classes have no common base with what is used of them here.
Loaded = Any
_ID3_TAG, _APE_TAG = "id3.ID3", "apev2.APEv2"
_FRONT = 3  # the picture type of a front cover, in ID3, FLAC and ASF alike
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
    name = os.fspath(path)
    place = as_path(path)
    # An object of a store has no name by which mutagen could open it.
    opened = name if isinstance(place, Path) else place.open("rb")
    with _readable(name):
        # Only these may have both kinds of tag, one at either end.
        if kind in {"mp3", "ape"}:
            # In the order in which players of that kind look.
            places = [_ID3_TAG, _APE_TAG] if kind == "mp3" else [_APE_TAG, _ID3_TAG]
            places = [_ID3_TAG] if only_id3 else places
            found = [_load_tag(opened, each, translate=translate) for each in places]
        elif kind == "ogg":
            found = [_load_ogg(opened)]
        else:
            # Untranslated, ID3v2.3 keeps its own frames: mutagen turns them into those of 2.4
            # otherwise.
            options = {} if translate or kind not in _ID3_KINDS else {"translate": False}
            found = [_class(_CLASSES[kind])(opened, **options).tags]
    return [tags for tags in found if tags is not None]


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Whatever mutagen raises, as one TagError with the reason."""
    from mutagen import MutagenError

    try:
        yield
    except (MutagenError, OSError) as error:
        # The message names the file already, and has one line.
        reason = " ".join(str(error).replace(repr(name), "it").split())
        what = f"its tags cannot be read ({reason or type(error).__name__})"
        raise damaged(name, what, RESAVE) from None
    except TagError:
        raise
    except Exception as error:
        # Damage that mutagen's parsers did not foresee: a vendor of 4 GB, a header cut short.
        what = f"its tags are damaged ({type(error).__name__}: {error})"
        raise damaged(name, what, RESAVE) from error


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


def pictures(path: str | os.PathLike[str], kind: str) -> list[tuple[bool, bytes]]:
    """The pictures in a file's tags, each with whether it is the front cover.

    Parameters
    ----------
    path : path
        The file.
    kind : str
        Kind of the file, see :func:`~tonearm.containers.kinds.sniff`.

    Raises
    ------
    TagError
        When its tags cannot be read.
    """
    found: list[tuple[bool, bytes]] = []
    if kind == "flac":
        name = os.fspath(path)
        with _readable(name):
            own = _class(_CLASSES["flac"])(name).pictures
        return [(picture.type == _FRONT, picture.data) for picture in own]
    for tags in load(path, kind):
        # What one format calls its pictures, no other does: so each is asked for all of them.
        if hasattr(tags, "getall"):
            found += [(frame.type == _FRONT, frame.data) for frame in tags.getall("APIC")]
            continue
        # MP4 has covers alone, and does not say of which side.
        found += [(True, bytes(data)) for data in _values(tags, "covr")]
        for text in _values(tags, "metadata_block_picture"):
            picture = _vorbis_picture(text)
            found += [(picture.type == _FRONT, picture.data)] if picture else []
        for attribute in _values(tags, "WM/Picture"):
            found += [(attribute.value[:1] == b"\x03", _asf_picture(attribute.value))]
        for name in ("Cover Art (Front)", "Cover Art (Back)"):
            # An APEv2 picture begins with a file name, which a NUL ends.
            for value in _values(tags, name)[:1]:
                found.append((name.endswith("(Front)"), bytes(value.value).partition(b"\0")[2]))
    return found


def _values(tags: Loaded, name: str) -> list[Any]:
    try:
        value = tags[name]
    except (KeyError, ValueError, TypeError):
        return []
    return value if isinstance(value, list) else [value]


def _vorbis_picture(text: str) -> Loaded | None:
    """The FLAC picture that a Vorbis comment holds in base64; None where it holds none."""
    from mutagen import MutagenError

    with suppress(MutagenError, ValueError, TypeError, struct.error):
        return _class("flac.Picture")(base64.b64decode(text))
    return None


def _asf_picture(data: bytes) -> bytes:
    """The image in WM/Picture: type, length, then two UTF-16 texts that NULs end, then it."""
    at = 5
    for _ in range(2):
        while data[at : at + 2] not in {b"\0\0", b""}:
            at += 2
        at += 2
    return data[at:]


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
    # Mutagen's word for a number that stands for no genre.
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

    # By position: the number is all that ID3v1 holds.
    names = [name.lower() for name in TCON.GENRES]
    return names.index(genre.lower()) if genre.lower() in names else 255


def _load_tag(opened: str | IO[bytes], place: str, *, translate: bool) -> Loaded:
    from mutagen.apev2 import APENoHeaderError
    from mutagen.id3 import ID3NoHeaderError

    options = {"translate": translate} if place == _ID3_TAG else {}
    with suppress(APENoHeaderError, ID3NoHeaderError):
        if not isinstance(opened, str):
            # The tag before may have been looked for at the end.
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
        raise TagError(f"{name}: is an Ogg file of a kind whose tags Tonearm does not know")
    return found.tags


def _class(name: str) -> Loaded:
    """One of mutagen's classes, by its module and name; imported when it is needed."""
    module, _, member = name.rpartition(".")
    return getattr(import_module(f"mutagen.{module}"), member)
