"""Weather and water, engines and tools."""

from __future__ import annotations

import numpy as np

from runs.sounds.impulses import explosion
from runs.sounds.noise import crackle
from runs.sounds.shaping import (
    DURATION_S,
    HIGHEST_HZ,
    LENGTH,
    SAMPLE_RATE_HZ,
    TIMES_S,
    Rng,
    Signal,
    add_at,
    arrivals,
    band_passed,
    burst,
    coloured,
    full_scale,
    harmonics,
    in_room,
    ringing,
    samples_of,
    tone,
    wander,
    white_noise,
)
from runs.sounds.tones import buzzer


def rain(rng: Rng) -> Signal:
    """A hiss and single drops."""
    sound = band_passed(white_noise(rng), 400, HIGHEST_HZ) * 0.15
    for start in arrivals(rng, rng.uniform(50, 600)):
        # Drawn and not used: later draws of the built-in detector's sounds depend on the order.
        rng.integers(30, 200)
        drop = ringing(rng, rng.uniform(800, 6000, 1), 0.004, 0.012)
        add_at(sound, start, drop * rng.exponential(0.5))
    return sound


def wind(rng: Rng) -> Signal:
    """Gusts, with a whistle above."""
    gusts = 0.2 + np.abs(wander(rng, rng.uniform(0.3, 2)))
    low_hz = rng.uniform(80, 300)
    body = band_passed(coloured(rng, 0.8), low_hz, low_hz * rng.uniform(2, 6)) * gusts**2
    whistle = 0.3 * band_passed(coloured(rng, 0.6), 400, 900)
    return body + whistle * np.abs(wander(rng, 0.7))


def waves(rng: Rng) -> Signal:
    """A beach."""
    water = band_passed(coloured(rng, 0.5), 100, 5000)
    swing = np.sin(2 * np.pi * rng.uniform(0.1, 0.3) * TIMES_S + rng.uniform(0, 6))
    return water * (0.15 + np.maximum(0, swing) ** 2)


def thunder(rng: Rng) -> Signal:
    """Far claps, with or without rain."""
    return in_room(rng, explosion(rng), 2.0) + rain(rng) * rng.uniform(0, 0.5)


def stream(rng: Rng) -> Signal:
    """Bubbles, each a short rising sine."""
    sound = band_passed(coloured(rng, 0.4), 300, 4000) * 0.1
    for start in arrivals(rng, rng.uniform(20, 100)):
        length = samples_of(rng.uniform(0.01, 0.06))
        curve_hz = rng.uniform(400, 2500) * np.linspace(1, rng.uniform(1.1, 1.8), length)
        bubble = np.sin(2 * np.pi * np.cumsum(curve_hz) / SAMPLE_RATE_HZ) * np.hanning(length)
        add_at(sound, start, bubble * rng.exponential(0.4))
    return sound


def fire(rng: Rng) -> Signal:
    """Crackling over a low roar."""
    sparks = full_scale(crackle(rng))
    return sparks + full_scale(band_passed(coloured(rng, 0.9), 40, 800)) * rng.uniform(0.1, 0.6)


def engine(rng: Rng) -> Signal:
    """A motor under changing load."""
    base_hz, depth = rng.uniform(18, 140), rng.uniform(0, 0.5)
    curve_hz = base_hz * (1 + depth * wander(rng, rng.uniform(0.3, 2)))
    amplitudes = rng.uniform(0.2, 1, 40) / np.arange(1, 41) ** rng.uniform(0.3, 1.2)
    motor = full_scale(harmonics(curve_hz, amplitudes)) * (1 + 0.3 * white_noise(rng))
    return motor + rng.uniform(0.02, 0.4) * full_scale(coloured(rng, 0.6))


def motor_whine(rng: Rng) -> Signal:
    """A vacuum cleaner, a tram, a small drone."""
    base_hz, depth = rng.uniform(150, 1500), rng.uniform(0, 0.4)
    curve_hz = base_hz * (1 + depth * wander(rng, rng.uniform(0.3, 2)))
    whine = full_scale(harmonics(curve_hz, rng.uniform(0.3, 0.9) ** np.arange(12)))
    air = rng.uniform(0.05, 0.5) * full_scale(band_passed(white_noise(rng), 300, 6000))
    return whine + air


def fan(rng: Rng) -> Signal:
    """Moving air and the tone of the blades."""
    blades_hz = rng.uniform(60, 400)
    noise = coloured(rng, rng.uniform(0.3, 0.8))
    air = full_scale(band_passed(noise, 60, rng.uniform(1500, 6000)))
    air = air * (1 + 0.2 * np.sin(2 * np.pi * blades_hz / 8 * TIMES_S))
    return air + rng.uniform(0.05, 0.4) * harmonics(blades_hz, 0.5 ** np.arange(6))


def helicopter(rng: Rng) -> Signal:
    """Noise chopped by a rotor."""
    rotor = tone(rng.uniform(8, 22))
    chopped = coloured(rng, 0.7) * np.maximum(0, rotor) ** rng.integers(2, 9)
    return chopped + 0.2 * coloured(rng, 0.5)


def train(rng: Rng) -> Signal:
    """Wheels over rail joints, two axles each."""
    sound = full_scale(coloured(rng, 0.8)) * 0.3
    for joint_s in np.arange(0, DURATION_S, rng.uniform(0.5, 1.2)):
        for axle_s in (0, 0.12):
            knock = band_passed(burst(rng, 1500, 6), 100, 2500)
            add_at(sound, samples_of(joint_s + axle_s), knock)
    return sound


def drill(rng: Rng) -> Signal:
    """Strokes of noise over a buzz."""
    strokes_hz = rng.uniform(15, 60)
    noise = rng.standard_normal(LENGTH)
    return noise * (((TIMES_S * strokes_hz) % 1) < rng.uniform(0.1, 0.5)) + 0.3 * buzzer(rng)
