"""The frames of an MP3, counted from header to header: some 3 ms for four minutes.

For files whose length cannot be calculated: variable bit rates, several MP3s put end to end, a
header frame that counts wrong.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from tonearm.containers.edges import sound_bounds
from tonearm.containers.mpeg import (
    DECODER_DELAY,
    Stated,
    after_header_frame,
    find_header,
    first_header,
    header_frame,
)
from tonearm.files import mapped

# Rubbish between two frames that is searched for the next one: first a little, then a lot.
_RUBBISH_BYTES = (1 << 12, 1 << 20)


@dataclass(frozen=True)
class FrameCount:
    """What a walk through all frames of an MP3 found.

    Parameters
    ----------
    begin, end : int
        Where the frames of music lie.
    frames, frame_samples, rate_hz : int
        How many there are, and what the first one holds.
    is_uniform : bool
        Whether all frames have the same sample rate and number of channels.
    stated : Stated
        What a header frame says of them.
    """

    begin: int
    end: int
    frames: int
    frame_samples: int
    rate_hz: int
    is_uniform: bool
    stated: Stated

    @property
    def duration_s(self) -> float:
        """Length of the sound, if it is uniform."""
        return self.frames * self.frame_samples / self.rate_hz

    @property
    def lead(self) -> int:
        """Samples that encoder and decoder put before the music, as far as a header says."""
        return self.stated.delay + DECODER_DELAY if self.stated.frames else 0

    @property
    def agrees(self) -> bool:
        """Whether the header frame counts what is there, but for itself or a broken last one."""
        return self.is_uniform and abs(self.stated.frames - self.frames) <= 1

    @property
    def missing_s(self) -> float:
        """Seconds that the header frame states and that were cut off."""
        missing = self.stated.frames - self.frames - 1
        bytes_there = self.end - self.begin
        # Where the bytes are there that it states as well, it is the count of frames that is wrong.
        if missing <= 0 or 0 < self.stated.bytes <= bytes_there + bytes_there // self.frames * 3:
            return 0.0
        return missing * self.frame_samples / self.rate_hz


def count_frames(path: Path) -> FrameCount | None:
    """Walk through the layer III frames of a file; None if it has none.

    Parameters
    ----------
    path : Path
        The file.
    """
    with path.open("rb") as file:
        begin, end = sound_bounds(file)
        if begin >= end:  # an empty file cannot be mapped
            return None
        after = after_header_frame(file, begin)
        file.seek(begin)
        stated = header_frame(file.read(after - begin))
        with mapped(file) as data:
            return _walk(data, after, end, stated)


def _walk(data: mmap.mmap | bytes, at: int, end: int, stated: Stated) -> FrameCount | None:
    # A file has some dozens of different headers, so that most frames cost one look-up.
    lengths: dict[bytes, int] = {}
    count, first, behind = 0, -1, at
    while at + 4 <= end:
        head = data[at : at + 4]
        length = lengths.get(head)
        if length is None:
            header = first_header(head)
            if header is None:
                found = (find_header(data[at : min(at + size, end)]) for size in _RUBBISH_BYTES)
                ahead = next((i for i in found if i is not None), None)
                if ahead is None:
                    break
                at += max(ahead, 1)  # 1 at least, or it would never move on
                continue
            length = header.frame_bytes
        if at + length > end:  # cut short within the frame
            break
        lengths[head] = length
        if not count:
            first = at
        count += 1
        at += length
        behind = at
    header = first_header(data[first : first + 4]) if count else None
    if header is None:
        return None
    # MPEG version, sample rate, and mono or not.
    kinds = {(head[1] & 0x18, head[2] & 0x0C, head[3] >> 6 == 3) for head in lengths}
    return FrameCount(first, behind, count, header.samples, header.rate_hz, len(kinds) == 1, stated)
