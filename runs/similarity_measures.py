"""Which measure of similarity finds music of the same genre, on GTZAN's train clips.

    python -m runs.similarity_measures DATA_FOLDER

DATA_FOLDER holds ``taggram_msd_train.npz`` (tags [windows, 50], name) and ``artists.tsv``. For each
of the 443 clips it finds the nearest clips by other artists, and counts those of the same genre.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np


def main() -> None:
    """Print one line per measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    folder = parser.parse_args().data
    with np.load(folder / "taggram_msd_train.npz", allow_pickle=False) as file:
        names, tags = file["name"], file["tags"]
    clips = np.unique(names)
    # Every fourth window: 3 s windows at a hop of 1 s overlap, a library's do not.
    means = np.array([tags[names == clip][::4].mean(axis=0) for clip in clips])
    genres = np.array([clip.split(".")[0] for clip in clips])
    with (folder / "artists.tsv").open(encoding="utf-8") as file:
        artist_of = {row[0]: row[1] for row in csv.reader(file, delimiter="\t") if len(row) > 1}
    artists = np.array([artist_of.get(clip) or clip for clip in clips])
    roots = np.sqrt(means)
    measures = {
        "plain": means,
        "divided by deviations": (means - means.mean(axis=0)) / means.std(axis=0),
        "square roots": roots,
        "square roots, centred (used)": roots - roots.mean(axis=0),
        "square roots, divided by deviations": (roots - roots.mean(axis=0)) / roots.std(axis=0),
    }
    print(f"{len(clips)} clips; fraction of the same genre: nearest, ten nearest")
    for name, points in measures.items():
        units = points / np.linalg.norm(points, axis=1, keepdims=True)
        likeness = np.where(artists[:, None] == artists, -np.inf, units @ units.T)
        nearest = np.argsort(-likeness, axis=1, kind="stable")[:, :10]
        same = genres[nearest] == genres[:, None]
        print(f"{name:38} {same[:, 0].mean():.3f}  {same.mean():.3f}")


if __name__ == "__main__":
    main()
