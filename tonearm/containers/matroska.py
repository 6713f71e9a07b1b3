"""Elements of Matroska and WebM: a number, a size and content, both numbers of variable length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from tonearm.containers.edits import read_at

SEGMENT, CLUSTER = 0x18538067, 0x1F43B675


class Element(NamedTuple):
    """One element; its content lies from ``body`` to ``end``."""

    number: int
    body: int
    end: int


def elements(file: BinaryIO, at: int, end: int) -> Iterator[Element]:
    """Elements one after another; behind a segment comes what stands in it.

    Parameters
    ----------
    file : binary file
        The open file.
    at, end : int
        Where the first element begins, and where no other does.
    """
    while at + 5 <= end:
        header = read_at(file, at, 12)
        # EBML: leading zero bits of the first byte say how many bytes follow it.
        number_bytes = 9 - header[0].bit_length()
        if number_bytes > 4:
            return
        number = int.from_bytes(header[:number_bytes], "big")
        size_bytes = 9 - header[number_bytes].bit_length()
        mask = (1 << 7 * size_bytes) - 1
        stated = header[number_bytes : number_bytes + size_bytes]
        length = int.from_bytes(stated, "big") & mask
        body = at + number_bytes + size_bytes
        # All ones: unknown, as in streams.
        stop = end if length == mask or length > end - body else body + length
        yield Element(number, body, stop)
        at = body if number == SEGMENT else stop
