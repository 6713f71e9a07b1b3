"""Damaged copies of audio files, made by chance from a seed: what `fuzz_files` feeds to Tonearm.

Damage is of the kinds that are met: single bits, overwritten and missing pieces, sizes that lie,
pieces of other files. The checksums of Ogg pages are repaired in half of the copies, since readers
drop a page whose checksum is wrong before they look into it.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

# Where headers are: half of the damage goes there.
HEAD = 4_096
_LYING = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]

Mutation = Callable[[random.Random, bytearray, bytes], None]


def mutant(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A damaged copy of a file.

    Parameters
    ----------
    rng : Random
    data : bytes
        The file.
    other : bytes
        Another one, pieces of which may end up in the copy.
    """
    copy = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        rng.choice(_MUTATIONS)(rng, copy, other)
    if data[:4] == b"OggS" and rng.random() < 0.5:
        return with_checksums(bytes(copy))
    return bytes(copy)


def wrong_bit_in_setup(rng: random.Random, ogg: bytes) -> bytes:
    """An Ogg Vorbis file with one wrong bit in its set-up header, and right checksums."""
    begin = ogg.index(b"\x05vorbis") + 7
    end = min(page for page, _ in pages(ogg) if page > begin)
    copy = bytearray(ogg)
    copy[rng.randrange(begin, end)] ^= 1 << rng.randrange(8)
    return with_checksums(bytes(copy))


def pages(ogg: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each Ogg page that lies where it should."""
    at = 0
    while ogg[at : at + 4] == b"OggS" and at + 27 <= len(ogg):
        segments = ogg[at + 26]
        end = at + 27 + segments + sum(ogg[at + 27 : at + 27 + segments])
        if end > len(ogg):
            return
        yield at, end
        at = end


def with_checksums(ogg: bytes) -> bytes:
    """The same pages with right checksums."""
    copy = bytearray(ogg)
    for begin, end in pages(ogg):
        copy[begin + 22 : begin + 26] = bytes(4)
        copy[begin + 22 : begin + 26] = struct.pack("<I", _crc(copy[begin:end]))
    return bytes(copy)


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_TABLE = _table()


def _crc(data: bytes | bytearray) -> int:
    """The checksum of an Ogg page: CRC-32 without reflection."""
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ byte]
    return value


def _place(rng: random.Random, copy: bytearray) -> int:
    """Anywhere, but half of the time in the head and a tenth in the tail, where tags are."""
    size, chance = max(1, len(copy)), rng.random()
    if chance < 0.5:
        return rng.randrange(min(HEAD, size))
    return max(0, size - 1 - rng.randrange(512)) if chance < 0.6 else rng.randrange(size)


def _flip(rng: random.Random, copy: bytearray, _: bytes) -> None:
    if copy:
        copy[_place(rng, copy)] ^= 1 << rng.randrange(8)


def _overwrite(rng: random.Random, copy: bytearray, _: bytes) -> None:
    at = _place(rng, copy)
    copy[at : at + rng.choice([1, 2, 4, 64])] = rng.randbytes(rng.choice([1, 2, 4, 64]))


def _lie(rng: random.Random, copy: bytearray, _: bytes) -> None:
    """A number that is not the size of anything, in either order of bytes."""
    size = rng.choice([1, 2, 4, 8])
    value = rng.choice(_LYING) & (1 << 8 * size) - 1
    at = _place(rng, copy)
    copy[at : at + size] = value.to_bytes(size, rng.choice(["big", "little"]))


def _cut(rng: random.Random, copy: bytearray, _: bytes) -> None:
    del copy[_place(rng, copy) :]


def _remove(rng: random.Random, copy: bytearray, _: bytes) -> None:
    at = _place(rng, copy)
    del copy[at : at + rng.choice([1, 16, 1_000, 50_000])]


def _repeat(rng: random.Random, copy: bytearray, _: bytes) -> None:
    at = _place(rng, copy)
    copy[at:at] = copy[at : at + rng.choice([4, 64, 5_000])] * rng.choice([1, 2, 50])


def _blank(rng: random.Random, copy: bytearray, _: bytes) -> None:
    at, size = _place(rng, copy), rng.choice([4, 512, 20_000])
    copy[at : at + size] = bytes([rng.choice([0, 0xFF])]) * size


def _graft(rng: random.Random, copy: bytearray, other: bytes) -> None:
    at, begin = _place(rng, copy), rng.randrange(max(1, len(other)))
    copy[at:at] = other[begin : begin + rng.choice([16, 4_000, 100_000])]


_MUTATIONS: list[Mutation] = [
    *[_flip, _flip, _overwrite, _lie, _lie],
    *[_cut, _remove, _repeat, _blank, _graft],
]
