"""Tags of clips that exist only as log-mel spectrograms of another front end.

GTZAN's valid clips without tags exist as log-mel spectrograms of 128 bands and 12.93 frames a
second, without their level. The encoder's front end is imitated from that (other bands, another
frame rate, a typical level), and the encoder runs on the imitation. A ridge regression, fitted on
clips that have both, turns its output into an estimate of the features of the true tags.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs.gtzan import read_split
from tonearm.features import GTZAN_SPEC, MUSICNN_SPEC, mel_filters
from tonearm.model.network import onnx_session
from tonearm.training.head_fit import POWER

Float64 = NDArray[np.float64]

CLIP_S = 30.0
PICTURE_FRAMES = 387.5  # per clip of 30 s, by the description of the data
# Median level of the 60 clips with audio, above that of their spectrograms, whose maximum is 0 dB.
LEVEL_DB = 19.8
WINDOWS = 5
RIDGE = 30.0


def hear_pictures(root: Path, backbone: bytes) -> dict[str, Float64]:
    """Features [50] that the encoder gives for each spectrogram of train and valid."""
    session = onnx_session(backbone)
    wanted = {*read_split(root, "train"), *read_split(root, "valid")}
    with np.load(root / "logmel_dev.npz") as file:
        pictures = dict(zip(file["name"].tolist(), file["logmel"], strict=True))
    embeddings = {}
    for clip in sorted(wanted & set(pictures)):
        (tags,) = session.run(None, {"features": imitate(pictures[clip])})
        embeddings[clip] = (tags.astype(np.float64) ** POWER).mean(axis=0)
    return embeddings


def imitate(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Windows [5, 187, 96] in the encoder's scale, of a spectrogram [128 bands, 387 frames]."""
    spec = MUSICNN_SPEC
    level_db = picture.astype(np.float64) / 256 * 80 - 80
    ours_hz, theirs_hz = _centres_hz(GTZAN_SPEC), _centres_hz(spec)
    bands = np.stack([np.interp(theirs_hz, ours_hz, frame) for frame in level_db.T])
    seen_s = (np.arange(picture.shape[1]) + 0.5) * CLIP_S / PICTURE_FRAMES
    wanted_s = np.arange(int(CLIP_S / spec.frame_s)) * spec.frame_s
    frames = np.stack([np.interp(wanted_s, seen_s, band) for band in bands.T], axis=1)
    features = np.log10(1 + 1e4 * 10 ** ((frames + LEVEL_DB) / 10)).astype(np.float32)
    starts = np.linspace(0, len(features) - spec.window_frames, WINDOWS).astype(int)
    return np.stack([features[i : i + spec.window_frames] for i in starts])


def regress(inputs: Float64, targets: Float64, new: Float64) -> Float64:
    """Ridge regression on standardised columns, applied to ``new``; features stay in 0..1."""
    mean, deviation = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    centre, spread = targets.mean(axis=0), targets.std(axis=0) + 1e-6
    x, y = (inputs - mean) / deviation, (targets - centre) / spread
    weight = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    return np.clip(((new - mean) / deviation) @ weight * spread + centre, 0, 1)


def _centres_hz(spec: object) -> Float64:
    """Mean frequency of each mel band, weighted by its filter."""
    filters = mel_filters(spec).astype(np.float64)  # type: ignore[arg-type]
    bins_hz = np.arange(filters.shape[1]) * spec.sample_rate_hz / spec.n_fft  # type: ignore[attr-defined]
    return filters @ bins_hz / np.maximum(filters.sum(axis=1), 1e-12)
