"""Where the sound of an MP3 lies, and how long it is, as far as a few kilobytes tell.

Encoders either state the count of frames in a header frame (Xing, Info, VBRI) or, for constant bit
rates, leave it to be divided out. Decoders divide in every case, which for a variable rate without
a header is wrong by any factor. Reads a few kilobytes; imports nothing of Tonearm.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_STATED = (b"Xing", b"Info", b"VBRI")
_LONGEST_FRAME = 1_441  # bytes: 320 kb/s at 32 kHz, padded
_PROBES = 8
# ISO 11172-3 and 13818-3, layer III: kb/s by bit rate index 1-14, for MPEG-1 or MPEG-2 and 2.5.
_KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# By the version bits: MPEG-2.5, (reserved), MPEG-2, MPEG-1.
_RATES_HZ = ((11_025, 12_000, 8_000), (1, 1, 1), (22_050, 24_000, 16_000), (44_100, 48_000, 32_000))


def states_length(path: Path) -> bool:
    """Whether the first frame is a header that states the count of frames."""
    with path.open("rb") as file:
        first = _read(file, id3v2_bytes(file), 2 * _LONGEST_FRAME)
    return any(mark in first for mark in _STATED)


def constant_rate_samples(path: Path) -> int | None:
    """Length of a layer III file in samples, if frames all over it have one bit rate.

    Tags at both ends are not counted as sound: a decoder that divides the file's size by the
    bit rate takes one megabyte of cover art for a minute of music.
    """
    with path.open("rb") as file:
        begin, end = sound_bounds(file)
        first = _read(file, begin, 3 * _LONGEST_FRAME)
        start = next((i for i in range(len(first) - 4) if _is_header(first, i)), None)
        length = None if start is None else _frame_bytes(first, start)
        if start is None or length is None:
            return None
        key = _key(first, start)
        step = (end - begin) // (_PROBES + 1)
        probes = (_read(file, begin + step * i, 3 * length) for i in range(1, _PROBES + 1))
        if not all(_has_frame(probe, key, length) for probe in probes):
            return None
    mpeg1 = first[start + 1] & 0x08 != 0
    bits_per_s = 1_000 * _KILOBITS[mpeg1][(first[start + 2] >> 4) - 1]
    rate_hz = _RATES_HZ[first[start + 1] >> 3 & 3][first[start + 2] >> 2 & 3]
    return (end - begin - start) * 8 * rate_hz // bits_per_s


def id3v2_bytes(file: BinaryIO) -> int:
    """Length of the ID3v2 tags at the file's beginning, 0 without one; some files have two."""
    end = 0
    while True:
        head = _read(file, end, 10)
        if len(head) < 10 or head[:3] != b"ID3":
            return end
        # 28 bits of size, seven to a byte, not counting these ten bytes nor those of a footer.
        end += 10 + sum((byte & 127) << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
        end += 10 if head[5] & 0x10 else 0


def sound_bounds(file: BinaryIO) -> tuple[int, int]:
    """Where the sound begins and ends: behind ID3v2, before APEv2, Lyrics3 and ID3v1 tags."""
    begin, end = id3v2_bytes(file), file.seek(0, os.SEEK_END)
    while (shorter := _before_tag(file, end)) < end:
        end = shorter
    return (begin, end) if begin < end else (0, file.seek(0, os.SEEK_END))


def after_header_frame(file: BinaryIO, begin: int) -> int:
    """Where the music begins: behind a first frame that only states the length.

    Programs that copy an MP3 without encoding it write that frame anew.
    """
    first = _read(file, begin, _LONGEST_FRAME)
    if len(first) < 4 or not _is_header(first, 0):
        return begin
    mpeg1 = first[1] & 0x08 != 0
    bits_per_s = 1_000 * _KILOBITS[mpeg1][(first[2] >> 4) - 1]
    rate_hz = _RATES_HZ[first[1] >> 3 & 3][first[2] >> 2 & 3]
    length = (144 if mpeg1 else 72) * bits_per_s // rate_hz + (first[2] >> 1 & 1)
    return begin + length if any(mark in first[:length] for mark in _STATED) else begin


def _before_tag(file: BinaryIO, end: int) -> int:
    """Where the tag begins that ends at ``end``; ``end`` itself without one."""
    tail = _read(file, max(0, end - 128), min(128, end))
    if len(tail) == 128 and tail[:3] == b"TAG":
        return end - 128
    if tail[-32:-24] == b"APETAGEX":
        header = 32 if tail[-32:][23] & 0x80 else 0
        return max(0, end - int.from_bytes(tail[-20:-16], "little") - header)
    if tail[-9:] == b"LYRICS200" and tail[-15:-9].isdigit():
        return max(0, end - int(tail[-15:-9]) - 15)
    return end


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _is_header(data: bytes, i: int) -> bool:
    """Sync bits, layer III, a bit rate that is neither free nor bad, a real sample rate."""
    return (
        data[i] == 0xFF
        and data[i + 1] & 0xE0 == 0xE0
        and data[i + 1] & 0x06 == 0x02
        and data[i + 1] & 0x18 != 0x08
        and data[i + 2] >> 4 not in (0, 15)
        and data[i + 2] & 0x0C != 0x0C
    )


def _key(data: bytes, i: int) -> bytes:
    """The header's bits that stay the same through a file of one bit rate (no padding bit)."""
    return bytes((data[i], data[i + 1], data[i + 2] & 0xFC))


def _frame_bytes(data: bytes, start: int) -> int | None:
    """Distance to the next two frames like the one at ``start``; padding adds one byte."""
    key = _key(data, start)
    for length in range(24, min(_LONGEST_FRAME + 1, (len(data) - start - 8) // 2)):
        second = start + length
        if _key(data, second) == key and any(
            _key(data, second + length + extra) == key for extra in (-1, 0, 1)
        ):
            return length
    return None


def _has_frame(probe: bytes, key: bytes, length: int) -> bool:
    """Whether two frames of that key and distance stand in ``probe``."""
    for i in range(len(probe) - length - 4):
        if _key(probe, i) == key:
            ends = (i + length + extra for extra in (-1, 0, 1))
            if any(_key(probe, end) == key for end in ends if end + 2 < len(probe)):
                return True
    return False
