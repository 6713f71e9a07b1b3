"""Chunks of RIFF, IFF and their kin: a name, a size, the content, bytes to be even.

WAV, AIFF, DSDIFF, CAF, DSF and Wave64 are such lists. RF64 and BW64 have sizes of 64 bits in a
chunk of their own, ``ds64``, and all ones in the field that is too short. A size of all ones, or of
nothing, is that of a recorder that was cut off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from tonearm.containers.edits import read_at

ALL_ONES = 0xFFFFFFFF
# Zeros, as an unfinished download has them, read as chunks without end.
_MOST_CHUNKS = 1 << 18
_NAMES = frozenset(
    {b"ID3 ", b"id3 ", b"LIST", b"bext", b"cue ", b"fact", b"data", b"_PMX", b"iXML"}
)


@dataclass(frozen=True)
class Form:
    """How a family of files writes chunks.

    Parameters
    ----------
    order : 'little' or 'big'
        Order of the bytes of a size.
    first : int
        Bytes before the first chunk.
    name_bytes, size_bytes : int
        Of the two fields of a chunk's header.
    even : int
        What the lengths of chunks are rounded up to a multiple of.
    counts_header : bool
        Whether a stated size counts the chunk's name and itself.
    """

    order: Literal["little", "big"]
    first: int = 12
    name_bytes: int = 4
    size_bytes: int = 4
    even: int = 2
    counts_header: bool = False

    @property
    def header_bytes(self) -> int:
        """Bytes of a chunk before its content."""
        return self.name_bytes + self.size_bytes

    @property
    def counted_bytes(self) -> int:
        """Bytes of a stated size that are not content."""
        return self.header_bytes if self.counts_header else 0


WAV, AIFF = Form("little"), Form("big")
CAF = Form("big", first=8, size_bytes=8, even=1)
DSDIFF = Form("big", first=16, size_bytes=8)
DSF = Form("little", first=0, size_bytes=8, even=1, counts_header=True)
# Its names are GUIDs, and the file begins with one, its size and the GUID of WAVE.
W64 = Form("little", first=40, name_bytes=16, size_bytes=8, even=8, counts_header=True)


@dataclass(frozen=True)
class Chunk:
    """One chunk.

    Parameters
    ----------
    name : bytes
    start, body, end : int
        Where its header, its content and the next chunk begin.
    size : int
        Of its content, as stated.
    inside : int
        Bytes that can be its content: up to the end where nothing, or too much, is stated.
    is_padded : bool
        False where the byte that makes its length even is missing.
    """

    name: bytes
    start: int
    body: int
    end: int
    size: int
    inside: int
    is_padded: bool = True

    @property
    def fits(self) -> bool:
        """Whether the file holds as much as is stated."""
        return self.size == self.inside or not self.size


def chunks(
    file: BinaryIO, at: int, end: int, form: Form, *, may_lack_pad: bool = False
) -> Iterator[Chunk]:
    """The chunks from ``at`` to ``end``, over sizes that are wrong.

    Parameters
    ----------
    file : binary file
        The open file.
    at, end : int
        Where the first chunk begins, and where no other does.
    form : Form
        How such files write chunks.
    may_lack_pad : bool
        Look for the next chunk one byte earlier too, where some writers put it. Not for sound
        keys, which would be other ones then.
    """
    wide = 0  # length of the sound by ds64
    for _ in range(_MOST_CHUNKS):
        if at + form.header_bytes > end:
            return
        header = read_at(file, at, form.header_bytes)
        name, body = header[: form.name_bytes], at + len(header)
        # DSF and Wave64 count the header in a chunk's size, all others its content alone.
        size = int.from_bytes(header[form.name_bytes :], form.order) - form.counted_bytes
        if size < 0:  # smaller than its header: the next chunk cannot be found
            return
        # RF64 stands in for RIFF above 4 GB: the 32-bit sizes are all ones, the true ones are in
        # here, the sound's behind that of the whole file.
        if name == b"ds64":
            wide = int.from_bytes(read_at(file, body + 8, 8), "little")
        elif name == b"data" and wide and size == ALL_ONES:
            size = wide
        left = end - body
        bare = body + min(size, left)
        padded = min(body + -(-(bare - body) // form.even) * form.even, end)  # rounded up
        # Only a known chunk name at that place proves that the pad byte was forgotten.
        lacks_pad = may_lack_pad and padded > bare and _begins(file, bare)
        lacks_pad = lacks_pad and not _begins(file, padded)
        yield Chunk(
            name,
            start=at,
            body=body,
            end=bare if lacks_pad else padded,
            size=size,
            # Recorders that were cut off leave a size of 0 or all ones: the rest of the file is the
            # sound then.
            inside=size if 0 < size <= left else left,
            is_padded=not lacks_pad,
        )
        at = bare if lacks_pad else padded


def _begins(file: BinaryIO, at: int) -> bool:
    return read_at(file, at, 4) in _NAMES
