"""Windows Media tags in bytes: descriptors of the header's Extended Content Description object.

Taggers put second values of a name into the Metadata Library object, within the Header Extension.
An object is a GUID, its size (8 bytes, with these 24) and its content, all little-endian. Places of
sound are counted in packets, so that the header may grow.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

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
from tonearm.errors import INCOMPLETE

# Behind its header: the file's own number, the count of packets, two reserved bytes.
DATA, DATA_HEAD_BYTES = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c"), 50
_ENCRYPTION = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")
_EXTENDED_CONTENT = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_EXTENSION = bytes.fromhex("b503bf5f2ea9cf118ee300c00c205365")
_LIBRARY = bytes.fromhex("941c23449894d149a1411d134e457054")
_EXTENSION_BYTES = 46  # GUID, size, GUID, number, size of the objects in it
_HEADER_BYTES = 30  # GUID, size, count of objects, two reserved
OBJECT_BYTES = 24
_TEXT = 0


@dataclass(frozen=True)
class AsfObject:
    """One object; ``fits`` is whether its size can be true."""

    guid: bytes
    start: int
    end: int
    fits: bool


def objects(file: BinaryIO, at: int, end: int) -> Iterator[AsfObject]:
    """Objects one after another; one whose size cannot be true reaches to the end.

    Parameters
    ----------
    file : binary file
        The open file.
    at, end : int
        Where the first object begins, and where no other does.
    """
    while at + OBJECT_BYTES <= end:
        head = read_at(file, at, OBJECT_BYTES)
        length = int.from_bytes(head[16:], "little")
        fits = OBJECT_BYTES <= length <= end - at
        stop = at + length if fits else end
        yield AsfObject(head[:16], at, stop, fits)
        at = stop


def is_encrypted(file: BinaryIO) -> bool:
    """Whether the header names a licence: the Content Encryption Object.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    size = int.from_bytes(read_at(file, 16, 8), "little")
    return any(found.guid == _ENCRYPTION for found in objects(file, _HEADER_BYTES, size))


class DescriptorCodec(NamedCodec):
    """Length and name in UTF-16, type, length and value; a name may come several times."""

    genre_name = "WM/Genre"

    def name_of(self, item: bytes) -> str:
        """Behind its length."""
        return _name(item[2 : 2 + int.from_bytes(item[:2], "little")])

    def item(self, name: str, text: str) -> bytes:
        """A descriptor."""
        name_bytes, value = (f"{part}\0".encode("utf-16-le") for part in (name, text))
        head = struct.pack("<H", len(name_bytes)) + name_bytes
        return head + struct.pack("<HH", _TEXT, len(value)) + value

    def texts(self, item: bytes) -> list[str]:
        """The value, where it is a text."""
        start = 2 + int.from_bytes(item[:2], "little")
        return _asf_texts(int.from_bytes(item[start : start + 2], "little"), item[start + 4 :])


class RecordCodec(DescriptorCodec):
    """Records of the library: language, stream, lengths and type, name, value."""

    def name_of(self, item: bytes) -> str:
        """Behind the numbers."""
        return _name(item[12 : 12 + int.from_bytes(item[4:6], "little")])

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """None: all genres are descriptors."""
        return ()

    def texts(self, item: bytes) -> list[str]:
        """The value, where it is a text."""
        start = 12 + int.from_bytes(item[4:6], "little")
        return _asf_texts(int.from_bytes(item[6:8], "little"), item[start:])


class AsfFile(RawFile):
    """A WMA or other ASF file.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        with open(path, "rb") as file:
            head = read_at(file, 0, _HEADER_BYTES)
            size = int.from_bytes(head[16:24], "little")
            self._size = os.fstat(file.fileno()).st_size
            if not _HEADER_BYTES <= size <= self._size:
                raise damaged(path, "is cut short within its header", INCOMPLETE)
            self._header = read_at(file, 0, size)
        self._objects = self._walk(_HEADER_BYTES, size)
        self._content = self._object(_EXTENDED_CONTENT)
        items = self._items(self._content, _descriptor_end) if self._content else None
        tags = [RawTag("asf", DescriptorCodec(), items)]
        self._extension = self._object(_HEADER_EXTENSION)
        self._library: AsfObject | None = None
        if self._extension:
            inner = self._walk(self._extension.start + _EXTENSION_BYTES, self._extension.end)
            self._library = next((found for found in inner if found.guid == _LIBRARY), None)
        if self._library:
            tags.append(
                RawTag("asf-library", RecordCodec(), self._items(self._library, _record_end))
            )
        super().__init__(path, tags)

    def _walk(self, start: int, end: int) -> list[AsfObject]:
        found = list(objects(io.BytesIO(self._header), start, end))
        if not all(each.fits for each in found):
            raise damaged(self.path, "the sizes in its header do not add up", RESAVE)
        return found

    def _object(self, guid: bytes) -> AsfObject | None:
        return next((found for found in self._objects if found.guid == guid), None)

    def _items(self, within: AsfObject, end_of: Callable[[bytes, int], int]) -> tuple[bytes, ...]:
        data = self._header[within.start + OBJECT_BYTES : within.end]
        position = 2  # behind the count of descriptors
        items = []
        for _ in range(int.from_bytes(data[:2], "little")):
            end = end_of(data, position)
            items.append(data[position:end])
            position = end
        # What stands behind the last of them would be lost by a rewrite.
        if position != len(data):
            raise damaged(self.path, "the sizes of its tags do not add up", RESAVE)
        return tuple(items)

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """The objects of descriptors, and the sizes of all around them.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        edits = []
        for name, content in contents.items():
            old, guid = self._content, _EXTENDED_CONTENT
            if name == "asf-library":
                old, guid = self._library, _LIBRARY
            data = b"" if content.items is None else _object_of(guid, content.items)
            # A new object goes behind all others, which keeps their order.
            start = old.start if old else self._objects[-1].end
            edit = Edit(start, old.end - old.start if old else 0, data)
            edits.append(edit)
            if name == "asf-library" and self._extension:
                at, growth = self._extension.start, len(data) - edit.length
                # The extension's own size, and that of the objects inside it.
                edits += [self._grown(at + 16, 8, growth), self._grown(at + 42, 4, growth)]
        growth = sum(len(edit.data) - edit.length for edit in edits)
        edits.append(self._grown(16, 8, growth))  # size of the whole header
        if "asf" in contents:
            # 1, 0 or -1: the header counts its objects.
            made = (contents["asf"].items is not None) - (self._content is not None)
            edits.append(self._grown(24, 4, made))
        properties = self._object(_FILE_PROPERTIES)
        if properties:
            # Behind the file's own GUID of 16 bytes: the size of the file.
            edits.append(self._grown(properties.start + OBJECT_BYTES + 16, 8, growth))
        return edits

    def _grown(self, at: int, width: int, growth: int) -> Edit:
        """A number of the header, larger."""
        value = int.from_bytes(self._header[at : at + width], "little")
        return Edit(at, width, (value + growth).to_bytes(width, "little"))


def _name(data: bytes) -> str:
    # Names are compared alone, so what is broken in one may be replaced; texts keep their bytes.
    return data.decode("utf-16-le", "replace").rstrip("\0").lower()


def _asf_texts(kind: int, value: bytes) -> list[str]:
    return [decoded(value, "utf-16-le").rstrip("\0")] if kind == _TEXT else []


def _descriptor_end(data: bytes, start: int) -> int:
    name_end = start + 2 + int.from_bytes(data[start : start + 2], "little")
    return name_end + 4 + int.from_bytes(data[name_end + 2 : name_end + 4], "little")


def _record_end(data: bytes, start: int) -> int:
    name = int.from_bytes(data[start + 4 : start + 6], "little")
    return start + 12 + name + int.from_bytes(data[start + 8 : start + 12], "little")


def _object_of(guid: bytes, items: Sequence[bytes]) -> bytes:
    body = struct.pack("<H", len(items)) + b"".join(items)
    return guid + struct.pack("<Q", OBJECT_BYTES + len(body)) + body
