"""How far ten songs a genre go, and what one more genre gains and costs.

    python -m runs.few_songs PREPARED NEW

PREPARED holds embeddings of GTZAN's training clips (``python -m runs.arrays
taggram_msd_train.npz -o PREPARED``), NEW those of other music, of which the genre ``electronic`` is
added. Twenty draws of ten clips a genre, each measured on all clips of artists that are not in the
draw.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from runs import arrays
from tonearm import metrics
from tonearm.model import file as model_file
from tonearm.training import added_genres, custom_genres
from tonearm.training import head_fit as heads

DRAWS = 20
CLIPS = 10


def main(prepared: str, new: str) -> None:
    """Print both tables."""
    shipped = model_file.load()
    tracks = arrays.tracks(prepared, shipped.encoder_sha256)
    labels, groups = np.array(tracks.labels), np.array(tracks.groups)
    accuracies, seconds, counts = [], [], []
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        chosen = np.concatenate(
            [rng.permutation(np.flatnonzero(labels == g))[:CLIPS] for g in np.unique(labels)]
        )
        others = np.flatnonzero(~np.isin(groups, groups[chosen]))
        begun = time.perf_counter()
        head = heads.fit(
            custom_genres.subset(tracks, chosen), names=shipped.embedding_names, seed=draw
        )
        seconds.append(time.perf_counter() - begun)
        trial = custom_genres.evaluate_head(head, custom_genres.subset(tracks, others))
        accuracies.append((trial.probabilities.argmax(1) == trial.truth).mean())
        counts.append(len(others))
    low, high = np.quantile(accuracies, (0.025, 0.975))
    print(
        f"{CLIPS} clips a genre, {DRAWS} draws: {np.mean(accuracies):.3f} "
        f"[{low:.3f}, {high:.3f}] on {min(counts)}-{max(counts)} clips of other artists; "
        f"{np.median(seconds):.2f} s a fit"
    )
    trials = [
        custom_genres.cross_validate(tracks, names=shipped.embedding_names, seed=seed)
        for seed in range(DRAWS)
    ]
    right = np.array([trial.probabilities.argmax(1) == trial.truth for trial in trials])
    low, high = metrics.accuracy_interval(right.mean(axis=0), groups=tracks.groups)
    print(
        f"all {right.shape[1]} clips, {custom_genres.FOLDS} folds by artist, {DRAWS} shuffles: "
        f"{right.mean():.3f} [{low:.3f}, {high:.3f}] by artist, "
        f"deviation of shuffles {right.mean(axis=1).std():.3f}"
    )

    others_music = arrays.tracks(new, shipped.encoder_sha256)
    places = [i for i, label in enumerate(others_music.labels) if label == "electronic"]
    gain = added_genres.measure_gain(
        tracks, custom_genres.subset(others_music, places), names=shipped.embedding_names
    )
    found = gain.new["electronic"]
    change = gain.difference
    print(f"electronic added: recall {found['recall']:.3f}, n={found['n']}")
    print(
        f"the ten: {gain.before:.3f} -> {gain.after:.3f}, {change.mean:+.3f} "
        f"[{change.low:+.3f}, {change.high:+.3f}], "
        f"n={gain.n}, {gain.lost_to_new} called electronic"
    )
    # The new genre is of another collection: is it the collection that is recognised?
    rest = custom_genres.subset(
        others_music, [i for i in range(len(others_music.labels)) if i not in places]
    )
    head = heads.fit(tracks, names=shipped.embedding_names)
    grown = added_genres.grow(
        head, custom_genres.subset(others_music, places), names=shipped.embedding_names
    )
    before, after = (
        custom_genres.evaluate_head(head, rest),
        custom_genres.evaluate_head(grown, rest),
    )
    taken = (after.probabilities.argmax(1) == len(head.labels)).sum()
    print(
        f"other genres of the same collection: {before.figures()['accuracy']:.3f} -> "
        f"{after.figures()['accuracy']:.3f}, n={len(rest.labels)}, {taken} called electronic"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", help="GTZAN's train clips")
    parser.add_argument("new", help="other music, with the genre electronic")
    options = parser.parse_args()
    main(options.prepared, options.new)
