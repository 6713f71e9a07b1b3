"""The frames of an MP3, counted from header to header: some 3 ms for four minutes.

For files whose length cannot be calculated: variable bit rates, several MP3s put end to end, a
header frame that counts wrong. Where the frames lie is what a decoder that seeks finds out again
for each window.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tonearm.containers.edges import sound_bounds
from tonearm.containers.edits import read_at
from tonearm.containers.mpeg import (
    DECODER_DELAY,
    NO_AUDIO_BYTES,
    RESERVOIR_BYTES,
    STATED,
    SWING_FRAMES,
    Cut,
    Stated,
    after_header_frame,
    find_header,
    first_header,
    header_frame,
)
from tonearm.files import Bytes, mapped

# Rubbish between two frames that is searched for the next one: first a little, then a lot. Pieces
# that a download lacks have up to 16 MB.
_RUBBISH_BYTES = (1 << 12, 1 << 20, 1 << 24)
# Between two MP3s that were put end to end stand the tags of both, which are no rubbish.
_TAGS = (b"ID3\2", b"ID3\3", b"ID3\4", b"TAG", b"APETAGEX", b"LYRICSBEGIN")
_LONGEST_TAG = max(map(len, _TAGS))
# Less rubbish than fills half a second is no hole: a station's texts, a frame that was cut off.
_LEAST_HOLE_S = 0.5
# Header, checksum and side information of a frame: behind them a header frame has its mark.
_LONGEST_SIDE = 4 + 2 + 32
# Part of a hole that is zero: it ends within a frame, the rest of which stands behind it.
_MOSTLY = 0.8


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
    places : array of int or None
        Where each frame begins; None where something else lies between two of them.
    hole_bytes : int
        Bytes between two frames that are neither sound nor tags.
    zero_bytes : int
        Of these, those of holes that are zero: there was sound.
    seams : int
        Places between two frames where the tags of MP3s in a row lie.
    mute_frames : int
        Frames that hold no sound: the header frames of MP3s behind the first in a row.
    """

    begin: int
    end: int
    frames: int
    frame_samples: int
    rate_hz: int
    is_uniform: bool
    stated: Stated
    places: array[int] | None
    hole_bytes: int = 0
    zero_bytes: int = 0
    seams: int = 0
    mute_frames: int = 0

    @property
    def samples(self) -> int:
        """Length of the sound, if it is uniform."""
        return (self.frames - self.mute_frames) * self.frame_samples

    @property
    def duration_s(self) -> float:
        """Length of the sound in seconds."""
        return self.samples / self.rate_hz

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
        """Seconds that the header frame states and that were cut off, or that a hole takes.

        If it states no less than there is, what lies between two frames is foreign, not a hole.
        """
        missing = self.stated.frames - self.frames - 1
        sound_bytes = self.end - self.begin - self.hole_bytes
        frame_bytes = sound_bytes // self.frames
        # If all the bytes that it states are there, its count of frames is wrong.
        if missing <= 0 or 0 < self.stated.bytes <= sound_bytes + frame_bytes * 3:
            if self.stated.frames:
                return 0.0
            hole_s = self.duration_s * self.zero_bytes / sound_bytes
            return hole_s if hole_s > _LEAST_HOLE_S else 0.0
        return missing * self.frame_samples / self.rate_hz

    def cut(self, file: BinaryIO, start: int, count: int) -> Cut | None:
        """The frames that hold samples ``start`` to ``start + count``, and those they lean on.

        None where frames were not counted without a gap: a decoder may count otherwise there.

        Parameters
        ----------
        file : binary file
            The open file.
        start, count : int
            Samples, without those before the music.
        """
        if self.places is None or not self.is_uniform:
            return None
        bounds, size = self.places, self.frame_samples
        # A decoder needs two frames before to settle; each may use bytes of earlier frames.
        first = max(0, min((start + self.lead) // size, self.frames - 1) - SWING_FRAMES)
        last = min((start + count + self.lead) // size + 1, self.frames - 1)
        held = 0
        while first > 0 and held < RESERVOIR_BYTES:
            first -= 1
            held += max(0, bounds[first + 1] - bounds[first] - NO_AUDIO_BYTES)
        data = read_at(file, bounds[first], bounds[last + 1] - bounds[first])
        # Decoders divide the bytes by a frame at the beginning to know how much they may give.
        largest = max(bounds[i + 1] - bounds[i] for i in range(first, min(first + 4, last + 1)))
        guessed = (last + 2 - first) * (largest + 1)
        return Cut(data.ljust(guessed, b"\0"), start + self.lead - first * size)


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


def _walk(data: Bytes, at: int, end: int, stated: Stated) -> FrameCount | None:
    # A file has some dozens of different headers, so that most frames cost one look-up.
    lengths: dict[bytes, int] = {}
    count, first, behind, holes, zeros, seams = 0, -1, at, 0, 0, 0
    places, is_whole = array("Q"), True
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
                is_whole = is_whole and not count
                continue
            length = header.frame_bytes
        if at + length > end:  # cut short within the frame
            break
        lengths[head] = length
        if not count:
            first = at
        elif at > behind:
            hole = _hole(data, places[-1], behind, at)
            holes += hole
            seams += not hole
            # What a download lacks is zero; anything else may have been put in, no sound lost.
            if data[behind:at].count(0) > hole * _MOSTLY:
                zeros += hole
        count += 1
        places.append(at)
        at += length
        behind = at
    places.append(behind)
    header = first_header(data[first : first + 4]) if count else None
    if header is None:
        return None
    # MPEG version, sample rate, and mono or not.
    kinds = {(head[1] & 0x18, head[2] & 0x0C, head[3] >> 6 == 3) for head in lengths}
    return FrameCount(
        first,
        behind,
        count,
        header.samples,
        header.rate_hz,
        len(kinds) == 1,
        stated,
        places if is_whole else None,
        holes,
        zeros,
        seams,
        # Only where a header frame does not agree: the search takes longer than the walk.
        _mute_frames(data, places) if abs(stated.frames - count) > 1 else 0,
    )


def _mute_frames(data: Bytes, places: array[int]) -> int:
    """How many frames begin with the mark of a header frame, of which decoders make no sound."""
    found = 0
    for mark in STATED:
        place = places[0] - 1
        while (place := data.find(mark, place + 1, places[-1])) >= 0:
            found += place - places[bisect_right(places, place) - 1] <= _LONGEST_SIDE
    return found


def _hole(data: Bytes, last: int, behind: int, at: int) -> int:
    """Bytes from ``behind`` the last frame to the next one; 0 if they are tags."""
    # A file that was cut off has its neighbour's tag inside its last frame.
    seam = data[last : behind + _LONGEST_TAG]
    return 0 if any(tag in seam for tag in _TAGS) else at - behind
