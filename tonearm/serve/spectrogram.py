"""What a track looks like: its spectrogram and waveform in so many columns, small enough to send.

Opened and decoded once, from beginning to end in bounded memory, with the front end of the model.
Imports nothing of the web framework.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio
from tonearm.audio.reader import AudioReader
from tonearm.errors import DecodeError
from tonearm.features import DYNAMIC_RANGE_DB, POWER_FLOOR, FeatureSpec, mel_power, power_to_db

MOST_COLUMNS = 1_000
_SHORTEST_COLUMN_S = 0.05
_BANDS_JOINED = 2  # neighbours: half of the data to send
_BLOCK_S = 20.0  # in memory at once, whatever the length


@dataclass(frozen=True)
class Picture:
    """A track as a picture.

    Parameters
    ----------
    duration_s : float
        What the width stands for.
    levels : uint8 [columns, bands]
        Mel power, 0 for 80 dB below the loudest, 255 for the loudest; band 0 is the lowest.
    peaks : uint8 [columns]
        Largest sample of each column, 255 for full scale.
    """

    duration_s: float
    levels: NDArray[np.uint8]
    peaks: NDArray[np.uint8]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, arrays in base64."""
        columns, bands = self.levels.shape
        return {
            "duration_s": round(self.duration_s, 3),
            "columns": columns,
            "bands": bands,
            "levels": base64.b64encode(self.levels.tobytes()).decode(),
            "peaks": base64.b64encode(self.peaks.tobytes()).decode(),
        }


def picture(
    path: str | os.PathLike[str],
    spec: FeatureSpec,
    *,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Picture:
    """Draw a file.

    Parameters
    ----------
    path : path
        An audio file.
    spec : FeatureSpec
        The front end.
    on_progress : callable
        Called with the fraction that is done; may raise to stop.

    Raises
    ------
    DecodeError
        When it cannot be decoded.
    """
    with audio.open_audio(path) as reader:
        return _drawn(reader, Path(path), spec, on_progress)


def _drawn(
    reader: AudioReader, path: Path, spec: FeatureSpec, on_progress: Callable[[float], None]
) -> Picture:
    rate_hz, duration_s = reader.info.sample_rate_hz, reader.info.duration_s
    columns = int(np.clip(duration_s / _SHORTEST_COLUMN_S, 1, MOST_COLUMNS))
    power = np.zeros((columns, spec.mel_bands), dtype=np.float64)
    frames = np.zeros(columns)  # frames that fell into each column
    peaks = np.zeros(columns, dtype=np.float32)
    read_s = 0.0
    for samples in audio.blocks(reader, block_s=_BLOCK_S):
        at = _columns(len(samples), read_s, rate_hz, duration_s, columns)
        # Where a column begins: its peak is the largest of its run of samples.
        starts = np.flatnonzero(np.diff(at, prepend=-1))
        np.maximum.at(peaks, at[starts], np.maximum.reduceat(np.abs(samples), starts))
        own = audio.resample(samples, rate_hz, spec.sample_rate_hz)
        if len(own) >= spec.n_fft:
            # Not centred: blocks would each be padded, and every seam would show.
            levels = mel_power(own, spec, centre=False)  # (frames, bands)
            middle_s = read_s + spec.n_fft / 2 / spec.sample_rate_hz
            at = _columns(len(levels), middle_s, 1 / spec.frame_s, duration_s, columns)
            np.add.at(power, at, levels)  # several frames may share a column
            np.add.at(frames, at, 1)
        read_s += len(samples) / rate_hz
        on_progress(min(1.0, read_s / max(duration_s, 1e-3)))
    if not read_s:
        raise DecodeError(path, "empty", "holds no sound: it ends after its header")
    known = np.flatnonzero(frames)
    if len(known):  # columns narrower than a frame show their neighbour's
        nearest = known[np.abs(known[:, None] - np.arange(columns)).argmin(axis=0)]
        power = power[nearest] / frames[nearest, None]
    # Means of neighbours; of an odd number of bands the highest is alone.
    first = np.arange(0, spec.mel_bands, _BANDS_JOINED)
    joined = np.add.reduceat(power, first, axis=1) / np.diff(first, append=spec.mel_bands)
    # 0 to 1: power_to_db ends at -80. Of silence all is as loud as the loudest, which is nothing.
    fractions = 1 + power_to_db(joined.astype(np.float32)) / DYNAMIC_RANGE_DB
    return Picture(
        duration_s,
        np.round(255 * np.clip(fractions, 0, 1) * (joined.max() > POWER_FLOOR)).astype(np.uint8),
        np.round(255 * np.clip(peaks, 0, 1)).astype(np.uint8),
    )


def _columns(
    count: int, start_s: float, rate_hz: float, duration_s: float, columns: int
) -> NDArray[np.int64]:
    """The column of each of ``count`` values that begin at ``start_s``."""
    at = (start_s + np.arange(count) / rate_hz) * (columns / max(duration_s, 1e-3))
    return np.clip(at.astype(np.int64), 0, columns - 1)
