"""Vorbis comments in bytes: of FLAC, and of Ogg Vorbis, Opus, Speex and FLAC in Ogg.

Follows xiph.org's documents on comments, on FLAC's blocks and on Ogg's pages. Lengths in comments
are little-endian, in FLAC big-endian.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tonearm.containers.edits import (
    JOINT,
    MARKER,
    NEW_PADDING_BYTES,
    Content,
    Edit,
    RawFile,
    RawTag,
    Role,
    damaged,
    decoded,
    read_at,
)
from tonearm.containers.mpeg import id3v2_bytes

_VENDOR = b"Tonearm"
_COMMENT_BLOCK, _PADDING_BLOCK = 4, 1
_MAX_BLOCK = 0xFFFFFF
# Mark, version, flags, granule, serial, number, checksum, count of segments (RFC 3533).
_PAGE = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_MAX_SEGMENTS = 255
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class CommentCodec:
    """``NAME=value`` in UTF-8; a name may come several times, its case does not matter."""

    def role(self, item: bytes) -> Role | None:
        """By the name."""
        name = item.split(b"=", 1)[0].lower()
        return (
            "genre" if name == b"genre" else "marker" if name == MARKER.lower().encode() else None
        )

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """One comment for each genre."""
        comments = [f"GENRE={genre}" for genre in genres]
        comments += [f"{MARKER}={JOINT.join(guesses)}"] if guesses else []
        return tuple(comment.encode() for comment in comments)

    def texts(self, item: bytes) -> list[str]:
        """The value."""
        return [decoded(item.split(b"=", 1)[1])] if b"=" in item else []


@dataclass(frozen=True)
class _Comments:
    vendor: bytes
    items: tuple[bytes, ...]
    rest: bytes  # Vorbis' framing bit, Opus' binary part, padding

    @classmethod
    def parse(cls, data: bytes, path: str | os.PathLike[str]) -> _Comments:
        parts: list[bytes] = []
        count, position = 1, 0
        # The vendor comes first, then the count, then so many comments.
        while len(parts) <= count:
            end = position + 4 + int.from_bytes(data[position : position + 4], "little")
            if end > len(data) or len(data) < position + 4:
                raise damaged(path, "its Vorbis comments do not line up")
            parts.append(data[position + 4 : end])
            position = end
            if len(parts) == 1:
                count = int.from_bytes(data[position : position + 4], "little")
                position += 4
        return cls(parts[0], tuple(parts[1:]), data[position:])

    def build(self, items: Sequence[bytes]) -> bytes:
        parts = [_sized(self.vendor), struct.pack("<I", len(items)), *map(_sized, items)]
        return b"".join(parts) + self.rest


class FlacFile(RawFile):
    """FLAC: comments in a metadata block, whose growth a block of padding takes up.

    An ID3 tag before it is foreign to FLAC and is left as it is.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            begin = id3v2_bytes(file)
            blocks = list(_flac_blocks(file, begin + 4, path))
            self._comment = next((b for b in blocks if b.kind == _COMMENT_BLOCK), None)
            self._padding = next((b for b in blocks if b.kind == _PADDING_BLOCK), None)
            self._blocks = blocks
            items = None
            self._comments = _Comments(_VENDOR, (), b"")
            if self._comment:
                data = read_at(file, self._comment.start + 4, self._comment.length)
                self._comments = _Comments.parse(data, path)
                items = self._comments.items
        layout = (self._padding.length,) if self._padding else ()
        super().__init__(path, [RawTag("vorbis", CommentCodec(), items, layout)])

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """Comments in their place; padding follows as far as there is some.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        (content,) = contents.values()
        edits = []
        first, old = self._blocks[0], self._comment
        if content.items is None:
            assert old
            edits.append(Edit(old.start, 4 + old.length, b""))
        else:
            data = self._comments.build(content.items)
            # FLAC states the size of a block in three bytes: 16 MB.
            if len(data) > _MAX_BLOCK:
                raise damaged(self.path, "has no room for more comments")
            last = old.last if old else False
            block = _flac_header(_COMMENT_BLOCK, len(data), last=last) + data
            start = old.start if old else first.start + 4 + first.length
            edits.append(Edit(start, 4 + old.length if old else 0, block))
            if old is None and first.last:
                # The new block is the last one now; the flag must be on it alone.
                edits.append(Edit(first.start, 1, bytes([first.kind])))
                edits[0] = Edit(start, 0, bytes([_COMMENT_BLOCK | 0x80]) + block[1:])
        padding_is_last = self._padding is not None and self._padding.last
        if content.items is None and old and old.last:
            before = self._blocks[-2]
            padding_is_last = before == self._padding
            if not padding_is_last:
                edits.append(Edit(before.start, 1, bytes([before.kind | 0x80])))
        growth = sum(len(edit.data) - edit.length for edit in edits)
        return edits + self._padding_edits(growth, content.layout, last=padding_is_last)

    def _padding_edits(
        self, growth: int, layout: tuple[int, ...] | None, *, last: bool
    ) -> list[Edit]:
        block = self._padding
        if block is None or (not growth and layout is None):
            return []
        if layout:
            length = layout[0]
        else:
            length = block.length - growth
            length = length if length >= 0 else NEW_PADDING_BYTES
        if length > _MAX_BLOCK:
            length = block.length
        data = _flac_header(_PADDING_BLOCK, length, last=last) + bytes(length)
        return [Edit(block.start, 4 + block.length, data)]


@dataclass(frozen=True)
class _Block:
    kind: int
    last: bool
    start: int  # of its header
    length: int  # of its content


@dataclass(frozen=True)
class _Page:
    start: int
    flags: int
    granule: int
    serial: int
    number: int
    segments: bytes  # their lengths
    end: int


class OggFile(RawFile):
    """An Ogg file: the comments are the second packet of the sound's stream.

    Parameters
    ----------
    path : path
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            first = _ogg_page(file, 0, path)
            self._pages = [_ogg_page(file, first.end, path)]
            # Until a page that ends with a packet: there the next one (sound, mostly) begins.
            while self._pages[-1].segments[-1:] == b"\xff" and len(self._pages) < 4_096:
                self._pages.append(_ogg_page(file, self._pages[-1].end, path))
            if any(page.serial != first.serial for page in self._pages):
                raise damaged(path, "holds several streams at once, such as a film")
            # To grow there would move sound to other pages, whose granules would be wrong.
            if any(page.granule > 0 or page.flags & _LAST for page in self._pages):
                raise damaged(path, "its comments share an Ogg page with sound")
            data = b"".join(
                read_at(file, page.start + 27 + len(page.segments), sum(page.segments))
                for page in self._pages
            )
            length = _first_packet(b"".join(page.segments for page in self._pages))
            intro = read_at(file, first.start + 27 + len(first.segments), 8)
            self._later = data[length:]
            self._tail_segments = b"".join(page.segments for page in self._pages)[
                length // 255 + 1 :
            ]
            self._prefix, body = _split_prefix(data[:length], intro, path)
            self._comments = _Comments.parse(body, path)
        self._size = size
        layout = tuple(len(page.segments) for page in self._pages)
        super().__init__(path, [RawTag("vorbis", CommentCodec(), self._comments.items, layout)])

    def edits(self, contents: Mapping[str, Content]) -> list[Edit]:
        """The pages of the comments, and numbers of all later ones if there are more or fewer.

        Parameters
        ----------
        contents : Mapping[str, Content]
            New content, by the tag's name.
        """
        (content,) = contents.values()
        body = self._comments.build(content.items or ())
        prefix = self._prefix
        if prefix[:1] == bytes([_COMMENT_BLOCK]) or prefix[:1] == bytes([_COMMENT_BLOCK | 0x80]):
            # FLAC in Ogg keeps its block header in the packet, with the length of what follows.
            prefix = prefix[:1] + len(body).to_bytes(3, "big")
        packet = prefix + body
        # A packet ends at the first segment below 255, so a multiple of 255 needs an empty one.
        segments = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        own = len(segments)
        segments += self._tail_segments
        counts = _page_counts(len(segments), content.layout or self._layout())
        data, pages, position = packet + self._later, [], 0
        first = self._pages[0]
        for index, count in enumerate(counts):
            lengths, segments = segments[:count], segments[count:]
            size = sum(lengths)
            ended = any(length < 255 for length in lengths)
            flags = _CONTINUED if index and not self._starts(counts, index, own) else 0
            page = _PAGE.pack(
                b"OggS", 0, flags, 0 if ended else -1, first.serial, first.number + index, 0, count
            )
            pages.append(_with_checksum(page + lengths + data[position : position + size]))
            position += size
        start, end = first.start, self._pages[-1].end
        edits = [Edit(start, end - start, b"".join(pages))]
        shift = len(counts) - len(self._pages)
        return edits + (self._renumbered(end, shift) if shift else [])

    def _layout(self) -> tuple[int, ...]:
        return tuple(len(page.segments) for page in self._pages)

    def _starts(self, counts: Sequence[int], index: int, own: int) -> bool:
        """Whether a packet begins with the page."""
        lengths = b"\xff" * (own - 1) + b"\0" + self._tail_segments
        return lengths[sum(counts[:index]) - 1] < 255

    def _renumbered(self, start: int, shift: int) -> list[Edit]:
        edits = []
        serial = self._pages[0].serial
        with open(self.path, "rb") as file:
            while start < self._size:
                page = _ogg_page(file, start, self.path)
                if page.flags & _FIRST:  # another stream begins: a chained file
                    break
                if page.serial == serial:
                    raw = bytearray(read_at(file, start, page.end - start))
                    raw[18:22] = struct.pack("<I", page.number + shift)
                    # The number is in the checksum, so the page is read, but only its header is
                    # written.
                    edits.append(Edit(start, 27, _with_checksum(bytes(raw))[:27]))
                start = page.end
        return edits


def _flac_blocks(file: BinaryIO, start: int, path: str | os.PathLike[str]) -> list[_Block]:
    blocks: list[_Block] = []
    while not blocks or not blocks[-1].last:
        head = read_at(file, start, 4)
        if len(head) < 4:
            raise damaged(path, "is cut short within its metadata")
        block = _Block(head[0] & 0x7F, head[0] > 0x7F, start, int.from_bytes(head[1:], "big"))
        blocks.append(block)
        start += 4 + block.length
    if blocks[0].kind != 0 or len(read_at(file, start - 1, 1)) < 1:
        raise damaged(path, "its metadata do not begin as FLAC's do, or are cut short")
    return blocks


def _flac_header(kind: int, length: int, *, last: bool) -> bytes:
    return bytes([kind | (0x80 if last else 0)]) + length.to_bytes(3, "big")


def _ogg_page(file: BinaryIO, start: int, path: str | os.PathLike[str]) -> _Page:
    head = read_at(file, start, _PAGE.size + _MAX_SEGMENTS)
    if len(head) < _PAGE.size or head[:5] != b"OggS\0":
        raise damaged(path, f"holds no Ogg page at byte {start}")
    _, _, flags, granule, serial, number, _, count = _PAGE.unpack(head[: _PAGE.size])
    segments = head[_PAGE.size : _PAGE.size + count]
    end = start + _PAGE.size + count + sum(segments)
    return _Page(start, flags, granule, serial, number, segments, end)


def _first_packet(segments: bytes) -> int:
    """Length of the packet that begins with the first segment."""
    length = 0
    for segment in segments:
        length += segment
        if segment < 255:
            break
    return length


def _split_prefix(packet: bytes, intro: bytes, path: str | os.PathLike[str]) -> tuple[bytes, bytes]:
    """What stands before the comments in their packet, by the stream's first bytes."""
    if packet.startswith(b"\x03vorbis"):
        return packet[:7], packet[7:]
    if packet.startswith(b"OpusTags"):
        return packet[:8], packet[8:]
    if intro.startswith(b"\x7fFLAC") and packet[:1] in {b"\x04", b"\x84"}:
        return packet[:4], packet[4:]
    if intro.startswith(b"Speex   "):
        return b"", packet
    raise damaged(path, "its second Ogg packet holds no comments")


def _page_counts(total: int, wanted: tuple[int, ...]) -> list[int]:
    """Segments for each page: as before as far as possible, so that no page gets a new number."""
    *head, _ = wanted
    rest = total - sum(head)
    # As long as the last page takes the difference, no sound has to be numbered again.
    if 0 < rest <= _MAX_SEGMENTS:
        return [*head, rest]
    full, rest = divmod(total, _MAX_SEGMENTS)
    return [_MAX_SEGMENTS] * full + ([rest] if rest else [])


def _with_checksum(page: bytes) -> bytes:
    """Ogg's checksum is zlib's with all bits the other way round and nothing inverted."""
    page = page[:22] + bytes(4) + page[26:]
    checksum = ~zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) & 0xFFFFFFFF
    return page[:22] + checksum.to_bytes(4, "big").translate(_REVERSED) + page[26:]


def _sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
