"""Noise of every colour, and what passes for silence."""

from __future__ import annotations

import numpy as np

from runs.sounds.shaping import (
    HIGHEST_HZ,
    LENGTH,
    Rng,
    Signal,
    arrivals,
    band_passed,
    coloured,
    log_uniform,
    wander,
    white_noise,
)
from runs.sounds.tones import hum


def white(rng: Rng) -> Signal:
    """White noise."""
    return white_noise(rng)


def pink(rng: Rng) -> Signal:
    """3 dB less for each octave."""
    return coloured(rng, 0.5)


def brown(rng: Rng) -> Signal:
    """6 dB less for each octave."""
    return coloured(rng, 1.0)


def blue(rng: Rng) -> Signal:
    """More toward the top."""
    return coloured(rng, -rng.uniform(0.3, 1))


def any_colour(rng: Rng) -> Signal:
    """From slightly blue to more than brown."""
    return coloured(rng, rng.uniform(-0.2, 1.4))


def band_noise(rng: Rng) -> Signal:
    """A band anywhere, a minor third to two and a half octaves wide."""
    low_hz = log_uniform(rng, 1.7, 3.5)
    noise = white_noise(rng)
    return band_passed(noise, low_hz, min(HIGHEST_HZ, low_hz * rng.uniform(1.2, 6)))


def hiss(rng: Rng) -> Signal:
    """Tape."""
    return band_passed(white_noise(rng), rng.uniform(1500, 4000), HIGHEST_HZ)


def swelling_noise(rng: Rng) -> Signal:
    """Noise that comes and goes."""
    noise = coloured(rng, rng.uniform(0, 1))
    return noise * (0.05 + np.abs(wander(rng, rng.uniform(0.3, 6))))


def radio_static(rng: Rng) -> Signal:
    """Between two stations."""
    noise = band_passed(white_noise(rng), 300, rng.uniform(2500, 5000))
    for start in arrivals(rng, rng.uniform(2, 15)):
        length = rng.integers(50, 2000)
        noise[start : start + length] *= rng.uniform(0, 4)
    return noise


def crackle(rng: Rng) -> Signal:
    """An old record in its lead-out groove."""
    sound = coloured(rng, 0.4) * rng.uniform(0, 0.1) / 4
    for place in arrivals(rng, rng.uniform(5, 60)):
        sound[place] += rng.normal() * rng.exponential(3)
    return band_passed(sound, 80, 7000)


def silence(_: Rng) -> Signal:
    """Digital silence."""
    return np.zeros(LENGTH)


def dither(rng: Rng) -> Signal:
    """The last bit or two of a 16-bit recording."""
    return np.round(white_noise(rng) * rng.uniform(0.3, 2)) / 32768


def room_tone(rng: Rng) -> Signal:
    """A microphone in an empty room."""
    return coloured(rng, rng.uniform(0.3, 1.1))


def quiet_hum(rng: Rng) -> Signal:
    """A cable that picks up the mains."""
    return hum(rng)
