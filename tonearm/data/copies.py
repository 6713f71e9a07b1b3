"""Copies of one recording: what counts as a copy, and how copies are found.

Two files hold one recording if their sound keys are equal, or if they sound the same. The latter is
decided in one of two ways, and the thresholds of both are here:

- By fingerprint, if the whole audio is decoded anyway (``tonearm prepare`` and ``audit``): other
  encodings, levels, speeds and beginnings, and excerpts of long files. The fingerprint is that of
  Haitsma & Kalker (ISMIR 2002): the sign of the difference of band energies over bands and time,
  32 bits every 32 ms. Equal codes are found in a sorted list, so that no pair of tracks is compared
  that has none. Around each of them, a stretch of 6 s is compared bit by bit.
- By embeddings, if nothing else is available (the library, ``tonearm train``): other encodings and
  levels of the same length are found, excerpts are not.

Must not read files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.audio import resample
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.features import FeatureSpec, mel_power

Codes = NDArray[np.uint32]
Floats = NDArray[np.floating[Any]]
Places = NDArray[np.int64]
Owners = NDArray[np.int32]

# 4 kHz, so that encoders' low-passes do not matter; 33 bands give 32 differences. Windows of 0.4 s
# overlap by eleven twelfths, so that it matters little where between two frames a copy begins.
_SPEC = FeatureSpec(
    sample_rate_hz=4_000,
    n_fft=1_536,
    hop_samples=128,
    mel_bands=33,
    mel_low_hz=180.0,
    mel_high_hz=1_750.0,
    window_frames=1,
    scale="db",
)
# Sampled at these rates and read as one of 4 kHz, a sound is 0, 1 and 2 % faster. A code survives
# half a percent of speed, so these reach copies that are up to 2 % faster; slower ones are found
# from the other side.
_RATES_HZ = (4_000, 3_960, 3_922)
# The rate in between saves resampling three times from 44.1 kHz.
_FIRST_RATE_HZ = 8_000
# Copies made by code (encoded at 24 kbit/s, 2 % faster, 30 dB down, in a mix) reach .13 at most;
# 1,953 pairs of different pieces, .43 at the least (`runs/find_copies.py`).
MOST_WRONG = 0.3
# What is compared around equal codes. Of 6 s, 3 s of one sound must be in common: less is a jingle,
# a sample, or chance.
_STRETCH_FRAMES = 188
_LEAST_FRAMES = 94
# Frames next to each other are alike: every fourth says as much as all.
_STEP = 4
# A code that occurs in many tracks (a held note, near silence) is no evidence, and comparing all
# pairs of its places would take forever.
_MOST_SHARED = 64
_HITS_AT_ONCE = 500_000
# Without encoder delay, copies in other encodings have the same length to a millisecond.
COPY_LENGTH_S = 0.1
# Distance of the square roots of mean embeddings. Transcodes of 24 tracks (AAC 96 kb/s, Opus 64
# kb/s) lay within .12 of each other in 9 of 10 cases; different whole tracks .16 apart or more.
COPY_DISTANCE = 0.12
# What counts as the very same recording where nothing but the mean of excerpts is known: different
# clips of GTZAN lie .072 apart or more (443 training clips, 98,000 pairs).
LEAK_DISTANCE = 0.06
# Mean distance of the square roots of windows that begin at the same time. MP3 and Ogg of the
# lowest quality lay .22 from the original in half of 120 cases; different clips, .30 or more (60
# clips of GTZAN, 1,770 pairs, ten windows each; by two windows alone, .20).
WINDOW_DISTANCE = 0.22
# If means are farther apart, the windows are not compared one by one, which saves time.
_FAR_MEAN = 0.25
# Fewer windows, or windows within a shorter time, prove nothing.
_FEWEST_WINDOWS = 4
_LEAST_SPAN_S = 6.0


def fingerprint(samples: NDArray[np.float32], sample_rate_hz: int) -> Codes:
    """Codes of mono audio at three speeds, uint32 [3, frames]; 0 in silence and past the end.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio.
    sample_rate_hz : int
        Of the samples.
    """
    samples = resample(samples, sample_rate_hz, _FIRST_RATE_HZ)
    rows = [_codes(resample(samples, _FIRST_RATE_HZ, rate_hz)) for rate_hz in _RATES_HZ]
    codes = np.zeros((len(rows), len(rows[0])), dtype=np.uint32)  # (speeds, frames)
    for row, found in zip(codes, rows, strict=True):
        row[: len(found)] = found
    return codes


def _codes(samples: NDArray[np.float32]) -> Codes:
    """Codes [frames] of audio at 4 kHz."""
    power = mel_power(samples, _SPEC)
    if len(power) < 2:
        return np.empty(0, dtype=np.uint32)
    level = np.log(power + np.float32(1e-10))
    # Differences over bands cancel equalisers, differences over time cancel level.
    bits = np.diff(np.diff(level, axis=1), axis=0) > 0  # (frames - 1, 32)
    codes: Codes = np.packbits(bits, axis=1).view(">u4")[:, 0].astype(np.uint32)
    return codes


@dataclass(frozen=True)
class _Tape:
    """The codes of all tracks one after the other: codes, and the track of each frame, [frames]."""

    codes: Codes
    owner: Owners  # half of int64, for there are 75 million frames in 10,000 songs
    begins: Places  # [tracks + 1]

    @classmethod
    def of(cls, rows: list[Codes]) -> _Tape:
        lengths = [len(row) for row in rows]
        owner = np.repeat(np.arange(len(rows), dtype=np.int32), lengths)
        return cls(np.concatenate(rows), owner, np.cumsum([0, *lengths]))


def find(fingerprints: Mapping[str, Codes]) -> list[tuple[str, str]]:
    """Find pairs of tracks that hold the same recording, or a part of it.

    Parameters
    ----------
    fingerprints : mapping of str to uint32 [speeds, frames]
        Codes of each track (:func:`fingerprint`), by its name; those at the sound's own speed
        come first, and may be alone: uint32 [frames].
    """
    names = list(fingerprints)
    pairs: set[tuple[int, int]] = set()
    for one, other, wrong in _compared([np.atleast_2d(codes) for codes in fingerprints.values()]):
        copies = wrong < MOST_WRONG
        found = np.stack([one[copies], other[copies]], axis=1)
        pairs.update((min(a, b), max(a, b)) for a, b in np.unique(found, axis=0).tolist())
    return [(names[a], names[b]) for a, b in sorted(pairs)]


def least_wrong(fingerprints: Mapping[str, Codes]) -> float:
    """Smallest fraction of bits that differ between two of the tracks; 1.0 without equal codes.

    Parameters
    ----------
    fingerprints : mapping of str to uint32 [speeds, frames]
        As :func:`find` takes them.
    """
    codes = [np.atleast_2d(each) for each in fingerprints.values()]
    return min((float(wrong.min(initial=1.0)) for *_, wrong in _compared(codes)), default=1.0)


def _compared(codes: list[Codes]) -> Iterator[tuple[Owners, Owners, Floats]]:
    """Two tracks, and the fraction of bits that differ, wherever codes of them are equal."""
    if not codes:
        return
    tape = _Tape.of([each[0] for each in codes])
    order = np.argsort(tape.codes, kind="stable")
    order = order[tape.codes[order] != 0]
    for speed in range(max(map(len, codes))):
        asked = _Tape.of([each[speed] if speed < len(each) else each[0][:0] for each in codes])
        for here, there in _equal_codes(asked, tape, order):
            one, other = asked.owner[here], tape.owner[there]
            # At its own speed, a pair of tracks is seen from both sides.
            wanted = one < other if speed == 0 else one != other
            wrong = _fraction_wrong(asked, tape, here[wanted], there[wanted])
            yield one[wanted], other[wanted], wrong


def _equal_codes(asked: _Tape, tape: _Tape, order: Places) -> Iterator[tuple[Places, Places]]:
    """Places in ``asked`` and in ``tape`` that have one code, a piece at a time.

    ``order`` are the places of the tape, sorted by their codes.
    """
    # A code that a held note repeats is looked up once.
    fresh = np.flatnonzero((asked.codes != 0) & (np.diff(asked.codes, prepend=np.uint32(0)) != 0))
    # Sorted, so that what is looked up one after the other lies next to each other.
    places = fresh[np.argsort(asked.codes[fresh], kind="stable")]
    known = tape.codes[order]
    first = np.searchsorted(known, asked.codes[places], side="left")
    counts = np.searchsorted(known, asked.codes[places], side="right") - first
    evident = (counts > 0) & (counts <= _MOST_SHARED)
    places, first, counts = places[evident], first[evident], counts[evident]
    total = np.cumsum(counts)
    pieces = np.arange(0, counts.sum(), _HITS_AT_ONCE)
    for begin, end in pairwise([*np.searchsorted(total, pieces), len(places)]):
        many = counts[begin:end]
        here = np.repeat(places[begin:end], many)
        nth = np.arange(len(here)) - np.repeat(np.cumsum(many) - many, many)
        yield here, order[np.repeat(first[begin:end], many) + nth]


def _fraction_wrong(asked: _Tape, tape: _Tape, here: Places, there: Places) -> Floats:
    """Fraction of bits that differ in the stretch around each pair of places, [places].

    1.0 where the tracks overlap for less than 3 s of sound.
    """
    one, other = asked.owner[here], tape.owner[there]
    back = np.minimum(here - asked.begins[one], there - tape.begins[other])
    ahead = np.minimum(asked.begins[one + 1] - here, tape.begins[other + 1] - there)
    # Around the place, but within both tracks.
    start = np.maximum(-back, np.minimum(-_STRETCH_FRAMES // 2, ahead - _STRETCH_FRAMES))
    wrong = np.zeros(len(here), dtype=np.int64)
    sounding = np.zeros(len(here), dtype=np.int64)
    for step in range(0, _STRETCH_FRAMES, _STEP):
        at = start + step
        inside = at < ahead
        a = asked.codes[np.where(inside, here + at, here)]
        b = tape.codes[np.where(inside, there + at, there)]
        inside &= (a != 0) & (b != 0)
        wrong += np.bitwise_count(a ^ b) * inside
        sounding += inside
    enough = sounding * _STEP >= _LEAST_FRAMES
    return np.where(enough, wrong / np.maximum(32 * sounding, 1), 1.0)


def lengths_agree(one_s: Floats | float, other_s: float) -> NDArray[np.bool_]:
    """Whether two lengths in seconds fit copies.

    Parameters
    ----------
    one_s : float or float64 [n]
        Lengths.
    other_s : float
        The length they are compared with.
    """
    return np.asarray(np.abs(np.asarray(one_s) - other_s) <= COPY_LENGTH_S)


def embeddings_agree(points: Floats, point: Floats) -> NDArray[np.bool_]:
    """Whether square roots of mean embeddings [n, d] are as near to one [d] as copies are.

    Parameters
    ----------
    points : float64 [n, d]
        Of many tracks.
    point : float64 [d]
        Of the track they are compared with.
    """
    return np.asarray(np.linalg.norm(points - point, axis=1) < COPY_DISTANCE)


def same_mean(points: Floats, point: Floats) -> NDArray[np.bool_]:
    """Whether square roots of mean embeddings [n, d] are so near to one [d] that a leak is certain.

    Nearer than `embeddings_agree` asks for: songs of one artist lie .07 apart at the nearest.

    Parameters
    ----------
    points : float64 [n, d]
        Of many tracks.
    point : float64 [d]
        Of the track they are compared with.
    """
    return np.asarray(np.linalg.norm(points - point, axis=1) < LEAK_DISTANCE)


def find_by_embeddings(tracks: Mapping[str, StoredEmbeddings]) -> list[tuple[str, str]]:
    """Find pairs of tracks of the same length whose windows sound the same.

    Means do not distinguish excerpts of one length, such as GTZAN's 30 s: 32 pairs of its 443
    training clips lie within `COPY_DISTANCE`. So the windows are compared one by one.

    Parameters
    ----------
    tracks : mapping of str to StoredEmbeddings
        By the track's name.
    """
    # By length, so that only neighbours need be compared.
    names = sorted(tracks, key=lambda name: tracks[name].duration_s)
    if len(names) < 2:
        return []
    lengths_s = np.array([tracks[name].duration_s for name in names])
    points = np.stack([np.sqrt(np.maximum(_mean(tracks[name]), 0)) for name in names])
    pairs = []
    for i, name in enumerate(names):
        stop = int(np.searchsorted(lengths_s, lengths_s[i] + COPY_LENGTH_S, side="right"))
        near = np.linalg.norm(points[i + 1 : stop] - points[i], axis=1) < _FAR_MEAN
        others = [names[j] for j in i + 1 + np.flatnonzero(near)]
        pairs += [(name, each) for each in others if _windows_agree(tracks[name], tracks[each])]
    return pairs


def _mean(track: StoredEmbeddings) -> Floats:
    return np.asarray(track.values.astype(np.float32).mean(axis=0))


def _windows_agree(one: StoredEmbeddings, other: StoredEmbeddings) -> bool:
    """Whether the windows that begin at the same time sound the same."""
    if one.starts_s is None or other.starts_s is None:
        return False
    apart_s = np.abs(one.starts_s[:, None] - other.starts_s)
    of_one, of_other = np.nonzero(apart_s <= COPY_LENGTH_S)
    if len(of_one) < _FEWEST_WINDOWS or np.ptp(one.starts_s[of_one]) < _LEAST_SPAN_S:
        return False
    roots = [
        np.sqrt(np.maximum(values.astype(np.float32), 0))
        for values in (one.values[of_one], other.values[of_other])
    ]
    return bool(np.linalg.norm(roots[0] - roots[1], axis=1).mean() < WINDOW_DISTANCE)
