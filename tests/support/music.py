"""Small folders of music made by code: genres that differ, clips that are their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 22_050


def clip(genre: int, seed: int, *, seconds: float = 4.0) -> np.ndarray:
    """A melody of decaying notes over noise; register, tempo and noise are the genre's."""
    rng = np.random.default_rng([genre, seed])
    n = round(seconds * RATE_HZ)
    samples = 0.01 * (1 + 3 * genre) * rng.standard_normal(n)
    begin = 0
    while begin < n:
        length = min(n - begin, round(RATE_HZ * (0.12 + 0.1 * genre) * rng.uniform(0.8, 1.25)))
        t = np.arange(length) / RATE_HZ
        pitch_hz = 180 * 2 ** (genre + rng.integers(0, 24) / 24)
        for partial in range(1, 5):
            phase = 2 * np.pi * pitch_hz * partial * t
            samples[begin : begin + length] += 0.2 / partial * np.sin(phase) * np.exp(-6 * t)
        begin += length
    return (0.8 * samples / np.abs(samples).max()).astype(np.float32)


def write(path: Path, samples: np.ndarray) -> Path:
    """A file of the format its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE_HZ)
    return path


def folder(root: Path, genres: list[str], clips: int, *, seconds: float = 4.0) -> Path:
    """``genre/Artist N - clip.wav``, every clip by its own artist."""
    for g, genre in enumerate(genres):
        for i in range(clips):
            name = f"Artist {genre}{i} - {i:02}.wav"
            write(root / genre / name, clip(g, i, seconds=seconds))
    return root
