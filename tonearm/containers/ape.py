"""APEv2 tags in bytes, at the end of WavPack, Musepack and Monkey's Audio files, and of some MP3.

Follows wiki.hydrogenaud.io/index.php?title=APEv2_specification.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tonearm.containers.edges import tag_before
from tonearm.containers.edits import (
    RESAVE,
    Content,
    Edit,
    NamedCodec,
    RawFile,
    RawTag,
    damaged,
    decoded,
    read_at,
)
from tonearm.containers.id3v1 import find_v1, v1_edit, v1_tag

_FENCE = struct.Struct("<8sIIII8s")  # header and footer: magic, version, size, count, flags
_MAGIC = b"APETAGEX"
_HAS_HEADER, _IS_HEADER = 1 << 31, 1 << 29
_V1_LOOKALIKE_BYTES = 131  # an ID3v1 tag, and the APE of APETAGEX
_BINARY = 0b110  # or a link
_LYRICS_BEGIN = b"LYRICSBEGIN"
_MUSIC = frozenset({b"title", b"artist", b"album"})


class ApeCodec(NamedCodec):
    """Items: size, flags, key, NUL, value; several values of one key are separated by NUL."""

    genre_name = "Genre"

    def name_of(self, item: bytes) -> str:
        """The key."""
        return key_of(item).decode("latin-1")

    def item(self, name: str, text: str) -> bytes:
        """An item of text."""
        value = text.encode()
        return struct.pack("<II", len(value), 0) + name.encode() + b"\0" + value

    def genre_items(self, genres: Sequence[str]) -> list[bytes]:
        """One item with all values."""
        return [self.item(self.genre_name, "\0".join(genres))]

    def texts(self, item: bytes) -> list[str]:
        """Its values; a binary item holds none."""
        if int.from_bytes(item[4:8], "little") & _BINARY:
            return []
        value = item[8:].split(b"\0", 1)[1]
        return [decoded(part) for part in value.split(b"\0")]


@dataclass(frozen=True)
class ApeTag:
    """Where a file's APEv2 tag is; ``items`` None where it would come."""

    start: int
    length: int
    version: int
    flags: int
    items: tuple[bytes, ...] | None

    @classmethod
    def find(cls, file: BinaryIO, path: str | os.PathLike[str]) -> ApeTag:
        """At the end of the file, or before its ID3v1 tag and its Lyrics3 tag.

        Parameters
        ----------
        file : BinaryIO
            The open file.
        path : path
            The file.

        Raises
        ------
        TagError
            When its sizes are wrong, or it stands at the beginning.
        """
        end = os.fstat(file.fileno()).st_size
        end -= len(find_v1(file))
        before = tag_before(file, end)
        if before and before.kind == "lyrics3" and read_at(file, before.start, 11) == _LYRICS_BEGIN:
            end = before.start
        # The tag is found from its footer: only that has a known place.
        footer = read_at(file, max(0, end - _FENCE.size), _FENCE.size)
        if len(footer) < _FENCE.size or not footer.startswith(_MAGIC):
            # APEv2 allows the beginning too, where few programs look; an edit at the end would make
            # a second tag.
            if read_at(file, 0, 8) == _MAGIC:
                raise damaged(path, "has its APE tag at the beginning", RESAVE)
            return cls(end, 0, 2_000, _HAS_HEADER, None)  # 2,000 is APEv2
        _, version, size, count, flags, _ = _FENCE.unpack(footer)
        header = _FENCE.size if flags & _HAS_HEADER else 0
        start = end - size - header  # the stated size counts the footer, but not the header
        if start < 0 or size < _FENCE.size:
            raise damaged(path, "its APE tag has a wrong size", RESAVE)
        if header and read_at(file, start, 8) != _MAGIC:
            raise damaged(path, "its APE tag lacks its header", RESAVE)
        items = _items(read_at(file, start + header, size - _FENCE.size), count)
        if items is None:
            raise damaged(path, "the sizes in its APE tag do not add up", RESAVE)
        return cls(start, size + header, version, flags, items)

    def tag(self) -> RawTag:
        """As items."""
        return RawTag("apev2", ApeCodec(), self.items)

    def names_music(self) -> bool:
        """Whether it says what is played; mp3gain and others keep only numbers in one."""
        return any(key_of(item) in _MUSIC for item in self.items or ())

    def edit(self, content: Content) -> Edit:
        """The edit that gives it new content.

        Parameters
        ----------
        content : Content
            The new content.
        """
        if content.items is None:
            return Edit(self.start, self.length, b"")
        items = self._unlike_v1(content.items)
        body = b"".join(items)
        counts = (self.version, len(body) + _FENCE.size, len(items))
        # Header and footer differ in one bit, by which a reader knows the direction.
        footer = _FENCE.pack(_MAGIC, *counts, self.flags & ~_IS_HEADER, bytes(8))
        header = b""
        if self.flags & _HAS_HEADER:
            header = _FENCE.pack(_MAGIC, *counts, self.flags | _IS_HEADER, bytes(8))
        return Edit(self.start, self.length, header + body + footer)

    def _unlike_v1(self, items: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The items, Tonearm's mark a space longer where APETAGEX would read as ID3v1's TAG.

        FFmpeg, exiftool and mediainfo look for TAG 128 bytes before the end and do not see that
        APE stands before it. FFmpeg's own WavPack and TTA files come to that length with Jazz.
        """
        codec = ApeCodec()
        length = 2 * _FENCE.size + sum(map(len, items))
        if length != _V1_LOOKALIKE_BYTES or not items or codec.role(items[-1]) != "marker":
            return items
        size = int.from_bytes(items[-1][:4], "little") + 1
        return (*items[:-1], size.to_bytes(4, "little") + items[-1][4:] + b" ")


class ApeFile(RawFile):
    """WavPack, Musepack, Monkey's Audio and others: an APEv2 tag, and at times ID3v1 after it.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            self._ape = ApeTag.find(file, path)
            self._size = os.fstat(file.fileno()).st_size
            v1 = find_v1(file)
        tags = [self._ape.tag()]
        if v1:
            tags.append(v1_tag(v1))
        super().__init__(path, tags)
        self.sound = (0, self._ape.start)

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """Both are at the end, one after the other.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        edits = []
        for name, content in contents.items():
            if name == "apev2":
                edits.append(self._ape.edit(content))
            else:
                edits.append(v1_edit(self._size, content))
        return edits


def key_of(item: bytes) -> bytes:
    """An item's key in lower case.

    Parameters
    ----------
    item : bytes
        One item of the tag, with its header.
    """
    return item[8:].split(b"\0", 1)[0].lower()


def _items(data: bytes, count: int) -> tuple[bytes, ...] | None:
    items = []
    while data:
        key_end = data.find(b"\0", 8)  # behind size and flags
        if key_end < 0:
            return None
        end = key_end + 1 + int.from_bytes(data[:4], "little")
        if end > len(data):
            return None
        items.append(data[:end])
        data = data[end:]
    # A wrong count means that something was not understood: then nothing is changed.
    return tuple(items) if len(items) == count else None
