"""Tags at the edges of a file: ID3v2 in front of it, APEv2, Lyrics3 and ID3v1 at its end.

They stand around MP3 and other sound without a container, and at times around files that have one.
"""

from __future__ import annotations

import os
from typing import BinaryIO, Literal, NamedTuple

from tonearm.containers.edits import read_at

V1_BYTES = 128


class TagAtEnd(NamedTuple):
    """A tag of which the end was known, and where it begins."""

    kind: Literal["id3v1", "apev2", "lyrics3"]
    start: int


def id3v2_bytes(file: BinaryIO) -> int:
    """Length of the ID3v2 tags at the file's beginning, 0 without one; some files have two.

    A length in bytes of eight bits means that it is not a tag; decoders agree.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    end = 0
    while True:
        head = read_at(file, end, 10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:10]) > 0x7F:
            return end
        # Neither these ten bytes count nor those of a footer, which a flag announces.
        end += 10 + unsyncsafe(head[6:10]) + (10 if head[5] & 0x10 else 0)


def syncsafe(size: int) -> bytes:
    """A number in four bytes of seven bits, as ID3v2 writes lengths.

    Parameters
    ----------
    size : int
        The number, below 2^28.
    """
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def unsyncsafe(data: bytes) -> int:
    """The number in four bytes of seven bits.

    Parameters
    ----------
    data : bytes [4]
        Four bytes, the highest first.
    """
    return data[0] << 21 | data[1] << 14 | data[2] << 7 | data[3]


def sound_bounds(file: BinaryIO) -> tuple[int, int]:
    """Where the sound begins and ends: behind ID3v2, before APEv2, Lyrics3 and ID3v1 tags.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    begin, end = id3v2_bytes(file), file.seek(0, os.SEEK_END)
    # Tags stand behind one another, in any order.
    while tag := tag_before(file, end):
        end = tag.start
    # Tags that leave nothing between them were none: all of it counts as sound.
    return (begin, end) if begin < end else (0, file.seek(0, os.SEEK_END))


def tag_before(file: BinaryIO, end: int) -> TagAtEnd | None:
    """The tag that ends at ``end``; None without one.

    Parameters
    ----------
    file : binary file
        The open file.
    end : int
        A place in the file: its end, or where another tag begins.
    """
    tail = read_at(file, max(0, end - V1_BYTES), min(V1_BYTES, end))
    if len(tail) == V1_BYTES and tail[:3] == b"TAG" and not _is_apetagex(file, end):
        return TagAtEnd("id3v1", end - V1_BYTES)
    if tail[-32:-24] == b"APETAGEX":
        header = 32 if tail[-32:][23] & 0x80 else 0  # top bit of the flags: it has one
        length = int.from_bytes(tail[-20:-16], "little") + header
        return TagAtEnd("apev2", max(0, end - length)) if length else None
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return TagAtEnd("lyrics3", max(0, end - int(tail[-15:-9]) - 15))
    return None


def _is_apetagex(file: BinaryIO, end: int) -> bool:
    """Whether the TAG that stands 128 bytes before ``end`` is a part of an APEv2 tag's APETAGEX."""
    start = end - V1_BYTES - 3  # an APEv2 tag of 131 bytes begins here
    return start >= 0 and read_at(file, start, 8) == b"APETAGEX"
