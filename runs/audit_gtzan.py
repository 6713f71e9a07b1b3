"""How well an audit finds what is wrong with GTZAN, next to confident learning of `cleanlab`.

    python -m runs.audit_gtzan --gtzan FOLDER

On the 710 clips that exist as spectrograms. Two lists say what is wrong: the 70 clips that the
fault-filtered split excludes (repeats, distortions, wrong labels), and a store's genre of each
song (``release_genres.tsv``), where that has a counterpart among the ten. The first is looked for
by copies and by labels, the second by labels alone: the ranking of ``tonearm audit``, and those of
cleanlab on the same held-out probabilities. Tags are estimated from spectrograms without any label
(`estimate_tags.imitate`), which costs accuracy; so the first table is of the clips whose tags come
from their audio.

cleanlab must be installed; without it only our own rows are printed.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs import array_copies, gtzan
from runs.arrays import ARRAY_SPEC
from runs.estimate_tags import imitate
from tonearm.model import file as model_file
from tonearm.model.network import onnx_session
from tonearm.training import audit
from tonearm.training.head_fit import Tracks

# Words of the store for GTZAN's genres; of two, either is no contradiction.
RELEASE_GENRES = {
    "Blues": "blues",
    "Classical": "classical",
    "Country": "country",
    "Dance": "disco pop",
    "Disco": "disco",
    "Hard Rock": "rock metal",
    "Heavy Metal": "metal",
    "Hip-Hop/Rap": "hiphop",
    "Jazz": "jazz",
    "Metal": "metal",
    "Pop": "pop",
    "R&B/Soul": "disco pop hiphop blues",
    "Reggae": "reggae",
    "Rock": "rock",
}
LOOKED_AT = (35, 70, 140)


def clips(root: Path) -> tuple[list[str], Tracks, list[NDArray[np.float32]]]:
    """Names, tracks with estimated tags, and levels of all clips."""
    session = onnx_session(model_file.load().encoder)
    with np.load(root / "logmel_dev.npz") as file:
        names, pictures = list(map(str, file["name"])), file["logmel"]
    windows = [session.run(None, {"features": imitate(picture)})[0] for picture in pictures]
    group = gtzan.read_groups(root, names)
    tracks = Tracks(
        windows, [gtzan.genre_of(name) for name in names], [group[name] for name in names]
    )
    return names, tracks, [picture.T * np.float32(80 / 256) for picture in pictures]


def contradicted(root: Path, names: list[str]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which clips the store puts into another genre, and of which it says anything."""
    rows = gtzan.read_release_genres(root)
    words = [RELEASE_GENRES.get(rows.get(name, ""), "").split() for name in names]
    known = np.array([bool(genres) for genres in words])
    wrong = [
        bool(genres) and gtzan.genre_of(name) not in genres
        for name, genres in zip(names, words, strict=True)
    ]
    return np.array(wrong), known


def figures(doubt: NDArray[np.float64], wrong: NDArray[np.bool_]) -> str:
    """Area under the ROC curve, and precision and recall of the first clips of a ranking."""
    order = np.argsort(-doubt, kind="stable")
    ranks = np.empty(len(order))
    ranks[order[::-1]] = np.arange(len(order))
    positive = ranks[wrong]
    n, m = wrong.sum(), (~wrong).sum()
    area = (positive.sum() - n * (n - 1) / 2) / (n * m)
    cells = [f"{area:.3f}"]
    for count in LOOKED_AT:
        hits = wrong[order[:count]].sum()
        cells.append(f"{hits / count:.2f} {hits / n:.2f}")
    return "\t".join(cells)


def rankings(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """How doubtful each label is, by several measures."""
    made = {"tonearm audit": -audit.margin(probabilities, truth)}
    if find_spec("cleanlab"):
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores

        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
            scores = get_label_quality_scores(truth, probabilities, method=method)
            made[f"cleanlab, {method}"] = -scores
        ranked = find_label_issues(
            truth, probabilities, return_indices_ranked_by="normalized_margin"
        )
        # What confident learning does not call an issue comes after everything that it does.
        issues = np.full(len(truth), -1.0) + -audit.margin(probabilities, truth) / 10
        issues[ranked] = np.linspace(2, 1, len(ranked))
        made[f"cleanlab, confident learning ({len(ranked)} issues)"] = issues
    return made


def with_true_tags(root: Path) -> tuple[list[str], Tracks]:
    """The clips whose tags come from their audio: most of train, a third of valid, few excluded."""
    tags = gtzan.read_taggrams(root / "taggram_msd_train.npz", "tags")
    for name in ("taggram_audio_dev", "taggram_audio_more"):
        found = gtzan.read_taggrams(root / f"{name}.npz", "msd")
        tags |= {clip: windows for clip, windows in found.items() if clip not in tags}
    return list(tags), gtzan.tracks(tags, gtzan.read_groups(root, tags))


def held_out(names: list[str], tracks: Tracks) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities by heads fitted without the artist, and the labels' places."""
    labels = sorted(set(tracks.labels))
    truth = np.array([labels.index(label) for label in tracks.labels])
    names_of = model_file.load().embedding_names
    probabilities = audit.held_out(tracks, names=names_of).probabilities
    right = (probabilities.argmax(axis=1) == truth).mean()
    print(f"{len(names)} clips, held-out answers agree with {right:.3f} of the labels")
    return probabilities, truth


def table(
    title: str,
    listed: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    made: dict[str, NDArray[np.float64]],
) -> None:
    """Figures of all rankings against one list."""
    heads = "\t".join(f"precision, recall of {count}" for count in LOOKED_AT)
    print(f"\n{title}: {listed[chosen].sum()} of {chosen.sum()}\narea\t{heads}")
    for what, doubt in made.items():
        print(f"{figures(doubt[chosen], listed[chosen])}\t{what}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, required=True)
    options = parser.parse_args()
    title = "the store's genre contradicts the label"
    names, tracks = with_true_tags(options.gtzan)
    made = rankings(*held_out(names, tracks))
    table(f"{title}, tags from audio", *contradicted(options.gtzan, names), made)
    print()
    names, tracks, levels = clips(options.gtzan)
    made = rankings(*held_out(names, tracks))
    excluded = set(gtzan.read_split(options.gtzan, "excluded"))
    gone = np.array([name in excluded for name in names])
    correlation = array_copies.correlations(list(levels), frame_s=ARRAY_SPEC.frame_s)
    pairs = np.argwhere(correlation > array_copies.ALIKE)
    in_pair = np.zeros(len(names), dtype=bool)
    in_pair[pairs.ravel()] = True
    with_excluded = gone[pairs].any(axis=1).sum()
    print(
        f"copies: {len(pairs)} pairs, of which {with_excluded} have an excluded clip; they name "
        f"{(gone & in_pair).sum()} of the {gone.sum()} excluded clips"
    )
    table(f"{title}, estimated tags", *contradicted(options.gtzan, names), made)
    table("excluded, all", gone, np.ones(len(names), dtype=bool), made)
    table("excluded, without clips that are copies", gone, ~in_pair, made)


if __name__ == "__main__":
    main()
