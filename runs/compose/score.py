"""Scores as plain data: notes in beats, parts, pieces, and the MIDI file that plays a part.

Conventions: a position or length is in quarter-note beats from the start of the piece unless its
name ends in ``_s`` or ``_ms``; pitches are MIDI numbers (C4 = 60); velocities 1-127. No audio here.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import mido
import numpy as np

DRUM_CHANNEL = 9
SUSTAIN, VIBRATO = 64, 1
_SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "b": -1, "#": 1}
_GRID_VELOCITY = {"o": 45, "x": 82, "X": 112}

Stereo = np.ndarray  # float64 [frames, 2] at studio.SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Note:
    """One note."""

    beat: float
    length: float
    pitch: int
    velocity: int = 88


@dataclass(frozen=True)
class Control:
    """A controller change; ``number`` None is a pitch bend, its ``value`` in semitones (±2)."""

    beat: float
    number: int | None
    value: float


@dataclass(frozen=True)
class Part:
    """One instrument of a piece, played and recorded by itself so that it can be mixed.

    ``late_ms`` sets it behind (or, negative, ahead of) the beat; ``effects`` are applied to its
    recording in order.
    """

    name: str
    program: int
    notes: Sequence[Note]
    controls: Sequence[Control] = ()
    drums: bool = False
    gain_db: float = 0.0
    pan: float = 0.0
    reverb: float = 0.12
    timing_ms: float = 6.0
    late_ms: float = 0.0
    effects: Sequence[Callable[[Stereo], Stereo]] = ()


@dataclass(frozen=True)
class Piece:
    """A composed piece and how it is finished.

    ``tempo`` holds (beat, beats per minute) points joined by straight lines; ``swing`` is where the
    second of two equal notes filling ``swing_unit`` beats falls (0.5 straight, 0.667 triplets);
    ``loudness_db`` is the RMS level of the finished piece before its peaks are limited;
    ``genre_tag`` is what the file's own genre tag says, None for none.
    """

    file_name: str
    title: str
    parts: Sequence[Part]
    tempo: Sequence[tuple[float, float]]
    beats: float
    tail_s: float = 2.0
    swing: float = 0.5
    swing_unit: float = 1.0
    reverb_s: float = 1.4
    drive: float = 1.2
    loudness_db: float = -15.5
    sample_rate_hz: int = 44_100
    channels: int = 2
    genre_tag: str | None = None
    bus: Sequence[Callable[[Stereo], Stereo]] = field(default=())


def pitch(name: str) -> int:
    """MIDI number of a note name such as ``Bb3`` or ``F#4``."""
    match = re.fullmatch(r"([A-G][b#]*)(-?\d)", name)
    if match is None:
        raise ValueError(f"{name!r} is not a note name such as Bb3")
    letters, octave = match.groups()
    return sum(_SEMITONES[c] for c in letters) + 12 * (int(octave) + 1)


def melody(
    text: str, *, start: float = 0.0, velocity: int = 88, legato: float = 0.95, bar: float = 4.0
) -> list[Note]:
    """Notes of a line such as ``"F4/.5 Bb4+D5! r/1 | C5/4"``.

    Parameters
    ----------
    text : str
        Tokens ``name/length``; ``+`` joins a chord, ``r`` rests, a missing length repeats the last
        one, ``!`` is an accent, ``?`` a ghost note, ``|`` a bar line.
    start : float
        Beat of the first token.
    velocity : int
        Of a note with no mark.
    legato : float
        Sounding fraction of the written length.
    bar : float
        Beats between bar lines.

    Returns
    -------
    list of Note

    Raises
    ------
    ValueError
        A bar line falls where no bar ends: the line was miscounted.
    """
    notes: list[Note] = []
    beat, length = 0.0, 1.0
    for token in text.split():
        if token == "|":
            if abs(beat / bar - round(beat / bar)) > 1e-6:
                raise ValueError(f"bar line at beat {beat:g} of {text!r}")
            continue
        names, _, written = token.partition("/")
        length = float(written) if written else length
        loudness = velocity + 18 * names.count("!") - 26 * names.count("?")
        if not names.startswith("r"):
            notes += [
                Note(start + beat, length * legato, pitch(n), loudness)
                for n in names.strip("!?").split("+")
            ]
        beat += length
    return notes


def grid(
    pattern: str, key: int, *, start: float = 0.0, step: float = 0.25, times: int = 1
) -> list[Note]:
    """Drum hits of a pattern such as ``"X.o. x..."``: X accent, x hit, o ghost, blanks nothing."""
    hits = pattern.replace(" ", "").replace("|", "") * times
    return [
        Note(start + i * step, step * 0.9, key, _GRID_VELOCITY[c])
        for i, c in enumerate(hits)
        if c in _GRID_VELOCITY
    ]


def shifted(
    notes: Iterable[Note], *, beats: float = 0.0, semitones: int = 0, louder: int = 0
) -> list[Note]:
    """The same notes moved in time, pitch or loudness."""
    return [
        replace(n, beat=n.beat + beats, pitch=n.pitch + semitones, velocity=n.velocity + louder)
        for n in notes
    ]


def pedalled(changes: Iterable[float], *, until: float) -> list[Control]:
    """Sustain pedal pressed just after each change of harmony and lifted on the next one."""
    beats = list(changes)
    down = [Control(b + 0.06, SUSTAIN, 127) for b in beats]
    return down + [Control(b - 0.02, SUSTAIN, 0) for b in [*beats[1:], until]]


def slides(notes: Iterable[Note], *, accent: int = 100) -> list[Control]:
    """Notes louder than ``accent`` start a tone low and are bent home in a quarter of a beat."""
    bends = []
    for beat in sorted({n.beat for n in notes if n.velocity > accent}):
        bends += [Control(beat - 0.02 + i / 32, None, -2.0 * (1 - i / 8)) for i in range(9)]
    return bends


def clock(piece: Piece) -> Callable[[float], float]:
    """Map from beats to seconds: swing first, then the tempo curve."""
    grid_beats = np.arange(0.0, piece.beats + 16.0, 1 / 64)
    bpm = np.interp(grid_beats, [b for b, _ in piece.tempo], [rate for _, rate in piece.tempo])
    seconds = np.concatenate([[0.0], np.cumsum(60.0 / bpm / 64)[:-1]])

    def to_seconds(beat: float) -> float:
        unit, place = divmod(max(beat, 0.0) / piece.swing_unit, 1.0)
        late = np.interp(place, [0.0, 0.5, 1.0], [0.0, piece.swing, 1.0])
        return float(np.interp((unit + late) * piece.swing_unit, grid_beats, seconds))

    return to_seconds


def write_midi(part: Part, piece: Piece, midi_path: Path) -> None:
    """Write one part, humanised, as a MIDI file in which one tick is one millisecond.

    The player's deviations are seeded by the names of piece and part: they are the same each time.
    """
    to_seconds = clock(piece)
    rng = np.random.default_rng(zlib.crc32(f"{piece.file_name}/{part.name}".encode()))
    channel = DRUM_CHANNEL if part.drums else 0
    events: list[tuple[int, int, mido.Message]] = []  # (tick, order within a tick, message)

    def add(time_s: float, order: int, kind: str, **values: int) -> None:
        tick = max(0, round(time_s * 1000))
        events.append((tick, order, mido.Message(kind, channel=channel, **values)))

    add(0.0, 0, "program_change", program=part.program)
    for change in part.controls:
        if change.number is None:
            bend = int(np.clip(change.value * 4096, -8192, 8191))
            add(to_seconds(change.beat), 1, "pitchwheel", pitch=bend)
        else:
            values = {"control": change.number, "value": int(change.value)}
            add(to_seconds(change.beat), 1, "control_change", **values)
    for note in sorted(part.notes, key=lambda n: (n.beat, n.pitch)):
        shift_s = (part.late_ms + rng.normal(0.0, part.timing_ms)) / 1000
        start_s = max(0.0, to_seconds(note.beat) + shift_s)
        end_s = max(start_s + 0.03, to_seconds(note.beat + note.length) + shift_s)
        velocity = int(np.clip(note.velocity + rng.normal(0.0, 4.0), 8, 127))
        add(start_s, 3, "note_on", note=note.pitch, velocity=velocity)
        add(end_s, 2, "note_off", note=note.pitch)
    save_midi(events, midi_path)


def save_midi(
    events: Iterable[tuple[int, int, mido.Message]], midi_path: Path, *, ticks_per_s: int = 1000
) -> None:
    """Write events (tick, order within a tick, message) as a MIDI file of one track."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    now = 0
    for tick, _, message in sorted(events, key=lambda e: e[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    mido.MidiFile(ticks_per_beat=ticks_per_s, tracks=[track]).save(midi_path)
