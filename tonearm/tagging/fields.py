"""The genre fields of a file, bit by bit: read, replaced, restored.

``GenreFields`` is what the journal keeps: each genre and marker item of each of the file's tags
with its place, so that an undo restores form, order and encoding, and absence too.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tonearm.containers.ape import ApeFile
from tonearm.containers.asf import AsfFile
from tonearm.containers.dsf import DsfFile
from tonearm.containers.edits import Content, Edit, RawFile, RawTag, damaged
from tonearm.containers.flac import FlacFile
from tonearm.containers.id3 import MpegFile
from tonearm.containers.kinds import sniff
from tonearm.containers.mp4 import Mp4File
from tonearm.containers.ogg_tags import OggFile
from tonearm.containers.riff import ChunkFile
from tonearm.errors import TagError
from tonearm.files import why_unreadable

_FILES: dict[str, Callable[[str | os.PathLike[str]], RawFile]] = {
    "mp3": MpegFile,
    "wav": ChunkFile,
    "aiff": ChunkFile,
    "dsf": DsfFile,
    "flac": FlacFile,
    "ogg": OggFile,
    "mp4": Mp4File,
    "asf": AsfFile,
    "ape": ApeFile,
}


@dataclass(frozen=True)
class TagFields:
    """Genre items of one tag with their places; ``present`` is whether there is such a tag."""

    present: bool
    layout: tuple[int, ...]
    items: tuple[tuple[int, bytes], ...]


@dataclass(frozen=True)
class GenreFields:
    """Genre items of all tags of a file, by the tag's name."""

    tags: Mapping[str, TagFields]

    def same_as(self, other: GenreFields) -> bool:
        """Whether the genre is the same, bit by bit, wherever in the tags it stands.

        Parameters
        ----------
        other : GenreFields
            The fields to compare with.
        """
        return self._bare() == other._bare()

    def fits(self, other: GenreFields) -> bool:
        """Whether the tags with a genre are those that ``other`` has too, for it to be restored.

        Parameters
        ----------
        other : GenreFields
            The fields to compare with.
        """
        # An empty tag needs no restoring, so its absence does not matter.
        return all(
            name in theirs.tags
            for ours, theirs in ((self, other), (other, self))
            for name, tag in ours.tags.items()
            if tag.items
        )

    def _bare(self) -> dict[str, list[bytes]]:
        bare = {name: [data for _, data in tag.items] for name, tag in self.tags.items()}
        return {name: items for name, items in bare.items() if items}

    def to_json(self) -> str:
        """As text for the journal."""
        return json.dumps(
            {
                name: {
                    "present": tag.present,  # an undo also removes a tag that writing made
                    "layout": tag.layout,
                    "items": [[place, data.hex()] for place, data in tag.items],
                }
                for name, tag in self.tags.items()
            }
        )

    @classmethod
    def from_json(cls, text: str) -> GenreFields:
        """Back from :meth:`to_json`.

        Parameters
        ----------
        text : str
            The text.
        """
        return cls(
            {
                name: TagFields(
                    bool(tag["present"]),
                    tuple(tag["layout"]),
                    tuple((int(place), bytes.fromhex(data)) for place, data in tag["items"]),
                )
                for name, tag in json.loads(text).items()
            }
        )


def read_fields(path: str | os.PathLike[str]) -> GenreFields:
    """The genre fields of a file as they are.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    TagError
        When the file cannot be read, or its tags are damaged or of a kind that cannot be changed
        without harm.
    """
    return GenreFields({name: _fields(tag) for name, tag in open_raw(path).tags.items()})


def other_items(path: str | os.PathLike[str]) -> dict[str, tuple[bytes, ...]]:
    """All items of a file's tags but the genre fields, bit by bit, to be compared.

    A tag that is not there yet counts as what it would begin with.

    Parameters
    ----------
    path : path
        The file.
    """
    found = {}
    for name, tag in open_raw(path).tags.items():
        # A new ID3v2 tag begins with what the ID3v1 tag says: for the copy that is no change.
        items = tag.seed if tag.items is None else tag.items
        found[name] = tuple(item for item in items if not tag.codec.role(item))
    return {name: items for name, items in found.items() if items}


def same_sound_bytes(path: str | os.PathLike[str], copy: str | os.PathLike[str]) -> bool | None:
    """Whether the bytes of the sound are equal, where they stand apart from all tags; else None.

    FFmpeg takes the tag behind Monkey's Audio for a part of the last packet, and does not read
    OptimFROG at all.

    Parameters
    ----------
    path : path
        The file.
    copy : path
        Its copy.
    """
    first, second = open_raw(path).sound, open_raw(copy).sound
    if first is None or second is None:
        return None
    with open(path, "rb") as one, open(copy, "rb") as other:
        one.seek(first[0])
        other.seek(second[0])
        left = first[1] - first[0]
        while left > 0:
            size = min(left, 1 << 20)  # 1 MB at a time: a file may be larger than memory
            if one.read(size) != other.read(size):
                return False
            left -= size
    return first == second


def written_genres(path: str | os.PathLike[str]) -> list[str]:
    """What stands in the genre fields of the first tag that has any, however it is encoded.

    For genres that a strict reader takes for nothing: bytes that do not fit their declared
    encoding, unknown types, tags behind other tags.

    Parameters
    ----------
    path : path
        The file.
    """
    file = open_raw(path)
    keys = getattr(file, "keys", {})
    for tag in file.tags.values():
        # In the order in which players look at the tags: the first that names a genre is what they
        # show.
        items = [item for item in tag.items or () if tag.codec.role(item) == "genre"]
        texts = [text for item in items for text in tag.codec.texts(item)]
        if any(text.strip("\0 \n\t") for text in texts):
            return texts
    return list(keys.get("genre", []))


def edits_for_genres(
    path: str | os.PathLike[str], genres: Sequence[str], *, guesses: Sequence[str]
) -> list[Edit]:
    """Edits that give a file these genres, ``guesses`` of which are Tonearm's.

    The first tag of the file gets them, and each other one that has a genre already or that some
    players read alone (``follows``); they take the place of the old ones. A file that has them
    already needs no edits.

    Parameters
    ----------
    path : path
        The file.
    genres : sequence of str
        Names of genres.
    guesses : sequence of str
        Those of the genres that Tonearm chose.
    """
    with _explained(path):
        file = open_raw(path)
        if file.refusal:
            raise damaged(path, file.refusal)
        # Tags that stay as they are are not in it, and their bytes are not touched.
        contents = _with_genres(file, genres, guesses)
        return file.edits(contents) if contents else []


def _with_genres(
    file: RawFile, genres: Sequence[str], guesses: Sequence[str]
) -> dict[str, Content]:
    contents = {}
    for number, (name, tag) in enumerate(file.tags.items()):
        old = tag.items or ()
        roles = [tag.codec.role(item) for item in old]
        # A second tag without a genre stays as it is: more to write is more to go wrong.
        if number and "genre" not in roles and not tag.follows:
            continue
        # One marker is enough, in the first tag; a second could only contradict it.
        new = tag.codec.make(genres, () if number else guesses)
        if new == tuple(item for item, role in zip(old, roles, strict=True) if role):
            continue
        # In the place of the old genre, or last: other items keep their order.
        place = roles.index("genre") if "genre" in roles else len(old)
        others = [item if not role else None for item, role in zip(old, roles, strict=True)]
        before = [item for item in others[:place] if item is not None]
        after = [item for item in others[place:] if item is not None]
        seed = tag.seed if tag.items is None else ()
        contents[name] = Content((*seed, *before, *new, *after))
    return contents


def edits_for_fields(path: str | os.PathLike[str], wanted: GenreFields) -> list[Edit]:
    """Edits that put genre fields back as they were.

    Parameters
    ----------
    path : path
        The file.
    wanted : GenreFields
        The fields to restore.

    Raises
    ------
    TagError
        When another program rewrote the tags in another version, in which the old fields would
        mean nothing.
    """
    file = open_raw(path)
    contents = {}
    for name, fields in wanted.tags.items():
        tag = file.tags.get(name)
        if tag is None:
            if fields.items:
                raise TagError(f"{path}: has no {name} tag any more")
            # It held nothing before either: there is nothing to restore.
            continue
        # Bytes and places both: fields that moved within the tag are restored too.
        if fields != _fields(tag):
            contents[name] = _restored(tag, fields)
    with _explained(path):
        return file.edits(contents) if contents else []


def _restored(tag: RawTag, fields: TagFields) -> Content:
    others = [item for item in tag.items or () if not tag.codec.role(item)]
    # Nobody added to the tag that writing made, so it goes as a whole.
    if not fields.present and tuple(others) == tag.seed:
        return Content(None, fields.layout)
    # Places count items with genres, in rising order, so each insert finds its own.
    items = others
    for place, data in fields.items:
        items.insert(place, data)
    return Content(tuple(items), fields.layout if fields.present else None)


def _fields(tag: RawTag) -> TagFields:
    items = tag.items or ()
    return TagFields(
        tag.items is not None,
        tag.layout,
        tuple((place, item) for place, item in enumerate(items) if tag.codec.role(item)),
    )


def open_raw(path: str | os.PathLike[str]) -> RawFile:
    """All tags of a file, in bytes; raises TagError where they are damaged.

    Parameters
    ----------
    path : path
        The file.
    """
    with _explained(path):
        # By the first bytes, not the name: a FLAC called .mp3 is written as a FLAC.
        return _FILES[sniff(path)](path)


@contextmanager
def _explained(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TagError(f"{path}: {why_unreadable(path, error)}") from None
    # What parsers of bytes raise on damage; anything else is a fault of ours, and is not hidden.
    except (IndexError, ValueError, OverflowError, struct.error) as error:
        raise damaged(path, f"its tags are damaged or cannot take this genre ({error})") from error
