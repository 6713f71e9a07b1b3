"""Birds, crickets, calls, growls and flies."""

from __future__ import annotations

import numpy as np

from runs.sounds.shaping import (
    LENGTH,
    SAMPLE_RATE_HZ,
    TIMES_S,
    Rng,
    Signal,
    add_at,
    arrivals,
    coloured,
    full_scale,
    harmonics,
    in_room,
    samples_of,
    shaped,
    tone,
    wander,
)


def birds(rng: Rng) -> Signal:
    """Whistles that bend and quaver, each a few times."""
    sound = full_scale(coloured(rng, 0.5)) * rng.uniform(0, 0.03)
    for start in arrivals(rng, rng.uniform(0.5, 3)):
        base_hz, length = rng.uniform(1800, 6000), samples_of(rng.uniform(0.03, 0.25))
        repeats = rng.integers(1, 8)
        whistle = _whistle(rng, base_hz, length)
        for i in range(repeats):
            add_at(sound, start + int(i * length * rng.uniform(1.1, 1.8)), whistle)
    return sound


def _whistle(rng: Rng, base_hz: float, length: int) -> Signal:
    place = np.linspace(0, 1, length)
    bend = rng.uniform(-0.3, 0.3) * place
    depth = rng.uniform(0, 0.2)
    quaver = depth * np.sin(2 * np.pi * rng.uniform(0, 8) * place)
    wave = np.sin(2 * np.pi * np.cumsum(base_hz * (1 + bend + quaver)) / SAMPLE_RATE_HZ)
    return wave * np.hanning(length) * rng.uniform(0.2, 1)


def crickets(rng: Rng) -> Signal:
    """One to five, each with its own pitch and pulse."""
    sound = rng.uniform(0, 0.05) * full_scale(coloured(rng, 0.4))
    for _ in range(rng.integers(1, 6)):
        pitch_hz, pulse_hz = rng.uniform(2500, 6500), rng.uniform(20, 60)
        song_hz = rng.uniform(0.5, 3)
        pulses = np.maximum(0, tone(pulse_hz)) ** 2
        singing = np.sin(2 * np.pi * song_hz * TIMES_S + rng.uniform(0, 6)) > 0
        sound += tone(pitch_hz) * pulses * singing * rng.uniform(0.1, 1)
    return sound


def _throat(rng: Rng, pitch_hz: Signal, formants_hz: Signal, breath: float) -> Signal:
    """Pulses of a larynx and breath, through formants."""
    phase = np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    source = np.maximum(0, np.sin(2 * np.pi * phase)) ** 6
    source = source + breath * rng.standard_normal(len(pitch_hz))

    def gain(hz: Signal) -> Signal:
        total = np.zeros(len(hz))
        for formant_hz in formants_hz:
            total += np.exp(-(((hz - formant_hz) / (0.12 * formant_hz + 60)) ** 2))
        return total + 0.02

    return shaped(source - source.mean(), gain) * np.hanning(len(pitch_hz)) ** 0.4


def animal_calls(rng: Rng) -> Signal:
    """Barks, moos, bleats: one animal a clip."""
    sound = np.zeros(LENGTH)
    base_hz = 10 ** rng.uniform(1.9, 3)
    formants_hz = np.sort(10 ** rng.uniform(2.5, 3.6, 3))
    breath = rng.uniform(0, 0.8)
    for start in arrivals(rng, rng.uniform(0.4, 3)):
        length = samples_of(rng.uniform(0.08, 1.2))
        place = np.linspace(0, 1, length)
        arch = 1 + rng.uniform(0, 0.8) * np.sin(np.pi * place ** rng.uniform(0.4, 1.5))
        depth = rng.uniform(0, 0.06)
        shake_hz = rng.uniform(5, 30)
        shake = 1 + depth * np.sin(2 * np.pi * shake_hz * place * length / SAMPLE_RATE_HZ)
        call = _throat(rng, base_hz * arch * shake, formants_hz, breath)
        add_at(sound, start, call * rng.uniform(0.4, 1))
    return in_room(rng, sound, rng.uniform(0.05, 0.8))


def growl(rng: Rng) -> Signal:
    """Low, rough and long."""
    sound = np.zeros(LENGTH)
    for start in arrivals(rng, rng.uniform(0.3, 1)):
        length = samples_of(rng.uniform(0.5, 2.5))
        base_hz = rng.uniform(30, 110)
        unsteady = 0.4 * np.cumsum(rng.standard_normal(length)) / np.sqrt(length)
        pitch_hz = np.maximum(base_hz * (1 + unsteady), 15)
        formants_hz = np.sort(rng.uniform(200, 2500, 3))
        add_at(sound, start, _throat(rng, pitch_hz, formants_hz, rng.uniform(0.3, 1.5)))
    return in_room(rng, sound, rng.uniform(0.05, 1))


def insects(rng: Rng) -> Signal:
    """A fly that comes near and goes."""
    curve_hz = rng.uniform(100, 700) * (1 + 0.1 * wander(rng, 6))
    wings = harmonics(curve_hz, rng.uniform(0.5, 0.9) ** np.arange(14))
    return wings * (0.2 + np.abs(wander(rng, 1.5)))
