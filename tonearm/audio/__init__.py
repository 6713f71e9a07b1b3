"""Decoding: libsndfile (`sndfile.py`) first, FFmpeg (`ffmpeg.py`) for Ogg and everything else.

Audio leaves here as mono float32, the mean of the channels, at the file's own rate; the one
conversion to another rate is :func:`resample`, called by name. libsndfile is tried first because it
decodes MP3 some 1.4 times as fast. When both fail, the error holds what each of them said.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tonearm.audio.av_input import NO_HEADER
from tonearm.audio.chain import open_ogg
from tonearm.audio.ffmpeg import AvReader
from tonearm.audio.reader import (
    HIGHEST_HZ,
    LOWEST_HZ,
    ArrayReader,
    AudioInfo,
    AudioReader,
    Float32,
    RecentReader,
    cut_short,
    no_file,
)
from tonearm.audio.sndfile import MiscountedMp3Error, SndfileReader, as_mp3, counted_reader
from tonearm.audio.spans import read_span, resample
from tonearm.containers.mpeg_count import count_frames
from tonearm.containers.not_audio import HEAD_BYTES, described, packed, protected
from tonearm.errors import DAMAGED, INCOMPLETE, DecodeError, DecodeKind, counted
from tonearm.files import as_path, why_unreadable

__all__ = [
    "ArrayReader",
    "Audio",
    "AudioInfo",
    "AudioReader",
    "RecentReader",
    "as_mp3",
    "blocks",
    "check_file",
    "count_samples",
    "decode",
    "open_audio",
    "read_span",
    "resample",
]

# A folder's files with these names are audio; a file that is named outright is always tried.
AUDIO_SUFFIXES = frozenset(
    ".aac .ac3 .aif .aifc .aiff .amr .ape .asf .au .caf .dff .dsf .flac .m4a .m4b .mka .mp2 .mp3 "
    ".mp4 .mpc .oga .ogg .opus .ra .snd .spx .tak .tta .w64 .wav .wave .webm .wma .wv".split()
)
# The next back end could say nothing better of these.
_FINAL = frozenset({"protected", "no-audio-stream", "missing", "permission-denied"})
# Decoders differ by some frames of padding in what they call the end.
_PADDING_S = 0.1
# Piece of the end that is read to see that it is there.
_TAIL_S = 0.2
_LEAST_BYTES = 24  # of a file with any sound: no header of a container is shorter
# Piece that is decoded at once, and its samples at most: for rates far above 48 kHz.
_BLOCK_S, _BLOCK_SAMPLES = 30.0, 1 << 22


@dataclass(frozen=True)
class Audio:
    """Decoded mono audio: float32 [n] in -1..1 and its rate.

    Parameters
    ----------
    samples : float32 [n]
        Mean of the channels, -1 to 1.
    sample_rate_hz : int
        The file's own.
    warning : str or None
        What is damaged.
    """

    samples: Float32
    sample_rate_hz: int
    warning: str | None = None

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz


@contextmanager
def open_audio(path: str | os.PathLike[str]) -> Iterator[AudioReader]:
    """Open a file with the first back end that can read it.

    Parameters
    ----------
    path : path
        The file.

    Raises
    ------
    DecodeError
        With the kind, and the reason of every back end when none could.
    """
    path = as_path(path)
    check_file(path)
    reader = _open_reader(path)
    try:
        yield reader
    finally:
        reader.close()


def decode(
    path: str | os.PathLike[str], *, start_s: float = 0.0, duration_s: float | None = None
) -> Audio:
    """Decode a file, or a span of it by seeking, to mono at the file's own rate.

    Parameters
    ----------
    path : path
        The file.
    start_s, duration_s : float, float or None
        The span in seconds; None is to the end.

    Returns
    -------
    Audio
        ``warning`` says so where a damaged file ended early.

    Raises
    ------
    DecodeError
        When nothing can be decoded.
    """
    with open_audio(path) as reader:
        rate = reader.info.sample_rate_hz
        start = max(0, round(start_s * rate))
        count = None if duration_s is None else max(0, round(duration_s * rate))
        blocks = list(_blocks(reader, start, count))
        samples = np.concatenate(blocks) if blocks else np.empty(0, dtype=np.float32)
        # Past the end there is nothing to decode, which is no fault of the file.
        if not len(samples) and not start:
            raise DecodeError(path, "empty", f"holds no sound after its header. {INCOMPLETE}")
        return Audio(samples, rate, short_warning(reader.info, reader.ended_at))


def blocks(reader: AudioReader, *, block_s: float = _BLOCK_S) -> Iterator[Float32]:
    """Samples from beginning to end in pieces of ``block_s`` seconds, in bounded memory.

    Parameters
    ----------
    reader : AudioReader
        Open audio.
    block_s : float
        Length of a piece.
    """
    return _blocks(reader, 0, None, block=max(1, round(block_s * reader.info.sample_rate_hz)))


def length_is_wrong(reader: AudioReader) -> bool:
    """Whether the sound ends elsewhere than ``reader.info`` says; looks at its end for that.

    Parameters
    ----------
    reader : AudioReader
        Open audio.
    """
    info = reader.info
    if reader.ended_at is None:
        tail = round(_TAIL_S * info.sample_rate_hz)
        start = max(0, info.samples - tail)
        # One tail more than stated: a file may be longer than its header says as well.
        there = len(reader.read(start, info.samples - start + tail))
        if there > info.samples - start + _tolerance(info):
            return True
    return broke_off(reader, info.samples)


def broke_off(reader: AudioReader, samples: int) -> bool:
    """Whether a read found the end of the sound far before ``samples``.

    Parameters
    ----------
    reader : AudioReader
        Open audio.
    samples : int
        Samples that should be there.
    """
    ended_at = reader.ended_at
    return ended_at is not None and samples - ended_at > _tolerance(reader.info)


def _tolerance(info: AudioInfo) -> int:
    return round(_PADDING_S * info.sample_rate_hz) + info.frame_samples


def count_samples(reader: AudioReader) -> int:
    """How many samples there truly are, found by decoding to the end.

    Parameters
    ----------
    reader : AudioReader
        Open audio.
    """
    return sum(map(len, _blocks(reader, 0, None)))


def short_warning(info: AudioInfo, ended_at: int | None) -> str | None:
    """Words for audio that broke off at sample ``ended_at``; else what the file said itself.

    Parameters
    ----------
    info : AudioInfo
        What the file says of itself.
    ended_at : int
        Samples that are really there.
    """
    if ended_at is None or info.samples - ended_at <= _tolerance(info):
        return info.warning
    return cut_short(ended_at / info.sample_rate_hz, info.duration_s)


def _blocks(
    reader: AudioReader, start: int, count: int | None, *, block: int | None = None
) -> Iterator[Float32]:
    block = block or min(round(_BLOCK_S * reader.info.sample_rate_hz), _BLOCK_SAMPLES)
    while count is None or count > 0:
        wanted = block if count is None else min(block, count)
        samples = reader.read(start, wanted)
        if len(samples):
            yield samples
        if len(samples) < wanted:
            return
        start += len(samples)
        count = None if count is None else count - len(samples)


def check_file(path: Path) -> int:
    """Reject what is not a readable file, with a plain reason, before a decoder sees it.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    int
        Its size in bytes.
    """
    try:
        status = path.stat()
    except OSError as error:  # also a link to itself, a name too long, a disk that failed
        kinds: dict[type[OSError], DecodeKind]
        kinds = {FileNotFoundError: "missing", PermissionError: "permission-denied"}
        kind = kinds.get(type(error), "unreadable")
        raise DecodeError(path, kind, why_unreadable(path, error)) from None
    except ValueError:  # a NUL, or half a surrogate pair
        raise DecodeError(path, "missing", "does not exist: no file can have that name") from None
    # Opening a pipe would wait for a writer that may never come.
    if not stat.S_ISREG(status.st_mode):
        what = "folder" if stat.S_ISDIR(status.st_mode) else "pipe, socket or device"
        raise DecodeError(path, "not-a-file", f"is a {what}, not a file")
    if not status.st_size:
        raise DecodeError(path, "empty", "is empty (0 bytes)")
    # Whether an object of a store may be read shows when it is.
    if isinstance(path, Path) and not os.access(path, os.R_OK):
        reason = why_unreadable(path, PermissionError())
        raise DecodeError(path, "permission-denied", reason)
    return status.st_size


def _open_reader(path: Path) -> AudioReader:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise no_file(path, error) from None
    if reason := packed(head):
        raise DecodeError(path, "not-audio", reason)
    if reason := protected(head):
        raise DecodeError(path, "protected", reason)
    try:
        return _first_reader(path, head)
    except DecodeError as error:
        # What people call the file says more than what decoders miss in it.
        if error.kind not in {"not-audio", "no-audio-stream"}:
            raise
        reason = described(head)
        if reason is None and len(head) < _LEAST_BYTES:
            reason = f"has {counted(len(head), 'byte')}, too few for sound. {INCOMPLETE}"
        if reason is None:
            raise
        raise DecodeError(path, "not-audio", reason) from None


def _first_reader(path: Path, head: bytes) -> AudioReader:
    reasons: list[str] = []
    for opener in _openers(head):
        try:
            reader = opener(path)
        except DecodeError as error:
            # The next back end could say nothing better of these.
            if error.kind in _FINAL or error.reason.endswith((INCOMPLETE, NO_HEADER)):
                raise
            reasons.append(error.reason)
            continue
        if not LOWEST_HZ <= reader.info.sample_rate_hz <= HIGHEST_HZ:
            reader.close()
            reason = (
                f"states {reader.info.sample_rate_hz:,} samples a second. "
                f"Tonearm reads {LOWEST_HZ:,} to {HIGHEST_HZ:,}. {DAMAGED}"
            )
            raise DecodeError(path, "not-audio", reason)
        return reader
    said = "; ".join(reasons)
    reason = f"is not an audio file that Tonearm can read. Report it if a player plays it. ({said})"
    raise DecodeError(path, "not-audio", reason)


def _openers(head: bytes) -> tuple[Callable[[Path], AudioReader], ...]:
    # libsndfile reads no chained Ogg, and crashes in a third of Vorbis files with one wrong bit.
    if head.startswith(b"OggS"):
        return (open_ogg,)
    return (_open_sndfile, _open_ffmpeg)


def _open_sndfile(path: Path) -> AudioReader:
    try:
        return SndfileReader(path)
    except MiscountedMp3Error as error:
        if error.count is not None and error.count.is_uniform:
            return counted_reader(path, error.count)
        # FFmpeg reads through it. Not by `_open_ffmpeg`, which would count the same frames again.
        with suppress(DecodeError):
            return AvReader(path)
        raise


def _open_ffmpeg(path: Path) -> AudioReader:
    reader = AvReader(path)
    if not reader.info.codec.startswith("mp3/"):
        return reader
    # An MP3 so damaged that libsndfile does not know it: its header frame may count what is lost.
    count = count_frames(path)
    if count is not None and count.is_uniform and count.missing_s:
        warning = cut_short(reader.info.duration_s, count.duration_s + count.missing_s)
        reader.info = replace(reader.info, warning=warning)
    return reader
