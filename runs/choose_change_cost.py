"""What a change of genre should cost on a timeline: mixes of valid clips, at several costs.

    python -m runs.choose_change_cost --gtzan FOLDER

Clips of 30 s are concatenated, either at random or in runs of one genre of about two minutes. A low
cost follows every odd window; a high one misses short segments. Windows of 3 s lie end to end, or
begin each second. The built-in head learned from these clips, so only the differences between the
rows have a meaning.
"""

from __future__ import annotations

import argparse
import os
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs.gtzan import genre_of, read_split, read_taggrams
from tonearm.model.classifier import Classifier
from tonearm.model.encoder import Embeddings
from tonearm.timeline.segments import segments

COSTS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20)
MIXES = 30
WINDOW_S = 3.0
HOPS = (3, 1)  # of the windows, which lie a second apart


def mix(
    clips: dict[str, NDArray[np.float32]], rng: np.random.Generator, *, run: int
) -> tuple[NDArray[np.float32], list[str]]:
    """Windows of eight or more clips and the genre of each; ``run`` clips of a genre in a row."""
    genres = sorted({genre_of(clip) for clip in clips})
    order: list[str] = []
    for genre in rng.choice(genres, 8 if run == 1 else 4):
        own = [clip for clip in clips if genre_of(clip) == genre]
        order += rng.choice(own, min(run, len(own)), replace=False).tolist()
    truth = [genre_of(clip) for clip in order for _ in clips[clip]]
    return np.concatenate([clips[clip] for clip in order]), truth


def main() -> None:
    """Print the fraction of right windows and the number of segments, for each cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, default=os.environ.get("TONEARM_GTZAN"))
    args = parser.parse_args()
    classifier = Classifier.load()
    embeddings = read_taggrams(args.gtzan / "taggram_audio_dev.npz", "msd")
    valid = set(read_split(args.gtzan, "valid"))
    clips = {clip: windows for clip, windows in embeddings.items() if clip in valid}
    for run, hop, cost in product((1, 4), HOPS, (*COSTS, None)):
        rng = np.random.default_rng(run)
        sparse = {clip: windows[::hop] for clip, windows in clips.items()}
        rows = [mix(sparse, rng, run=run) for _ in range(MIXES)]
        right, found = zip(*(measure(classifier, *row, hop, cost) for row in rows), strict=True)
        true = [1 + sum(a != b for a, b in pairwise(truth)) for _, truth in rows]
        print(
            f"clips of a genre in a row {run}, hop {hop} s, cost {cost or 'built in'}: "
            f"{np.mean(right):.3f} of the time right, {np.mean(found):.1f} segments of "
            f"{np.mean(true):.1f}"
        )


def measure(
    classifier: Classifier,
    windows: NDArray[np.float32],
    truth: list[str],
    hop: int,
    cost: float | None,
) -> tuple[float, int]:
    """Fraction of windows whose genre is right, and the number of segments found.

    At a cost, from single windows; without one as built in, with whole segments classified.
    """
    starts_s = np.arange(len(windows)) * float(hop)
    duration_s = starts_s[-1] + WINDOW_S
    if cost is None:
        embeddings = Embeddings(windows, starts_s, duration_s)
        found = classifier.classify(embeddings, timeline=True).timeline
    else:
        head = classifier.model.head
        found = segments(
            starts_s,
            head.classify_each(windows),
            (*head.labels, None),
            duration_s=duration_s,
            window_s=WINDOW_S,
            change_cost=cost,
        )
    ends_s = np.array([segment.end_s for segment in found])
    which = np.searchsorted(ends_s, starts_s + WINDOW_S / 2)
    right = [found[i].genre == genre for i, genre in zip(which, truth, strict=True)]
    return float(np.mean(right)), len(found)


if __name__ == "__main__":
    main()
