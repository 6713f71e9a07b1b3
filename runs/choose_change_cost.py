"""What a change of genre should cost on a timeline: mixes of valid clips, for several prices.

    python runs/choose_change_cost.py --gtzan FOLDER

Clips of 30 s are strung together, either at random or in runs of one genre of about two minutes.
A price that is low follows every odd window; one that is high misses short parts. The shipped head
has learnt from these clips, so that only the differences between the rows mean something.
"""

from __future__ import annotations

import argparse
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
from gtzan import genre_of, read_split, read_taggrams
from numpy.typing import NDArray

from tonearm import bundle
from tonearm.timeline import segments

COSTS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 20)
MIXES = 30
WINDOW_S = 3.0  # every third of the windows, which lie a second apart


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
    head = bundle.load().head
    heard = read_taggrams(args.gtzan / "taggram_audio_dev.npz", "msd")
    valid = set(read_split(args.gtzan, "valid"))
    clips = {clip: windows[::3] for clip, windows in heard.items() if clip in valid}
    for run in (1, 4):
        for cost in COSTS:
            rng = np.random.default_rng(run)
            right, found, true = [], [], []
            for _ in range(MIXES):
                windows, truth = mix(clips, rng, run=run)
                starts_s = np.arange(len(windows)) * WINDOW_S
                parts = segments(
                    starts_s,
                    head.decide_each(windows),
                    (*head.labels, None),
                    duration_s=len(windows) * WINDOW_S,
                    window_s=WINDOW_S,
                    change_cost=cost,
                )
                ends_s = np.array([part.end_s for part in parts])
                which = np.searchsorted(ends_s, starts_s + WINDOW_S / 2)
                right.append(
                    np.mean([parts[i].genre == t for i, t in zip(which, truth, strict=True)])
                )
                found.append(len(parts))
                true.append(1 + sum(a != b for a, b in pairwise(truth)))
            print(
                f"clips of a genre in a row {run}, cost {cost:2}: {np.mean(right):.3f} of windows "
                f"right, {np.mean(found):.1f} parts where there are {np.mean(true):.1f}"
            )


if __name__ == "__main__":
    main()
