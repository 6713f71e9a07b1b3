"""Salt Lane Dub: one drop, skank, organ bubble, a bass that sings, two horns in tape echo."""

from __future__ import annotations

from runs.compose.score import Note, Part, Piece, grid, melody, shifted
from runs.compose.studio import biquad, compressor, drive, echo

TEMPO_BPM = 76.0
BARS = 6
KICK, RIM, SNARE, HAT, OPEN_HAT, CRASH = 36, 37, 38, 42, 46, 49
TOM_HIGH, TOM_MID, TOM_LOW = 50, 47, 43
BASS_RIFF = """
    A1/.5 A1/.25 C2 E2/.5 A1 D2/.75 C2/.25 A1/.5 r/.5 |
    A1/.5 A1/.25 C2 E2/.5 G2 D2 F2 E2/.25 D2 C2/.5 |
"""
BASS_TURN = "F1/.5 r/.25 F1/.25 A1/.5 C2/.5 G1/.5 r/.25 G1/.25 B1/.5 D2/.5 | "
BASS_TURN += "A1/.5 A1/.25 C2/.25 E2/.5 A1/.5 r/2 | "
HORNS = """
    r/.5 E5/.25 G5 A5!/1 G5/.25 E5 D5/.5 r/1 | r/.5 E5/.25 G5 A5!/.5 C6/.5 B5/.25 A5 G5/.5 r/1 |
    A5!/.75 G5/.25 F5/.5 E5 D5/.75 E5/.25 D5/.5 B4 | C5/.5 A4!/1.5 r/2 |
    r/.5 E5/.25 G5 A5!/1 C6/.25 B5 A5/.5 r/1 | r/.5 E5/.25 D5 C5/.5 D5/.5 A4!/2 | A4/1
"""
AM, DM, F, G = "A4+C5+E5", "A4+D5+F5", "A4+C5+F5", "B4+D5+G5"
HALF_BARS = (AM, DM, AM, DM, F, G, AM, AM, AM, DM, AM, DM)


def _skank(place: float, length: float, velocity: int) -> list[Note]:
    return [
        n
        for half, chord in enumerate(HALF_BARS)
        for beat in (0, 1)
        for n in melody(f"{chord}/{length}", start=2 * half + beat + place, velocity=velocity)
    ]


def _drums() -> list[Note]:
    notes = grid("....X.......X...", KICK, times=BARS) + grid("....X.......X...", RIM, times=BARS)
    notes += grid("x.xo x.xo x.xo x.x.", HAT, times=BARS) + grid(
        "................ ..............x.", OPEN_HAT, times=3
    )
    fill = [
        Note(14.5 + i / 6, 0.2, key, 96)
        for i, key in enumerate((TOM_HIGH,) * 3 + (TOM_MID,) * 3 + (TOM_LOW,) * 3)
    ]
    return (
        notes
        + fill
        + [Note(16.0, 1.0, CRASH, 92), Note(24.0, 1.0, CRASH, 92), Note(24.0, 1.0, KICK, 108)]
    )


def piece() -> Piece:
    """The dub band."""
    bubble = shifted(
        _skank(0.25, 0.18, 62) + _skank(0.5, 0.2, 84) + _skank(0.75, 0.18, 66), semitones=-12
    )
    horns = melody(HORNS, velocity=92, legato=0.85)
    dub_echo = echo(0.75 * 60 / TEMPO_BPM)
    bass = melody(BASS_RIFF + BASS_TURN + BASS_RIFF + "A1/1", velocity=108, legato=0.85)
    parts = [
        Part(
            "drums",
            0,
            _drums(),
            drums=True,
            gain_db=14.0,
            reverb=0.1,
            timing_ms=4,
            effects=[compressor(-18, 2.5)],
        ),
        Part(
            "bass",
            33,
            bass,
            gain_db=6.0,
            reverb=0.0,
            timing_ms=6,
            late_ms=8,
            effects=[biquad("low_pass", 900), drive(1.4), biquad("low_shelf", 120, 3)],
        ),
        Part(
            "skank",
            27,
            _skank(0.5, 0.16, 96),
            gain_db=4.0,
            pan=-0.4,
            reverb=0.15,
            timing_ms=5,
            effects=[biquad("high_pass", 400), biquad("peak", 2200, 3)],
        ),
        Part(
            "piano",
            0,
            _skank(0.5, 0.2, 80),
            gain_db=8.0,
            pan=0.35,
            timing_ms=7,
            effects=[biquad("high_pass", 300)],
        ),
        Part(
            "organ",
            16,
            bubble,
            gain_db=-3.0,
            pan=0.2,
            timing_ms=6,
            effects=[biquad("low_pass", 3000)],
        ),
        Part(
            "rim_shots",
            0,
            [Note(b, 0.2, RIM, 100) for b in (7.0, 15.0, 23.0)],
            drums=True,
            gain_db=6.0,
            reverb=0.4,
            effects=[dub_echo],
        ),
        Part(
            "trumpet",
            56,
            horns,
            gain_db=-2.0,
            pan=0.15,
            reverb=0.25,
            timing_ms=12,
            late_ms=12,
            effects=[dub_echo],
        ),
        Part(
            "trombone",
            57,
            shifted(horns, semitones=-12),
            gain_db=-5.0,
            pan=-0.15,
            reverb=0.25,
            timing_ms=12,
            late_ms=16,
            effects=[dub_echo],
        ),
    ]
    return Piece(
        "salt_lane_dub.ogg",
        "Salt Lane Dub",
        parts,
        tempo=[(0, TEMPO_BPM), (24, TEMPO_BPM)],
        beats=25,
        tail_s=2.0,
        swing=0.54,
        swing_unit=0.5,
        reverb_s=1.8,
        drive=1.8,
        genre_tag="Reggae",
        bus=[compressor(-18, 2.0)],
    )
