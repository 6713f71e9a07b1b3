"""Blocks and frames of a FLAC file: what STREAMINFO states, and whether the last frame agrees.

A FLAC that was written into a pipe states no length (0 samples) or one that its encoder was given
and never came true. The last frame knows: its header holds its number or first sample (RFC 9639).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from tonearm.containers.mpeg import sound_bounds

_STREAMINFO_BYTES = 34
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


def stream_info(file: BinaryIO, begin: int) -> StreamInfo | None:
    """STREAMINFO of the FLAC that begins at ``begin``; None if it does not begin there.

    Parameters
    ----------
    file : binary file
    begin : int
        Offset of the FLAC in the file.
    """
    file.seek(begin)
    head = file.read(8 + _STREAMINFO_BYTES)
    if len(head) < 8 + _STREAMINFO_BYTES or head[:4] != b"fLaC" or head[4] & 0x7F:
        return None
    info = head[8:]
    shortest, longest = int.from_bytes(info[0:2], "big"), int.from_bytes(info[2:4], "big")
    return StreamInfo(
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
    """
    begin, end = sound_bounds(file)
    info = stream_info(file, begin)
    if info is None or not info.samples:
        return False
    # Without compression a frame is as long as its samples; encoders seldom state no longest one.
    tail = min(max(info.frame_bytes, 1 << 16) + 64, _MOST_TAIL_BYTES, end - begin)
    file.seek(end - tail)
    data = file.read(tail)
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
