"""Cross-validation and several seeds of one network: each a run of its own, and one figure.

A folder of trials holds ``trials.json`` (what was asked), ``fold-1/seed-0/`` and so on (a run each,
see `training.run`), and at the end ``predictions.csv`` and ``metrics.json`` of all held-out tracks
together. Trials that are killed continue with the run they stopped in. Must not import torch: the
command line reads this first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tonearm import metrics
from tonearm.data import groups, splits
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.errors import DatasetError, counted
from tonearm.training import custom_genres, several_genres
from tonearm.training.predictions import COLUMNS, read_predictions, write_predictions
from tonearm.training.run import (
    CHECKPOINT,
    CODE,
    METRICS,
    PREDICTIONS,
    SPLIT,
    TRIALS,
    Run,
    refuse_begun,
    write,
)

OnRun = Callable[[Run, bool], None]  # trains a run; whether it was begun before


@dataclass(frozen=True)
class Trials:
    """What was asked for.

    Parameters
    ----------
    run : Run
        The settings of every run; its seed is the first.
    folds : int
        0 for the one split that is kept in ``fold-0``.
    seeds : int
    """

    run: Run
    folds: int
    seeds: int

    def each(self) -> list[Run]:
        """The runs, all seeds of a fold together."""
        return [
            replace(
                self.run, out=str(fold_path(Path(self.run.out), fold) / f"seed-{seed}"), seed=seed
            )
            for fold in (range(1, self.folds + 1) if self.folds else [0])
            # Seeds inside, folds outside: whoever stops early has whole folds.
            for seed in range(self.run.seed, self.run.seed + self.seeds)
        ]


def fold_path(out: Path, fold: int) -> Path:
    """The folder of a fold's runs and of its split.

    Parameters
    ----------
    out : Path
        The folder of all trials.
    fold : int
        Its number, from 1; 0 without folds.
    """
    return out / f"fold-{fold}"


def fold_splits(made: Index, split: Split | None, *, folds: int) -> list[Split]:
    """The split of each fold: its tracks are ``valid``, all others ``train``.

    The folds are the same for every seed, so that seeds compare.

    Parameters
    ----------
    made : Index
        The data set.
    split : Split or None
        Whose training subset is divided; None for all tracks.
    folds : int
        How many.

    Raises
    ------
    DatasetError
        When a genre has fewer groups than there are folds.
    """
    found = splits.whole(made) if split is None else splits.find(split, "train", made)
    names = [track.name for track in found.tracks]
    labels = [track.genre for track in found.tracks]
    owners = [track.group for track in found.tracks]
    # They are always learnt from and never measured, so they do not limit the number of folds.
    lonely = groups.lonely_genres(labels, owners)
    counts = {
        label: len(own)
        for label, own in groups.groups_of(labels, owners).items()
        if label not in lonely
    }
    if not counts:
        raise DatasetError(groups.ALL_LONELY)
    fewest = min(counts, key=lambda label: (counts[label], label))
    if counts[fewest] < folds:
        few = counted(counts[fewest], "artist or group", "artists or groups")
        raise DatasetError(
            f"folds={folds}: {fewest} has {few}, and each fold needs one: use "
            f"folds={counts[fewest]} or fewer, or add music"
        )
    source = "" if split is None else f"-of-{split.name}"
    return [
        Split(
            f"fold-{number}-of-{folds}{source}",
            {
                "train": tuple(sorted(names[i] for i in fold.train)),
                "valid": tuple(sorted(names[i] for i in fold.held_out)),
            },
        )
        for number, fold in enumerate(
            # Seed 0 always: the seeds of a run are for its weights and batches.
            custom_genres.held_out_folds(labels, owners, folds=folds, seed=0),
            1,
        )
    ]


def begin(asked: Trials, chosen: Sequence[Split]) -> None:
    """Write what was asked, and the split of each fold.

    Parameters
    ----------
    asked : Trials
        What to train.
    chosen : sequence of Split
        Of each fold; one split without folds.

    Raises
    ------
    DatasetError
        When the folder holds trials already.
    """
    out = Path(asked.run.out)
    refuse_begun(out)
    for fold, split in enumerate(chosen, 1 if asked.folds else 0):
        text = split.text.encode("utf-8", "surrogateescape")
        # Each fold keeps its split as a file: `evaluate` can repeat any of the runs by it.
        write(fold_path(out, fold) / SPLIT, text)
    write(out / TRIALS, json.dumps(asdict(asked), indent=1).encode())


def read(out: Path) -> Trials | None:
    """The trials of a folder; None where it holds none.

    Parameters
    ----------
    out : Path
        A folder of trials.
    """
    try:
        values = json.loads((out / TRIALS).read_text("utf-8"))
        # The folder may have been moved since.
        run = replace(Run(**values["run"]), out=str(out))
        return Trials(run, values["folds"], values["seeds"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{out / TRIALS} cannot be read ({error}): start again") from None


def run_each(asked: Trials, train: OnRun) -> dict[str, Any]:
    """Train what is not trained yet; the figures of all, which are written too.

    Parameters
    ----------
    asked : Trials
        As :func:`begin` wrote it.
    train : callable
        Trains one run, whose split is in its folder.
    """
    for run in asked.each():
        out = Path(run.out)
        if (out / METRICS).exists():  # written last
            continue
        # Copied into the run, so that it can be moved or evaluated without the others.
        write(out / SPLIT, (out.parent / SPLIT).read_bytes())
        if run.code_sha256:
            write(out / CODE, (Path(asked.run.out) / CODE).read_bytes())
        # A run that was killed goes on from its last epoch; one that never began starts.
        train(run, (out / CHECKPOINT).exists())
    return _summarise(asked)


def _summarise(asked: Trials) -> dict[str, Any]:
    """Figures of all held-out tracks, by seed and together."""
    out = Path(asked.run.out)
    of_seed: dict[int, list[dict[str, str]]] = {}
    for run in asked.each():
        of_seed.setdefault(run.seed, []).extend(read_predictions(Path(run.out) / PREDICTIONS))
    # Every seed holds out the same tracks in the same order, since the folds are the same.
    first = next(iter(of_seed.values()))
    labels = [name for name in first[0] if name not in COLUMNS]
    truth = np.array([labels.index(row["genre"]) for row in first], dtype=np.int64)
    owners = [row["group"] for row in first]
    raw = np.array(
        [[[float(row[name]) for name in labels] for row in rows] for rows in of_seed.values()]
    )  # (seeds, tracks, labels)
    # Of one genre they sum to 1 already, but for the rounding of a table.
    probabilities = np.stack([several_genres.normalised(each) for each in raw])
    right = probabilities.argmax(axis=2) == truth  # (seeds, tracks)
    done = [json.loads((Path(run.out) / METRICS).read_text("utf-8")) for run in asked.each()]
    training = done[0]["training"]
    # fold-1-of-3, or fold-1-of-3-of-NAME
    folds = f"folds-{training['split'].partition('-of-')[2]}"
    values = {
        "training": {
            **{name: training[name] for name in ("model", "config", "recipe", "epochs", "leaks")},
            "folds": asked.folds,
            "seeds": list(of_seed),
            "split": folds if asked.folds else training["split"],
            # Of each fold; seeds share them.
            "split_sha256": list(dict.fromkeys(one["training"]["split_sha256"] for one in done)),
            "artist_unknown": groups.without_artist(owners).total(),
        },
        "note": "probabilities are the mean over a track's windows, before any calibration; the "
        "interval resamples groups, and each track counts by the fraction of seeds that are right",
        "held_out": metrics.over_seeds(right, groups=owners),
        "by_seed": {
            str(seed): metrics.evaluate(truth, each, tuple(labels), groups=owners)
            for seed, each in zip(of_seed, probabilities, strict=True)
        },
    }
    tracks = [_track(row) for row in first]
    if training["recipe"].get("several_genres"):
        marks = several_genres.targets(tracks, labels)
        values["several"] = several_genres.figures(marks, raw.mean(axis=0), labels, groups=owners)
    write_predictions(out / PREDICTIONS, tracks, labels, raw.mean(axis=0))
    # Last, as for each run: its presence says that all is done.
    write(out / METRICS, json.dumps(values, indent=1).encode())
    return values


def _track(row: Mapping[str, str]) -> Track:
    """The track of a row, as far as a table says it."""
    also = tuple(row["also"].split(";")) if row["also"] else ()
    return Track(row["track"], row["genre"], row["group"], "", 0.0, also=also)
