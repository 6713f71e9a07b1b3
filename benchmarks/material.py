"""What is measured: MP3 files made from real music, no two with the same sound.

Tracks are encoded (LAME, 192 kb/s, 44.1 kHz, stereo). Clips, many short files and very long ones
are made of the packets of these, which takes no encoding: a thousand files in seconds.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 44_100
BITS_PER_S = 192_000
TRACK_S = 240.0
CLIP_S = 30.0
SHORT_S = 5.0
_PACKET_SAMPLES = 1_152
_SUFFIXES = frozenset(".aac .aif .aiff .flac .m4a .mp3 .mp4 .ogg .opus .wav .wma".split())
# Shorter sounds in a folder of a game's music are its clicks.
_SHORTEST_S = 10.0
# Silence has no packets of its own; below -80 dBFS counts as silence.
_LOUD_ENOUGH = 1e-4


@dataclass(frozen=True)
class Packets:
    """The encoded packets of one track, 26 ms each."""

    path: Path

    @cached_property
    def data(self) -> list[bytes]:
        """One piece of bytes a packet, in order, the header frame left out."""
        with av.open(str(self.path)) as source:
            return [
                bytes(p) for p in source.demux(source.streams.audio[0]) if p.size and p.duration
            ]


@dataclass(frozen=True)
class Material:
    """Where music is, and where files made of it go."""

    tracks: tuple[Packets, ...]
    folder: Path

    def clip(self) -> Path:
        """Thirty seconds from the middle of the first track."""
        data = self.tracks[0].data
        length = packets_in(CLIP_S)
        start = (len(data) - length) // 2
        return self._write("clip.mp3", data[start : start + length])

    def short(self, count: int) -> Path:
        """A folder of so many files of five seconds, each from another place."""
        folder = self.folder / f"short{count}"
        folder.mkdir(exist_ok=True)
        length = packets_in(SHORT_S)
        for number, (track, start) in enumerate(
            places(count, [len(track.data) - length for track in self.tracks])
        ):
            data = self.tracks[track].data[start : start + length]
            self._write(f"{folder.name}/{number:06}.mp3", data)
        return folder

    def mix(self, hours: float) -> Path:
        """All tracks one after the other, again and again until it is that long."""
        endless = itertools.cycle(itertools.chain.from_iterable(t.data for t in self.tracks))
        packets = itertools.islice(endless, packets_in(hours * 3600))
        return self._write(f"mix{hours:g}h.mp3", packets)

    def _write(self, name: str, packets: Iterable[bytes]) -> Path:
        path = self.folder / name
        if not path.exists():
            part = path.with_suffix(".part")
            write_packets(part, packets)
            part.rename(path)
        return path


def packets_in(seconds: float) -> int:
    """How many packets last so long."""
    return round(seconds * RATE_HZ / _PACKET_SAMPLES)


def places(count: int, rooms: Sequence[int]) -> list[tuple[int, int]]:
    """Tracks and first packets of so many pieces, no two alike, spread evenly.

    Parameters
    ----------
    count : int
    rooms : sequence of int
        How many places each track has.

    Raises
    ------
    ValueError
        When there is not room for so many.
    """
    each = -(-count // len(rooms))
    if each > min(rooms):
        raise ValueError(f"{count} different pieces want more than {len(rooms)} tracks")
    return [(i % len(rooms), i // len(rooms) * rooms[i % len(rooms)] // each) for i in range(count)]


def write_packets(path: Path, packets: Iterable[bytes]) -> None:
    """An MP3 of these packets, with the header that says how long it is."""
    with av.open(str(path), "w", format="mp3") as target:
        stream = target.add_stream("libmp3lame", rate=RATE_HZ, layout="stereo")
        stream.bit_rate = BITS_PER_S
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, RATE_HZ)
            packet.pts = packet.dts = number * _PACKET_SAMPLES
            packet.duration = _PACKET_SAMPLES
            target.mux(packet)


def make(music: Path, folder: Path, count: int) -> Material:
    """Encode so many tracks of four minutes from a folder of music, on all processors.

    All of the music, end to end, is one reel, and each track begins at its own place on it; a reel
    that is too short for that is repeated, from different places.
    """
    reel = [(path, length) for path in sounds(music) if (length := samples_of(path))]
    if not reel:
        raise FileNotFoundError(f"{music}: no music in it that is {_SHORTEST_S:.0f} s long")
    total = sum(length for _, length in reel)
    # Other music, or another count, which begins elsewhere, goes to another folder.
    made_of = hashlib.sha256(f"{music.resolve()}\n{total}\n{count}\n{TRACK_S}".encode())
    folder = folder / f"music-{made_of.hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"track{i:03}.mp3" for i in range(count)]
    starts = [i * total // count for i in range(count)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_encode, paths, itertools.repeat(reel), starts))
    return Material(tuple(map(Packets, paths)), folder)


def sounds(music: Path) -> list[Path]:
    """Files of music, in an order that is the same everywhere."""
    return sorted(path for path in music.rglob("*") if path.suffix.lower() in _SUFFIXES)


def samples_of(path: Path) -> int:
    """Length at the common rate; 0 for what is too short or no sound."""
    try:
        with av.open(str(path)) as source:
            seconds = (source.duration or 0) / av.time_base if source.streams.audio else 0.0
    except (av.FFmpegError, OSError):
        return 0
    return int(seconds * RATE_HZ) if seconds >= _SHORTEST_S else 0


def _encode(path: Path, reel: Sequence[tuple[Path, int]], start: int) -> None:
    """One track, beginning at that sample of the reel."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    wanted = packets_in(TRACK_S) * _PACKET_SAMPLES
    with av.open(str(part), "w", format="mp3") as target:
        stream = target.add_stream("libmp3lame", rate=RATE_HZ, layout="stereo")
        stream.bit_rate = BITS_PER_S
        done = 0
        for block in _from(reel, start):
            samples = np.ascontiguousarray(block[:, : wanted - done])
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.rate, frame.pts = RATE_HZ, done
            target.mux(stream.encode(frame))
            done += samples.shape[1]
            if done >= wanted:
                break
        target.mux(stream.encode())
    part.rename(path)


def _from(reel: Sequence[tuple[Path, int]], start: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of the endless reel from a sample on, float32 [2, n]; silent ones are left out."""
    first = 0
    while start >= reel[first][1]:
        start -= reel[first][1]
        first += 1
    for path, _ in itertools.islice(itertools.cycle(reel), first, None):
        for block in _decoded(path):
            if start < block.shape[1] and np.abs(block[:, start:]).max() > _LOUD_ENOUGH:
                yield block[:, start:]
            start = max(0, start - block.shape[1])


def _decoded(path: Path) -> Iterator[NDArray[np.float32]]:
    """A file as stereo at the common rate, float32 [2, n]."""
    resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ)
    # A damaged file gives what comes before the damage.
    with contextlib.suppress(av.FFmpegError), av.open(str(path)) as source:
        for frame in source.decode(audio=0):
            for block in resampler.resample(frame):
                yield np.asarray(block.to_ndarray(), dtype=np.float32)
