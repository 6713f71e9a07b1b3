"""Tags of Ogg in bytes: the comments of Vorbis, Opus, Speex and FLAC, in a stream's second packet.

Follows RFC 3533 on pages. What grows takes more pages, and all later ones get other numbers.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from tonearm.containers.edits import (
    RESAVE,
    Content,
    Edit,
    RawFile,
    RawTag,
    damaged,
    read_at,
)
from tonearm.containers.ogg import CONTINUED, HEADER, LAST, MAX_SEGMENTS, Page, page_at
from tonearm.containers.vorbis import COMMENT_BLOCK, CommentCodec, Comments
from tonearm.errors import INCOMPLETE

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class OggFile(RawFile):
    """An Ogg file: the comments are the second packet of the sound's stream.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            first = _page_at(file, 0, path)
            # The first page holds the codec's header alone, whatever the codec: comments begin with
            # the second.
            self._pages = [_page_at(file, first.end, path)]
            # Until a page that ends with a packet: there the next one (sound, mostly) begins.
            while self._pages[-1].segments[-1:] == b"\xff" and len(self._pages) < 4_096:
                self._pages.append(_page_at(file, self._pages[-1].end, path))
            if any(page.serial != first.serial for page in self._pages):
                raise damaged(path, "holds several streams at once, as a film does")
            # To grow there would move sound to other pages, whose granules would be wrong.
            if any(page.granule > 0 or page.flags & LAST for page in self._pages):
                raise damaged(path, "its tags share an Ogg page with sound", RESAVE)
            data = b"".join(read_at(file, page.body, page.length) for page in self._pages)
            length = _first_packet(b"".join(page.segments for page in self._pages))
            intro = read_at(file, first.body, 8)
            # Vorbis keeps its third header, the code books, behind the comments on the same pages:
            # it moves along unchanged.
            self._later = data[length:]
            # The lengths of these later packets, which the new pages repeat.
            self._tail_segments = b"".join(page.segments for page in self._pages)[
                length // 255 + 1 :
            ]
            self._prefix, body = _split_prefix(data[:length], intro, path)
            self._comments = Comments.parse(body, path)
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
        if prefix[:1] == bytes([COMMENT_BLOCK]) or prefix[:1] == bytes([COMMENT_BLOCK | 0x80]):
            # FLAC in Ogg keeps its block header in the packet, with the length of what follows.
            prefix = prefix[:1] + len(body).to_bytes(3, "big")
        packet = prefix + body
        # A packet ends at the first segment below 255, so a multiple of 255 needs an empty one.
        segments = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        own = len(segments)
        segments += self._tail_segments
        counts = _page_counts(len(segments), content.layout or self._layout())
        # Laid out again as pages: each holds at most 255 segments of at most 255 bytes.
        data, pages, position = packet + self._later, [], 0
        first = self._pages[0]
        for index, count in enumerate(counts):
            lengths, segments = segments[:count], segments[count:]
            size = sum(lengths)
            ended = any(length < 255 for length in lengths)
            # Decoders drop what a page continues where no packet is open.
            flags = CONTINUED if index and not self._starts(counts, index, own) else 0
            page = HEADER.pack(
                b"OggS", 0, flags, 0 if ended else -1, first.serial, first.number + index, 0, count
            )
            pages.append(_with_checksum(page + lengths + data[position : position + size]))
            position += size
        start, end = first.start, self._pages[-1].end
        edits = [Edit(start, end - start, b"".join(pages))]
        # Pages are numbered without gaps: a gap means lost data, and players would skip.
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
                page = _page_at(file, start, self.path)
                if page.is_first:  # another stream begins: a chained file
                    break
                if page.serial == serial:
                    raw = bytearray(read_at(file, start, page.end - start))
                    raw[18:22] = struct.pack("<I", page.number + shift)
                    # The number is in the checksum, so the page is read, but only its header is
                    # written.
                    edits.append(Edit(start, 27, _with_checksum(bytes(raw))[:27]))
                start = page.end
        return edits


def _page_at(file: BinaryIO, start: int, path: str | os.PathLike[str]) -> Page:
    page = page_at(file, start)
    if page is None:
        raise damaged(path, f"has no Ogg page at byte {start}, where one should be", INCOMPLETE)
    return page


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
    raise damaged(path, "has no tags where an Ogg file has them", RESAVE)


def _page_counts(total: int, wanted: tuple[int, ...]) -> list[int]:
    """Segments for each page: as before as far as possible, so that no page gets a new number."""
    *head, _ = wanted
    rest = total - sum(head)
    # As long as the last page takes the difference, no sound has to be numbered again.
    if 0 < rest <= MAX_SEGMENTS:
        return [*head, rest]
    full, rest = divmod(total, MAX_SEGMENTS)
    return [MAX_SEGMENTS] * full + ([rest] if rest else [])


def _with_checksum(page: bytes) -> bytes:
    """Ogg's checksum is zlib's with all bits the other way round and nothing inverted."""
    page = page[:22] + bytes(4) + page[26:]
    checksum = ~zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) & 0xFFFFFFFF
    return page[:22] + checksum.to_bytes(4, "big").translate(_REVERSED) + page[26:]
