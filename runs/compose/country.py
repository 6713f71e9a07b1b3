"""Gravel and Honey: boom-chick guitar, train beat, banjo rolls, fiddle, and a bent steel guitar."""

from __future__ import annotations

from runs.compose.score import Note, Part, Piece, grid, melody, pitch, shifted, slides
from runs.compose.studio import biquad, compressor

KICK, SNARE, HAT = 36, 38, 44
# Root and its alternate for the double bass (the guitar plays them an octave up), strummed chord,
# tones of the banjo roll (drone last).
CHORDS = {
    "G": ("G1", "D2", "G3+B3+D4+G4", ("G3", "B3", "D4", "G4")),
    "C": ("C2", "G1", "G3+C4+E4+G4", ("G3", "C4", "E4", "G4")),
    "D": ("D2", "A1", "F#3+A3+D4+F#4", ("A3", "D4", "F#4", "G4")),
    "D7": ("D2", "F#1", "F#3+C4+D4+A4", ("A3", "C4", "F#4", "G4")),
}
FORM = ("G", "G", "C", "C", "G", "G", "D", "D7", "G", "G", "C", "C", "G", "D7", "G", "G")
FIDDLE = """
    D5/.5 E5/.25 G5 B5!/1 A5/.25 B5 A5 G5 E5/.5 D5 | E5/.25 G5 E5 D5 C5/.5 E5 G5!/1 r/1 |
    r/4 | r/3 D5/.25 E5 F#5 A5 |
    B5!/.75 A5/.25 G5/.5 E5/.25 D5 G5/.5 A5/.25 B5 D6/1 |
    C6!/.75 B5/.25 A5/.5 G5/.25 E5 C5/.5 E5/.25 G5 E5/1 |
    r/4 | r/1.5 D5/.25 F#5 G5+B4!/2
"""
STEEL = """
    r/4 | r/3 B4+D5/.5 C5+E5 | D5+G5!/1.5 B4+D5/.5 D5+G5/1 B4+D5/1 |
    A4+D5!/1.5 F#4+A4/.5 A4+C5/1 r/1 | r/4 | r/3 C5+E5/1 |
    B4+D5!/1 G4+B4/1 A4+C5!/1 F#4+A4/1 | G4+B4/2 B4+D5+G5/2
"""


def _rhythm() -> tuple[list[Note], list[Note], list[Note]]:
    bass, guitar, banjo = [], [], []
    for half, name in enumerate(FORM):
        root, fifth, chord, (low, mid, high, drone) = CHORDS[name]
        beat = 2.0 * half
        boom = [Note(beat, 0.9, pitch(root), 100), Note(beat + 1, 0.8, pitch(fifth), 90)]
        bass += boom
        guitar += shifted(boom, semitones=12, louder=-8)
        for place, velocity in ((0.5, 92), (1.5, 96), (1.75, 60)):
            strum = melody(chord + "/.3", start=beat + place, velocity=velocity)
            guitar += [
                Note(n.beat + 0.012 * i, n.length, n.pitch, n.velocity) for i, n in enumerate(strum)
            ]
        for i, tone in enumerate((low, mid, high, drone, mid, high, drone, high)):
            banjo.append(Note(beat + i / 4, 0.3, pitch(tone), 92 if i in (0, 3, 6) else 76))
    return bass, guitar, banjo


def piece() -> Piece:
    """The string band."""
    bass, guitar, banjo = _rhythm()
    steel = melody(STEEL, velocity=88, legato=1.0)
    end = melody("G2+D3+G3+B3+D4+G4!/2", start=32.0, velocity=84)
    train = grid("oxoXoxoX", SNARE, times=16) + grid("x.", KICK, step=1.0, times=16)
    train += grid(".x", HAT, step=0.5, times=32)
    parts = [
        Part(
            "bass",
            32,
            [*bass, Note(32.0, 2.0, pitch("G1"), 100)],
            gain_db=3.0,
            reverb=0.03,
            timing_ms=5,
        ),
        Part(
            "guitar",
            25,
            guitar + end,
            gain_db=-1.0,
            pan=-0.35,
            timing_ms=6,
            effects=[biquad("high_shelf", 5000, 3)],
        ),
        Part(
            "banjo",
            105,
            [*banjo[:-8], Note(32.0, 1.0, pitch("G4"), 90)],
            gain_db=3.0,
            pan=0.45,
            timing_ms=6,
        ),
        Part(
            "drums", 40, [*train, Note(32.0, 1.0, KICK, 90)], drums=True, gain_db=8.0, timing_ms=4
        ),
        Part(
            "fiddle",
            40,
            melody(FIDDLE, velocity=96, legato=0.98),
            gain_db=5.0,
            pan=0.1,
            reverb=0.25,
            timing_ms=8,
            effects=[biquad("peak", 3000, 3)],
        ),
        Part(
            "steel",
            26,
            steel,
            controls=slides(steel),
            gain_db=3.0,
            pan=-0.1,
            reverb=0.35,
            timing_ms=8,
            effects=[biquad("high_shelf", 2500, 6), compressor(-26, 4)],
        ),
    ]
    return Piece(
        "gravel_and_honey.wav",
        "Gravel and Honey",
        parts,
        tempo=[(0, 112), (32, 112)],
        beats=34,
        tail_s=0.6,
        swing=0.52,
        swing_unit=0.5,
        reverb_s=1.2,
        drive=1.5,
        sample_rate_hz=22_050,
        channels=1,
        genre_tag="Country",
        bus=[compressor(-18, 2.0)],
    )
