"""What the second encoder may say of a genre that is added: nothing, its share, or a vote.

    python -m runs.added_votes --backbone backbone.onnx --free free_music.npz --gtzan FOLDER

Each of GTZAN's ten genres is left out of both heads and then added with some of its clips, fold by
fold of artists. Prints, as means over the genres, recall of the new genre, accuracy of the others,
and log-loss of all held-out clips: by the first encoder alone; where the new genre keeps the share
that the first gives it; with a centre of the textures of clips that the first is in doubt about;
and with one of all clips' textures, which a library does not hold.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs.free_music import load as load_free_music
from runs.gtzan import genre_of
from runs.recipe import GATES, LABELS, PRIOR, Data, Examples, Fitted, examples
from tonearm.data.folds import k_fold
from tonearm.genres import GTZAN_GENRES
from tonearm.model import file as model_file
from tonearm.model.head import Head
from tonearm.nets.musicnn import MSD_TAGS
from tonearm.training import added_genres, texture_votes
from tonearm.training.head_fit import Tracks, assemble, genre_name_tags

COUNTS = (5, 10, 20, 40)
FOLDS = 8
FORMS = ("first encoder alone", "its share", "centre of doubtful", "centre of all")


def head_without(genre: int, learnt: Examples) -> tuple[Head, Fitted]:
    """A head of all genres but one, calibrated as the built-in one is."""
    shipped = model_file.load().head
    assert shipped.texture is not None
    labels = tuple(label for label in LABELS if label != LABELS[genre])
    fitted = learnt.without(genre).fit(labels)
    tags = genre_name_tags(labels, MSD_TAGS)
    head = assemble(fitted.discriminant, labels, tags, shipped.calibration, None)
    texture = fitted.texture_head(shipped.texture.calibration, ask_below=shipped.texture.ask_below)
    return replace(head, prior=np.delete(PRIOR, genre), gates=GATES, texture=texture), fitted


def grown(head: Head, form: str, new: Tracks, doubtful: list[bool]) -> Head:
    """The head with the genre of ``new``, in one of the forms."""
    if form == "first encoder alone":
        alone = replace(head, texture=None)
        return added_genres.grow(alone, replace(new, textures=()), names=MSD_TAGS)
    if form == "its share":
        return added_genres.grow(head, replace(new, textures=()), names=MSD_TAGS)
    known = [
        t if asked or form == FORMS[-1] else None
        for t, asked in zip(new.textures, doubtful, strict=True)
    ]
    return added_genres.grow(head, replace(new, textures=known), names=MSD_TAGS)


def answers(
    head: Head, data: Data, clips: list[str], textures: dict[str, NDArray[np.float64]]
) -> list[tuple[bool, float]]:
    """Of each clip whether it is right, and its log-loss."""
    found = []
    for clip in clips:
        truth = head.labels.index(genre_of(clip))
        probabilities = head.classify(data.train[clip], textures[clip]).probabilities
        loss = -np.log(max(probabilities[truth], 1e-9))
        found.append((bool(probabilities.argmax() == truth), float(loss)))
    return found


def main() -> None:
    """Fit, add, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, default=os.environ.get("TONEARM_GTZAN"))
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--free", type=Path, required=True)
    args = parser.parse_args()
    measure(Data(args.gtzan, args.backbone.read_bytes(), load_free_music(args.free)))


def measure(data: Data) -> None:
    """Print the table."""
    texture_votes.FEWEST = 5  # here every number of textures is tried
    clips = list(data.train)
    groups, labels = [data.groups[clip] for clip in clips], [genre_of(clip) for clip in clips]
    rng = np.random.default_rng(0)
    rows: dict[tuple[int, str, str], list[tuple[bool, bool, float]]] = {}
    for fold in k_fold(labels, groups, folds=FOLDS, seed=0):
        inside, outside = [clips[i] for i in fold.train], [clips[i] for i in fold.held_out]
        learnt = examples(data, inside, hidden={groups[i] for i in fold.held_out})
        for genre, name in enumerate(GTZAN_GENRES):
            head, fitted = head_without(genre, learnt)
            textures = {c: fitted.projection(data.modulations[c][:1]) for c in clips}
            pool = [clip for clip in inside if genre_of(clip) == name]
            for count in COUNTS:
                own = [pool[i] for i in rng.permutation(len(pool))[:count]]
                windows = [data.train[clip] for clip in own]
                new = Tracks(windows, [name] * len(own), own, [textures[clip] for clip in own])
                doubtful = [head.wants_texture(each) for each in windows]
                for form in FORMS:
                    made = answers(grown(head, form, new, doubtful), data, outside, textures)
                    kept = rows.setdefault((count, form, name), [])
                    kept += [
                        (genre_of(clip) == name, *answer)
                        for clip, answer in zip(outside, made, strict=True)
                    ]
        print(f"{len(outside)} clips held out", flush=True)
    print("| clips | form | recall of the new | accuracy of the others | log-loss |")
    print("|---|---|---|---|---|")
    for count in COUNTS:
        for form in FORMS:
            each = [np.array(rows[count, form, name], dtype=float) for name in GTZAN_GENRES]
            new = np.mean([its[its[:, 0] == 1, 1].mean() for its in each])
            old = np.mean([its[its[:, 0] == 0, 1].mean() for its in each])
            loss = np.mean([its[:, 2].mean() for its in each])
            print(f"| {count} | {form} | {new:.3f} | {old:.3f} | {loss:.3f} |")


if __name__ == "__main__":
    main()
