"""``tonearm train`` without ``--arch``: a head over the embeddings of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.cli import console, datasets, heads
from tonearm.errors import DatasetError

if TYPE_CHECKING:
    from tonearm.data.splits import Split
    from tonearm.training.custom_genres import EmbeddedTracks
    from tonearm.training.head_fit import Tracks


def train_head(data: Path, run: heads.HeadRun, *, split: str | None, seeds: int) -> None:
    """Fit a head on a data set: measured by cross-validation with seeds, or on a split.

    Parameters
    ----------
    data : Path
        A folder of music, or a prepared one.
    run : HeadRun
        Where to, and from which model.
    split : str or None
        Name or file of a split; None cross-validates.
    seeds : int
        How many draws of the folds.
    """
    from tonearm.data import splits

    found, failures, damaged = run.embedded(data)
    # A library tells models apart by their names.
    name = f"{console.printable(run.output.absolute().name)} on {run.base.name}"
    if split is None:
        once = found.once()
        say_copies(found)
        run.save(_fit_on_all(run, once, seeds), name=name)
    else:
        chosen = splits.make(split, found.index)
        datasets.say_split(chosen, found.index)
        run.save(_fit_on_split(run, found, chosen), name=name, split=chosen)
    datasets.close(failures, damaged)


def say_copies(found: EmbeddedTracks) -> None:
    """Say how many tracks are left out as copies.

    Parameters
    ----------
    found : EmbeddedTracks
        The data set, copies as well.
    """
    from tonearm.data import splits
    from tonearm.training import caveats

    everything = splits.whole(found.index)
    console.caveat(caveats.of_copies(everything.copies, everything.contradictions))


def _fit_on_all(run: heads.HeadRun, found: EmbeddedTracks, seeds: int) -> heads.FittedHead:
    """A head of all tracks; its figures are those of heads that each left out a fold."""
    from tonearm.data.groups import lonely_genres, without_artist
    from tonearm.training import caveats, custom_genres, head_fit, learnt_sounds

    tracks, names = found.tracks, run.base.embedding_names
    folds = custom_genres.folds_for(tracks.labels, tracks.groups)
    unknown = without_artist(tracks.groups)
    # Where nothing is grouped, "group" would say more than is known.
    unit = "track" if unknown["track"] == len(tracks.groups) else "group"
    evaluated = f"{folds} folds by {unit}, seed {run.seed}" if folds else "not at all"
    metrics: heads.Values = {}
    if folds:
        metrics = _cross_validated(run, tracks, f"{folds} folds by {unit}", seeds)
    console.caveat(caveats.of_lonely(lonely_genres(tracks.labels, tracks.groups)))
    console.caveat(caveats.of_artists(tracks.groups))
    training = {
        "data": f"all {len(tracks.labels)} tracks of {Path(found.index.source).name or 'arrays'}",
        "evaluated": evaluated,
        "leaks": False,
        "artist_unknown": unknown.total(),
        "tracks": len(tracks.labels),
        learnt_sounds.FIELD: found.sounds().to_dict(),
    }
    # Of all tracks: the folds only measured.
    head = head_fit.fit(tracks, names=names, seed=run.seed)
    return heads.FittedHead(head, training, metrics)


def _cross_validated(run: heads.HeadRun, tracks: Tracks, how: str, seeds: int) -> heads.Values:
    """Figures of the first seed, and of several together; each draws folds of its own."""
    import numpy as np

    from tonearm import metrics
    from tonearm.training import custom_genres

    trials, figures = [], []
    names = run.base.embedding_names
    for seed in range(run.seed, run.seed + seeds):
        trials.append(custom_genres.cross_validate(tracks, names=names, seed=seed))
        figures.append(trials[-1].figures())
        heads.print_figures(figures[-1], f"{how}, seed {seed}")
    values = {"held_out": figures[0]}
    if seeds > 1:
        # Every draw measures the same tracks: which ones can be depends on groups alone.
        right = np.stack([t.probabilities.argmax(axis=1) == t.truth for t in trials])
        values["seeds"] = metrics.over_seeds(right, groups=trials[0].groups)
        spread = f"{seeds} seeds ± {values['seeds']['deviation_of_seeds']:.3f}"
        heads.print_figures(values["seeds"], f"{how}, {spread}")
    return values


def _fit_on_split(run: heads.HeadRun, found: EmbeddedTracks, split: Split) -> heads.FittedHead:
    """A head of the training subset of a split, evaluated on the other subsets."""
    from tonearm.data import splits
    from tonearm.data.groups import without_artist
    from tonearm.training import custom_genres, head_fit, learnt_sounds

    here = splits.find_all(split, found.index)
    subsets = {
        name: found.of(subset.tracks)
        for name, subset in here.items()
        if name in splits.SUBSETS and subset.tracks
    }
    if "train" not in subsets:
        raise DatasetError(f"no track of the train subset of split {split.name} is here")
    taught = set(subsets["train"].labels)
    for name, tracks in subsets.items():
        foreign = sorted(set(tracks.labels) - taught)
        if foreign:
            raise DatasetError(
                f"the train subset of split {split.name} has no track of {', '.join(foreign)}, "
                f"but {name} has some"
            )
    head = head_fit.fit(subsets["train"], names=run.base.embedding_names, seed=run.seed)
    metrics: heads.Values = {}
    for name in ("valid", "test"):
        if name in subsets:
            metrics[name] = custom_genres.evaluate_head(head, subsets[name]).figures()
            heads.print_figures(metrics[name], f"{split.name}, {name}, tracks")
    if "valid" not in subsets:
        has = ", ".join(f"{name} {len(tracks.labels)}" for name, tracks in subsets.items())
        what = "Only test is" if metrics else "Nothing is"
        console.say(f"{what} measured: the subset valid has no track here. Found: {has}.")
    training = {
        "split": split.name,
        "split_sha256": split.sha256,
        "leaks": split.leaks,
        "artist_unknown": sum(without_artist(of.groups).total() for of in subsets.values()),
        "tracks": {name: len(of.labels) for name, of in subsets.items()},
        learnt_sounds.FIELD: found.sounds(here["train"].tracks).to_dict(),
    }
    return heads.FittedHead(head, training, metrics)
