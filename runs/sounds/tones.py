"""Tones that stand and tones that glide: test signals, mains, telephones, sirens, modems."""

from __future__ import annotations

import numpy as np

from runs.sounds.shaping import (
    LENGTH,
    SAMPLE_RATE_HZ,
    TIMES_S,
    Rng,
    Signal,
    add_at,
    coloured,
    glide,
    harmonics,
    log_uniform,
    samples_of,
    tone,
    wander,
    white_noise,
)

# The keys of a telephone, rows and columns (ITU-T Q.23).
_KEYS_HZ = ((697, 770, 852, 941), (1209, 1336, 1477))
# Dial, ringing and engaged tones of several countries (ITU-T E.180).
_CALL_PAIRS_HZ = ((440, 480), (400, 450), (425, 425), (350, 440), (480, 620))
_BAUD = (75, 150, 300, 600, 1200)


def sine(rng: Rng) -> Signal:
    """One sine, 63 Hz to 6.3 kHz."""
    return tone(log_uniform(rng, 1.8, 3.8))


def several_sines(rng: Rng) -> Signal:
    """Two to six sines that have nothing to do with each other."""
    sound = np.zeros(LENGTH)
    for _ in range(rng.integers(2, 7)):
        sound += rng.uniform(0.2, 1) * tone(log_uniform(rng, 1.8, 3.8))
    return sound


def buzzer(rng: Rng) -> Signal:
    """One rich steady tone."""
    fundamental_hz = log_uniform(rng, 1.7, 3)
    return harmonics(fundamental_hz, rng.uniform(0.3, 1) ** np.arange(rng.integers(5, 30)))


def square(rng: Rng) -> Signal:
    """A square wave."""
    numbers = np.arange(1, 40)
    return harmonics(log_uniform(rng, 1.7, 3.3), (numbers % 2) / numbers)


def hum(rng: Rng) -> Signal:
    """Mains of 50 or 60 Hz with its harmonics and a little noise."""
    mains_hz = rng.choice([50.0, 60.0])
    amplitudes = rng.uniform(0, 1, 16) / np.arange(1, 17) ** rng.uniform(0.2, 1.5)
    return harmonics(mains_hz, amplitudes) + rng.uniform(0, 0.05) * coloured(rng, 0.3)


def beeps(rng: Rng) -> Signal:
    """One tone, on and off."""
    hz, period_s, duty = log_uniform(rng, 2.4, 3.6), rng.uniform(0.15, 1.5), rng.uniform(0.2, 0.8)
    return tone(hz) * ((TIMES_S % period_s) < period_s * duty)


def dial_tones(rng: Rng) -> Signal:
    """Somebody dials."""
    sound, start = np.zeros(LENGTH), 0
    while start < LENGTH:
        length = samples_of(rng.uniform(0.06, 0.3))
        times_s = np.arange(length) / SAMPLE_RATE_HZ
        row, column = (np.sin(2 * np.pi * rng.choice(hz) * times_s) for hz in _KEYS_HZ)
        add_at(sound, start, row + column)
        start += length + samples_of(rng.uniform(0.04, 0.4))
    return sound


def telephone(rng: Rng) -> Signal:
    """Ringing, engaged, or waiting to be dialled."""
    low_hz, high_hz = rng.choice(_CALL_PAIRS_HZ)
    on_s, off_s = rng.uniform(0.2, 2), rng.uniform(0.2, 3)
    period_s = on_s + off_s
    place_s = (TIMES_S + rng.uniform(0, period_s)) % period_s
    return (tone(low_hz) + tone(high_hz)) * (place_s < on_s)


def chirp(rng: Rng) -> Signal:
    """Sweeps up or down, again and again."""
    low_hz, high_hz = np.sort(10 ** rng.uniform(1.8, 3.85, 2))
    period_s = rng.uniform(0.3, 6)
    place = (TIMES_S % period_s) / period_s
    if rng.random() < 0.5:
        place = 1 - place
    return glide(low_hz * (high_hz / low_hz) ** place)


def siren(rng: Rng) -> Signal:
    """A fundamental that swings, slowly as a siren or fast as a yelp."""
    centre_hz, depth = rng.uniform(500, 1200), rng.uniform(0.1, 0.5)
    rate_hz = rng.uniform(0.15, 6)
    curve_hz = centre_hz * (1 + depth * np.sin(2 * np.pi * rate_hz * TIMES_S))
    return harmonics(curve_hz, rng.uniform(0.1, 0.7) ** np.arange(8))


def alarm(rng: Rng) -> Signal:
    """Two tones in turn."""
    first_hz, second_hz = 10 ** rng.uniform(2.6, 3.4, 2)
    period_s = rng.uniform(0.1, 1.2)
    curve_hz = np.where((TIMES_S % period_s) < period_s / 2, first_hz, second_hz)
    return harmonics(curve_hz, rng.uniform(0.1, 0.6) ** np.arange(6))


def modem(rng: Rng) -> Signal:
    """Random bits by frequency shift keying, on a line with noise."""
    length = int(SAMPLE_RATE_HZ / rng.choice(_BAUD))
    bits = np.repeat(rng.integers(0, 2, LENGTH // length + 1), length)[:LENGTH]
    centre_hz, shift_hz = rng.uniform(900, 2000), rng.uniform(100, 500)
    return glide(centre_hz + shift_hz * (2 * bits - 1)) + rng.uniform(0, 0.2) * white_noise(rng)


def theremin_drift(rng: Rng) -> Signal:
    """A voice-like tone that wanders over a decade and finds no note."""
    curve_hz = 10 ** (2.7 + 0.5 * wander(rng, rng.uniform(0.3, 3)))
    return harmonics(curve_hz, rng.uniform(0.1, 0.6) ** np.arange(5))
