"""MP4 tags in bytes: the atoms of ``moov.udta.meta.ilst``.

An atom is its size (big-endian, with the 8 bytes of its header), its name and its content. What
grows moves the sound behind it, whose places are listed in ``stco``, ``co64`` and ``tfhd`` atoms.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tonearm.containers.edits import (
    JOINT,
    MP4_MARKER,
    NEW_PADDING_BYTES,
    Content,
    Edit,
    RawFile,
    RawTag,
    Role,
    damaged,
    read_at,
)

_PATH = (b"udta", b"meta", b"ilst")
_HANDLER = bytes(8) + b"mdirappl" + bytes(9)
_UTF8 = 1
_BASE_OFFSET_PRESENT = 1
_MAX_OFFSET = 0xFFFFFFFF


class AtomCodec:
    """``©gen`` with a ``data`` atom for each genre; ``gnre`` is a number, ID3v1's plus 1."""

    def role(self, item: bytes) -> Role | None:
        """By name, and a free-form atom's by its two names."""
        if item[4:8] in {b"\xa9gen", b"gnre"}:
            return "genre"
        if item[4:8] == b"----":
            names = [content[4:] for name, content in _children(item[8:]) if name != b"data"]
            _, mean, name = MP4_MARKER.split(":")
            return "marker" if names == [mean.encode(), name.encode()] else None
        return None

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """One atom each."""
        items = []
        if genres:
            items.append(_atom(b"\xa9gen", b"".join(_data(genre) for genre in genres)))
        if guesses:
            _, mean, name = MP4_MARKER.split(":")
            names = _atom(b"mean", bytes(4) + mean.encode())
            names += _atom(b"name", bytes(4) + name.encode())
            items.append(_atom(b"----", names + _data(JOINT.join(guesses))))
        return tuple(items)


@dataclass(frozen=True)
class _Place:
    """An atom within ``moov``."""

    name: bytes
    start: int
    end: int


class Mp4File(RawFile):
    """An MP4 or M4A file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            self._top = list(_top_atoms(file, path))
            moov = next((atom for atom in self._top if atom.name == b"moov"), None)
            if moov is None:
                raise damaged(path, "has no movie atom: it is cut short or not finished")
            self._moov = moov
            self._data = read_at(file, moov.start, moov.end - moov.start)
        if self._data[:4] == b"\0\0\0\1":
            raise damaged(path, "its movie atom is longer than 4 GB")
        self.path = path
        self._places = self._find()
        items, free = None, 0
        if len(self._places) == len(_PATH):
            ilst = self._places[-1]
            content = self._data[ilst.start + 8 : ilst.end]
            items = tuple(_atom(name, part) for name, part in _children(content))
            if b"".join(items) != content:
                raise damaged(path, "the atoms of its tags do not line up")
            free = self._free_after(ilst.end)
        layout = (free, len(_PATH) - len(self._places))
        super().__init__(path, [RawTag("mp4", AtomCodec(), items, layout)])
        self._free = free

    def _find(self) -> list[_Place]:
        """The atoms on the way to the tags, as far as there are any."""
        places: list[_Place] = []
        start, end = 8, len(self._data)
        for name in _PATH:
            found = next((p for p in _places(self._data, start, end) if p.name == name), None)
            if found is None:
                break
            places.append(found)
            start, end = found.start + 8 + self._head(found), found.end
        return places

    def _head(self, place: _Place) -> int:
        """Bytes of an atom before its children: ``meta`` has a version, but not in QuickTime."""
        has_version = place.name == b"meta" and self._data[place.start + 12 :][:4] != b"hdlr"
        return 4 if has_version else 0

    def _free_after(self, position: int) -> int:
        meta_end = self._places[1].end
        follower = next(iter(_places(self._data, position, meta_end)), None)
        is_free = follower is not None and follower.name == b"free"
        return follower.end - follower.start if follower and is_free else 0

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """A new movie atom, and new places in all that point behind it."""
        (content,) = contents.values()
        moov = self._removed(content) if content.items is None else self._changed(content)
        shift = len(moov) - len(self._data)
        edits = [Edit(self._moov.start, len(self._data), moov)]
        if shift and b"saio" in self._data:
            raise damaged(self.path, "is encrypted by pieces whose places would move")
        if shift:
            edits[0] = Edit(self._moov.start, len(self._data), self._shifted(moov, shift))
            edits += self._fragments(shift)
        return edits

    def _removed(self, content: Content) -> bytes:
        """Without what was made for the tags; as many atoms of the way as were missing before."""
        missing = content.layout[1] if content.layout else 1
        depth = max(len(_PATH) - missing, 0)
        place = self._places[depth]
        return self._replaced(depth, place.start, place.end, b"")

    def _changed(self, content: Content) -> bytes:
        ilst = _atom(b"ilst", b"".join(content.items or ()))
        depth = len(self._places)
        if depth < len(_PATH):
            data = ilst
            if depth < 2:
                data = _atom(b"meta", bytes(4) + _atom(b"hdlr", _HANDLER) + data)
            if depth < 1:
                data = _atom(b"udta", data)
            if not depth:
                return self._replaced(0, len(self._data), len(self._data), data)
            parent = self._places[-1]
            start = parent.start + 8 + self._head(parent)
            if parent.name == b"meta":  # behind its handler
                handler = next(_places(self._data, start, parent.end), None)
                if handler is None or handler.name != b"hdlr":
                    raise damaged(self.path, "its tags' atom does not begin with a handler")
                start = handler.end
            return self._replaced(depth, start, start, data)
        place = self._places[-1]
        old = place.end - place.start
        free = self._free
        if content.layout:
            free = content.layout[0]
        elif free:
            left = free + old - len(ilst)
            free = left if left >= 8 or not left else NEW_PADDING_BYTES
        data = ilst + (_atom(b"free", bytes(free - 8)) if free else b"")
        return self._replaced(depth - 1, place.start, place.end + self._free, data)

    def _replaced(self, depth: int, start: int, end: int, data: bytes) -> bytes:
        """The movie atom with other bytes in it, and the sizes of the ``depth`` atoms around."""
        growth = len(data) - (end - start)
        moov = bytearray(self._data)
        for around in [0, *(place.start for place in self._places[:depth])]:
            size = int.from_bytes(moov[around : around + 4], "big") + growth
            moov[around : around + 4] = size.to_bytes(4, "big")
        moov[start:end] = data
        return bytes(moov)

    def _shifted(self, moov: bytes, shift: int) -> bytes:
        """Chunk offsets of sound that lies behind the movie atom, moved."""
        changed = bytearray(moov)
        for table, width in _offset_tables(moov, 8, len(moov)):
            count = int.from_bytes(moov[table + 4 : table + 8], "big")
            codec = f">{count}{'I' if width == 4 else 'Q'}"
            offsets = [
                offset + shift if offset >= self._moov.end else offset
                for offset in struct.unpack_from(codec, moov, table + 8)
            ]
            if width == 4 and max(offsets, default=0) > _MAX_OFFSET:
                raise damaged(self.path, "has no room for a tag: it would exceed 4 GB")
            struct.pack_into(codec, changed, table + 8, *offsets)
        return bytes(changed)

    def _fragments(self, shift: int) -> list[Edit]:
        """Offsets in the fragments of a file made for streaming, and in their index at the end."""
        edits = []
        with open(self.path, "rb") as file:
            for atom in self._top:
                if atom.name in {b"moof", b"mfra"}:
                    data = read_at(file, atom.start, atom.end - atom.start)
                    offsets = _base_offsets(data) if atom.name == b"moof" else _index_offsets(data)
                    for at, width in offsets:
                        offset = int.from_bytes(data[at : at + width], "big")
                        if offset >= self._moov.end:
                            moved = (offset + shift).to_bytes(width, "big")
                            edits.append(Edit(atom.start + at, width, moved))
        return edits


def _base_offsets(moof: bytes) -> Iterator[tuple[int, int]]:
    """Where a fragment says at which byte of the file its data begin; mostly it does not."""
    for place in _nested(moof, 8, len(moof), (b"traf", b"tfhd")):
        if int.from_bytes(moof[place.start + 9 : place.start + 12], "big") & _BASE_OFFSET_PRESENT:
            yield place.start + 16, 8


def _index_offsets(mfra: bytes) -> Iterator[tuple[int, int]]:
    """Where the index of fragments holds the place of each, and how many bytes that takes."""
    for place in _nested(mfra, 8, len(mfra), (b"tfra",)):
        width = 8 if mfra[place.start + 8] == 1 else 4
        lengths = mfra[place.start + 19]  # of three numbers after each place, two bits each
        entry = 2 * width + sum((lengths >> bits & 3) + 1 for bits in (4, 2, 0))
        count = int.from_bytes(mfra[place.start + 20 : place.start + 24], "big")
        for number in range(count):
            yield place.start + 24 + number * entry + width, width


def _top_atoms(file: BinaryIO, path: str | os.PathLike[str]) -> Iterator[_Place]:
    size = os.fstat(file.fileno()).st_size
    start = 0
    while start + 8 <= size:
        head = read_at(file, start, 16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        length = length or size - start
        if length < 8 or start + length > size:
            raise damaged(path, "is cut short, or its atoms do not line up")
        yield _Place(head[4:8], start, start + length)
        start += length


def _places(data: bytes, start: int, end: int) -> Iterator[_Place]:
    """Atoms one after another, up to what is none (QuickTime ends a list with a zero)."""
    while start + 8 <= end:
        length = int.from_bytes(data[start : start + 4], "big")
        if length < 8 or start + length > end:
            return
        yield _Place(data[start + 4 : start + 8], start, start + length)
        start += length


def _children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for place in _places(data, 0, len(data)):
        yield place.name, data[place.start + 8 : place.end]


def _nested(data: bytes, start: int, end: int, names: Sequence[bytes]) -> Iterator[_Place]:
    for place in _places(data, start, end):
        if place.name == names[0]:
            if len(names) == 1:
                yield place
            else:
                yield from _nested(data, place.start + 8, place.end, names[1:])


def _offset_tables(moov: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each chunk offset table's content begins, and the bytes of an offset."""
    way = (b"trak", b"mdia", b"minf", b"stbl")
    for name, width in ((b"stco", 4), (b"co64", 8)):
        for place in _nested(moov, start, end, (*way, name)):
            yield place.start + 8, width


def _atom(name: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + name + content


def _data(text: str) -> bytes:
    return _atom(b"data", struct.pack(">II", _UTF8, 0) + text.encode())
