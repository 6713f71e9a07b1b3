"""Audio from wherever it is: a path, a file object, or an array of any common layout.

Arrays are [n], [n, channels] or [channels, n] (the longer axis is time), floats in -1..1 or
integers, which are scaled by their type's range.
"""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from tonearm.audio import ArrayReader, AudioReader, open_audio
from tonearm.audio.reader import HIGHEST_HZ, LOWEST_HZ, MOST_CHANNELS, Float32, mono
from tonearm.errors import DecodeError
from tonearm.files import is_url, why_unreadable

Source = str | os.PathLike[str] | IO[bytes] | NDArray[Any]

# Floats may exceed full scale a little; ten times (+20 dB) are integers that nobody divided.
_HIGHEST_FLOAT = 10.0
_TEXT: type[Any] = io.TextIOBase


def mono_samples(array: NDArray[Any]) -> Float32:
    """Mono float32 [n] from samples of any layout and number type.

    Parameters
    ----------
    array : float or integer [n], [n, channels] or [channels, n]
        Audio; see above.

    Raises
    ------
    ValueError
        When it cannot be audio: no such shape, no such type, floats far beyond -1..1, or none that
        is a number.

    Examples
    --------
    >>> import numpy as np
    >>> mono_samples(np.array([[-32768, 0], [16384, 16384], [0, 0]], dtype=np.int16)).tolist()
    [-0.5, 0.5, 0.0]
    """
    scaled = _scaled(np.asarray(array))
    if scaled.ndim == 1:
        return mono(scaled[:, None])
    # An array whose shorter axis is longer than any recording has channels is not audio.
    if scaled.ndim != 2 or not 1 <= min(scaled.shape) <= MOST_CHANNELS:
        raise ValueError(
            f"an array of shape {scaled.shape} is not audio: it must be [n], [n, channels] or "
            "[channels, n]"
        )
    # A square array is [n, channels], as soundfile gives it.
    return mono(scaled.T if scaled.shape[0] < scaled.shape[1] else scaled)


def _scaled(array: NDArray[Any]) -> Float32:
    kind = array.dtype.kind
    if kind == "f":
        # `mono` deals with NaN and infinity, which must not decide the peak.
        finite = array[np.isfinite(array)]
        if array.size and not finite.size:
            raise ValueError("no sample is a finite number: the array is damaged, not silent")
        if finite.size and (peak := float(np.abs(finite).max())) > _HIGHEST_FLOAT:
            raise ValueError(
                f"samples reach {peak:.6g}; floats must lie in -1..1. "
                "Divide them by the full scale, or pass integers, which are scaled by their type"
            )
        return array.astype(np.float32)
    if kind not in "iu":
        raise ValueError(f"an array of {array.dtype} is not audio: it must hold floats or integers")
    _check_width(array)
    half = 2.0 ** (
        8 * array.dtype.itemsize - 1
    )  # of unsigned samples the middle, of signed the top
    return ((array.astype(np.float64) - (half if kind == "u" else 0)) / half).astype(np.float32)


def _check_width(array: NDArray[Any]) -> None:
    """Refuse samples of 16 bits in a wider type, as lists of numbers become: by it, silence."""
    if not array.size or array.dtype.itemsize < 4:
        return
    peak = max(int(array.max()), -int(array.min()))
    # Wider samples that are that faint (-96 dB and less) are a silence of 24 bits, say: those end
    # in zeros.
    if peak <= 2 ** (4 * array.dtype.itemsize) and (array & 0xFF).any():
        raise ValueError(
            f"samples of {array.dtype} reach only {peak:,}, which is silence by that type: convert "
            "them to the type that they were made as, such as array.astype(np.int16)"
        )


@dataclass(frozen=True)
class Opened:
    """Audio that is open: its reader, and the name it has in results and in errors."""

    reader: AudioReader
    path: str | None
    shown: str


@contextmanager
def open_source(source: Source, sample_rate_hz: float | None = None) -> Iterator[Opened]:
    """Open a file, a file object or an array.

    Parameters
    ----------
    source : path, binary file object or array
        A file object is read from where it stands, and left open.
    sample_rate_hz : float or None
        Of an array, in hertz; files state their own.

    Raises
    ------
    DecodeError
        When a file cannot be decoded.
    TypeError, ValueError
        When a file is open as text or given as bytes, an array is not audio, or its sample rate is
        missing.

    Examples
    --------
    >>> with open_source("midnight_walk.mp3") as opened:
    ...     opened.reader.info.sample_rate_hz
    44100
    """
    if isinstance(source, bytes | bytearray | memoryview):
        raise TypeError(
            "bytes are neither a path nor samples: wrap the bytes of a file in io.BytesIO"
        )
    if not isinstance(source, str | os.PathLike) and not hasattr(source, "read"):
        if np.ndim(source) == 0:
            raise TypeError(f"{source!r} is neither a path, a file open as 'rb', nor samples")
        rate_hz = _checked_rate(sample_rate_hz)
        yield Opened(ArrayReader(mono_samples(np.asarray(source)), rate_hz), None, "<samples>")
        return
    if sample_rate_hz is not None:
        raise ValueError("a file states its own sample rate: sample_rate_hz is for arrays")
    if isinstance(source, str | os.PathLike):
        # Words alone: an object of a store is a path by its own class, which opens it.
        if isinstance(source, str):
            _check_path(source)
        with open_audio(source) as reader:
            yield Opened(reader, os.fspath(source), os.fspath(source))
        return
    name = getattr(source, "name", None)  # a number for files opened by number
    known = name if isinstance(name, str) else None
    shown = known or "<file object>"
    with _as_file(cast("IO[bytes]", source)) as path:
        try:
            with open_audio(path) as reader:
                yield Opened(reader, known, shown)
        except DecodeError as error:  # nobody knows the temporary file
            raise DecodeError(shown, error.kind, error.reason.replace(path, shown)) from error


def _checked_rate(rate_hz: object) -> int:
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, Real | None):
        raise TypeError(f"a sample rate is a number of Hertz, not {rate_hz!r}")
    # Less is kilohertz by mistake; so written, NaN is refused too.
    if rate_hz is None or not LOWEST_HZ <= float(rate_hz) <= HIGHEST_HZ:
        raise ValueError(
            f"samples need a sample rate of {LOWEST_HZ:,} to {HIGHEST_HZ:,} Hz, not {rate_hz}"
        )
    return int(float(rate_hz))


def _check_path(path: str) -> None:
    """Name what only looks like a path; as a path, its words would be others."""
    if not path:
        raise DecodeError(path, "missing", "names no file")
    if is_url(path) and not os.path.exists(path):
        raise DecodeError(path, "missing", why_unreadable(path, FileNotFoundError()))


@contextmanager
def _as_file(source: IO[bytes]) -> Iterator[str]:
    """A temporary file with what is left to read: decoders seek, and open it more than once."""
    if isinstance(source, _TEXT):
        raise TypeError("the file is open as text: open it with mode 'rb'")
    handle, path = tempfile.mkstemp(prefix="tonearm-", suffix=".audio")
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(source, file)
        yield path
    finally:
        os.unlink(path)
