"""Windows Media tags in bytes: descriptors of the header's Extended Content Description object.

An object is a GUID, its size (8 bytes, with these 24) and its content, all little-endian. Places of
sound are counted in packets, so that the header may grow.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tonearm.tagging.raw import (
    JOINT,
    MARKER,
    Content,
    Edit,
    RawFile,
    RawTag,
    Role,
    damaged,
    read_at,
)

_EXTENDED_CONTENT = bytes.fromhex("40a4d0d207e3d21197f000a0c95ea850")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_BYTES = 30  # GUID, size, count of objects, two reserved
_OBJECT_BYTES = 24
_TEXT = 0


class DescriptorCodec:
    """Length and name in UTF-16, type, length and value; a name may come several times."""

    def role(self, item: bytes) -> Role | None:
        """By name."""
        length = int.from_bytes(item[:2], "little")
        name = item[2 : 2 + length].decode("utf-16-le", "replace").rstrip("\0").lower()
        return "genre" if name == "wm/genre" else "marker" if name == MARKER.lower() else None

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """One descriptor for each genre."""
        items = [_descriptor("WM/Genre", genre) for genre in genres]
        return tuple(items + ([_descriptor(MARKER, JOINT.join(guesses))] if guesses else []))


@dataclass(frozen=True)
class _Object:
    guid: bytes
    start: int
    end: int


class AsfFile(RawFile):
    """A WMA or other ASF file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            head = read_at(file, 0, _HEADER_BYTES)
            size = int.from_bytes(head[16:24], "little")
            self._size = os.fstat(file.fileno()).st_size
            if not _HEADER_BYTES <= size <= self._size:
                raise damaged(path, "is cut short within its header")
            self._header = read_at(file, 0, size)
        self._objects = []
        start = _HEADER_BYTES
        while start + _OBJECT_BYTES <= size:
            length = int.from_bytes(self._header[start + 16 : start + 24], "little")
            if length < _OBJECT_BYTES or start + length > size:
                raise damaged(path, "the objects of its header do not line up")
            self._objects.append(_Object(self._header[start : start + 16], start, start + length))
            start += length
        self._content = self._object(_EXTENDED_CONTENT)
        items = None
        if self._content:
            data = self._header[self._content.start + _OBJECT_BYTES : self._content.end]
            items = _descriptors(data)
            if items is None:
                raise damaged(path, "the descriptors of its header do not line up")
        super().__init__(path, [RawTag("asf", DescriptorCodec(), items)])

    def _object(self, guid: bytes) -> _Object | None:
        return next((found for found in self._objects if found.guid == guid), None)

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """The object of descriptors, and three sizes in the header."""
        (content,) = contents.values()
        old = self._content
        data = b""
        if content.items is not None:
            body = struct.pack("<H", len(content.items)) + b"".join(content.items)
            data = _EXTENDED_CONTENT + struct.pack("<Q", _OBJECT_BYTES + len(body)) + body
        start, length = (old.start, old.end - old.start) if old else (self._objects[-1].end, 0)
        growth = len(data) - length
        count = int.from_bytes(self._header[24:28], "little")
        count += (content.items is not None) - (old is not None)
        sizes = struct.pack("<QI", len(self._header) + growth, count)
        edits = [Edit(16, 12, sizes), Edit(start, length, data)]
        properties = self._object(_FILE_PROPERTIES)
        if properties and growth:
            at = properties.start + _OBJECT_BYTES + 16
            stated = int.from_bytes(self._header[at : at + 8], "little")
            if stated:
                edits.append(Edit(at, 8, (stated + growth).to_bytes(8, "little")))
        return edits


def _descriptors(data: bytes) -> tuple[bytes, ...] | None:
    count, position = int.from_bytes(data[:2], "little"), 2
    items = []
    for _ in range(count):
        name_end = position + 2 + int.from_bytes(data[position : position + 2], "little")
        end = name_end + 4 + int.from_bytes(data[name_end + 2 : name_end + 4], "little")
        if end > len(data):
            return None
        items.append(data[position:end])
        position = end
    return tuple(items) if position == len(data) else None


def _descriptor(name: str, text: str) -> bytes:
    name_bytes, value = (f"{part}\0".encode("utf-16-le") for part in (name, text))
    return (
        struct.pack("<H", len(name_bytes))
        + name_bytes
        + struct.pack("<HH", _TEXT, len(value))
        + value
    )
