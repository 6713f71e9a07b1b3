"""Atoms (boxes) of MP4 and QuickTime files, and those that hold places of sound in the file.

An atom is its size (big-endian, with the header), its name and its content. A size of 1 says that
the true one follows the name in 8 bytes, a size of 0 that the atom reaches to the end.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tonearm.containers.edits import read_at

_BASE_OFFSET_PRESENT = 1  # flag of a tfhd
# An index of three days of sound takes 50 MB.
_MOST_INDEX_BYTES = 1 << 28


@dataclass(frozen=True)
class Atom:
    """One atom.

    Parameters
    ----------
    name : bytes
    start, body, end : int
        Where its header, its content and the next atom begin.
    size : int
        As stated, with the header.
    """

    name: bytes
    start: int
    body: int
    end: int
    size: int

    @property
    def fits(self) -> bool:
        """Whether it is as long as it says."""
        return self.size == self.end - self.start


def atoms(file: BinaryIO, at: int, end: int) -> Iterator[Atom]:
    """Atoms one after another; one whose size cannot be true reaches to the end.

    Parameters
    ----------
    file : binary file
        The open file.
    at, end : int
        Where the first atom begins, and where no other does.
    """
    while at + 8 <= end:
        head = read_at(file, at, 16)
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        stop = at + size if header <= size <= end - at else end
        yield Atom(head[4:8], at, at + header, stop, size)
        at = stop


def inner(data: bytes, at: int, end: int) -> Iterator[Atom]:
    """Atoms within an atom, up to what is none (QuickTime ends a list with a zero).

    Parameters
    ----------
    data : bytes
        What ``at`` and ``end`` are places in.
    at, end : int
        Where the first atom begins, and where no other does.
    """
    for atom in atoms(io.BytesIO(data), at, end):
        # Nothing in a movie atom is so long that it needs a size of 8 bytes.
        if not atom.fits or atom.body > atom.start + 8:
            return
        yield atom


def children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each atom.

    Parameters
    ----------
    data : bytes
        Atoms, one after another.
    """
    for atom in inner(data, 0, len(data)):
        yield atom.name, data[atom.body : atom.end]


def nested(data: bytes, at: int, end: int, names: Sequence[bytes]) -> Iterator[Atom]:
    """Atoms of the last name, within one of the name before it, and so on.

    Parameters
    ----------
    data : bytes
        What ``at`` and ``end`` are places in.
    at, end : int
        Where the outermost atoms begin and end.
    names : sequence of bytes
        From the outermost atom inwards.
    """
    for atom in inner(data, at, end):
        if atom.name == names[0]:
            if len(names) == 1:
                yield atom
            else:
                yield from nested(data, atom.body, atom.end, names[1:])


def sample_entries(file: BinaryIO) -> list[bytes]:
    """Names of what the tracks hold, as ``mp4a``, or ``enca`` for sound that is encrypted.

    Parameters
    ----------
    file : binary file
        The open file.
    """
    # The first index is the one that counts: what follows may be thousands of fragments.
    outermost = atoms(file, 0, file.seek(0, io.SEEK_END))
    moov = next((atom for atom in outermost if atom.name == b"moov"), None)
    if moov is None or moov.end - moov.body > _MOST_INDEX_BYTES:
        return []
    data = read_at(file, moov.body, moov.end - moov.body)
    tables = nested(data, 0, len(data), (b"trak", b"mdia", b"minf", b"stbl", b"stsd"))
    # Behind version, flags and the number of entries.
    return [entry.name for table in tables for entry in inner(data, table.body + 8, table.end)]


def atom_of(name: bytes, content: bytes) -> bytes:
    """An atom.

    Parameters
    ----------
    name, content : bytes
        Its name of four bytes, and what is in it.
    """
    return (len(content) + 8).to_bytes(4, "big") + name + content


def base_offsets(moof: bytes) -> Iterator[tuple[int, int]]:
    """Where a fragment says at which byte of the file its data begin; mostly it does not.

    Parameters
    ----------
    moof : bytes
        The fragment's atom.
    """
    for place in nested(moof, 8, len(moof), (b"traf", b"tfhd")):
        if int.from_bytes(moof[place.start + 9 : place.start + 12], "big") & _BASE_OFFSET_PRESENT:
            yield place.start + 16, 8  # behind header, flags and track number


def index_offsets(mfra: bytes) -> Iterator[tuple[int, int]]:
    """Where the index of fragments holds the place of each, and how many bytes that takes.

    Parameters
    ----------
    mfra : bytes
        The index's atom.
    """
    for place in nested(mfra, 8, len(mfra), (b"tfra",)):
        width = 8 if mfra[place.start + 8] == 1 else 4  # version 1 has wide numbers
        lengths = mfra[place.start + 19]  # of three numbers after each place, two bits each
        entry = 2 * width + sum((lengths >> bits & 3) + 1 for bits in (4, 2, 0))
        count = int.from_bytes(mfra[place.start + 20 : place.start + 24], "big")
        for number in range(count):
            yield place.start + 24 + number * entry + width, width


def offset_tables(moov: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where each chunk offset table's content begins, and the bytes of an offset.

    Parameters
    ----------
    moov : bytes
        The movie atom.
    start, end : int
        Where its content lies.
    """
    way = (b"trak", b"mdia", b"minf", b"stbl")
    for name, width in ((b"stco", 4), (b"co64", 8)):
        for place in nested(moov, start, end, (*way, name)):
            yield place.body, width
