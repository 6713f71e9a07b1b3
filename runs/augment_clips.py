"""Clips changed in ways that do not change their genre: which tags change without a reason."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from tonearm.audio import resample
from tonearm.features import MUSICNN_SPEC, log_mel
from tonearm.model.network import onnx_session
from tonearm.training.head_fit import POWER

Samples = NDArray[np.float32]
WINDOWS = 4


def bass(samples: Samples, rate_hz: int, gain_db: float) -> Samples:
    """Amplify or attenuate everything below 800 Hz."""
    low = sosfilt(butter(1, 800, fs=rate_hz, output="sos"), samples)
    return (samples + (10 ** (gain_db / 20) - 1) * low).astype(np.float32)


def low_passed(samples: Samples, rate_hz: int) -> Samples:
    """Remove everything above 4 kHz."""
    return sosfilt(butter(4, 4_000, fs=rate_hz, output="sos"), samples).astype(np.float32)


def as_mp3(samples: Samples, rate_hz: int) -> Samples:
    """Encode as MP3 and decode."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


CHANGES: dict[str, Callable[[Samples, int], Samples]] = {
    "unchanged": lambda samples, _: samples,
    "6 % slower": lambda samples, rate_hz: resample(samples, rate_hz, int(rate_hz * 1.06)),
    "6 % faster": lambda samples, rate_hz: resample(samples, rate_hz, int(rate_hz * 0.94)),
    "bass + 6 dB": lambda samples, rate_hz: bass(samples, rate_hz, 6),
    "bass - 6 dB": lambda samples, rate_hz: bass(samples, rate_hz, -6),
    "12 dB quieter": lambda samples, _: samples * np.float32(0.25),
    "6 dB louder, clipped": lambda samples, _: np.clip(samples * 2, -1, 1),
    "low-passed": low_passed,
    "mp3": as_mp3,
}


def hear_changed(paths: list[Path], backbone: bytes) -> NDArray[np.float64]:
    """Features [changes, clips, 50] of each file under each change."""
    session = onnx_session(backbone)
    frames = MUSICNN_SPEC.window_frames
    embeddings = np.empty((len(CHANGES), len(paths), 50))
    for j, path in enumerate(paths):
        samples, rate_hz = soundfile.read(path, dtype="float32")
        for i, change in enumerate(CHANGES.values()):
            changed = resample(change(samples, rate_hz), rate_hz, MUSICNN_SPEC.sample_rate_hz)
            spectrogram = log_mel(changed, MUSICNN_SPEC)
            starts = np.linspace(0, len(spectrogram) - frames, WINDOWS).astype(int)
            features = np.stack([spectrogram[k : k + frames] for k in starts])
            (tags,) = session.run(None, {"features": features})
            embeddings[i, j] = (tags.astype(np.float64) ** POWER).mean(axis=0)
    return embeddings
