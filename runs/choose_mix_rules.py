"""How often medleys are called a mix, and tracks of one genre are not: ``tonearm.model.mix``.

Windows of the clips of a folder (one sub-folder a genre) are put end to end to tracks of twelve
minutes; no audio is joined. ``python -m runs.choose_mix_rules FOLDER``
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from tonearm import Classifier
from tonearm.model.mix import with_mix
from tonearm.model.prediction import Prediction

TRACK_S, HOP_S, SEED = 720, 15, 0
# Seconds of each piece in a medley.
PIECES_S = (30, 72, 120, 180, 240, 360)
MEDLEYS = 30

Clips = dict[str, list[np.ndarray]]


def embedded(classifier: Classifier, folder: Path) -> Clips:
    """A window a second of each clip, by genre."""
    found: Clips = {}
    for path in sorted(folder.glob("*/*.*")):
        values = classifier.embed(path, timeline=True).values
        found.setdefault(path.parent.name, []).append(values)
    return found


def piece(clips: list[np.ndarray], seconds: int, rng: random.Random) -> np.ndarray:
    """Windows of some clips, as many as seconds."""
    parts = [clip for _ in range(seconds) for clip in rng.sample(clips, len(clips))]
    return np.concatenate(parts[: 1 + seconds // min(map(len, clips))])[:seconds]


def medley(clips: Clips, seconds: int, rng: random.Random) -> np.ndarray:
    """Pieces of that length, neighbours of different genres."""
    genres: list[str] = []
    while len(genres) < TRACK_S // seconds:
        genre = rng.choice([name for name in clips if not genres or name != genres[-1]])
        genres.append(genre)
    return np.concatenate([piece(clips[genre], seconds, rng) for genre in genres])


def is_mix(classifier: Classifier, windows: np.ndarray) -> tuple[bool, bool]:
    """Whether it is called a mix, and whether ``tag`` would write one genre at .6."""
    at = ((np.arange(len(windows) // HOP_S) + 0.5) * HOP_S).astype(int)
    head = classifier.model.head
    output = head.classify(windows[at])
    named = Prediction.of(head.labels, output.probabilities, known=output.known)
    found = with_mix(
        named,
        head,
        windows[at],
        starts_s=at.astype(np.float64),
        duration_s=float(len(windows)),
        window_s=classifier.model.features.window_s,
    )
    return found.mix is not None, found.genre is not None and found.confidence >= 0.6


def main() -> None:
    """Print one line for each kind of track."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="clips, one sub-folder a genre")
    args = parser.parse_args()
    rng, classifier = random.Random(SEED), Classifier.load()
    clips = embedded(classifier, args.folder)
    kinds = {
        f"pieces of {seconds} s": [medley(clips, seconds, rng) for _ in range(MEDLEYS)]
        for seconds in PIECES_S
    }
    kinds["one clip again and again"] = [
        piece([clip], TRACK_S, rng) for each in clips.values() for clip in each
    ]
    kinds["one genre, 20 minutes"] = [
        piece(each, 1_200, rng) for each in clips.values() for _ in range(2)
    ]
    for name, tracks in kinds.items():
        mixes, written = zip(*(is_mix(classifier, track) for track in tracks), strict=True)
        print(f"{name:26} n={len(tracks):3} mix={sum(mixes):3} written as one={sum(written):3}")


if __name__ == "__main__":
    main()
