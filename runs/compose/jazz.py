"""Midnight Walk: a chorus of B flat jazz blues for brushes, walking bass and bop piano."""

from __future__ import annotations

import numpy as np

from runs.compose.score import SUSTAIN, Control, Note, Part, Piece, grid, melody
from runs.compose.studio import biquad, compressor

CLOSED_PEDAL_HAT, RIDE, RIDE_BELL, KICK, SNARE, CRASH = 44, 51, 53, 36, 38, 49

WALK = """
    Bb1/1 D2 F2 E2 | Eb2 G2 Bb2 B2 | Bb2 Ab2 F2 D2 | F2 Eb2 D2 E2 |
    Eb2 F2 G2 Eb2 | E2 G2 Bb2 E2 | F2 D2 Bb1 C2 | D2 Ab2 G2 B1 |
    C2 Eb2 G2 Gb2 | F2 A2 C3 B2 | Bb2 F2 G2 B1 | C2 G2 F2 A1 | Bb1/3
"""
SOLO = """
    r/.5 F4 Bb4 C5 D5 F5! r D5 | Db5!/1 r/.5 Bb4/.5 G4/1 r |
    r/.5 F4 Bb4 C5 D5 Ab5! G5 F5 | Eb5 C5 Ab4 F4 Ab4 B4! Ab4 F4 |
    G4!/1 r/.5 Bb4 Db5 Eb5 F5 Gb5 | G5! E5 Db5 Bb4 G4!/1 r |
    r/.5 F5! D5 Bb4 Ab4? G4 F4 D4 | F4 Ab4 C5 Eb5! D5 B4 Ab4 F4 |
    Eb4!/1 r/.5 G4 Bb4 D5 Eb5 G5! | Gb5 Eb5 C5 A4? F4 A4 C5 Eb5! |
    D5 Bb4 r/1 B4/.5 D5 F5 Ab5! | G5 Eb5 C5 G4? A4! Gb4 F4 r |
    r/.5 D5+F5!/.5
"""
# Rootless left-hand voicings, a Charleston and its answers.
COMP = """
    r/1.5 Ab3+C4+D4/.5 r/2 | G3+C4+Db4/1 r/.5 G3+C4+Db4/.5 r/2 |
    r/1.5 Ab3+C4+D4/.5 r/2 | Ab3+C4+Eb4/1 r/.5 Ab3+C4+D4/1.5 r/1 |
    r/.5 G3+C4+Db4/.5 r/3 | r/1.5 G3+Bb3+Db4/.5 r/1 G3+Bb3+Db4/1 |
    Ab3+C4+D4/1 r/.5 Ab3+C4+D4/.5 r/2 |
    Ab3+C4+F4/1 r/.5 F3+B3+Eb4/2.5 |
    r/1.5 Bb3+D4+Eb4/.5 r/2 | A3+Eb4+G4/1 r/.5 A3+Eb4+Gb4/.5 r/2 |
    Ab3+D4+G4/1 r/.5 F3+B3+Eb4/1.5 r/1 |
    Bb3+D4+Eb4/1 r/.5 A3+Db4+G4/1.5 r/1 | r/.5 Ab3+C4+D4+G4/.5
"""


def _drums() -> list[Note]:
    rng = np.random.default_rng(52)
    notes = grid("x.xox.xo", RIDE, step=0.5, times=12) + grid(
        ".x", CLOSED_PEDAL_HAT, step=1.0, times=24
    )
    notes += [Note(float(b), 0.4, KICK, 34) for b in range(48)]  # feathered: felt rather than heard
    for bar in range(12):
        for place in (0.5, 1.5, 2.5, 3.5):
            if rng.random() < 0.33:
                notes.append(Note(4 * bar + place, 0.3, SNARE, int(rng.integers(30, 62))))
    return [
        *notes,
        Note(0.0, 2.0, CRASH, 60),
        Note(48.5, 3.0, CRASH, 78),
        Note(48.5, 0.5, KICK, 80),
    ]


def piece() -> Piece:
    """The jazz trio."""
    parts = [
        Part(
            "bass",
            32,
            melody(WALK, velocity=96, legato=0.92),
            gain_db=3.0,
            pan=-0.12,
            reverb=0.06,
            timing_ms=7,
            late_ms=-4,
            effects=[biquad("low_shelf", 110, 2.0)],
        ),
        Part(
            "piano",
            0,
            melody(SOLO, velocity=84, legato=0.9) + melody(COMP, velocity=62, legato=0.85),
            controls=[Control(48.5, SUSTAIN, 127)],
            gain_db=8.0,
            reverb=0.16,
            timing_ms=8,
            late_ms=9,
        ),
        Part(
            "brushes",
            40,
            _drums(),
            drums=True,
            gain_db=4.0,
            reverb=0.12,
            timing_ms=4,
            effects=[biquad("high_shelf", 7000, 1.5)],
        ),
    ]
    return Piece(
        "midnight_walk.mp3",
        "Midnight Walk",
        parts,
        tempo=[(0, 146), (40, 147), (49, 144)],
        beats=50,
        tail_s=1.6,
        swing=0.64,
        reverb_s=1.1,
        drive=1.4,
        loudness_db=-17.0,
        bus=[compressor(-20, 1.6)],
    )
