"""Where the sound of an MP3 lies, and how long it is, as far as a few kilobytes tell.

Encoders either state the count of frames in a header frame (Xing, Info, VBRI) or, for constant bit
rates, leave it to be divided out. Decoders divide in every case, which for a variable rate without
a header is wrong by any factor. At a constant rate the frames that hold a moment can be found by
division as well, where a decoder reads its way there. Reads a few kilobytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tonearm.containers.edges import id3v2_bytes, sound_bounds
from tonearm.containers.edits import read_at

STATED = (b"Xing", b"Info", b"VBRI")
# What decoders cut off before the encoder's own delay (LAME's tag, "DECDELAY").
DECODER_DELAY = 529
# A frame may begin up to so many bytes of audio earlier, and a decoder needs two frames to settle.
RESERVOIR_BYTES, SWING_FRAMES = 511, 2
# Of a frame, what is header, checksum and side information at most.
NO_AUDIO_BYTES = 38
_LONGEST_FRAME = 1_441  # bytes: 320 kb/s at 32 kHz, padded
# The rate is looked at so many times on the way, and at the beginning.
_PROBES = 8
# ISO 11172-3 and 13818-3, layer III: kb/s by bit rate index 1-14, for MPEG-1 or MPEG-2 and 2.5.
_KILOBITS = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
# By the version bits: MPEG-2.5, (reserved), MPEG-2, MPEG-1.
_RATES_HZ = ((11_025, 12_000, 8_000), (1, 1, 1), (22_050, 24_000, 16_000), (44_100, 48_000, 32_000))


class Stated(NamedTuple):
    """What a Xing or Info frame states; 0 where it says nothing."""

    frames: int
    bytes: int
    delay: int  # samples that the encoder put before the music
    padding: int  # and behind it


class Header(NamedTuple):
    """What the four bytes before a layer III frame say."""

    bits_per_s: int
    rate_hz: int
    samples: int
    padding: int

    @property
    def frame_bytes(self) -> int:
        """Length of the frame, its header included."""
        return self.samples // 8 * self.bits_per_s // self.rate_hz + self.padding


@dataclass(frozen=True)
class Cut:
    """Encoded frames, and how many decoded samples come before those that were asked for."""

    data: bytes
    skip: int


@dataclass(frozen=True)
class ConstantRate:
    """Sound whose frames all have one bit rate.

    Parameters
    ----------
    begin, end : int
        Where in the file the frames of music lie.
    key : bytes
        What the headers of all frames have in common.
    header : Header
        Of the first frame.
    delay : int
        Samples that a decoder cuts off at the beginning.
    """

    begin: int
    end: int
    key: bytes
    header: Header
    delay: int

    @property
    def samples(self) -> int:
        """How many samples the frames hold."""
        return (self.end - self.begin) * 8 * self.header.rate_hz // self.header.bits_per_s

    def cut(self, file: BinaryIO, start: int, count: int) -> Cut | None:
        """The frames that hold samples ``start`` to ``start + count``, and those they lean on.

        None if there are no frames where they should be.

        Parameters
        ----------
        file : binary file
            The open file.
        start, count : int
            Samples.
        """
        header = self.header
        audio_bytes = max(1, self._place(1) - self.begin - NO_AUDIO_BYTES)
        lean = SWING_FRAMES - (-RESERVOIR_BYTES // audio_bytes)  # rounded up
        first = max(0, (start + self.delay) // header.samples - lean)
        last = (start + count + self.delay) // header.samples + 1
        # Encoders differ in which frames they pad, so it may begin a little earlier or later.
        place, near = self._place(first), header.frame_bytes // 2
        begin = max(self.begin, place - near)
        data = read_at(file, begin, self._place(last + 1) + near - begin)
        length = self._place(first + 1) - place
        # Nearest first, so that a chance match farther away does not win.
        for away in range(near):
            for i in (place - begin - away, place - begin + away):
                if i >= 0 and _has_frame(data, self.key, length, at=i):
                    return Cut(data[i:], start + self.delay - first * header.samples)
        return None

    def _place(self, frame: int) -> int:
        """Where a frame begins; padding makes up for what division leaves over."""
        header = self.header
        return self.begin + frame * header.samples // 8 * header.bits_per_s // header.rate_hz


def states_length(path: Path) -> bool:
    """Whether the first frame is a header that states the count of frames.

    Parameters
    ----------
    path : Path
        The file.
    """
    with path.open("rb") as file:
        first = read_at(file, id3v2_bytes(file), 2 * _LONGEST_FRAME)
    return any(mark in first for mark in STATED)


def constant_rate(path: Path) -> ConstantRate | None:
    """Where the frames of a layer III file lie, if all of them have one bit rate.

    Tags at both ends are not counted as sound: a decoder that divides the file's size by the
    bit rate takes one megabyte of cover art for a minute of music.

    Parameters
    ----------
    path : Path
        The file.
    """
    with path.open("rb") as file:
        begin, end = sound_bounds(file)
        after = after_header_frame(file, begin)
        stated = read_at(file, begin, after - begin)
        if stated and b"Info" not in stated:  # Xing and VBRI head variable rates
            return None
        first = read_at(file, after, 3 * _LONGEST_FRAME)
        start = next((i for i in range(len(first) - 4) if _is_header(first, i)), None)
        if start is None:
            return None
        header, key = _header(first, start), _key(first, start)
        delay = header_frame(stated).delay + DECODER_DELAY if stated else 0
        found = ConstantRate(after + start, end, key, header, delay)
        return found if _is_constant(file, found, stated) else None


def _is_constant(file: BinaryIO, found: ConstantRate, stated: bytes) -> bool:
    length = found.header.frame_bytes
    if stated:
        samples = header_frame(stated).frames * found.header.samples
        # Two frames: the header frame may count itself, and the last one may be cut off.
        return abs(found.samples - samples) <= 2 * found.header.samples
    step = (found.end - found.begin) // (_PROBES + 1)
    probes = (read_at(file, found.begin + step * i, 3 * length) for i in range(_PROBES + 1))
    return all(_has_frame(probe, found.key, length) for probe in probes)


def header_frame(frame: bytes) -> Stated:
    """Fields of a Xing or Info frame, by LAME's description of its tag.

    Parameters
    ----------
    frame : bytes
        The frame with its header.
    """
    mark = max(frame.find(b"Xing"), frame.find(b"Info"))
    if mark < 0:
        return Stated(0, 0, 0, 0)
    flags = int.from_bytes(frame[mark + 4 : mark + 8], "big")
    at, values = mark + 8, []
    # Count of frames, count of bytes, a table of contents, quality: each if its flag is set.
    for bit, size in enumerate((4, 4, 100, 4)):
        present = size if flags >> bit & 1 else 0
        values.append(int.from_bytes(frame[at : at + min(present, 4)], "big"))
        at += present
    trim = int.from_bytes(frame[at + 21 : at + 24], "big")
    return Stated(values[0], values[1], trim >> 12, trim & 0xFFF)


def after_header_frame(file: BinaryIO, begin: int) -> int:
    """Where the music begins: behind a first frame that only states the length.

    Programs that copy an MP3 without encoding it write that frame again.

    Parameters
    ----------
    file : binary file
        The open file.
    begin : int
        Offset of the first frame.
    """
    first = read_at(file, begin, _LONGEST_FRAME)
    if len(first) < 4 or not _is_header(first, 0):
        return begin
    length = _header(first, 0).frame_bytes
    return begin + length if any(mark in first[:length] for mark in STATED) else begin


def first_header(data: bytes) -> Header | None:
    """The header that ``data`` begins with; None if it is none."""
    return _header(data, 0) if len(data) >= 4 and _is_header(data, 0) else None


def find_header(data: bytes) -> int | None:
    """Where the first of two frames in a row begins in ``data``."""
    i = -1
    while 0 <= (i := data.find(b"\xff", i + 1)) < len(data) - 3:
        if _is_header(data, i):
            following = i + _header(data, i).frame_bytes
            # Sync bits come by chance in any data; a second header just behind hardly does.
            if following + 4 > len(data) or _is_header(data, following):
                return i
    return None


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


def _header(data: bytes, i: int) -> Header:
    mpeg1 = data[i + 1] & 0x08 != 0
    return Header(
        bits_per_s=1_000 * _KILOBITS[mpeg1][(data[i + 2] >> 4) - 1],
        rate_hz=_RATES_HZ[data[i + 1] >> 3 & 3][data[i + 2] >> 2 & 3],
        samples=1_152 if mpeg1 else 576,
        padding=data[i + 2] >> 1 & 1,
    )


def _key(data: bytes, i: int) -> bytes:
    """The header's bits that stay the same through a file of one bit rate (no padding bit)."""
    return bytes((data[i], data[i + 1], data[i + 2] & 0xFC))


def _has_frame(probe: bytes, key: bytes, length: int, *, at: int | None = None) -> bool:
    """Whether two frames of that key and distance stand in ``probe``, or at just that place."""
    places = range(len(probe) - length - 4) if at is None else (at,)
    for i in places:
        if _key_at(probe, i) == key:
            ends = (i + length + extra for extra in (-1, 0, 1))  # with or without padding
            if any(_key_at(probe, end) == key for end in ends):
                return True
    return False


def _key_at(data: bytes, i: int) -> bytes:
    return _key(data, i) if i + 2 < len(data) else b""
