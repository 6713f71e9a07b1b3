"""What every generated sound is built from: noise, filters, resonances, and when things happen.

A signal is float64 [n], mono at 22,050 Hz, at any level: ``make`` sets that in the end. Random
numbers are drawn from the generator handed in, in an order that is part of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from tonearm.features import TEXTURE_SPEC

Signal = NDArray[np.float64]
Rng = np.random.Generator
Maker = Callable[[Rng], Signal]

# The second encoder reaches to 11 kHz; the first, to 8.
SAMPLE_RATE_HZ = TEXTURE_SPEC.sample_rate_hz
# Two windows of the backbone and a little more.
DURATION_S = 6.05
LENGTH = int(SAMPLE_RATE_HZ * DURATION_S)
TIMES_S = np.arange(LENGTH) / SAMPLE_RATE_HZ
# Partials above this are left out, so that no harmonic folds back; noise may reach it, too.
HIGHEST_HZ = 10_500


def samples_of(seconds: float) -> int:
    """Whole samples in so many seconds."""
    return int(SAMPLE_RATE_HZ * seconds)


def full_scale(signal: Signal) -> Signal:
    """Peak at 1; silence stays silent."""
    return signal / (np.abs(signal).max() + 1e-12)


def log_uniform(rng: Rng, low_exponent: float, high_exponent: float) -> float:
    """A number between two powers of ten, its logarithm evenly distributed."""
    return float(10 ** rng.uniform(low_exponent, high_exponent))


def shaped(signal: Signal, gain: Callable[[Signal], Signal]) -> Signal:
    """Filtered by a gain that is a function of the frequencies in Hz."""
    frequencies_hz = np.fft.rfftfreq(len(signal), 1 / SAMPLE_RATE_HZ)
    return np.fft.irfft(np.fft.rfft(signal) * gain(frequencies_hz), len(signal))


def coloured(rng: Rng, slope: float, length: int = LENGTH) -> Signal:
    """Noise of amplitude f**-slope: 0 white, 0.5 pink, 1 brown; below 0 blue and violet."""
    return shaped(rng.standard_normal(length), lambda hz: np.maximum(hz, 20.0) ** -slope)


def white_noise(rng: Rng) -> Signal:
    """Noise of the same power everywhere."""
    return rng.standard_normal(LENGTH)


def band_passed(signal: Signal, low_hz: float, high_hz: float, order: int = 3) -> Signal:
    """Butterworth's gain at both ends, without its phase."""

    def gain(hz: Signal) -> Signal:
        below = (low_hz / np.maximum(hz, 1e-3)) ** (2 * order)
        return 1 / np.sqrt((1 + below) * (1 + (hz / high_hz) ** (2 * order)))

    return shaped(signal, gain)


def wander(rng: Rng, changes_per_s: float) -> Signal:
    """A curve within -1..1 through random points, so many a second."""
    points = max(4, int(LENGTH / SAMPLE_RATE_HZ * changes_per_s) + 3)
    places = np.linspace(0, points - 1, LENGTH)
    return np.interp(places, np.arange(points), rng.uniform(-1, 1, points))


def add_at(signal: Signal, start: int, sound: Signal) -> None:
    """Mix ``sound`` into ``signal`` in place; what reaches beyond the end is lost."""
    sound = sound[: max(0, len(signal) - start)]
    signal[start : start + len(sound)] += sound


def arrivals(rng: Rng, per_second: float) -> NDArray[np.int64]:
    """Samples at which something happens: one or more, as a Poisson process has them."""
    count = rng.poisson(per_second * DURATION_S) + 1
    return np.sort(rng.integers(0, LENGTH - 1, count))


def burst(rng: Rng, length: int, decay: float) -> Signal:
    """White noise that falls by ``decay`` nepers over its length."""
    return rng.standard_normal(length) * np.exp(-np.linspace(0, decay, length))


def ringing(rng: Rng, frequencies_hz: Signal, decay_s: float, seconds: float) -> Signal:
    """A struck body: partials of random strength, each dying away in its own time."""
    count = len(frequencies_hz)
    strengths = rng.uniform(0.2, 1, count)
    phases = rng.uniform(0, 6.3, count)
    lasting = rng.uniform(0.4, 1, count)
    times_s = np.arange(samples_of(seconds)) / SAMPLE_RATE_HZ
    sound = np.zeros(len(times_s))
    for hz, strength, phase, part in zip(frequencies_hz, strengths, phases, lasting, strict=True):
        wave = np.sin(2 * np.pi * hz * times_s + phase)
        sound += strength * wave * np.exp(-times_s / (decay_s * part))
    return sound


def in_room(rng: Rng, signal: Signal, reverberation_s: float) -> Signal:
    """Add a room whose echoes fall by 60 dB in that time."""
    length = samples_of(reverberation_s)
    response = rng.standard_normal(length) * 10 ** (-3 * np.linspace(0, 1, length))
    response[0] += 4  # the direct sound
    size = 1 << (len(signal) + len(response) - 1).bit_length()
    spectrum = np.fft.rfft(signal, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[: len(signal)]


def tone(hz: float) -> Signal:
    """One sine of the full length."""
    return np.sin(2 * np.pi * hz * TIMES_S)


def glide(hz: Signal) -> Signal:
    """A sine whose frequency follows a curve."""
    return np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ)


def harmonics(fundamental_hz: Signal | float, amplitudes: Iterable[float]) -> Signal:
    """A fundamental, steady or a curve [n], with its harmonics."""
    curve_hz = np.broadcast_to(np.asarray(fundamental_hz, dtype=np.float64), LENGTH)
    phase = 2 * np.pi * np.cumsum(curve_hz) / SAMPLE_RATE_HZ
    sound = np.zeros(LENGTH)
    for number, amplitude in enumerate(amplitudes, 1):
        sound += amplitude * np.sin(number * phase) * (number * curve_hz < HIGHEST_HZ)
    return sound
