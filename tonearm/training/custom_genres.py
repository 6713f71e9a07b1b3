"""Your own genres over embeddings: fit a head, or add genres to one, in seconds.

Every figure is of groups (artists, copies) that the fit had not seen. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import metrics
from tonearm.data import splits
from tonearm.data.folds import k_fold
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError, ModelError
from tonearm.genres import key
from tonearm.model.head import Head
from tonearm.training import head_fit as heads
from tonearm.training.head_fit import Discriminant, Tracks
from tonearm.training.known_region import surroundings
from tonearm.training.learnt_sounds import LearntSounds

Float64 = NDArray[np.float64]

FOLDS = 5
# Tracks of each old genre drawn where no music of them is at hand.
DRAWN = 50


@dataclass(frozen=True)
class Trial:
    """Answers of a head on tracks of groups it had not seen: probabilities [n, k], right class."""

    truth: metrics.Classes
    probabilities: metrics.Floats
    labels: tuple[str, ...]
    groups: tuple[str, ...]

    def figures(self) -> dict[str, Any]:
        """All metrics."""
        return metrics.evaluate(self.truth, self.probabilities, self.labels, groups=self.groups)


@dataclass(frozen=True)
class EmbeddedTracks:
    """The tracks of a data set that could be analysed, and their embeddings."""

    index: Index
    tracks: Tracks

    def of(self, chosen: Sequence[Track]) -> Tracks:
        """The embeddings of some of the tracks."""
        place = {track.name: i for i, track in enumerate(self.index.tracks)}
        return subset(self.tracks, [place[track.name] for track in chosen])

    def sounds(self, chosen: Sequence[Track] | None = None) -> LearntSounds:
        """What a model file keeps of these tracks, or of some of them, once it learnt from them."""
        tracks = self.index.tracks if chosen is None else tuple(chosen)
        return LearntSounds.of(
            [track.sound for track in tracks],
            self.of(tracks).windows,
            [track.duration_s for track in tracks],
        )

    def once(self) -> EmbeddedTracks:
        """Without copies, and without recordings that stand in several genres."""
        chosen = splits.whole(self.index).tracks
        return EmbeddedTracks(replace(self.index, tracks=chosen), self.of(chosen))


def embedded_tracks(
    made: Index, embeddings: Mapping[str, NDArray[np.floating[Any]]]
) -> EmbeddedTracks:
    """The tracks of an index that have embeddings [n, d], by their names; copies as well.

    Raises
    ------
    DatasetError
        When none has.
    """
    tracks = tuple(track for track in made.tracks if track.name in embeddings)
    if not tracks:
        raise DatasetError(f"{made.source or 'the data set'}: none of its tracks was analysed")
    return EmbeddedTracks(
        replace(made, tracks=tracks),
        Tracks(
            [embeddings[track.name].astype(np.float32) for track in tracks],
            [track.genre for track in tracks],
            [track.group for track in tracks],
        ),
    )


def subset(tracks: Tracks, chosen: Sequence[int] | NDArray[np.int64]) -> Tracks:
    """Tracks of these places."""
    return Tracks(
        [tracks.windows[i] for i in chosen],
        [tracks.labels[i] for i in chosen],
        [tracks.groups[i] for i in chosen],
    )


def folds_for(labels: Sequence[str], groups: Sequence[str], *, fewest: int = 2) -> int:
    """Five, or as many as the genre of the fewest groups allows.

    Raises
    ------
    DatasetError
        With less than ``fewest`` genres, or a genre of one group only: nothing could be measured
        honestly.
    """
    of_genre: dict[str, set[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        of_genre.setdefault(label, set()).add(group)
    if len(of_genre) < fewest:
        raise DatasetError(f"only one genre ({', '.join(of_genre)}): two or more are needed")
    least = min(of_genre, key=lambda label: len(of_genre[label]))
    if len(of_genre[least]) < 2:
        raise DatasetError(
            f"genre {least!r} has {list(labels).count(least)} tracks, all of one artist or "
            f"group ({next(iter(of_genre[least]))}): its sound cannot be told apart from its "
            "artist; add music of another one"
        )
    return min(FOLDS, len(of_genre[least]))


def cross_validate(tracks: Tracks, *, names: Sequence[str] | None, seed: int = 0) -> Trial:
    """Classify every track by a head that was fitted without its group."""
    labels = tuple(sorted(set(tracks.labels)))
    folds = folds_for(tracks.labels, tracks.groups)
    probabilities = np.zeros((len(tracks.labels), len(labels)))
    for fold in k_fold(tracks.labels, tracks.groups, folds=folds, seed=seed):
        head = heads.fit(subset(tracks, fold.train), names=names, labels=labels, seed=seed)
        for i in fold.held_out:
            probabilities[i] = head.classify(tracks.windows[i]).probabilities
    truth = np.array([labels.index(label) for label in tracks.labels], dtype=np.int64)
    return Trial(truth, probabilities, labels, tuple(tracks.groups))


def evaluate_head(head: Head, tracks: Tracks) -> Trial:
    """The answers of a head on tracks; DatasetError if they have labels it does not know."""
    foreign = sorted(set(tracks.labels) - set(head.labels))
    if foreign:
        raise DatasetError(f"the model knows no {', '.join(foreign)}")
    truth = np.array([head.labels.index(label) for label in tracks.labels], dtype=np.int64)
    rows = [head.classify(windows).probabilities for windows in tracks.windows]
    return Trial(truth, np.stack(rows), head.labels, tuple(tracks.groups))


def grow(head: Head, new: Tracks, *, names: Sequence[str] | None) -> Head:
    """A head that knows the genres of ``new`` as well; the old ones stay as they are.

    A new genre is a new centre; the covariance within genres, which hundreds of tracks made, is
    kept, and so is the calibration. Its surroundings are known from now on, whatever the detector
    of other sounds says.

    Raises
    ------
    ModelError
        When the head does not hold the statistics of its fit.
    DatasetError
        When a genre is known already.
    """
    refuse_known(head, new.labels)
    added = tuple(sorted(set(new.labels)))
    scaled, given = scaled_features(head, new), np.array(new.labels)
    centres = [scaled[given == label].mean(axis=0) for label in added]
    together = np.vstack([checked_statistics(head)["centres"], *centres])
    grown = with_centres(head, together, labels=(*head.labels, *added), names=names)
    if head.detector is None:
        return grown
    near = surroundings(checked_statistics(head), new, labels=added, power=head.power)
    return replace(
        grown, known_region=head.known_region.joined_with(near) if head.known_region else near
    )


def refuse_known(head: Head, labels: Collection[str]) -> None:
    """DatasetError where a head knows one of the genres, however it is spelled."""
    spellings = {key(label) for label in head.labels}
    known = sorted(label for label in set(labels) if key(label) in spellings)
    if known:
        raise DatasetError(f"the model knows {', '.join(known)} already: rename the folder")


def with_centres(
    head: Head, centres: Float64, *, labels: tuple[str, ...], names: Sequence[str] | None
) -> Head:
    """A head of other genres or other centres [k, d]; spread, calibration and detector stay."""
    statistics = checked_statistics(head)
    learnt = Discriminant(
        statistics["mean"], statistics["deviation"], centres, statistics["covariance"]
    )
    tags = heads.own_tags(labels, names or ())
    made = heads.assemble(learnt, labels, tags, head.calibration, head.detector)
    # The second encoder's votes are for the old genres alone, so they are left out.
    prior = None
    if head.prior is not None:
        prior = np.concatenate([head.prior, np.zeros(len(labels) - len(head.prior))])
    return replace(made, known_region=head.known_region, prior=prior, gates=head.gates)


def scaled_features(head: Head, tracks: Tracks) -> Float64:
    """Features [n, d] of tracks on the scale of the centres of a head."""
    statistics = checked_statistics(head)
    features = np.stack([heads.track_features(windows) for windows in tracks.windows])
    return np.asarray((features - statistics["mean"]) / statistics["deviation"])


def checked_statistics(head: Head) -> dict[str, Float64]:
    """What the fit of a head learnt; ModelError where it does not hold that."""
    wanted = {"mean", "deviation", "centres", "covariance"}
    if head.kind != "votes" or not wanted <= {*head.statistics}:
        raise ModelError("this model does not hold what adding genres needs; fit a head again")
    return head.statistics


@dataclass(frozen=True)
class Gain:
    """What adding genres brings and costs, on groups held out.

    Parameters
    ----------
    new : dict
        Of each new genre: ``n``, ``recall`` and its interval, and how many of its tracks would be
        called ``unknown``, whatever they were nearest to.
    before, after : float
        Accuracy on the old genres without and with the new ones.
    difference : metrics.Difference
        Paired by track.
    lost_to_new : int
        Old tracks that are now given a new genre.
    n : int
        Old tracks measured on.
    """

    new: dict[str, dict[str, Any]]
    before: float
    after: float
    difference: metrics.Difference
    lost_to_new: int
    n: int

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def measure_gain(
    old: Tracks,
    new: Tracks,
    *,
    names: Sequence[str] | None,
    base: Head | None = None,
    seed: int = 0,
) -> Gain:
    """Add the genres of ``new`` fold by fold, and measure on what was held out.

    Each fold adds them to a head of the ``old`` tracks inside it; or to ``base``, which was not
    fitted on any of the old tracks.
    """
    labels = base.labels if base else tuple(sorted(set(old.labels)))
    added = tuple(sorted(set(new.labels)))
    folds = min(folds_for(old.labels, old.groups), folds_for(new.labels, new.groups, fewest=1))
    old_folds = k_fold(old.labels, old.groups, folds=folds, seed=seed)
    new_folds = k_fold(new.labels, new.groups, folds=folds, seed=seed)
    right_before = np.zeros(len(old.labels), dtype=bool)
    right_after, taken = right_before.copy(), right_before.copy()
    found = np.zeros(len(new.labels), dtype=bool)
    known = found.copy()
    for fold, new_fold in zip(old_folds, new_folds, strict=True):
        inside = subset(old, fold.train)
        before_head = base or heads.fit(inside, names=names, labels=labels, seed=seed)
        grown = grow(before_head, subset(new, new_fold.train), names=names)
        for i in fold.held_out:
            before = labels[int(before_head.classify(old.windows[i]).probabilities.argmax())]
            after = grown.labels[int(grown.classify(old.windows[i]).probabilities.argmax())]
            right_before[i], right_after[i] = before == old.labels[i], after == old.labels[i]
            taken[i] = after in added
        for i in new_fold.held_out:
            decided = grown.classify(new.windows[i])
            found[i] = grown.labels[int(decided.probabilities.argmax())] == new.labels[i]
            known[i] = decided.known
    recalls = {}
    for label in added:
        own = np.array(new.labels) == label
        groups = np.array(new.groups)[own].tolist()
        recalls[label] = {
            "n": int(own.sum()),
            "recall": float(found[own].mean()),
            "interval_95": list(metrics.accuracy_interval(found[own], groups=groups)),
            "unknown": int((~known[own]).sum()),
        }
    return Gain(
        recalls,
        float(right_before.mean()),
        float(right_after.mean()),
        metrics.difference(right_before, right_after),
        int(taken.sum()),
        len(old.labels),
    )


def drawn_tracks(head: Head, *, seed: int = 0) -> Tracks:
    """Tracks of the old genres as the head remembers them: drawn from its own statistics.

    A stand-in for music of the old genres where none is at hand. They spread as the fitted tracks
    did within a genre, so that a new genre that lies near one takes as many of them; but they are
    easier than music, and say nothing of how good the head is.

    Raises
    ------
    ModelError
        When the head does not hold the statistics of its fit.
    """
    statistics = checked_statistics(head)
    rng = np.random.default_rng(seed)
    windows, labels = [], []
    for label, centre in zip(head.labels, statistics["centres"], strict=True):
        scaled = rng.multivariate_normal(centre, statistics["covariance"], size=DRAWN)
        features = np.clip(scaled * statistics["deviation"] + statistics["mean"], 0, 1)
        windows += list(features[:, None] ** (1 / head.power))
        labels += [label] * DRAWN
    return Tracks(windows, labels, [f"drawn:{i}" for i in range(len(labels))])
