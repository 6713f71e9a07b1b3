"""Prélude à l'aube: eight bars for solo piano after Chopin and Schubert, with pedal and rubato."""

from __future__ import annotations

from runs.compose.score import Note, Part, Piece, melody, pedalled, pitch
from runs.compose.studio import biquad

# One half bar each: the lowest note, then the tones its rising and falling sixteenths go through.
HARMONY = """
    D2:A2,D3,F#3 D2:A2,D3,F#3   B1:F#2,B2,D3 B1:F#2,B2,D3
    G1:D2,B2,D3 G1:E2,Bb2,C#3   D2:A2,D3,F#3 A1:G2,C#3,E3
    D2:A2,F#3,A3 D2:C3,F#3,A3   A#1:F#2,C#3,E3 B1:F#2,B2,D3
    E2:B2,D3,G3 A1:G2,C#3,E3   D2:A2,D3,F#3
"""
MELODY = """
    r/.5 A4/.5 D5!/1.5 E5/.25 F#5 G5/.5 F#5/.5 | F#5!/1.5 E5/.5 D5/1 C#5/.5 D5/.5 |
    B4!/1.5 C#5/.25 D5 E5!/1 D5/.5 C#5/.5 |
    D5/1 F#5/.5 A5/.5 G5!/1 F#5/.5 E5/.5 | A5!/1.5 B5/.25 A5 F#5/.5 D5/.5 C6/1 |
    C#6!/1 B5/.5 A#5/.5 B5/1 F#5/.5 D5/.5 |
    G5!/1 F#5/.5 E5/.5 E5/.5 D5/.25 C#5 B4/.5 C#5/.5 | D5/2
"""


def _arpeggios() -> list[Note]:
    notes = []
    for half, word in enumerate(HARMONY.split()):
        root, tones = word.split(":")
        a, b, c = (pitch(t) for t in tones.split(","))
        for i, key in enumerate(
            [pitch(root), a, b, c, c + 12 if half % 4 == 3 else b + 12, c, b, a]
        ):
            swell = 44 + 2 * min(half, 12) if half < 13 else 40
            notes.append(
                Note(
                    2 * half + i / 4, 0.3, key, swell + (10 if i == 0 else 0) - (4 if i % 2 else 0)
                )
            )
    return notes


def piece() -> Piece:
    """The piano prelude."""
    song = melody(MELODY, velocity=74, legato=1.02)
    song += [Note(28.0, 2.0, pitch("F#4"), 46), Note(28.0, 2.0, pitch("A4"), 46)]
    close = melody("D2+A2+D3+F#3+D5/4", start=30.0, velocity=54)
    rubato = [
        (0, 76),
        (3, 98),
        (7, 90),
        (8, 98),
        (14, 86),
        (16, 94),
        (20, 108),
        (23, 94),
        (26, 76),
        (28, 72),
        (30, 60),
    ]
    parts = [
        Part(
            "piano",
            0,
            song + _arpeggios() + close,
            controls=pedalled([2.0 * i for i in range(16)], until=34.0),
            reverb=0.2,
            timing_ms=7,
            effects=[biquad("high_shelf", 5000, -1.5)],
        ),
    ]
    return Piece(
        "prelude_a_l_aube.flac",
        "Prélude à l'aube",
        parts,
        tempo=rubato,
        beats=31,
        tail_s=2.5,
        reverb_s=2.2,
        drive=1.0,
        loudness_db=-19.0,
        channels=1,
    )
