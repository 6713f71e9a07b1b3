"""``tonearm train --model head``: genres of one's own in seconds, and new ones beside the old."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonearm.cli import console
from tonearm.cli.prepare import hear
from tonearm.errors import DatasetError

if TYPE_CHECKING:
    from tonearm.bundle import Bundle
    from tonearm.data.index import Index
    from tonearm.head import Head
    from tonearm.models.head import Tracks
    from tonearm.training.own import Gain

Values = dict[str, Any]


def train_head(
    folder: Path,
    out: Path,
    base: Path | None,
    split: str | None,
    seed: int,
    jobs: int | None,
    add: bool,
    check: Path | None,
    adopt: bool,
) -> list[tuple[str, str]]:
    """Fit a head on a prepared folder, or add its genres to the model's; what was not heard."""
    from tonearm.classifier import Classifier
    from tonearm.training import own

    classifier = Classifier.load(base)
    shipped = classifier.bundle
    failed = hear(folder, classifier, jobs)
    made, tracks = own.heard_tracks(folder, shipped.listener_sha256)
    console.say(f"{len(made.tracks)} tracks heard, copies left out")
    if add:
        gain = _show_gain(shipped, tracks, check, seed)
        if not adopt:
            console.say("nothing was written: --adopt writes this model")
            return failed
        head = own.grow(shipped.head, tracks, names=shipped.names)
        metrics: Values = {"gain": gain.to_dict()}
        name, how = (
            f"{shipped.name}+",
            {"added": sorted(set(tracks.labels)), "base": shipped.sha256},
        )
    else:
        head, metrics, how = _fit_head(shipped, made, tracks, split, seed)
        name = shipped.name
    _save_head(shipped, head, out, name, {**how, "tracks": len(tracks.labels)}, metrics)
    return failed


def train_from_corrections(
    library: Path | None, out: Path, base: Path | None, seed: int, adopt: bool
) -> None:
    """Move a head's genres toward what a person said of the library's sounds."""
    from tonearm import bundle
    from tonearm.cli.library import location
    from tonearm.library.reviews import corrections
    from tonearm.library.store import Library
    from tonearm.models.head import Tracks
    from tonearm.training import corrections as learning

    shipped = bundle.load(base)
    with Library(location(library)) as opened:
        found = corrections(opened, listener=shipped.listener_sha256)
    given = Tracks(
        [correction.windows for correction in found],
        [correction.genre for correction in found],
        [correction.key for correction in found],
    )
    learnt = learning.measure(shipped.head, given, names=shipped.names, seed=seed)
    change, low, high = learnt.difference
    print(
        f"corrections\taccuracy {learnt.before:.3f} -> {learnt.after:.3f}\t"
        f"{change:+.3f} [{low:+.3f}, {high:+.3f}]\tn={learnt.n}, each judged by the others"
    )
    if not adopt:
        console.say("nothing was written: --adopt writes this model")
        return
    head = learning.correct(shipped.head, given, names=shipped.names)
    how = {"corrections": learnt.n, "base": shipped.sha256}
    _save_head(shipped, head, out, f"{shipped.name}+", how, {"corrections": learnt.to_dict()})


def _fit_head(
    shipped: Bundle, made: Index, tracks: Tracks, split: str | None, seed: int
) -> tuple[Head, Values, Values]:
    """Head, its figures, and how it was trained: on all by cross-validation, or on a split."""
    from tonearm.data import splits
    from tonearm.models import head as heads
    from tonearm.training import own

    if split is None:
        trial = own.cross_validate(tracks, names=shipped.names, seed=seed)
        figures = trial.figures()
        how: Values = {
            "split": f"{own.folds_for(tracks)} folds by group, seed {seed}",
            "leaks": False,
        }
        print_figures(figures, how["split"])
        head = heads.fit(tracks, names=shipped.names, seed=seed)
        return head, {"held_out": figures}, how
    chosen = splits.make(split, made, seed=seed)
    place = {track.name: i for i, track in enumerate(made.tracks)}
    parts = {
        part: own.subset(tracks, [place[track.name] for track in found])
        for part, found in splits.select(chosen, made).items()
        if found
    }
    if "train" not in parts:
        raise DatasetError(f"split {chosen.name}: no track of its part train is here")
    head = heads.fit(parts["train"], names=shipped.names, seed=seed)
    metrics: Values = {}
    for part in ("valid", "test"):
        if part in parts:
            metrics[part] = own.judge(head, parts[part]).figures()
            print_figures(metrics[part], f"{chosen.name}, {part}, tracks")
    return (
        head,
        metrics,
        {"split": chosen.name, "split_sha256": chosen.sha256, "leaks": chosen.leaks},
    )


def _show_gain(shipped: Bundle, new: Tracks, check: Path | None, seed: int) -> Gain:
    from tonearm.training import own

    if check is not None:
        old = own.heard_tracks(check, shipped.listener_sha256)[1]
        gain = own.measure_gain(old, new, names=shipped.names, seed=seed)
    else:
        console.say(
            "what the old genres lose is estimated on tracks drawn from what the model remembers "
            "of them; --check FOLDER measures it on a prepared folder of real ones"
        )
        old = own.drawn_tracks(shipped.head, seed=seed)
        gain = own.measure_gain(old, new, names=shipped.names, base=shipped.head, seed=seed)
    for label, found in gain.new.items():
        low, high = found["interval_95"]
        recall = f"recall {found['recall']:.3f}\t[{low:.3f}, {high:.3f}]\tn={found['n']}"
        print(f"gained\t{label}\t{recall}")
    change, low, high = gain.difference
    print(
        f"lost\told genres\taccuracy {gain.before:.3f} -> {gain.after:.3f}\t"
        f"{change:+.3f} [{low:+.3f}, {high:+.3f}]\tn={gain.n}, {gain.lost_to_new} now called new"
    )
    return gain


def _save_head(
    shipped: Bundle,
    head: Head,
    out: Path,
    name: str,
    training: Values,
    metrics: Values,
) -> None:
    from tonearm import bundle

    made = replace(shipped, name=name, head=head, training=training, metrics=metrics, sha256="")
    path = out / f"model{bundle.SUFFIX}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        bundle.save(made, path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror}") from None
    console.say(f"model: {path}; use it with `tonearm predict --model`")


def print_figures(figures: Values, what: str) -> None:
    """One line: what was measured, accuracy, interval, count."""
    low, high = figures["interval_95"]
    print(f"{what}\t{figures['accuracy']:.3f}\t[{low:.3f}, {high:.3f}]\tn={figures['n']}")
