"""What a model calls unknown before and after genres are added to it, as a Markdown table.

    python -m runs.added_genres --new electronic DIR --new warzone DIR --effects DIR --voices DIR

Each folder of ``--new`` is added by itself, and all of them together as one genre. One folder of
files at a time is held out, if there are several. Noises are those of ``runs/sounds``, with a seed
from which the detector did not learn, and 200 random recorded ones of a second or more.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs import sounds
from tonearm import Classifier
from tonearm.audio import AUDIO_SUFFIXES
from tonearm.errors import DecodeError
from tonearm.files import find
from tonearm.model import file as model_file
from tonearm.model.head import Head
from tonearm.training import added_genres, known_region
from tonearm.training.head_fit import Tracks

NEW_SEED, NEW_PER_KIND = 7, 3
MOST_NOISES, SHORTEST_NOISE_S = 200, 1.0
FRACTIONS = (0.5, 0.75, 0.9)

Windows = list[NDArray[np.float32]]


def embed(
    classifier: Classifier, folder: Path, *, most: int, shortest_s: float
) -> dict[Path, NDArray[np.float32]]:
    """Windows of random files of a folder; files that cannot be read are named."""
    paths = list(find([folder], suffixes=AUDIO_SUFFIXES, on_error=print))
    embeddings: dict[Path, NDArray[np.float32]] = {}
    for i in np.random.default_rng(0).permutation(len(paths)):
        if len(embeddings) == most:
            break
        try:
            found = classifier.embed(paths[i], count=classifier.model.windows_per_track)
        except DecodeError as error:
            print(error, file=sys.stderr)
            continue
        if found.duration_s >= shortest_s:
            embeddings[paths[i]] = found.values
    return embeddings


def unknown(head: Head, tracks: Windows) -> int:
    """How many tracks a head calls unknown."""
    return sum(not head.classify(windows).known for windows in tracks)


def row(name: str, new: Tracks, noises: dict[str, Windows]) -> list[str]:
    """The new genre's tracks, held out and not, before and after; and the noises."""
    model = model_file.load()
    head, names = model.head, model.embedding_names
    gain = added_genres.measure_gain(added_genres.drawn_tracks(head), new, names=names, base=head)
    grown, n = added_genres.grow(head, new, names=names), len(new.windows)
    found = gain.new[name]
    cells = [name, f"{known_region.NEAR}", f"{found['recall']:.2f}", f"{found['unknown']} of {n}"]
    cells.append(f"{unknown(grown, list(new.windows))}, were {unknown(head, list(new.windows))}")
    for tracks in noises.values():
        now = unknown(grown, tracks) / len(tracks)
        cells.append(f"{now:.2f}, was {unknown(head, tracks) / len(tracks):.2f}")
    return cells


def main() -> None:
    """Analyse, add, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--new", nargs=2, metavar=("NAME", "DIR"), action="append", required=True)
    parser.add_argument("--effects", type=Path, required=True)
    parser.add_argument("--voices", type=Path, required=True)
    args = parser.parse_args()
    classifier = Classifier.load()
    made = sounds.make(seed=NEW_SEED, per_kind=NEW_PER_KIND)
    noises = {
        "made by code": [
            classifier.embed(sound.samples, sounds.SAMPLE_RATE_HZ).values for sound in made
        ]
    }
    for kind in ("effects", "voices"):
        folder = getattr(args, kind)
        embeddings = embed(classifier, folder, most=MOST_NOISES, shortest_s=SHORTEST_NOISE_S)
        noises[kind] = list(embeddings.values())
    genres = {
        name: embed(classifier, Path(folder), most=MOST_NOISES, shortest_s=20.0)
        for name, folder in args.new
    }
    together = {path: each for embeddings in genres.values() for path, each in embeddings.items()}
    columns = ["added", "NEAR", "recall", "held out, unknown", "learned from, unknown", *noises]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for known_region.NEAR in FRACTIONS:
        for name, embeddings in {**genres, "all of them": together}.items():
            folders = [str(path.parent) for path in embeddings]
            groups = folders if len(set(folders)) > 4 else [str(path) for path in embeddings]
            new = Tracks(list(embeddings.values()), [name] * len(embeddings), groups)
            print(f"| {' | '.join(row(name, new, noises))} |", flush=True)


if __name__ == "__main__":
    main()
