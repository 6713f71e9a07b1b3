"""Analyse the sounds and tunes made by code, for the out-of-domain detector.

    python -m runs.other_sounds --backbone backbone.onnx --out sounds.npz

Writes ``windows`` float32 [n, 50], ``kinds`` str [n] and ``tunes`` float32 [m, 50]: tag
probabilities of windows, as ``runs/train_head.py`` and
``runs/fit_out_of_domain.py`` want them. Needs
espeak-ng, fluidsynth, its soundfont and mido; five minutes on one core.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runs import sounds, tunes
from runs.fit_out_of_domain import Sounds
from tonearm.errors import TonearmError
from tonearm.features import MUSICNN_SPEC, log_mel
from tonearm.files import write_atomically
from tonearm.model.encoder import onnx_session

if TYPE_CHECKING:
    import onnxruntime as ort

Float32 = NDArray[np.float32]

SEED = 0
SOUNDS_PER_KIND, WINDOWS_PER_SOUND = 10, 2
TUNES_PER_STYLE, WINDOWS_PER_TUNE = 8, 3


def spread_windows(samples: Float32, count: int) -> Float32:
    """Windows [n, frames, bands] of a clip: end to end if no more than ``count``, else spread."""
    frames, spectrum = MUSICNN_SPEC.window_frames, log_mel(samples, MUSICNN_SPEC)
    fitting = len(spectrum) // frames
    if fitting <= count:
        starts = np.arange(fitting) * frames
    else:
        starts = np.round(np.linspace(0, len(spectrum) - frames, count)).astype(int)
    return np.stack([spectrum[start : start + frames] for start in starts])


def tags_of(session: ort.InferenceSession, samples: Float32, count: int) -> Float32:
    """Tag probabilities [n, 50] of a clip."""
    (tags,) = session.run(None, {"features": spread_windows(samples, count)})
    return np.asarray(tags, dtype=np.float32)


def hear_all(backbone: bytes, *, seed: int = SEED) -> Sounds:
    """All kinds of sounds and styles of tunes, with progress on stderr."""
    session = onnx_session(backbone)
    windows, kinds, played, now = [], [], [], ""
    # Tunes first: they fail sooner where something is missing.
    for tune in tunes.make(seed=seed, per_style=TUNES_PER_STYLE):
        now = _report(tune.style, now)
        played.append(tags_of(session, tune.samples, WINDOWS_PER_TUNE))
    for sound in sounds.make(seed=seed, per_kind=SOUNDS_PER_KIND):
        now = _report(sound.kind, now)
        windows.append(tags_of(session, sound.samples, WINDOWS_PER_SOUND))
        kinds += [sound.kind] * len(windows[-1])
    return Sounds(np.concatenate(windows), np.array(kinds), np.concatenate(played))


def _report(name: str, last: str) -> str:
    if name != last:
        print(name, file=sys.stderr, flush=True)
    return name


def main() -> None:
    """Hear and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    try:
        embeddings = hear_all(args.backbone.read_bytes())
    except TonearmError as error:
        sys.exit(f"other_sounds: {error}")
    file = io.BytesIO()
    np.savez_compressed(
        file, windows=embeddings.windows, kinds=embeddings.kinds, tunes=embeddings.tunes
    )
    write_atomically(args.out, file.getvalue())
    print(
        f"{args.out}: {len(embeddings.windows)} windows of sounds, {len(embeddings.tunes)} of tunes"
    )


if __name__ == "__main__":
    main()
