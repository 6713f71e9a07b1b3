"""Copies of one recording, found by how it sounds: other encodings, levels, beginnings, cuts.

The fingerprint of Haitsma & Kalker (ISMIR 2002): the sign of the difference over bands and time
of band energies, 32 bits every 32 ms. Two tracks are compared where codes of theirs are equal;
they are copies when fewer than `MOST_WRONG` of the bits differ over the stretch they share.
Must not read files.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tonearm.audio import resample
from tonearm.features import FeatureSpec, mel_power

Codes = NDArray[np.uint32]

# 8 kHz, so that encoders' low-passes do not matter; 33 bands give 32 differences.
_SPEC = FeatureSpec(
    sample_rate_hz=8_000,
    n_fft=2_048,
    hop_samples=256,
    mel_bands=33,
    mel_low_hz=200.0,
    mel_high_hz=2_000.0,
    window_frames=1,
    scale="db",
)
_LONGEST_S = 120
# Measured on GTZAN: one recording as mp3 of 24-32 kbit/s .16, Ogg .09, cut anywhere .01 (worst of
# 12); the best of 400 offsets between different recordings .48.
MOST_WRONG = 0.3
# Shorter overlaps than 3 s are a jingle, a sample, or chance.
_LEAST_FRAMES = 94
# A code that many tracks share (a held note, near silence) tells nothing.
_MOST_SHARED = 64


def fingerprint(samples: NDArray[np.float32], sample_rate_hz: int) -> Codes:
    """Codes of mono audio, uint32 [frames], of its first two minutes; 0 where all is still."""
    samples = samples[: _LONGEST_S * sample_rate_hz]
    power = mel_power(resample(samples, sample_rate_hz, _SPEC.sample_rate_hz), _SPEC)
    if len(power) < 2:
        return np.empty(0, dtype=np.uint32)
    level = np.log(power + np.float32(1e-10))
    bits = np.diff(np.diff(level, axis=1), axis=0) > 0
    codes: Codes = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    return codes


def share_wrong(a: Codes, b: Codes, offset: int) -> float:
    """Share of bits that differ where frame i of ``b`` lies on frame i + offset of ``a``.

    1.0 where they share less than 3 s that are not still.
    """
    a, b = a[max(0, offset) :], b[max(0, -offset) :]
    length = min(len(a), len(b))
    embeddings = (a[:length] != 0) & (b[:length] != 0)
    if embeddings.sum() < _LEAST_FRAMES:
        return 1.0
    return float(np.bitwise_count(a[:length] ^ b[:length])[embeddings].mean() / 32)


def find(fingerprints: Mapping[str, Codes]) -> list[tuple[str, str]]:
    """Pairs of names whose tracks hold one recording, or a part of it."""
    names = list(fingerprints)
    if not names:
        return []
    codes = np.concatenate([fingerprints[name] for name in names])
    lengths = [len(fingerprints[name]) for name in names]
    owner = np.repeat(np.arange(len(names)), lengths)
    frame = np.concatenate([np.arange(length) for length in lengths])
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] != 0]
    edges = np.flatnonzero(np.diff(codes[order]) != 0) + 1
    runs = np.split(order, edges)
    votes: dict[tuple[int, int], dict[int, int]] = {}
    for places in runs:
        if not 2 <= len(places) <= _MOST_SHARED:
            continue
        for i, one in enumerate(places):
            for other in places[i + 1 :]:
                if owner[one] != owner[other]:
                    a, b = (one, other) if owner[one] < owner[other] else (other, one)
                    offsets = votes.setdefault((int(owner[a]), int(owner[b])), {})
                    offset = int(frame[a] - frame[b])
                    offsets[offset] = offsets.get(offset, 0) + 1
    pairs = []
    for (a, b), offsets in votes.items():
        # A frame more or less: the encoder's delay falls between two frames.
        likely = sorted(offsets, key=lambda offset: -offsets[offset])[:3]
        if any(
            share_wrong(fingerprints[names[a]], fingerprints[names[b]], offset) < MOST_WRONG
            for offset in likely
        ):
            pairs.append((names[a], names[b]))
    return pairs
