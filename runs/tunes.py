"""Music made by code: random tunes, chords and riffs, played by fluidsynth.

    for tune in make(seed=0, per_style=8): ...      # float32 [264600], mono, 22,050 Hz

They widen the detector's idea of music beyond the clips of GTZAN: orchestra, choir, lone
instruments, loud guitars. Nobody would call them good; all of them are notes, keys and beats.
The same for a seed, a version of fluidsynth and a soundfont (FluidR3, MIT).

    pip install mido; apt-get install fluidsynth fluid-soundfont-gm
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mido
import numpy as np
import soundfile
from numpy.typing import NDArray

from runs.compose.score import DRUM_CHANNEL, save_midi
from runs.compose.studio import SOUNDFONT_PATH, play, require
from tonearm.audio import resample
from tonearm.features import TEXTURE_SPEC

Rng = np.random.Generator
Whole = int | np.integer

SAMPLE_RATE_HZ = TEXTURE_SPEC.sample_rate_hz
DURATION_S = 12
# Notes go on a second longer, so that no tune ends before it is cut.
_COMPOSED_S = 13.0
_TICKS_PER_S = 960
# Major, minor, harmonic minor, Phrygian, major pentatonic: semitones above the key.
_SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 8, 11),
    (0, 1, 3, 5, 7, 8, 10),
    (0, 2, 4, 7, 9),
)
_FIRST_BASS = 32  # General MIDI programs from here on are no longer guitars
_MUTED_GUITAR = 27  # plays only on the beat
KICK, SNARE, HAT, CRASH, RIDE, TOM = 36, 38, 42, 49, 51, 41


@dataclass(frozen=True)
class Style:
    """Who plays (General MIDI programs), how fast, with which drums; riffs are for guitars."""

    programs: tuple[int, ...]
    beat_s: float
    drums: Literal["none", "battle", "metal", "rock"] = "none"

    @property
    def riffs(self) -> bool:
        """Whether everybody plays the riff, instead of one part each."""
        return self.drums in {"metal", "rock"}


STYLES = {
    "orchestra slow": Style((48, 49, 60, 52, 68, 73, 46), 0.9),
    "orchestra battle": Style((48, 61, 57, 47, 60, 44), 0.5, "battle"),
    "strings": Style((48, 42, 40), 0.6),
    "choir": Style((52, 53, 19), 0.9),
    "piano": Style((0, 0), 0.3),
    "harp, winds": Style((46, 73, 71, 68), 0.5),
    "acoustic guitar": Style((24, 25), 0.3),
    "metal": Style((30, 30, 34), 0.18, "metal"),
    "metal slow": Style((30, 29, 34), 0.4, "metal"),
    "rock": Style((29, 27, 33), 0.3, "rock"),
    "organ": Style((19, 19), 0.5),
    "brass": Style((61, 56, 58), 0.5),
}


@dataclass(frozen=True)
class Tune:
    """A style's name, and float32 [n] samples."""

    style: str
    samples: NDArray[np.float32]


class Score:
    """Notes of one tune while it is composed: key, scale, chords and tempo are drawn first."""

    def __init__(self, style: Style, rng: Rng) -> None:
        self.beat_s = style.beat_s * rng.uniform(0.75, 1.4)
        self._scale = _SCALES[rng.integers(len(_SCALES))]
        self._key = int(rng.integers(36, 48))
        chosen = tuple(p for p in style.programs if rng.random() < 0.75)
        self.programs = style.programs if style.riffs else chosen or style.programs[:1]
        self._roots = rng.integers(0, 6, 4)  # scale degrees of the chords of four bars
        self._events: list[tuple[float, int, mido.Message]] = []
        for channel, program in enumerate(self.programs):
            change = mido.Message("program_change", channel=channel, program=program)
            self._events.append((0.0, -1, change))

    def root(self, start_s: float) -> int:
        """Scale degree of the chord at that moment."""
        return int(self._roots[int(start_s / (self.beat_s * 4)) % 4])

    def pitch(self, degree: int, octave: int) -> int:
        """MIDI number of a scale degree; degrees go on beyond the octave."""
        octaves, step = divmod(degree, len(self._scale))
        return self._key + 12 * (octave + octaves) + self._scale[step]

    def add(
        self, channel: int, start_s: float, length_s: float, pitch: Whole, velocity: Whole
    ) -> None:
        """One note, kept within the range of instruments."""
        values = {"channel": channel, "note": int(np.clip(pitch, 20, 108))}
        loudness = int(np.clip(velocity, 20, 127))
        on = mido.Message("note_on", velocity=loudness, **values)
        off = mido.Message("note_off", velocity=0, **values)
        self._events += [(start_s, 1, on), (start_s + length_s * 0.98, 0, off)]

    def save(self, midi_path: Path) -> None:
        """Write it as MIDI."""
        ordered = sorted(self._events, key=lambda event: event[:2])
        ticks = [
            (int(start_s * _TICKS_PER_S), place, message)
            for place, (start_s, _, message) in enumerate(ordered)
        ]
        save_midi(ticks, midi_path, ticks_per_s=_TICKS_PER_S)


def compose(style: Style, rng: Rng) -> Score:
    """Thirteen seconds of a style."""
    score = Score(style, rng)
    for channel in range(len(score.programs)):
        role = "riff" if style.riffs else rng.choice(["pad", "tune", "arpeggio", "bass"])
        riff = rng.integers(0, 4, 8) * (rng.random(8) < 0.5)
        if role == "riff":
            _play_riff(score, channel, rng, riff)
        else:
            _play_part(score, channel, rng, str(role))
    if style.drums == "battle":
        _drum_battle(score, rng)
    elif style.riffs:
        _drum_kit(score, rng, metal=style.drums == "metal")
    return score


def _play_part(score: Score, channel: int, rng: Rng, role: str) -> None:
    """One instrument: chords, a wandering tune, broken chords, or a bass."""
    beat_s, degree, start_s = score.beat_s, 7, 0.0
    while start_s < _COMPOSED_S:
        root = score.root(start_s)
        if role == "pad":
            for third in (0, 2, 4):
                pitch = score.pitch(root + third, 1)
                score.add(channel, start_s, beat_s * 4, pitch, 60 + rng.integers(0, 40))
            start_s += beat_s * 4
        elif role == "tune":
            length_s = beat_s * rng.choice([0.5, 1, 1, 2])
            degree = int(np.clip(degree + rng.integers(-3, 4), 0, 16))
            pitch = score.pitch(degree, 2)
            score.add(channel, start_s, length_s, pitch, 70 + rng.integers(0, 50))
            start_s += length_s
        elif role == "arpeggio":
            pitch = score.pitch(root + int(rng.choice([0, 2, 4, 7])), 2)
            score.add(channel, start_s, beat_s, pitch, 60 + rng.integers(0, 40))
            start_s += beat_s / 2
        else:
            pitch = score.pitch(root, 0)
            score.add(channel, start_s, beat_s * 2, pitch, 80 + rng.integers(0, 30))
            start_s += beat_s * 2


def _play_riff(score: Score, channel: int, rng: Rng, riff: NDArray[np.int64]) -> None:
    """Eight half beats over and over on the chords: power chords of guitars, octaves of a bass."""
    program, half_s, start_s = score.programs[channel], score.beat_s / 2, 0.0
    guitar = program < _FIRST_BASS
    while start_s < _COMPOSED_S:
        place = int(start_s / half_s) % 8
        pitch = score.pitch(score.root(start_s) + int(riff[place]), 0) - (0 if guitar else 12)
        velocity = 100 + rng.integers(0, 27)
        if not (program == _MUTED_GUITAR and place % 2):
            for interval in (0, 7, 12) if guitar else (0,):
                score.add(channel, start_s, half_s, pitch + interval, velocity)
        start_s += half_s


def _drum_battle(score: Score, rng: Rng) -> None:
    """Toms at random, a crash every eight beats."""
    start_s, place = 0.0, 0
    while start_s < _COMPOSED_S:
        if rng.random() < 0.6:
            tom = TOM + rng.choice([0, 2, 4])
            score.add(DRUM_CHANNEL, start_s, 0.1, tom, 90 + rng.integers(0, 37))
        if place % 16 == 0:
            score.add(DRUM_CHANNEL, start_s, 1, CRASH, 100)
        start_s, place = start_s + score.beat_s / 2, place + 1


def _drum_kit(score: Score, rng: Rng, *, metal: bool) -> None:
    """A back beat; in metal the kick hardly rests."""
    start_s, place = 0.0, 0
    while start_s < _COMPOSED_S:
        if rng.random() < 0.8 if metal else place % 4 == 0:
            score.add(DRUM_CHANNEL, start_s, 0.05, KICK, 115)
        if place % 4 == 2:
            score.add(DRUM_CHANNEL, start_s, 0.05, SNARE, 120)
        if place % 2 == 0:
            cymbal = (CRASH if place % 8 == 0 else RIDE) if metal else HAT
            score.add(DRUM_CHANNEL, start_s, 0.05, cymbal, 90)
        start_s, place = start_s + score.beat_s / 2, place + 1


def record(name: str, rng: Rng, soundfont_path: Path, folder: Path) -> Tune:
    """Compose, play, set a random level; metal and a few others are driven into clipping."""
    midi_path, wav_path = folder / "tune.mid", folder / "tune.wav"
    compose(STYLES[name], rng).save(midi_path)
    gain = rng.uniform(0.3, 1.5)
    play(midi_path, wav_path, soundfont_path, sample_rate_hz=SAMPLE_RATE_HZ, gain=gain, dry=False)
    played, rate_hz = soundfile.read(wav_path, dtype="float32", always_2d=True)
    samples = resample(played.mean(axis=1), rate_hz, SAMPLE_RATE_HZ)[: SAMPLE_RATE_HZ * DURATION_S]
    samples = samples / (np.abs(samples).max() + 1e-9) * 10 ** (rng.uniform(-14, 0) / 20)
    if "metal" in name or rng.random() < 0.15:
        samples = np.clip(samples * rng.uniform(1, 5), -1, 1)
    return Tune(name, samples.astype(np.float32))


def make(*, seed: int, per_style: int, soundfont_path: Path = SOUNDFONT_PATH) -> Iterator[Tune]:
    """So many tunes of each style in turn; the built-in detector learned from eight of seed 0.

    Raises
    ------
    DatasetError
        Before the first tune, when fluidsynth or the soundfont is missing.
    """
    require(soundfont_path)
    with tempfile.TemporaryDirectory() as folder:
        for style_number, name in enumerate(STYLES):
            for number in range(per_style):
                rng = np.random.default_rng([seed, style_number, number])
                yield record(name, rng, soundfont_path, Path(folder))
