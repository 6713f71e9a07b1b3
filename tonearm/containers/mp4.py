"""MP4 tags in bytes: the atoms of ``moov.udta.meta.ilst``.

What grows moves the sound behind it, whose places are listed in ``stco``, ``co64`` and ``tfhd``
atoms. Atoms themselves are in ``mp4_atoms.py``.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from tonearm.containers.edits import (
    MP4_MARKER,
    RESAVE,
    Content,
    Edit,
    ItemCodec,
    RawFile,
    RawTag,
    Role,
    damaged,
    decoded,
    padding_for,
    read_at,
)
from tonearm.containers.mp4_atoms import (
    Atom,
    atom_of,
    atoms,
    base_offsets,
    children,
    index_offsets,
    inner,
    nested,
    offset_tables,
)
from tonearm.containers.mutagen_tags import genre_by_number
from tonearm.errors import INCOMPLETE

_PATH = (b"udta", b"meta", b"ilst")
# Version, flags, a reserved word, then iTunes's handler; its name is empty, so a NUL ends it.
_HANDLER = bytes(8) + b"mdirappl" + bytes(9)
_UTF8, _UTF16 = 1, 2
_FIELDS = (b"\xa9nam", b"\xa9ART", b"\xa9alb", b"aART")
_MAX_OFFSET = 0xFFFFFFFF


class AtomCodec(ItemCodec):
    """``©gen`` with a ``data`` atom for each genre; ``gnre`` is a number, ID3v1's plus 1."""

    def role(self, item: bytes) -> Role | None:
        """By name, and a free-form atom's by its two names."""
        if item[4:8] in {b"\xa9gen", b"gnre"}:
            return "genre"
        if item[4:8] == b"----":
            names = [content[4:] for name, content in children(item[8:]) if name != b"data"]
            _, mean, name = MP4_MARKER.split(":")
            return "marker" if names == [mean.encode(), name.encode()] else None
        return None

    def genre_items(self, genres: Sequence[str]) -> list[bytes]:
        """One atom with all genres."""
        return [atom_of(b"\xa9gen", b"".join(_data(genre) for genre in genres))]

    def marker_item(self, text: str) -> bytes:
        """A free-form atom."""
        _, mean, name = MP4_MARKER.split(":")
        names = atom_of(b"mean", bytes(4) + mean.encode())
        names += atom_of(b"name", bytes(4) + name.encode())
        return atom_of(b"----", names + _data(text))

    def texts(self, item: bytes) -> list[str]:
        """Each value; numbers of ``gnre`` are ID3v1's plus 1."""
        if item[4:8] == b"gnre":
            numbers = [int.from_bytes(data[8:], "big") for name, data in children(item[8:])]
            return [name for name in map(genre_by_number, (n - 1 for n in numbers)) if name]
        return item_texts(item)


class Mp4File(RawFile):
    """An MP4 or M4A file.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            self._top = list(_top_atoms(file, path))
            moov = next((atom for atom in self._top if atom.name == b"moov"), None)
            if moov is None:
                raise damaged(path, "has no index of its sound (moov)", INCOMPLETE)
            self._moov = moov
            # The index alone, some hundred kilobytes: the sound stays on the disk.
            self._data = read_at(file, moov.start, moov.end - moov.start)
        # A size of 1 says that the true one follows in 8 bytes; no movie atom needs that.
        if self._data[:4] == b"\0\0\0\1":
            raise damaged(path, "has an index of its sound (moov) of more than 4 GB")
        self.path = path
        ways = list(self._ways([], 8, len(self._data)))
        # The way that leads furthest: chapters may stand in a udta of their own.
        self._places = max(ways, key=len, default=[])
        lists = [way for way in ways if len(way) == len(_PATH)]
        items, free = None, 0
        if lists:
            self._places = lists[0]
            items = self._items(self._places[-1])
            free = self._free_after(self._places[-1].end)
        layout = (free, len(_PATH) - len(self._places))
        tags = [RawTag("mp4", AtomCodec(), items, layout)]
        # All are read, since nobody knows which one a player shows.
        for number, way in enumerate(lists[1:], 2):
            tags.append(RawTag(f"mp4-{number}", AtomCodec(), self._items(way[-1])))
        super().__init__(path, tags)
        self._free = free
        if len(lists) > 1:
            self.refusal = "has several lists of tags, and players differ in which one they read"
        self.keys = self._quicktime_keys()
        # With a genre in the iTunes list too, players would differ in which of the two they show.
        if "genre" in self.keys:
            self.refusal = "keeps its genre as a QuickTime key, which Tonearm can only read"

    def _ways(self, way: list[Atom], start: int, end: int) -> Iterator[list[Atom]]:
        """All ways to a list of tags, as far as they lead."""
        for place in inner(self._data, start, end):
            if place.name == _PATH[len(way)]:
                longer = [*way, place]
                yield longer
                if len(longer) < len(_PATH):
                    yield from self._ways(longer, place.body + self._head(place), place.end)

    def _items(self, ilst: Atom) -> tuple[bytes, ...]:
        content = self._data[ilst.body : ilst.end]
        items = tuple(atom_of(name, part) for name, part in children(content))
        # Put together again it must be what it was: else something in it was not understood.
        if b"".join(items) != content:
            raise damaged(self.path, "the sizes of its tags do not add up", RESAVE)
        return items

    def _head(self, place: Atom) -> int:
        """Bytes of an atom before its children: ``meta`` has a version, but not in QuickTime."""
        # The handler's name would stand 4 bytes earlier if there were no version.
        has_version = place.name == b"meta" and self._data[place.start + 12 :][:4] != b"hdlr"
        return 4 if has_version else 0

    def _quicktime_keys(self) -> dict[str, list[str]]:
        """Values of a ``meta`` with a list of keys, by the last word of their names."""
        found: dict[str, list[str]] = {}
        metas = [p for p in inner(self._data, 8, len(self._data)) if p.name == b"meta"]
        metas += list(nested(self._data, 8, len(self._data), (b"udta", b"meta")))
        for meta in metas:
            start = meta.body + self._head(meta)
            parts = {p.name: p for p in inner(self._data, start, meta.end)}
            if b"keys" not in parts or b"ilst" not in parts:
                continue
            keys, ilst = parts[b"keys"], parts[b"ilst"]
            names = [
                decoded(self._data[p.body : p.end]).rpartition(".")[2]
                for p in inner(self._data, keys.body + 8, keys.end)  # behind version and count
            ]
            for item in inner(self._data, ilst.body, ilst.end):
                # Items of such a list have no names: they are numbered by their key, from 1.
                number = int.from_bytes(item.name, "big")
                if 0 < number <= len(names):
                    texts = item_texts(self._data[item.start : item.end])
                    found.setdefault(names[number - 1].lower(), []).extend(texts)
        return found

    def _free_after(self, position: int) -> int:
        meta_end = self._places[1].end
        follower = next(iter(inner(self._data, position, meta_end)), None)
        # iTunes leaves kilobytes here, so that most changes move no sound.
        is_free = follower is not None and follower.name == b"free"
        return follower.end - follower.start if follower and is_free else 0

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """A new movie atom, and new places in all that point behind it.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        (content,) = contents.values()
        moov = self._removed(content) if content.items is None else self._changed(content)
        # By so much all sound behind the index moves, and each offset to it has to follow.
        shift = len(moov) - len(self._data)
        # The index is replaced as a whole: it is small, and the sizes of all atoms around a tag
        # change with it.
        edits = [Edit(self._moov.start, len(self._data), moov)]
        # saio holds places of its own, which nothing here would move.
        if shift and b"saio" in self._data:
            raise damaged(self.path, "is encrypted, and its encrypted parts must not move")
        if shift:
            edits[0] = Edit(self._moov.start, len(self._data), self._shifted(moov, shift))
            # Outside the index too: files for streaming hold places in every fragment.
            edits += self._fragments(shift)
        return edits

    def _removed(self, content: Content) -> bytes:
        """Without what was made for the tags; as many atoms of the way as were missing before."""
        # The layout remembers how much of the way was there before the first genre was written.
        missing = content.layout[1] if content.layout else 1
        depth = max(len(_PATH) - missing, 0)
        place = self._places[depth]
        return self._replaced(depth, place.start, place.end, b"")

    def _changed(self, content: Content) -> bytes:
        ilst = atom_of(b"ilst", b"".join(content.items or ()))
        depth = len(self._places)
        if depth < len(_PATH):
            data = ilst
            if depth < 2:
                data = atom_of(b"meta", bytes(4) + atom_of(b"hdlr", _HANDLER) + data)
            if depth < 1:
                data = atom_of(b"udta", data)
            if not depth:
                return self._replaced(0, len(self._data), len(self._data), data)
            parent = self._places[-1]
            start = parent.body + self._head(parent)
            if parent.name == b"meta":  # behind its handler
                handler = next(inner(self._data, start, parent.end), None)
                if handler is None or handler.name != b"hdlr":
                    raise damaged(self.path, "its tags do not begin as MP4's do", RESAVE)
                start = handler.end
            return self._replaced(depth, start, start, data)
        place = self._places[-1]
        old = place.end - place.start
        free = self._free
        if content.layout:
            free = content.layout[0]
        elif free:
            # An atom has 8 bytes at least: a rest of 1 to 7 cannot be made into one.
            free = padding_for(free + old, len(ilst), least=8)
        data = ilst + (atom_of(b"free", bytes(free - 8)) if free else b"")
        return self._replaced(depth - 1, place.start, place.end + self._free, data)

    def _replaced(self, depth: int, start: int, end: int, data: bytes) -> bytes:
        """The movie atom with other bytes in it, and the sizes of the ``depth`` atoms around."""
        growth = len(data) - (end - start)
        moov = bytearray(self._data)
        for around in [0, *(place.start for place in self._places[:depth])]:
            # Every atom around counts what is in it.
            size = int.from_bytes(moov[around : around + 4], "big") + growth
            moov[around : around + 4] = size.to_bytes(4, "big")
        moov[start:end] = data
        return bytes(moov)

    def _shifted(self, moov: bytes, shift: int) -> bytes:
        """Chunk offsets of sound that lies behind the movie atom, moved."""
        changed = bytearray(moov)
        for table, width in offset_tables(moov, 8, len(moov)):
            count = int.from_bytes(moov[table + 4 : table + 8], "big")
            codec = f">{count}{'I' if width == 4 else 'Q'}"
            offsets = [
                # Sound before the movie atom stays where it is.
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
            # A fragment may name the byte that its offsets count from, and an index at the end
            # names where each fragment begins.
            for atom in self._top:
                if atom.name in {b"moof", b"mfra"}:
                    data = read_at(file, atom.start, atom.end - atom.start)
                    offsets = base_offsets(data) if atom.name == b"moof" else index_offsets(data)
                    for at, width in offsets:
                        offset = int.from_bytes(data[at : at + width], "big")
                        if offset >= self._moov.end:
                            moved = (offset + shift).to_bytes(width, "big")
                            edits.append(Edit(atom.start + at, width, moved))
        return edits


def item_texts(item: bytes) -> list[str]:
    """Texts of an item of the list: its ``data`` atoms, in UTF-8 or UTF-16.

    Parameters
    ----------
    item : bytes
        One item of the tag, with its header.
    """
    texts = []
    for name, data in children(item[8:]):
        if name == b"data" and len(data) > 8:
            kind = int.from_bytes(data[:4], "big")
            text = decoded(data[8:], "utf-16-be" if kind == _UTF16 else "utf-8")
            texts.append(text.strip("\0"))
    return texts


def mp4_values(path: str | os.PathLike[str]) -> Iterator[list[list[str]]]:
    """Title, artist, album, its artist, genre and marker of each list of tags, and of the keys.

    For what stands where mutagen does not look.

    Parameters
    ----------
    path : path
        The file.
    """
    file = Mp4File(path)
    for tag in file.tags.values():
        fields: list[list[str]] = [[] for _ in range(6)]
        for item in tag.items or ():
            if item[4:8] in _FIELDS:
                fields[_FIELDS.index(item[4:8])] += item_texts(item)
            elif tag.codec.role(item) == "genre":
                fields[4] += tag.codec.texts(item)
        yield fields
    # Last: where both are, the iTunes list is what taggers write.
    yield [file.keys.get(name, []) for name in ("title", "artist", "album", "", "genre", "")]


def _top_atoms(file: BinaryIO, path: str | os.PathLike[str]) -> Iterator[Atom]:
    for atom in atoms(file, 0, os.fstat(file.fileno()).st_size):
        if atom.size and not atom.fits:
            raise damaged(path, "is cut short, or its sizes do not add up", INCOMPLETE)
        yield atom


def _data(text: str) -> bytes:
    return atom_of(b"data", struct.pack(">II", _UTF8, 0) + text.encode())
