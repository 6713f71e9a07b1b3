"""``tonearm train --model head``: genres of one's own in seconds, and new ones beside the old."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonearm.cli import console
from tonearm.cli.prepare import Files, hear, say_split
from tonearm.errors import DatasetError

if TYPE_CHECKING:
    from tonearm.data.splits import Split
    from tonearm.metrics import Difference
    from tonearm.model.classifier import Classifier
    from tonearm.model.file import Model
    from tonearm.model.head import Head
    from tonearm.training.custom_genres import EmbeddedFolder, Gain
    from tonearm.training.head_fit import Tracks

Values = dict[str, Any]

_NOT_WRITTEN = "nothing was written: --adopt writes this model"


@dataclass(frozen=True)
class HeadRun:
    """A head to be made: the run's folder, the encoder (with its model file) below it, the seed."""

    out: Path
    classifier: Classifier
    seed: int

    @property
    def base(self) -> Model:
        """What the head stands on."""
        return self.classifier.model

    def hear(self, folder: Path, *, jobs: int | None) -> Files:
        """Hear what of a prepared folder was not heard before; the files that could not be."""
        return hear(folder, self.classifier, jobs=jobs)

    def embeddings(self, folder: Path) -> EmbeddedFolder:
        """All that was heard of a prepared folder, copies too."""
        from tonearm.training import custom_genres

        return custom_genres.embedded_tracks(folder, self.base.encoder_sha256)

    def save(self, fitted: _Fitted, *, name: str, split: Split | None = None) -> None:
        """Write the model file and, next to it, its split, for `evaluate` to find."""
        from tonearm.model import file as model_file
        from tonearm.training.run import SPLIT

        made = replace(self.base, name=name, sha256="", **vars(fitted))
        path = self.out / f"model{model_file.SUFFIX}"
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            if split is None:
                (self.out / SPLIT).unlink(missing_ok=True)  # of a model that was here before
            else:
                split.save(self.out / SPLIT)
            model_file.save(made, path)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be written: {error.strerror}") from None
        console.say(f"model: {path}; use it with `tonearm predict --model`")


@dataclass(frozen=True)
class _Fitted:
    """A head, how it was trained, and its figures: what a model file says of it."""

    head: Head
    training: Values
    metrics: Values


def head_run(out: Path, base: Path | None, *, seed: int) -> HeadRun:
    """A head to be made on the built-in model, or on another."""
    from tonearm.model.classifier import Classifier

    return HeadRun(out, Classifier.load(base), seed)


def look_ahead(folder: Path, run: HeadRun, *, split: str | None, add: bool) -> None:
    """Refuse, before a prepared folder is heard, what could not be measured; say what is odd."""
    from tonearm.data import index, splits
    from tonearm.training import caveats, custom_genres

    made = index.load(folder)
    if split is not None:
        say_split(splits.make(split, made, seed=run.seed), made)
        return
    all_of_it = splits.whole(made)
    labels = [track.genre for track in all_of_it.tracks]
    if add:
        custom_genres.refuse_known(run.base.head, labels)
    custom_genres.folds_for(
        labels, [track.group for track in all_of_it.tracks], fewest=1 if add else 2
    )
    console.caveat(caveats.of_copies(all_of_it.copies, all_of_it.contradictions))


def train_head(folder: Path, run: HeadRun, *, split: str | None) -> None:
    """Fit a head on a prepared folder that was heard: by cross-validation, or on a split."""
    from tonearm.data import index, splits

    found = run.embeddings(folder)
    console.say(f"{len(found.tracks.labels)} tracks heard")
    if split is None:
        run.save(_fit_on_all(run, found.once()), name=run.base.name)
    else:  # of all tracks, heard or not, so that it is the one that `evaluate` makes
        chosen = splits.make(split, index.load(folder), seed=run.seed)
        run.save(_fit_on_split(run, found, chosen), name=run.base.name, split=chosen)


def add_genres(folder: Path, run: HeadRun, *, check: Path | None, adopt: bool) -> None:
    """Show what the genres of a prepared folder bring and cost; with ``adopt`` add them."""
    from tonearm.data.groups import without_artist
    from tonearm.training import caveats, custom_genres

    base, new = run.base, run.embeddings(folder).once().tracks
    console.say(f"{len(new.labels)} tracks heard, copies left out")
    gain = _show_gain(run, new, check)
    console.caveat(caveats.of_artists(new.groups))
    if not adopt:
        console.say(_NOT_WRITTEN)
        return
    head = custom_genres.grow(base.head, new, names=base.embedding_names)
    added = sorted(set(new.labels))
    unknown = base.training.get("artist_unknown", 0) + without_artist(new.groups).total()
    training = {
        **_also(base, f"{len(new.labels)} tracks of {', '.join(added)}"),
        "added": [*base.training.get("added", ()), *added],
        "artist_unknown": unknown,
    }
    run.save(_Fitted(head, training, {"gain": gain.to_dict()}), name=f"{base.name}+")


def train_from_corrections(library: Path | None, run: HeadRun, *, adopt: bool) -> None:
    """Move a head's genres toward what a person said of the library's sounds."""
    from tonearm.cli.library_options import location
    from tonearm.data.groups import group_of
    from tonearm.library.reviews import corrections
    from tonearm.library.store import Library
    from tonearm.model import file as model_file
    from tonearm.training import caveats
    from tonearm.training import corrections as learning
    from tonearm.training.head_fit import Tracks

    base = run.base
    with Library(location(library)) as opened:
        found = corrections(opened, encoder=base.encoder_sha256)
    given = Tracks(
        [correction.windows for correction in found],
        [correction.genre for correction in found],
        [group_of(correction.key, artist=correction.artist) for correction in found],
    )
    learnt = learning.measure(base.head, given, names=base.embedding_names, seed=run.seed)
    print(
        f"corrections\taccuracy {learnt.before:.3f} -> {learnt.after:.3f}\t"
        f"{_signed(learnt.difference)}\tn={learnt.n} by {learnt.groups} groups"
    )
    console.caveat(caveats.of_artists(given.groups))
    if base.sha256 != model_file.load().sha256:
        console.caveat(caveats.of_base(base.training))
    if not adopt:
        console.say(_NOT_WRITTEN)
        return
    head = learning.correct(base.head, given, names=base.embedding_names)
    training = {**_also(base, f"{learnt.n} corrections"), "corrections": learnt.n}
    run.save(_Fitted(head, training, {"corrections": learnt.to_dict()}), name=f"{base.name}+")


def _fit_on_all(run: HeadRun, found: EmbeddedFolder) -> _Fitted:
    """A head of all tracks; its figures are those of heads that each left out a fold."""
    from tonearm.data.groups import without_artist
    from tonearm.training import caveats, custom_genres
    from tonearm.training import head_fit as heads

    tracks, names = found.tracks, run.base.embedding_names
    figures = custom_genres.cross_validate(tracks, names=names, seed=run.seed).figures()
    unknown = without_artist(tracks.groups)
    unit = "track" if unknown["track"] == len(tracks.groups) else "group"
    judged = (
        f"{custom_genres.folds_for(tracks.labels, tracks.groups)} folds by {unit}, seed {run.seed}"
    )
    print_figures(figures, judged)
    console.caveat(caveats.of_artists(tracks.groups))
    training = {
        "data": f"all {len(tracks.labels)} tracks of {Path(found.index.source).name or 'arrays'}",
        "judged": judged,
        "leaks": False,
        "artist_unknown": unknown.total(),
        "tracks": len(tracks.labels),
    }
    head = heads.fit(tracks, names=names, seed=run.seed)
    return _Fitted(head, training, {"held_out": figures})


def _fit_on_split(run: HeadRun, found: EmbeddedFolder, split: Split) -> _Fitted:
    """A head of the training part of a split, judged on the other parts."""
    from tonearm.data import splits
    from tonearm.data.groups import without_artist
    from tonearm.training import custom_genres
    from tonearm.training import head_fit as heads

    parts = {
        part: found.of(here.tracks)
        for part, here in splits.find_all(split, found.index).items()
        if part in splits.PARTS and here.tracks
    }
    if "train" not in parts:
        raise DatasetError(f"split {split.name}: no track of its part train is here")
    head = heads.fit(parts["train"], names=run.base.embedding_names, seed=run.seed)
    metrics: Values = {}
    for part in ("valid", "test"):
        if part in parts:
            metrics[part] = custom_genres.judge(head, parts[part]).figures()
            print_figures(metrics[part], f"{split.name}, {part}, tracks")
    if "valid" not in parts:
        what = "valid is not" if metrics else "nothing"
        has = ", ".join(f"{part} {len(tracks.labels)}" for part, tracks in parts.items())
        console.say(f"{what} measured: part valid has no track here; parts found: {has}")
    training = {
        "split": split.name,
        "split_sha256": split.sha256,
        "leaks": split.leaks,
        "artist_unknown": sum(without_artist(of.groups).total() for of in parts.values()),
        "tracks": {part: len(of.labels) for part, of in parts.items()},
    }
    return _Fitted(head, training, metrics)


def _also(base: Model, more: str) -> Values:
    """How a head was trained that stands on another: on all that this one was, and more."""
    learnt = base.training.get("data") or base.training.get("split") or "what it does not say"
    return {**base.training, "data": f"{learnt}; and {more}", "base": base.sha256}


def _show_gain(run: HeadRun, new: Tracks, check: Path | None) -> Gain:
    from tonearm.training import custom_genres

    base = run.base
    if check is not None:
        old = run.embeddings(check).once().tracks
        both = sorted(set(old.labels) & set(new.labels))
        if both:
            raise DatasetError(
                f"{check}: holds {', '.join(both)} too, which is to be added: --check wants music "
                "of the old genres alone"
            )
        gain = custom_genres.measure_gain(old, new, names=base.embedding_names, seed=run.seed)
    else:
        console.say(
            "what the old genres lose is estimated on tracks drawn from what the model remembers "
            "of them; --check FOLDER measures it on a prepared folder of real ones"
        )
        old = custom_genres.drawn_tracks(base.head, seed=run.seed)
        gain = custom_genres.measure_gain(
            old, new, names=base.embedding_names, base=base.head, seed=run.seed
        )
    for label, found in gain.new.items():
        low, high = found["interval_95"]
        recall = f"recall {found['recall']:.3f}\t[{low:.3f}, {high:.3f}]\tn={found['n']}"
        if found["unknown"]:
            recall += f", {found['unknown']} would be called unknown"
        print(f"gained\t{console.printable(label)}\t{recall}")
    print(
        f"lost\told genres\taccuracy {gain.before:.3f} -> {gain.after:.3f}\t"
        f"{_signed(gain.difference)}\tn={gain.n}, {gain.lost_to_new} now called new"
    )
    return gain


def _signed(change: Difference) -> str:
    return f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"


def print_figures(figures: Values, what: str) -> None:
    """One line: what was measured, accuracy, interval (by group where these are known), count."""
    groups = figures.get("groups")
    low, high = figures["interval_95_by_group" if groups else "interval_95"]
    n = f"n={figures['n']}" + (f" by {groups} groups" if groups else "")
    print(f"{what}\t{figures['accuracy']:.3f}\t[{low:.3f}, {high:.3f}]\t{n}")
