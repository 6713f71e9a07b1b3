"""What a change of genre should cost on a timeline: mixes of valid clips, for several prices.

    python -m runs.choose_change_cost --gtzan FOLDER

Clips of 30 s are strung together, either at random or in runs of one genre of about two minutes.
A price that is low follows every odd window; one that is high misses short parts. Windows of 3 s
stand end to end, or begin each second. The shipped head has learnt from these clips, so that only
the differences between the rows mean something.
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
    """Print share of windows right and parts found, for each price."""
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
        right, found = zip(*(judge(classifier, *row, hop, cost) for row in rows), strict=True)
        true = [1 + sum(a != b for a, b in pairwise(truth)) for _, truth in rows]
        print(
            f"clips of a genre in a row {run}, hop {hop} s, cost {cost or 'as it ships'}: "
            f"{np.mean(right):.3f} of the time right, {np.mean(found):.1f} parts where there are "
            f"{np.mean(true):.1f}"
        )


def judge(
    classifier: Classifier,
    windows: NDArray[np.float32],
    truth: list[str],
    hop: int,
    cost: float | None,
) -> tuple[float, int]:
    """Share of the windows whose genre is right, and the count of parts found.

    At a price, by single windows; without one as it ships, where each part is judged as a whole.
    """
    starts_s = np.arange(len(windows)) * float(hop)
    duration_s = starts_s[-1] + WINDOW_S
    if cost is None:
        embeddings = Embeddings(windows, starts_s, duration_s)
        parts = classifier.classify(embeddings, timeline=True).timeline
    else:
        head = classifier.model.head
        parts = segments(
            starts_s,
            head.classify_each(windows),
            (*head.labels, None),
            duration_s=duration_s,
            window_s=WINDOW_S,
            change_cost=cost,
        )
    ends_s = np.array([part.end_s for part in parts])
    which = np.searchsorted(ends_s, starts_s + WINDOW_S / 2)
    right = [parts[i].genre == genre for i, genre in zip(which, truth, strict=True)]
    return float(np.mean(right)), len(parts)


if __name__ == "__main__":
    main()
