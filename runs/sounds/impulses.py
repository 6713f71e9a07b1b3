"""Short sounds in a row: clicks, knocks, steps, shots, applause, metal and glass."""

from __future__ import annotations

import numpy as np

from runs.sounds.shaping import (
    HIGHEST_HZ,
    LENGTH,
    Rng,
    Signal,
    add_at,
    arrivals,
    band_passed,
    burst,
    coloured,
    in_room,
    ringing,
    samples_of,
    white_noise,
)


def clicks(rng: Rng) -> Signal:
    """Regular clicks."""
    sound = np.zeros(LENGTH)
    sound[rng.integers(0, 2000) :: samples_of(rng.uniform(0.05, 1.5))] = 1
    return band_passed(sound, rng.uniform(50, 1500), rng.uniform(2500, HIGHEST_HZ))


def metronome(rng: Rng) -> Signal:
    """A wooden tick, 50 to 200 a minute."""
    sound = np.zeros(LENGTH)
    tick = ringing(rng, rng.uniform(800, 4000, 3), 0.01, 0.08)
    for start in range(0, LENGTH, samples_of(rng.uniform(0.3, 1.2))):
        add_at(sound, start, tick)
    return sound


def knocks(rng: Rng) -> Signal:
    """Somebody at the door."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, rng.uniform(0.5, 4)):
        loudness = rng.uniform(0.3, 1)
        add_at(sound, start, loudness * ringing(rng, rng.uniform(60, 600, 5), 0.03, 0.2))
    return sound


def footsteps(rng: Rng) -> Signal:
    """Steps, not quite even."""
    sound = np.zeros(LENGTH)
    for start in range(0, LENGTH, samples_of(rng.uniform(0.3, 0.8))):
        step = burst(rng, samples_of(rng.uniform(0.05, 0.2)), 6)
        step = band_passed(step, rng.uniform(60, 400), rng.uniform(800, 5000))
        late = rng.integers(0, 800)
        add_at(sound, start + late, step * rng.uniform(0.5, 1))
    return sound


def typing(rng: Rng) -> Signal:
    """A keyboard in a quiet room."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, rng.uniform(3, 10)):
        key = band_passed(burst(rng, samples_of(rng.uniform(0.01, 0.05)), 7), 700, 6500)
        add_at(sound, start, key * rng.uniform(0.3, 1))
    room = 0.01 * coloured(rng, 0.5) / coloured(rng, 0.5).std()
    return sound + room * rng.uniform(0, 1)


def applause(rng: Rng) -> Signal:
    """Few hands or many, in a hall."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, rng.uniform(40, 400)):
        clap = band_passed(burst(rng, 400, 7), rng.uniform(500, 1500), rng.uniform(2000, 5000))
        add_at(sound, start, clap * rng.uniform(0.1, 1))
    return in_room(rng, sound, rng.uniform(0.1, 0.8))


def gunshots(rng: Rng) -> Signal:
    """Single shots or a volley."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, rng.uniform(0.4, 8)):
        length = samples_of(rng.uniform(0.1, 0.7))
        shot = coloured(rng, rng.uniform(0.2, 0.9), length) * np.exp(-np.linspace(0, 7, length))
        add_at(sound, start, shot * rng.uniform(0.3, 1))
    return in_room(rng, sound, rng.uniform(0.1, 1.2))


def explosion(rng: Rng) -> Signal:
    """Low, long, far from each other."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, 0.35):
        length = samples_of(rng.uniform(1, 4))
        rumble = coloured(rng, rng.uniform(0.7, 1.3), length)
        add_at(sound, start, rumble / rumble.std() * np.exp(-np.linspace(0, 6, length)))
    return sound + 0.002 * white_noise(rng)


def clang(rng: Rng) -> Signal:
    """Metal on metal: a dozen partials out of tune."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, rng.uniform(0.4, 3)):
        loudness, partials_hz = rng.uniform(0.3, 1), rng.uniform(300, 6500, 12)
        add_at(sound, start, loudness * ringing(rng, partials_hz, rng.uniform(0.05, 0.5), 1.5))
    return in_room(rng, sound, rng.uniform(0.1, 0.6))


def glass(rng: Rng) -> Signal:
    """Breaks, and its shards fall."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, 0.6):
        for _ in range(rng.integers(8, 40)):
            later, loudness = int(rng.exponential(2500)), rng.uniform(0.1, 1)
            shard = ringing(rng, rng.uniform(2000, 7500, 4), 0.03, 0.15)
            add_at(sound, start + later, loudness * shard)
    return sound
