"""Analyse the sounds and tunes made by code, for the out-of-domain detector.

    python -m runs.other_sounds --backbone backbone.onnx --out sounds.npz

Writes ``windows`` float32 [n, 50], ``kinds`` str [n] and ``tunes`` float32 [m, 50]: tag
probabilities of windows, as ``runs/train_head.py`` and ``runs/fit_out_of_domain.py`` want them. And
of every sound as both encoders know it, for the line over both: ``piece_kinds`` str [p] (``tune``
for a tune), ``piece_log_odds`` [p, 50] and ``piece_modulations`` [p, 1275]. Needs espeak-ng,
fluidsynth, its soundfont and mido; ten minutes on one core.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runs import sounds, tunes
from runs.fit_out_of_domain import Sounds
from runs.fit_texture_detector import Pieces
from runs.sounds.shaping import shaped
from runs.texture import modulations_of
from tonearm.audio import resample
from tonearm.errors import TonearmError
from tonearm.features import MUSICNN_SPEC, TEXTURE_SPEC, log_mel, mel_power, to_level
from tonearm.files import write_atomically
from tonearm.model.network import onnx_session
from tonearm.model.out_of_domain import log_odds

if TYPE_CHECKING:
    import onnxruntime as ort

Float32 = NDArray[np.float32]

SEED = 0
SOUNDS_PER_KIND, WINDOWS_PER_SOUND = 10, 2
TUNES_PER_STYLE, WINDOWS_PER_TUNE = 8, 3
# Effects are of any length: of each kind some are cut short, and some are half a minute, of several
# sounds or of a single one that goes on.
SHORT_PER_KIND, LONG_PER_KIND, STEADY_PER_KIND = 4, 4, 4
SHORT_S, STEADY_S = (3.1, 4.0), 31.0
SOUNDS_PER_LONG, WINDOWS_PER_LONG = 5, 6
# A sound that goes on is made of parts so long, each faded into the next.
PART_S, FADE_S = (1.0, 4.0), 0.1
# Old recordings and codecs leave out what is above a frequency of this range.
NARROW_PER_KIND, CUT_HZ = 6, (2_500.0, 11_000.0)
TUNE = "tune"


def spread_windows(samples: Float32, count: int) -> Float32:
    """Windows [n, frames, bands] of a clip: end to end if no more than ``count``, else spread."""
    frames, spectrum = MUSICNN_SPEC.window_frames, log_mel(samples, MUSICNN_SPEC)
    fitting = len(spectrum) // frames
    if fitting <= count:
        starts = np.arange(fitting) * frames
    else:
        starts = np.round(np.linspace(0, len(spectrum) - frames, count)).astype(int)
    return np.stack([spectrum[start : start + frames] for start in starts])


def tags_of(session: ort.InferenceSession, samples: Float32, count: int, rate_hz: int) -> Float32:
    """Tag probabilities [n, 50] of a clip."""
    samples = resample(samples, rate_hz, MUSICNN_SPEC.sample_rate_hz)
    (tags,) = session.run(None, {"features": spread_windows(samples, count)})
    return np.asarray(tags, dtype=np.float32)


def texture_window(samples: Float32, rate_hz: int) -> Float32:
    """One window [frames, bands] of the second encoder; a shorter sound is repeated."""
    frames = TEXTURE_SPEC.window_frames
    power = mel_power(resample(samples, rate_hz, TEXTURE_SPEC.sample_rate_hz), TEXTURE_SPEC)
    power = np.tile(power, (-(-frames // len(power)), 1))
    return to_level(power[:frames], TEXTURE_SPEC)


@dataclass
class Analysis:
    """What is known so far."""

    session: ort.InferenceSession
    kinds: list[str] = field(default_factory=list)
    odds: list[Float32] = field(default_factory=list)
    modulations: list[Float32] = field(default_factory=list)

    def add(self, kind: str, samples: Float32, count: int, rate_hz: int) -> Float32:
        """Analyse one more sound by both encoders: its tags."""
        tags = tags_of(self.session, samples, count, rate_hz)
        self.kinds.append(kind)
        self.odds.append(log_odds(tags).mean(axis=0).astype(np.float32))
        self.modulations.append(modulations_of(texture_window(samples, rate_hz)[None])[0])
        return tags

    def pieces(self) -> Pieces:
        """All of them."""
        return Pieces(np.array(self.kinds), np.stack(self.odds), np.stack(self.modulations))


def steady(clip: Float32, rng: np.random.Generator) -> Float32:
    """Half a minute of a clip: random parts of it, each faded into the next."""
    length, fade = int(STEADY_S * sounds.SAMPLE_RATE_HZ), int(FADE_S * sounds.SAMPLE_RATE_HZ)
    longest = int(PART_S[1] * sounds.SAMPLE_RATE_HZ)
    rising = np.sqrt(np.linspace(0, 1, fade))  # of equal power: what is joined is not alike
    joined, place = np.zeros(length + longest), 0
    while place < length:
        size = int(rng.uniform(*PART_S) * sounds.SAMPLE_RATE_HZ)
        start = int(rng.integers(0, max(1, len(clip) - size)))
        part = clip[start : start + size].astype(np.float64)
        part[:fade] *= rising
        part[-fade:] *= rising[::-1]
        joined[place : place + len(part)] += part
        place += len(part) - fade
    return joined[:length].astype(np.float32)


def narrow(clip: Float32, rng: np.random.Generator) -> Float32:
    """A clip without what is above a random frequency."""
    cut_hz = np.exp(rng.uniform(*np.log(CUT_HZ)))
    return shaped(clip.astype(np.float64), lambda hz: hz < cut_hz).astype(np.float32)


def forms(clips: list[Float32], rng: np.random.Generator) -> Iterator[Float32]:
    """Clips of one kind narrow, cut short, drawn out, and several of them one after the other."""
    for clip in clips[:NARROW_PER_KIND]:
        yield narrow(clip, rng)
    for clip in clips[:SHORT_PER_KIND]:
        yield clip[: int(rng.uniform(*SHORT_S) * sounds.SAMPLE_RATE_HZ)]
    for clip in clips[:STEADY_PER_KIND]:
        yield steady(clip, rng)
    if len(clips) < SOUNDS_PER_LONG:
        return
    for _ in range(LONG_PER_KIND):
        yield np.concatenate([clips[i] for i in rng.permutation(len(clips))[:SOUNDS_PER_LONG]])


def hear_all(backbone: bytes, *, seed: int = SEED) -> tuple[Sounds, Pieces]:
    """All kinds of sounds and styles of tunes, with progress on stderr."""
    found, rng = Analysis(onnx_session(backbone)), np.random.default_rng(seed)
    windows, kinds = [], []
    # Tunes first: they fail sooner where something is missing.
    played = [
        found.add(TUNE, tune.samples, WINDOWS_PER_TUNE, tunes.SAMPLE_RATE_HZ)
        for tune in tunes.make(seed=seed, per_style=TUNES_PER_STYLE)
    ]
    made = sounds.make(seed=seed, per_kind=SOUNDS_PER_KIND)
    for kind, group in groupby(made, key=lambda sound: sound.kind):
        print(kind, file=sys.stderr, flush=True)
        clips = [sound.samples for sound in group]
        for clip in clips:
            windows.append(found.add(kind, clip, WINDOWS_PER_SOUND, sounds.SAMPLE_RATE_HZ))
            kinds += [kind] * len(windows[-1])
        for clip in forms(clips, rng):
            found.add(kind, clip, WINDOWS_PER_LONG, sounds.SAMPLE_RATE_HZ)
    return (
        Sounds(np.concatenate(windows), np.array(kinds), np.concatenate(played)),
        found.pieces(),
    )


def main() -> None:
    """Analyse the sounds and write their tags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        embeddings, pieces = hear_all(args.backbone.read_bytes())
    except TonearmError as error:
        sys.exit(f"other_sounds: {error}")
    file = io.BytesIO()
    np.savez_compressed(
        file,
        windows=embeddings.windows,
        kinds=embeddings.kinds,
        tunes=embeddings.tunes,
        piece_kinds=pieces.kinds,
        piece_log_odds=pieces.log_odds,
        piece_modulations=pieces.modulations,
    )
    write_atomically(args.out, file.getvalue())
    print(
        f"{args.out}: {len(embeddings.windows)} windows of sounds, {len(embeddings.tunes)} of "
        f"tunes; {len(pieces.kinds)} pieces by both encoders"
    )


if __name__ == "__main__":
    main()
