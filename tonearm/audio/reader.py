"""What every decoder gives: a description of the audio, and mono samples from anywhere in it.

Also audio that is in memory already, behind the same face. Imports no decoder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import DISAPPEARED, DecodeError
from tonearm.files import why_unreadable

Float32 = NDArray[np.float32]
# More channels than any recording has (ambisonics of the seventh order): a header gone wrong.
MOST_CHANNELS = 64
# Sample rates: from telephones down to 1 kHz, and up to DSD of sixteen times a CD's, decimated.
LOWEST_HZ, HIGHEST_HZ = 1_000, 6_144_000

# Float files may exceed full scale; twice that is damage, and past it the encoder network, which
# was pruned for the range of features that such samples give, would no longer be exact.
_MAX_LEVEL = 2.0
# Beyond this, sums of floats may overflow; it is damage.
_DAMAGE = np.float32(1e9)
# Of the channels' mean power, what is left in their mean when they cancel out: -13 dB. Ordinary
# stereo keeps a quarter or more.
_CANCELLED = 0.05
# Lossy decoders need what lies before a span to settle (Opus asks for 80 ms, MP3 for what its bit
# reservoir borrowed from earlier frames); this is ample.
PREROLL_S = 0.25


def cut_short(there_s: float, stated_s: float) -> str:
    """Words for a file that has less sound than it states.

    Parameters
    ----------
    there_s, stated_s : float
        Seconds that could be decoded, and that should be there.
    """
    return f"truncated or damaged: {there_s:.1f} of {stated_s:.1f} s could be decoded"


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of itself.

    ``samples`` counts sample frames at ``sample_rate_hz``; ``warning`` is set when the file's
    header promises more than it holds; ``frame_samples`` is what a codec decodes at once, by which
    the end may be off.

    Parameters
    ----------
    channels : int
        Before they are mixed to one.
    codec : str
        Back end's name of container and codec.
    """

    sample_rate_hz: int
    channels: int
    samples: int
    codec: str
    warning: str | None = None
    frame_samples: int = 0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / self.sample_rate_hz


class AudioReader(Protocol):
    """Open audio; read from anywhere, cheapest in rising order.

    ``ended_at`` is None until a read came out shorter than ``info`` promised, then the position at
    which it broke off. ``seeks`` is False where going back means to decode from the beginning.
    """

    @property
    def info(self) -> AudioInfo:
        """What the file says of itself."""
        ...

    @property
    def ended_at(self) -> int | None:
        """Where the audio broke off."""
        ...

    @property
    def seeks(self) -> bool:
        """Whether going back is cheap."""
        ...

    def read(self, start: int, count: int) -> Float32:
        """Mono samples ``start`` to ``start + count``; fewer where the audio ends before.

        Parameters
        ----------
        start, count : int
            Samples.
        """
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


class ArrayReader:
    """Mono samples in memory as an open file.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio.
    sample_rate_hz : int
        Its sample rate.
    """

    ended_at: int | None = None
    seeks = True

    def __init__(self, samples: Float32, sample_rate_hz: int) -> None:
        self._samples = mono(samples[:, None])
        self.info = AudioInfo(sample_rate_hz, 1, len(samples), "array")

    def read(self, start: int, count: int) -> Float32:
        """Samples ``start`` to ``start + count``; fewer at the end.

        Parameters
        ----------
        start, count : int
            First sample and how many.
        """
        return self._samples[start : start + count]

    def close(self) -> None:
        """Nothing to let go."""


class RecentReader:
    """An open file of which the last samples that were read stay in memory.

    Two who go through the audio side by side, one a little behind the other, decode it once.

    Parameters
    ----------
    reader : AudioReader
        The file; whoever opened it closes it.
    keep_s : float
        Seconds before a read that are kept for the next.
    """

    def __init__(self, reader: AudioReader, keep_s: float) -> None:
        self._reader = reader
        self._keep = round(keep_s * reader.info.sample_rate_hz)
        self._start, self._kept = 0, np.empty(0, dtype=np.float32)

    @property
    def info(self) -> AudioInfo:
        """What the file says of itself."""
        return self._reader.info

    @property
    def ended_at(self) -> int | None:
        """Where the audio broke off, if a read has found that."""
        return self._reader.ended_at

    @property
    def seeks(self) -> bool:
        """Whether going back is cheap."""
        return self._reader.seeks

    def read(self, start: int, count: int) -> Float32:
        """Samples ``start`` to ``start + count``; only what is not in memory is decoded.

        Parameters
        ----------
        start, count : int
            First sample and how many, at the file's own rate.
        """
        behind = self._start + len(self._kept)
        if not self._start <= start <= behind:  # elsewhere
            self._start, self._kept, behind = start, self._kept[:0], start
        if start + count > behind:
            more = self._reader.read(behind, start + count - behind)
            first = max(self._start, start - self._keep)
            self._kept = np.concatenate([self._kept[first - self._start :], more])
            self._start = first
        return self._kept[start - self._start :][:count]

    def close(self) -> None:
        """Forget what was kept."""
        self._kept = self._kept[:0]


def mono(channels: NDArray[np.float32]) -> Float32:
    """Mean over the channels that hold sound.

    A sample that is not a number does not count, nor does a whole channel of them. Channels in
    opposite phase cancel out in the mean: then the loudest one stands for all.

    Parameters
    ----------
    channels : float32 [n, channels]
        Interleaved audio.

    Returns
    -------
    float32 [n]
    """
    count = channels.shape[1]
    with np.errstate(invalid="ignore", over="ignore"):  # the next lines handle damaged floats
        # As a product of matrices some 40 times as fast as mean(axis=1) on interleaved stereo.
        total: Float32 = channels @ np.full(count, 1 / count, dtype=np.float32)
        power = _power(total)
        # Looked at by its sum, which is needed anyway: infinite or no number if any sample is.
        if not np.isfinite(power):
            good = np.isfinite(channels)
            # Only now, because np.where over every file would cost more than the sum.
            channels = np.where(good, np.clip(channels, -_DAMAGE, _DAMAGE), np.float32(0))
            total = channels.sum(axis=1) / np.maximum(good.sum(axis=1), 1, dtype=np.float32)
            power = _power(total)
        every = _power(channels) if count > 1 else power
    # For equal channels power * count is just every; for opposite ones it is 0.
    if count > 1 and power * count < _CANCELLED * every:
        loudest = max(range(count), key=lambda i: _power(channels[:, i]))
        total = channels[:, loudest].copy()
    return np.clip(total, -_MAX_LEVEL, _MAX_LEVEL, out=total)


def _power(samples: Float32) -> float:
    return float(np.vdot(samples, samples))


def no_file(path: Path, error: OSError) -> DecodeError:
    """Why a file that was there could not be opened.

    Parameters
    ----------
    path : Path
        The file.
    error : OSError
        What was raised.
    """
    if isinstance(error, FileNotFoundError):
        return DecodeError(path, "missing", DISAPPEARED)
    if isinstance(error, PermissionError) and not os.access(path, os.R_OK):
        return DecodeError(path, "permission-denied", why_unreadable(path, error))
    return DecodeError(path, "unreadable", why_unreadable(path, error))


def plain(error: Exception, path: Path) -> str:
    """One line of what a decoder said, without the file's name, which the message has already.

    Parameters
    ----------
    error : Exception
        What was raised.
    path : Path
        The file.
    """
    text = getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)
    said = " ".join(str(text).replace(repr(os.path.abspath(path)), "it").split()).rstrip(".")
    return said[:1].lower() + said[1:] if said[1:2].islower() else said
