"""FLAC in bytes: metadata blocks, comments in one of them, and whether the last frame is there.

A FLAC that was written into a pipe states no length (0 samples) or one that its encoder was given
and never came true. The last frame knows: its header holds its number or first sample (RFC 9639).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, NamedTuple

from tonearm.containers.edges import id3v2_bytes, sound_bounds
from tonearm.containers.edits import (
    Content,
    Edit,
    RawFile,
    RawTag,
    damaged,
    padding_for,
    read_at,
)
from tonearm.containers.vorbis import COMMENT_BLOCK, VENDOR, CommentCodec, Comments
from tonearm.errors import INCOMPLETE

STREAMINFO, STREAMINFO_BYTES = 0, 34
_PADDING_BLOCK, _MAX_BLOCK = 1, 0xFFFFFF
# Zeros, as an unfinished download has them, read as blocks without end.
_MOST_BLOCKS = 4_096
# The end of a file that is searched for its last frame, at most.
_MOST_TAIL_BYTES = 1 << 20
# 4 fixed bytes, a number of 7, 2 of size, 2 of rate, a checksum: RFC 9639, 9.1.
_LONGEST_HEADER = 16
# Block size codes 1-15 (0 is reserved); 6 and 7 stand at the header's end, in one or two bytes.
_BLOCK_SIZES = (0, 192, 576, 1_152, 2_304, 4_608, 0, 0, *(256 << i for i in range(8)))
_RATE_BYTES = {12: 1, 13: 2, 14: 2}


@dataclass(frozen=True)
class StreamInfo:
    """What the first block states.

    Parameters
    ----------
    block_samples : int
        Samples of a frame where all but the last have the same; 0 otherwise.
    samples : int
        Of the whole; 0 is unknown.
    frame_bytes : int
        Length of the longest frame; 0 is unknown.
    """

    block_samples: int
    samples: int
    frame_bytes: int


class Block(NamedTuple):
    """A metadata block: where its header begins, and the length of its content."""

    kind: int
    last: bool
    start: int
    length: int

    @property
    def end(self) -> int:
        """Where the next block begins, or the sound."""
        return self.start + 4 + self.length


def metadata(file: BinaryIO, at: int) -> Iterator[Block]:
    """Metadata blocks one after another, as far as there are any.

    Parameters
    ----------
    file : binary file
        The open file.
    at : int
        Offset of the first block: behind ``fLaC``.
    """
    while len(head := read_at(file, at, 4)) == 4:
        # The highest bit marks the last block, the rest of the byte is the kind.
        block = Block(head[0] & 0x7F, head[0] > 0x7F, at, int.from_bytes(head[1:], "big"))
        yield block
        if block.last:
            return
        at = block.end


def stream_info(file: BinaryIO, begin: int) -> StreamInfo | None:
    """STREAMINFO of the FLAC that begins at ``begin``; None if it does not begin there.

    Parameters
    ----------
    file : binary file
        The open file.
    begin : int
        Offset of the FLAC in the file.
    """
    first = next(metadata(file, begin + 4), None)
    info = read_at(file, begin + 8, STREAMINFO_BYTES)
    if read_at(file, begin, 4) != b"fLaC" or not first or first.kind != STREAMINFO:
        return None
    if len(info) < STREAMINFO_BYTES:
        return None
    shortest, longest = int.from_bytes(info[0:2], "big"), int.from_bytes(info[2:4], "big")
    return StreamInfo(
        # Frames of one size number themselves, frames of several name their first sample.
        longest if shortest == longest else 0,
        int.from_bytes(info[13:18], "big") & (1 << 36) - 1,  # 36 bits count the samples
        int.from_bytes(info[7:10], "big"),
    )


def ends_as_stated(file: BinaryIO) -> bool:
    """Whether the last frame ends with the last sample that STREAMINFO states.

    Reads the first and the last kilobytes. Where the last frame is not found (rubbish behind it),
    the answer is no as well.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    begin, end = sound_bounds(file)
    info = stream_info(file, begin)
    if info is None or not info.samples:
        return False
    # Without compression a frame is as long as its samples; encoders seldom state no longest one.
    tail = min(max(info.frame_bytes, 1 << 16) + 64, _MOST_TAIL_BYTES, end - begin)
    data = read_at(file, end - tail, tail)
    at = len(data)
    # From behind: the first header that agrees is the last frame's.
    while (at := data.rfind(b"\xff", 0, at)) >= 0:
        if _end_of_frame(data[at : at + _LONGEST_HEADER], info) == info.samples:
            return True
    return False


def _end_of_frame(head: bytes, info: StreamInfo) -> int | None:
    """Last sample of the frame of this header; None if it is none."""
    # A sync of 15 bits; the lowest bit of byte 3 is reserved and 0.
    if len(head) < 6 or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    number_bytes = 8 - (head[4] ^ 0xFF).bit_length() or 1  # as in UTF-8, up to seven
    code, rate = head[2] >> 4, head[2] & 15
    size_bytes = {6: 1, 7: 2}.get(code, 0)
    at = 4 + number_bytes
    crc = at + size_bytes + _RATE_BYTES.get(rate, 0)
    if code == 0 or rate == 15 or crc >= len(head) or _crc8(head[:crc]) != head[crc]:
        return None
    number = head[4] & (0x7F >> number_bytes if number_bytes > 1 else 0x7F)
    for byte in head[5:at]:
        number = number << 6 | byte & 0x3F
    size = (
        int.from_bytes(head[at : at + size_bytes], "big") + 1 if size_bytes else _BLOCK_SIZES[code]
    )
    if head[1] & 1:  # blocks of several sizes: the number is that of the first sample
        return number + size
    return number * (info.block_samples or size) + size


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)  # x^8 + x^2 + x + 1
    return crc


class FlacFile(RawFile):
    """FLAC: comments in a metadata block, whose growth a block of padding takes up.

    An ID3 tag before it is foreign to FLAC and is left as it is.

    Parameters
    ----------
    path : path
        The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        with open(path, "rb") as file:
            begin = id3v2_bytes(file)
            blocks = list(islice(metadata(file, begin + 4), _MOST_BLOCKS))
            # Before anything is made of them: blocks that do not end in sound cannot be changed
            # safely.
            _check(blocks, file, path)
            self._comment = next((b for b in blocks if b.kind == COMMENT_BLOCK), None)
            self._padding = next((b for b in blocks if b.kind == _PADDING_BLOCK), None)
            self._blocks = blocks
            items = None
            self._comments = Comments(VENDOR, (), b"")
            if self._comment:
                data = read_at(file, self._comment.start + 4, self._comment.length)
                self._comments = Comments.parse(data, path)
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
                raise damaged(self.path, "has no room for more tags: FLAC allows 16 MB of them")
            last = old.last if old else False
            block = _header(COMMENT_BLOCK, len(data), last=last) + data
            start = old.start if old else first.end
            edits.append(Edit(start, 4 + old.length if old else 0, block))
            if old is None and first.last:
                # The new block is the last one now; the flag must be on it alone.
                edits.append(Edit(first.start, 1, bytes([first.kind])))
                edits[0] = Edit(start, 0, bytes([COMMENT_BLOCK | 0x80]) + block[1:])
        padding_is_last = self._padding is not None and self._padding.last
        # Without the comments the block before them is the last, and has to say so.
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
        # An undo gives the old padding back, so that every byte lies where it lay.
        length = layout[0] if layout else padding_for(block.length, growth)
        if length > _MAX_BLOCK:
            length = block.length
        data = _header(_PADDING_BLOCK, length, last=last) + bytes(length)
        return [Edit(block.start, 4 + block.length, data)]


def _check(blocks: list[Block], file: BinaryIO, path: str | os.PathLike[str]) -> None:
    """Raise TagError for metadata that cannot be changed with a known result."""
    if not blocks or not blocks[-1].last:
        raise damaged(path, "is cut short within its tags", INCOMPLETE)
    if blocks[0].kind != STREAMINFO or len(read_at(file, blocks[-1].end - 1, 1)) < 1:
        raise damaged(path, "its header is not that of a FLAC, or is cut short", INCOMPLETE)


def _header(kind: int, length: int, *, last: bool) -> bytes:
    return bytes([kind | (0x80 if last else 0)]) + length.to_bytes(3, "big")
