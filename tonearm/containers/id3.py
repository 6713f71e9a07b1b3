"""ID3 version 2 in bytes: 2.2, 2.3 and 2.4 as lists of frames.

Follows id3.org's documents of the three versions. What cannot be kept bit by bit (a checksum, a
footer, frames whose sizes do not add up) raises, and the file is skipped.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from tonearm.containers.ape import ApeTag
from tonearm.containers.edges import syncsafe, unsyncsafe
from tonearm.containers.edits import (
    JOINT,
    MARKER,
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
from tonearm.containers.id3v1 import as_frames, find_v1, v1_edit, v1_tag
from tonearm.containers.mutagen_tags import genre_names
from tonearm.errors import TagError

_UNSYNCHRONISED, _EXTENDED, _FOOTER = 0x80, 0x40, 0x10
_FRAME_ID = {2: re.compile(rb"[A-Z0-9]{3}"), 3: re.compile(rb"[A-Z0-9]{3}[A-Z0-9\0 ]")}
_LATIN1, _UTF16, _UTF8 = 0, 1, 3
_CODECS = {_LATIN1: "latin-1", _UTF16: "utf-16", 2: "utf-16-be", _UTF8: "utf-8"}


@dataclass(frozen=True)
class Id3Codec(ItemCodec):
    """Frames of one version."""

    version: int

    def role(self, item: bytes) -> Role | None:
        """TCON is a genre, TXXX with Tonearm's name the marker."""
        name, body = self._parts(item)
        if name in {b"TCON", b"TCO"}:
            return "genre"
        if name in {b"TXXX", b"TXX"} and _first_text(body) == MARKER:
            return "marker"
        return None

    def genre_items(self, genres: Sequence[str]) -> list[bytes]:
        """One frame with all genres."""
        # Only 2.4 has several values in a frame; older players cut the text at a NUL.
        return [self._frame(b"TCON", ("\0" if self.version == 4 else JOINT).join(genres))]

    def marker_item(self, text: str) -> bytes:
        """A frame of the user's own."""
        return self._frame(b"TXXX", f"{MARKER}\0{text}")

    def texts(self, item: bytes) -> list[str]:
        """Names in a genre frame, also where its bytes do not fit the encoding that it states."""
        body = self._plain_body(item)
        if not body:
            return []
        codec = _CODECS.get(body[0])
        if codec is None:  # no encoding: the text begins at once
            text = decoded(body)
        elif codec == "utf-16":
            has_mark = body[1:3] in {b"\xff\xfe", b"\xfe\xff"}
            text = decoded(body[1:], codec if has_mark else "utf-16-le")
        else:
            text = decoded(body[1:], codec)
        parts = [part.strip("\ufeff\ufffe ") for part in text.split("\0")]
        return genre_names([part for part in parts if part])

    def _plain_body(self, item: bytes) -> bytes:
        """A frame's content; empty where it is compressed or encrypted."""
        body = self._parts(item)[1]
        if self.version < 4:
            return b"" if self.version == 3 and item[9] & 0xC0 else body
        if item[9] & 0x0C:
            return b""
        if item[9] & 0x01:  # its length stands in front
            body = body[4:]
        # 2.4 unsynchronises each frame by itself, older versions the whole tag.
        return body.replace(b"\xff\0", b"\xff") if item[9] & 0x02 else body

    def text(self, name: bytes, text: str) -> bytes:
        """A frame of text, for tags that are made again.

        Parameters
        ----------
        name : bytes
            Identifier of the frame.
        text : str
            Its value.
        """
        return self._frame(name, text)

    def _frame(self, name: bytes, text: str) -> bytes:
        # UTF-8 came with 2.4; older readers know UTF-16 alone.
        encoding = _LATIN1 if _is_latin1(text) else _UTF8 if self.version == 4 else _UTF16
        if encoding == _UTF16:
            # Each string of a frame has its own byte-order mark.
            parts = [b"\xff\xfe" + part.encode("utf-16-le") for part in text.split("\0")]
            body = b"\0\0".join(parts)
        else:
            body = text.encode("latin-1" if encoding == _LATIN1 else "utf-8")
        body = bytes([encoding]) + body
        if self.version == 2:
            return (
                {b"TCON": b"TCO", b"TXXX": b"TXX"}[name] + struct.pack(">I", len(body))[1:] + body
            )
        size = syncsafe(len(body)) if self.version == 4 else struct.pack(">I", len(body))
        return name + size + b"\0\0" + body

    def _parts(self, item: bytes) -> tuple[bytes, bytes]:
        return (item[:3], item[6:]) if self.version == 2 else (item[:4], item[10:])


@dataclass(frozen=True)
class Id3Body:
    """A whole ID3v2 tag: its header's flags, extended header, frames and padding."""

    version: int
    flags: int
    extended: bytes
    frames: tuple[bytes, ...]
    padding: int
    length: int

    @classmethod
    def parse(cls, data: bytes, path: str | os.PathLike[str]) -> Id3Body:
        """From the bytes of a tag, which may be followed by others.

        Parameters
        ----------
        data : bytes
            The bytes.
        path : path
            The file.

        Raises
        ------
        TagError
            When it cannot be put together again as it was.
        """
        version, flags = data[3], data[5]
        # Lengths have seven bits a byte, so that no byte looks like the sync of an MPEG frame.
        if version not in {2, 3, 4} or max(data[6:10]) > 0x7F:
            raise damaged(path, "its ID3 tag has a broken header", RESAVE)
        length = 10 + unsyncsafe(data[6:10])
        if length > len(data):
            raise damaged(path, "its ID3 tag says it is longer than the file", RESAVE)
        if flags & ~(_UNSYNCHRONISED | _EXTENDED | 0x20) or (version == 2 and flags & _EXTENDED):
            raise damaged(path, "its ID3 tag has a footer, or is compressed", RESAVE)
        body = data[10:length]
        # In 2.4 each frame says for itself whether it is unsynchronised, and stays as it is.
        if flags & _UNSYNCHRONISED and version < 4:
            body = body.replace(b"\xff\0", b"\xff")
        extended = b""
        if flags & _EXTENDED:
            # 2.4 counts these four bytes, 2.3 does not.
            size = unsyncsafe(body[:4]) if version == 4 else struct.unpack(">I", body[:4])[0] + 4
            extended = body[:size]
            if size not in {6, 10}:  # more holds a checksum or rules for the tag's size
                raise damaged(path, "its ID3 tag has a checksum, which players ignore", RESAVE)
        frames, padding = _frames(body[len(extended) :], version, path)
        return cls(version, flags, extended, frames, padding, length)

    def build(self, frames: Sequence[bytes], padding: int) -> bytes:
        """The tag with other frames.

        Parameters
        ----------
        frames : sequence of bytes
            The frames.
        padding : int
            Zeros after them.
        """
        extended = self.extended
        if self.version == 3 and extended:
            # The extended header of 2.3 repeats how much padding there is.
            extended = extended[:6] + struct.pack(">I", padding)
        body = extended + b"".join(frames) + bytes(padding)
        if self.flags & _UNSYNCHRONISED and self.version < 4:
            # What a decoder could take for a sync, and what undoing it would take for ours.
            body = re.sub(rb"\xff(?=[\xe0-\xff\0])", b"\xff\0", body)
            body += b"\0" if body.endswith(b"\xff") else b""
        return b"ID3" + bytes([self.version, 0, self.flags]) + syncsafe(len(body)) + body

    def replaced(self, content: Content) -> bytes:
        """The tag with new content, in the room of the old where that suffices.

        Parameters
        ----------
        content : Content
            The new content.
        """
        frames = content.items or ()
        if content.layout is not None:
            return self.build(frames, content.layout[0])
        return self.build(frames, padding_for(self.length, len(self.build(frames, 0))))

    def tag(self) -> RawTag:
        """As items."""
        return RawTag(f"id3v2.{self.version}", Id3Codec(self.version), self.frames, (self.padding,))


NEW_ID3 = Id3Body(4, 0, b"", (), 0, 0)


class MpegFile(RawFile):
    """ID3v2 in front, ID3v1 at the end, and at times an APEv2 tag before that.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            head = read_at(file, 0, 10)
            self._body = NEW_ID3
            if head[:3] == b"ID3":
                length = 10 + unsyncsafe(head[6:10])
                self._body = Id3Body.parse(read_at(file, 0, length), path)
            is_tta = read_at(file, self._body.length, 4) == b"TTA1"
            second = _second_tag(file, self._body.length, path)
            size = os.fstat(file.fileno()).st_size
            self._v1 = find_v1(file)
            self._ape = ApeTag.find(file, path)
        self._size = size
        tags = [self._id3(has_id3=head[:3] == b"ID3")]
        if self._ape.items is not None:
            tags.append(self._ape.tag())
            # Its player's tags are APEv2, as its other fields are.
            if tags[0].items is None and (self._ape.names_music() or is_tta):
                tags.reverse()
            # FFmpeg reads only the APEv2 tag of a TTA file that has one, and TagLib only the other.
            tags[1] = replace(tags[1], follows=is_tta)
        if self._v1:
            tags.append(v1_tag(self._v1))
        if second is not None:
            tags.append(second)
        super().__init__(path, tags)
        if second is not None:
            self.refusal = "has a second ID3 tag with a genre, which some players read: remove one"

    def _id3(self, *, has_id3: bool) -> RawTag:
        # Players that find version 2 ask version 1 no more: its fields have to come along.
        seed = as_frames(self._v1) if self._v1 else ()
        if has_id3:
            return replace(self._body.tag(), seed=seed)
        return RawTag("id3v2.4", Id3Codec(4), None, seed=seed)

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """Front and end are changed apart.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        edits = []
        for name, content in contents.items():
            if name == "id3v1":
                edits.append(v1_edit(self._size, content))
            elif name == "apev2":
                edits.append(self._ape.edit(content))
            else:
                data = b"" if content.items is None else self._body.replaced(content)
                edits.append(Edit(0, self._body.length, data))
        return edits


def _second_tag(file: BinaryIO, start: int, path: str | os.PathLike[str]) -> RawTag | None:
    """Another tag behind the first one, if it holds a genre."""
    head = read_at(file, start, 10) if start else b""
    if head[:3] != b"ID3" or len(head) < 10:
        return None
    try:
        tag = Id3Body.parse(read_at(file, start, 10 + unsyncsafe(head[6:10])), path).tag()
    except TagError:
        return None
    has_genre = any(tag.codec.role(item) == "genre" for item in tag.items or ())
    return replace(tag, name="id3v2-second") if has_genre else None


def _frames(
    data: bytes, version: int, path: str | os.PathLike[str]
) -> tuple[tuple[bytes, ...], int]:
    """Frames and the number of zeros after them."""
    # Some programs wrote the sizes of version 2.4 as plain numbers.
    for safe in (True, False) if version == 4 else (False,):
        frames, rest = _walk(data, version, safe=safe)
        if not rest.strip(b"\0"):
            return frames, len(rest)
    raise damaged(path, "the sizes in its ID3 tag do not add up", RESAVE)


def _walk(data: bytes, version: int, *, safe: bool) -> tuple[tuple[bytes, ...], bytes]:
    header = 6 if version == 2 else 10
    frames = []
    # Padding is zeros, which are no frame's name.
    while len(data) > header and _FRAME_ID[min(version, 3)].match(data):
        size_bytes = data[3:6] if version == 2 else data[4:8]
        if safe and max(size_bytes) > 0x7F:
            break
        size = unsyncsafe(size_bytes) if safe else int.from_bytes(size_bytes, "big")
        if header + size > len(data):
            break
        frames.append(data[: header + size])
        data = data[header + size :]
    return tuple(frames), data


def _first_text(body: bytes) -> str:
    """The first string of a frame's text, for comparing with ASCII."""
    if not body:
        return ""
    if body[0] in {1, 2}:
        codec = "utf-16-be" if body[0] == 2 else "utf-16"
        for end in range(1, len(body) - 1, 2):
            if body[end : end + 2] == b"\0\0":
                return body[1:end].decode(codec, "replace")
        return ""
    return body[1:].split(b"\0")[0].decode("latin-1")


def _is_latin1(text: str) -> bool:
    # ASCII for certain; ÿ would need unsynchronisation, and é is misread by some.
    return text.isascii()
