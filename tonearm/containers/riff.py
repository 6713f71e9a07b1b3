"""Tags of WAV and AIFF in bytes: ID3 in a chunk, and WAV's own LIST INFO with its genre."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Literal

from tonearm.containers.chunks import AIFF, ALL_ONES, WAV, Chunk, Form, chunks
from tonearm.containers.edits import (
    JOINT,
    RESAVE,
    Codec,
    Content,
    Edit,
    RawFile,
    RawTag,
    Role,
    damaged,
    read_at,
)
from tonearm.containers.id3 import NEW_ID3, Id3Body, Id3Codec

_ID3_CHUNKS = frozenset({b"ID3 ", b"id3 "})


class InfoCodec(Codec):
    """Chunks of LIST INFO: IGNR is the genre; it has no place for a marker."""

    def role(self, item: bytes) -> Role | None:
        """IGNR alone."""
        return "genre" if item[:4] == b"IGNR" else None

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """One chunk with all genres."""
        if not genres:
            return ()
        # One value alone: INFO has no lists, and of several IGNR players read one.
        text = JOINT.join(genres).encode() + b"\0"
        return (_chunk(b"IGNR", text, "little"),)

    def texts(self, item: bytes) -> list[str]:
        """Its text, at each semicolon."""
        return _info_text(item).split(";")


class ChunkFile(RawFile):
    """WAV (little-endian) or AIFF (big-endian).

    Tags of a file whose chunks do not add up, or of one with 64-bit sizes, are read though not
    written.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        refusal = None
        with open(path, "rb") as file:
            head = read_at(file, 0, 12)
            if head[:4] not in {b"RIFF", b"FORM"}:
                refusal = f"is {head[:4].decode('latin-1')}, whose tags Tonearm can only read"
            form = AIFF if head[:4] == b"FORM" else WAV
            self._order = form.order
            self._form_size = int.from_bytes(head[4:8], self._order)
            self._size = os.fstat(file.fileno()).st_size
            found, fault = _lined_up(file, form, self._form_size)
            refusal = refusal or fault
            # A new chunk goes to the end: the sound keeps its place.
            self._end = found[-1].end if found else 12
            self._id3 = next((c for c in found if c.name in _ID3_CHUNKS), None)
            self._infos: dict[str, Chunk] = {}
            self._body, self._rest = NEW_ID3, b""
            self.id3_bytes = b""
            if self._id3:
                data = self.id3_bytes = read_at(file, self._id3.body, self._id3.size)
                if data[:3] != b"ID3" or len(data) < 10:
                    raise damaged(path, "its ID3 chunk holds something else", RESAVE)
                self._body = Id3Body.parse(data, path)
                self._rest = data[self._body.length :]  # kept as it is
            tags = [self._body.tag() if self._id3 else RawTag("id3v2.4", Id3Codec(4), None)]
            for chunk in found:
                if (
                    chunk.name == b"LIST"
                    and read_at(file, chunk.body, min(4, chunk.size)) == b"INFO"
                ):
                    items = _subchunks(read_at(file, chunk.body + 4, chunk.size - 4))
                    if items is None:
                        raise damaged(path, "its LIST INFO chunk is damaged", RESAVE)
                    name = f"info-{len(self._infos)}" if self._infos else "info"
                    self._infos[name] = chunk
                    # FFmpeg, and players by it, read no ID3 where there is an INFO.
                    tags.append(RawTag(name, InfoCodec(), items, follows=name == "info"))
        super().__init__(path, tags)
        self.refusal = refusal

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """The chunks, and the size of the whole in the header.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        edits = []
        for name, content in contents.items():
            if name in self._infos:
                info = self._infos[name]
                data = _chunk(b"LIST", b"INFO" + b"".join(content.items or ()), "little")
                edits.append(Edit(info.start, info.end - info.start, data))
            else:
                edits.append(self._id3_edit(content))
        growth = sum(len(edit.data) - edit.length for edit in edits)
        size = self._form_size + growth
        if size > ALL_ONES:
            raise damaged(self.path, "has no room for a tag: it would exceed 4 GB")
        return [*edits, Edit(4, 4, size.to_bytes(4, self._order))]

    def _id3_edit(self, content: Content) -> Edit:
        if self._id3 is None:
            data = self._body.replaced(content)
            # Behind a chunk of odd length without its pad byte one is put first, or no reader would
            # find the tag.
            return Edit(self._end, 0, _chunk(self._id3_name(), data, self._order, self._end & 1))
        start, end = self._id3.start, self._id3.end
        if content.items is None:
            return Edit(start, end - start, b"")
        data = self._body.replaced(content) + self._rest
        return Edit(start, end - start, _chunk(self._id3.name, data, self._order))

    def _id3_name(self) -> bytes:
        # As taggers of each write it: in lower case for WAV, in capitals for AIFF.
        return b"id3 " if self._order == "little" else b"ID3 "


def info_values(path: str | os.PathLike[str]) -> list[list[str]]:
    """Title, artist, album, its artist, genre and marker of a WAV file's LIST INFO.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    TagError
        When the chunk is damaged.
    """
    infos = [tag for tag in ChunkFile(path).tags.values() if isinstance(tag.codec, InfoCodec)]
    # Reversed, so that the first chunk wins where two name the same field.
    items = [item for tag in reversed(infos) for item in tag.items or ()]
    texts = {item[:4]: _info_text(item) for item in items}
    names = (b"INAM", b"IART", b"IPRD", b"", b"IGNR", b"")
    found = [[texts[name]] if name in texts else [] for name in names]
    found[4] = [part for text in found[4] for part in text.split(";")]
    return found


def _lined_up(file: BinaryIO, form: Form, form_size: int) -> tuple[list[Chunk], str | None]:
    """The chunks, as far as they can be followed, and what does not add up."""
    found: list[Chunk] = []
    file_size = os.fstat(file.fileno()).st_size
    fault = None
    form_end = 8 + form_size
    # The last pad byte is left out by many writers, and counted by some.
    if form_end > file_size + (form_size & 1):
        form_end, fault = file_size, "is cut short, or its header states a wrong size"
    for chunk in chunks(file, form.first, file_size, form, may_lack_pad=True):
        if chunk.start + 8 > form_end or not chunk.fits:
            break
        if not chunk.is_padded:
            fault = "has a chunk of odd length without its pad byte"
        found.append(chunk)
    if (found[-1].end if found else 12) + 8 <= form_end:
        fault = "the sizes of its chunks do not add up"
    return found, fault


def _chunk(
    name: bytes, data: bytes, order: Literal["little", "big"], bytes_before: int = 0
) -> bytes:
    return bytes(bytes_before) + name + len(data).to_bytes(4, order) + data + bytes(len(data) & 1)


def _info_text(item: bytes) -> str:
    value = item[8 : 8 + int.from_bytes(item[4:8], "little")].split(b"\0")[0]
    try:
        return value.decode()
    except UnicodeDecodeError:
        # LIST INFO states no encoding; what is not UTF-8 is mostly Windows' Western one.
        return value.decode("latin-1")


def _subchunks(data: bytes) -> tuple[bytes, ...] | None:
    items = []
    while len(data) >= 8:
        size = int.from_bytes(data[4:8], "little")
        if 8 + size > len(data):
            return None
        items.append(data[: 8 + size + (size & 1)])
        data = data[8 + size + (size & 1) :]
    # Some writers leave a lone zero to make the end even.
    return None if data.strip(b"\0") else (*items, data) if data else tuple(items)
