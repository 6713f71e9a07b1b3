"""Sounds made by code that are not music: for training and testing the out-of-domain detector.

    for sound in make(seed=0, per_kind=10): ...      # float32 [133402], mono, 22,050 Hz

61 kinds in nine families of close relatives, so that a whole family can be left out of training.
The same seed makes the same sounds, in any order and selection of kinds.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runs.sounds import animals, impulses, noise, outdoors, speech, tones
from runs.sounds.shaping import SAMPLE_RATE_HZ, Maker, full_scale

__all__ = ["FAMILIES", "FAMILY_OF", "SAMPLE_RATE_HZ", "Sound", "make"]


def _makers(module: object, names: str) -> dict[str, Maker]:
    return {name: getattr(module, name) for name in names.split()}


FAMILIES: dict[str, dict[str, Maker]] = {
    "noise": _makers(
        noise,
        "white pink brown blue any_colour band_noise hiss swelling_noise radio_static crackle",
    ),
    "tones": _makers(tones, "sine several_sines buzzer square hum beeps dial_tones telephone"),
    "glides": _makers(tones, "chirp siren alarm modem theremin_drift"),
    "impulses": _makers(
        impulses,
        "clicks metronome knocks footsteps typing applause gunshots explosion clang glass",
    ),
    "weather": _makers(outdoors, "rain wind waves thunder stream fire"),
    "machines": _makers(outdoors, "engine motor_whine fan helicopter train drill"),
    "animals": _makers(animals, "birds crickets animal_calls growl insects"),
    "silence": _makers(noise, "silence dither room_tone quiet_hum"),
    "speech": _makers(
        speech,
        "speech_english speech_other speech_room speech_phone speech_noise speech_whisper babble",
    ),
}
FAMILY_OF = {kind: family for family, makers in FAMILIES.items() for kind in makers}

# Peaks in dBFS: clips in turn quiet and loud, but for those whose level makes them what they are.
_QUIET_DBFS, _LOUD_DBFS = (-40.0, -12.0), (-12.0, -1.0)
_OWN_LEVEL_DBFS: dict[str, tuple[float, float] | None] = {
    "silence": None,
    "dither": None,
    "room_tone": (-75.0, -50.0),
    "quiet_hum": (-75.0, -50.0),
}


@dataclass(frozen=True)
class Sound:
    """One clip: its kind, the kind's family, and float32 [n] samples."""

    kind: str
    family: str
    samples: NDArray[np.float32]


def make(*, seed: int, per_kind: int, kinds: Collection[str] = tuple(FAMILY_OF)) -> Iterator[Sound]:
    """Sounds of each kind in turn.

    Parameters
    ----------
    seed : int
        The built-in detector learned from seed 0; measure with another one.
    per_kind : int
        Clips of a kind; of digital silence there is only one.
    kinds : collection of str
        Which, all by default.

    Raises
    ------
    DatasetError
        Before the first sound, when speech is among them and there is no espeak-ng.
    """
    if any(FAMILY_OF[kind] == "speech" for kind in kinds):
        speech.require()
    for kind, family in FAMILY_OF.items():
        if kind not in kinds:
            continue
        for number in range(1 if kind == "silence" else per_kind):
            yield Sound(kind, family, _clip(kind, seed, number))


def _clip(kind: str, seed: int, number: int) -> NDArray[np.float32]:
    """Clip ``number`` of a kind, from random numbers that are its own."""
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode()), number])
    samples = FAMILIES[FAMILY_OF[kind]][kind](rng)
    span_dbfs = _OWN_LEVEL_DBFS.get(kind, _LOUD_DBFS if number % 2 else _QUIET_DBFS)
    if span_dbfs is not None:
        samples = full_scale(samples) * 10 ** (rng.uniform(*span_dbfs) / 20)
    return samples.astype(np.float32)
