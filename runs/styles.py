"""Which styles hold: tags against the genre that a store gives each clip of GTZAN.

    python -m runs.styles --gtzan FOLDER --free free_music.npz

A style is a tag above a limit, under some genres. For each it prints the clips above the limit, the
share of them that the store puts in a genre that goes with it, that share among all clips of the
genre, and the area under the curve. A store's one genre is a coarse judge: it never says Punk, and
calls much hard rock Rock; so what it cannot confirm (punk, dance, R&B, soul) is left out. Styles of
electronic music, of which GTZAN has none, are shown by collection: one is ambient by its package.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from runs.free_music import load
from runs.gtzan import genre_of, read_release_genres, read_taggrams
from tonearm.model.styles import Style
from tonearm.nets.musicnn import MSD_TAGS

STYLES = (
    Style("Hard Rock", "hard rock", 0.18, ("metal", "rock")),
    Style("Heavy Metal", "heavy metal", 0.15, ("metal",)),
    Style("Alternative", "alternative", 0.09, ("pop", "rock")),
    Style("Indie", "indie", 0.12, ("pop", "rock")),
    Style("Ambient", "ambient", 0.2, ("electronic",)),
)
# What the store calls music of that style.
RELEASED_AS = {
    "Hard Rock": ("hard rock", "rock", "metal"),
    "Heavy Metal": ("metal",),
    "Alternative": ("alternative",),
    "Indie": ("alternative",),
}


def gtzan_rows(root: Path) -> list[tuple[object, ...]]:
    """For each style and genre: limit, clips above, right of them and of all, area."""
    released = {clip: word.lower() for clip, word in read_release_genres(root).items()}
    tags = {
        **read_taggrams(root / "taggram_audio_dev.npz", "msd"),
        **read_taggrams(root / "taggram_audio_more.npz", "msd"),
        **read_taggrams(root / "taggram_msd_train.npz", "tags"),
    }
    rows: list[tuple[object, ...]] = []
    for style in STYLES:
        for genre in style.genres:
            clips = [clip for clip in tags if genre_of(clip) == genre and released.get(clip)]
            if not clips:
                continue
            place = MSD_TAGS.index(style.tag)
            values = np.array([tags[clip].mean(axis=0)[place] for clip in clips])
            words = RELEASED_AS[style.name]
            truth = np.array([any(word in released[clip] for word in words) for clip in clips])
            above = values >= style.least
            area = (values[truth][:, None] > values[~truth][None]).mean()
            rows.append(
                (
                    style.name,
                    genre,
                    style.least,
                    f"{above.sum()} of {len(clips)}",
                    f"{truth[above].mean():.2f}",
                    f"{truth.mean():.2f}",
                    f"{area:.2f}",
                )
            )
    return rows


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, default=os.environ.get("TONEARM_GTZAN"))
    parser.add_argument("--free", type=Path, required=True)
    args = parser.parse_args()
    print("| style | genre | limit | clips above | right | right of all | area |")
    print("|---|---|---|---|---|---|---|")
    for row in gtzan_rows(args.gtzan):
        print(f"| {' | '.join(map(str, row))} |")
    print("\n| style | electronic collection | tracks above |\n|---|---|---|")
    tracks = [track for track in load(args.free) if track.label == "electronic"]
    for style in (style for style in STYLES if "electronic" in style.genres):
        place = MSD_TAGS.index(style.tag)
        for collection in dict.fromkeys(track.collection for track in tracks):
            means = [t.tags.mean(axis=0)[place] for t in tracks if t.collection == collection]
            above = sum(mean >= style.least for mean in means)
            print(f"| {style.name} | {collection} | {above} of {len(means)} |")


if __name__ == "__main__":
    main()
