"""The JSON of the original scripts: MFCCs of each 3 s segment of a data set, with labels.

``tonearm prepare FOLDER --json FILE`` writes what the original ``preprocessing.py`` wrote:
``mapping`` (genres), and ``labels`` and ``mfcc`` of segments; and, which it did not, ``tracks`` and
``groups`` (artists) of segments, without which no honest split can be made. Must not import torch.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tonearm import audio
from tonearm.data.index import Index
from tonearm.data.splits import EXCERPTS
from tonearm.errors import DatasetError, DecodeError, writing
from tonearm.faults import Faults
from tonearm.features import GTZAN_SPEC, Float32, mel_power, mfcc, power_to_db
from tonearm.files import replacing

# As the original: GTZAN's clips are 30 s long.
TRACK_S = 30
COEFFICIENTS = 13


def segment_levels(samples: Float32) -> list[Float32]:
    """Log-mel of each 3 s segment of the first 30 s, as the original cut them.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio at 22,050 Hz.

    Returns
    -------
    list of float32 [130, bands]
        Absolute decibels, n_fft 2048, hop 512; a last segment that is too short is left out.
    """
    length = TRACK_S * GTZAN_SPEC.sample_rate_hz // EXCERPTS
    frames = -(-length // GTZAN_SPEC.hop_samples)  # 130: rounded up
    powers = (
        mel_power(samples[i * length : (i + 1) * length], GTZAN_SPEC) for i in range(EXCERPTS)
    )
    # Absolute decibels, as librosa's mfcc: not relative to a maximum.
    return [power_to_db(power, reference=1.0) for power in powers if len(power) == frames]


def segment_mfccs(samples: Float32) -> list[Float32]:
    """MFCCs of each segment of `segment_levels`, as the original computed them.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio at 22,050 Hz.

    Returns
    -------
    list of float32 [130, 13]
    """
    return [mfcc(level, coefficients=COEFFICIENTS) for level in segment_levels(samples)]


def write_json(
    made: Index,
    path: str | os.PathLike[str],
    *,
    on_done: Callable[[], None] = lambda: None,
) -> Faults:
    """Write the original's ``data.json``: ``mapping``, and ``labels`` and ``mfcc`` of segments.

    One track at a time goes to the file, which takes its place at the end.

    Parameters
    ----------
    made : Index
        The data set; its source must still hold the files.
    path : path
        The file to write.
    on_done : callable
        Called after each track.

    Returns
    -------
    list of (str, str)
        Files that could not be read, with the reason of each.
    """
    if not made.source:
        raise DatasetError("this data set came without audio, which --json needs")
    labels: list[int] = []
    tracks: list[str] = []
    groups: list[str] = []
    failed = Faults()
    with writing(path, DatasetError), replacing(path, "t") as file:
        file.write(f'{{"mapping": {json.dumps(made.labels)},\n"mfcc": [')
        for track in made.tracks:
            try:
                sound = audio.decode(Path(made.source) / track.name)
            except DecodeError as error:
                failed.add(track.name, error)
                continue
            rate_hz = GTZAN_SPEC.sample_rate_hz
            samples = audio.resample(sound.samples, sound.sample_rate_hz, rate_hz)
            for values in segment_mfccs(samples):
                file.write(",\n" if labels else "\n")
                # Four decimals are plenty: MFCCs go into the hundreds.
                file.write(json.dumps(np.round(values.astype(float), 4).tolist()))
                labels.append(made.labels.index(track.genre))
                tracks.append(track.name)
                groups.append(track.group)
            on_done()
        more = {"labels": labels, "tracks": tracks, "groups": groups}
        file.write(f"],\n{json.dumps(more)[1:]}\n")  # without the opening brace
    return failed
