"""Borrowed Van: two crunchy guitars, a back beat, bass in eighths, organ, and a bent solo."""

from __future__ import annotations

from runs.compose.score import VIBRATO, Control, Note, Part, Piece, grid, melody, slides
from runs.compose.studio import amplifier, biquad, compressor, drive, echo

KICK, SNARE, HAT, OPEN_HAT, CRASH, RIDE = 36, 38, 42, 46, 49, 51
TOM_HIGH, TOM_MID, TOM_LOW = 48, 45, 41
RIFF = """
    A2+E3+A3!/1 r/.5 A2+E3+A3/.5 D3+A3+D4!/.5 D3+A3+D4/.5 r/.5 C3+G3+C4/.5 |
    D3+A3+D4!/.5 C3+G3+C4/.5 A2+E3+A3/1 G2+D3+G3!/1 r/.5 G2+D3+G3/.5 |
"""
CHORUS = """
    F2+C3+F3+A3!/2 F2+C3+F3+A3/1.5 F2+C3+F3+A3/.5 | G2+D3+G3+B3!/2 G2+D3+G3+B3/1.5 G2+D3+G3+B3/.5 |
    A2+E3+A3+C#4!/2 A2+E3+A3+C#4/1.5 G2+D3+G3/.5 | D3+A3+D4+F#4!/2 E2+B2+E3+G#3!/2 |
"""
BASS = """
    A1!/.5 A1 A1 A1 D2! D2 D2 C2 | D2! C2 A1 A1 G1! G1 G1 G#1 |
    A1!/.5 A1 A1 A1 D2! D2 D2 C2 | D2! C2 A1 A1 G1! G1 G1 E1 |
    F1! F1 F1 F1 F1 F1 C2 F1 | G1! G1 G1 G1 G1 G1 D2 G1 |
    A1! A1 A1 A1 A1 A1 E2 G1 | D2! D2 D2 D2 E2! E2 E2 G#1 |
    A1!/.5 A1 A1 A1 D2! D2 D2 C2 | D2! C2 A1 A1 G1! G1 G1 G#1 | A1!/3
"""
SOLO = """
    r/.5 A4/.25 C5 D5!/1 C5/.5 A4 G4 A4 | D5!/1.5 E5/.25 D5 B4/.5 D5 G5!/1 |
    A5!/1 G5/.25 E5 D5 E5 G5 E5 D5 C5 D5/.5 E5 |
    F#5!/1 E5/.25 D5 A4 B4 G#4!/.5 B4 E5!/1 | A5!/1.5 G5/.25 E5 D5/.5 F5 E5 C5 |
    D5 C5 A4! G4 B4/.5 D5 G5!/1 | A5!/3
"""
ORGAN = "F3+A3+C4+F4/4 | G3+B3+D4+G4/4 | A3+C#4+E4+A4/4 | A3+D4+F#4/2 G#3+B3+E4/2 |"


def _drums() -> list[Note]:
    verse = (0.0, 4.0, 8.0, 12.0, 32.0, 36.0)
    notes = [n for b in verse for n in grid("X.....x.x.x.....", KICK, start=b)]
    notes += [n for b in (16.0, 20.0, 24.0, 28.0) for n in grid("X.....x.X.....x.", KICK, start=b)]
    notes += grid(".X", SNARE, step=1.0, times=20) + grid("...o...o", SNARE, times=10)
    notes += [n for b in verse for n in grid("X.x.", OPEN_HAT, step=0.5, start=b, times=2)]
    notes += [n for b in verse for n in grid(".x.x", HAT, step=0.5, start=b, times=2)]
    notes += grid("Xx", RIDE, step=0.5, start=16.0, times=16)
    fill = (SNARE, SNARE, TOM_HIGH, TOM_HIGH, TOM_MID, TOM_MID, TOM_LOW, TOM_LOW)
    notes += [Note(b + i / 4, 0.2, key, 106) for b in (14.0, 30.0) for i, key in enumerate(fill)]
    notes += [Note(b, 1.0, CRASH, 110) for b in (0.0, 16.0, 24.0, 32.0, 40.0)]
    return [*notes, Note(40.0, 1.0, KICK, 112)]


def piece() -> Piece:
    """The rock band: the rhythm guitar is played twice, once for each side."""
    rhythm = melody(RIFF * 2 + CHORUS + RIFF + "A2+E3+A3+C#4!/3", velocity=100, legato=0.92)
    solo = melody(SOLO, start=16.0, velocity=98, legato=1.0)
    parts = [
        Part(
            "drums",
            0,
            _drums(),
            drums=True,
            gain_db=6.0,
            reverb=0.14,
            timing_ms=5,
            effects=[compressor(-20, 2.5)],
        ),
        Part(
            "bass",
            34,
            melody(BASS, velocity=100, legato=0.9),
            gain_db=5.0,
            reverb=0.0,
            timing_ms=5,
            effects=[drive(2.0)],
        ),
        Part(
            "organ",
            18,
            melody(ORGAN, start=16.0, velocity=80),
            gain_db=-8.0,
            reverb=0.2,
            timing_ms=8,
        ),
        Part(
            "solo",
            29,
            solo,
            controls=[*slides(solo), Control(40.4, VIBRATO, 70)],
            gain_db=4.0,
            pan=0.08,
            reverb=0.15,
            timing_ms=9,
            late_ms=8,
            effects=[drive(3.0), biquad("low_pass", 5000), echo(0.34, level=0.15)],
        ),
    ]
    for side, pan, program in (("left", -0.7, 27), ("right", 0.7, 25)):
        parts.append(
            Part(
                f"rhythm_{side}",
                program,
                rhythm,
                gain_db=-6.0,
                pan=pan,
                reverb=0.08,
                timing_ms=8,
                effects=[amplifier(7)],
            )
        )
    return Piece(
        "borrowed_van.m4a",
        "Borrowed Van",
        parts,
        tempo=[(0, 124), (16, 126), (40, 124)],
        beats=42,
        tail_s=1.0,
        reverb_s=1.0,
        drive=1.6,
        genre_tag="Rock",
        bus=[compressor(-18, 2.0)],
    )
