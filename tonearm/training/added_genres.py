"""Add genres to a head, in seconds, and measure what that brings and what it costs.

A new genre is a new centre among the old ones: nothing else that the head learnt moves. Every
figure is of groups (artists, copies) that were held out. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import metrics
from tonearm.data.groups import refuse_reserved
from tonearm.errors import DatasetError, ModelError
from tonearm.genres import key
from tonearm.model.head import Head
from tonearm.training import head_fit as heads
from tonearm.training import texture_votes
from tonearm.training.custom_genres import folds_for, held_out_folds, subset
from tonearm.training.head_fit import Discriminant, Tracks
from tonearm.training.known_region import regions_of

Float64 = NDArray[np.float64]

# Tracks of each old genre drawn if there is no music of them.
DRAWN = 50


def grow(head: Head, new: Tracks, *, names: Sequence[str] | None) -> Head:
    """A head that knows the genres of ``new`` as well; the old ones stay as they are.

    A new genre is a new centre; for the second encoder too, where enough of its tracks have a
    texture (else the texture votes among the others alone). The covariance within genres, which
    hundreds of tracks made, is kept, and so is the calibration. Sounds near a new genre are known
    from now on, whatever the out-of-domain detector says.

    Parameters
    ----------
    head : Head
        A fitted head, with its statistics.
    new : Tracks
        Tracks of genres that it does not know.
    names : sequence of str or None
        What each number of an embedding means.

    Raises
    ------
    ModelError
        When the head does not hold the statistics of its fit.
    DatasetError
        When a genre is known already.
    """
    refuse_known(head, new.labels)
    voting = texture_votes.with_votes(head.texture, new, len(head.labels))
    added = (*voting, *sorted(set(new.labels) - {*voting}))
    scaled, given = scaled_features(head, new), np.array(new.labels)  # (n, d)
    # On the scale of the old tracks: standardising again would move the old centres too.
    centres = [scaled[given == label].mean(axis=0) for label in added]
    together = np.vstack([checked_statistics(head)["centres"], *centres])  # (old + new, d)
    grown = with_centres(head, together, labels=(*head.labels, *added), names=names)
    if head.texture is not None:
        grown = replace(grown, texture=texture_votes.with_genres(head.texture, new, voting))
    if head.detector is None:
        return grown
    # Else the new genre's own music would be called unknown: the detector knows the old alone.
    near = regions_of(checked_statistics(head), new, labels=added, power=head.power)
    return replace(
        grown, known_region=head.known_region.joined_with(near) if head.known_region else near
    )


def refuse_known(head: Head, labels: Collection[str]) -> None:
    """DatasetError where a head knows one of the genres, however it is spelled, or none may.

    Parameters
    ----------
    head : Head
        The old head.
    labels : collection of str
        Genres to add, in any spelling.
    """
    refuse_reserved(labels)
    spellings = {key(label) for label in head.labels}
    known = sorted(label for label in set(labels) if key(label) in spellings)
    if known:
        raise DatasetError(f"the model knows {', '.join(known)} already: rename the folder")


def with_centres(
    head: Head, centres: Float64, *, labels: tuple[str, ...], names: Sequence[str] | None
) -> Head:
    """A head of other genres or other centres [k, d]; spread, calibration and detector stay.

    Parameters
    ----------
    head : Head
        The old head, with its statistics.
    centres : float64 [k, d]
        Standardised, a row per genre.
    labels : tuple of str
        Their genres.
    names : sequence of str or None
        What each number of an embedding means.
    """
    statistics = checked_statistics(head)
    # Everything but the centres is as the fit of the old head left it.
    learnt = Discriminant(
        statistics["mean"], statistics["deviation"], centres, statistics["covariance"]
    )
    tags = heads.genre_name_tags(labels, names or ())
    made = heads.assemble(learnt, labels, tags, head.calibration, head.detector, power=head.power)
    # The second encoder's votes are for these genres alone.
    texture = head.texture if labels == head.labels else None
    prior = None
    if head.prior is not None:
        # Nothing is added for new genres: how common they are is not known.
        prior = np.concatenate([head.prior, np.zeros(len(labels) - len(head.prior))])
    return replace(
        made, known_region=head.known_region, prior=prior, gates=head.gates, texture=texture
    )


def scaled_features(head: Head, tracks: Tracks) -> Float64:
    """Features [n, d] of tracks on the scale of the centres of a head.

    Parameters
    ----------
    head : Head
        Whose mean and deviation are used.
    tracks : Tracks
        Tracks of any genre.
    """
    statistics = checked_statistics(head)
    features = np.stack(
        [heads.track_features(windows, power=head.power) for windows in tracks.windows]
    )
    return np.asarray((features - statistics["mean"]) / statistics["deviation"])


def checked_statistics(head: Head) -> dict[str, Float64]:
    """What the fit of a head learnt; ModelError where it does not hold that.

    Parameters
    ----------
    head : Head
        Any head.
    """
    wanted = {"mean", "deviation", "centres", "covariance"}
    if head.kind != "votes" or not wanted <= {*head.statistics}:
        raise ModelError("this model lacks what adding genres needs: train it again")
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

    Parameters
    ----------
    old : Tracks
        Music of the old genres.
    new : Tracks
        Music of the genres to add.
    names : sequence of str or None
        What each number of an embedding means.
    base : Head or None
        The head to add to; None fits one in each fold.
    seed : int
        Of the folds.
    """
    labels = base.labels if base else tuple(sorted(set(old.labels)))
    added = tuple(sorted(set(new.labels)))
    of_old = folds_for(old.labels, old.groups)
    if not of_old:
        raise DatasetError(
            "every old genre has a single artist, so its loss cannot be measured: "
            "add music by others"
        )
    # One count for both, as they go in pairs.
    folds = min(of_old, folds_for(new.labels, new.groups, fewest=1) or of_old)
    old_folds = held_out_folds(old.labels, old.groups, folds=folds, seed=seed)
    new_folds = held_out_folds(new.labels, new.groups, folds=folds, seed=seed)
    measured = np.zeros(len(old.labels), dtype=bool)
    new_measured = np.zeros(len(new.labels), dtype=bool)
    right_before = np.zeros(len(old.labels), dtype=bool)
    right_after, taken = right_before.copy(), right_before.copy()
    found = np.zeros(len(new.labels), dtype=bool)
    known = found.copy()
    for fold, new_fold in zip(old_folds, new_folds, strict=True):
        # An artist may be in both: what is held out of one must not be learnt from in the other.
        held_out = {old.groups[i] for i in fold.held_out}
        held_out |= {new.groups[i] for i in new_fold.held_out}
        inside = subset(old, _without(old, fold.train, held_out))
        before_head = base or heads.fit(inside, names=names, labels=labels, seed=seed)
        # Both heads of a fold have learnt from the same old tracks: what differs is the new genres.
        taught = subset(new, _without(new, new_fold.train, held_out))
        grown = grow(before_head, taught, names=names)
        measured[fold.held_out] = new_measured[new_fold.held_out] = True
        for i in fold.held_out:
            before = nearest(before_head, old, i)
            after = nearest(grown, old, i)
            right_before[i], right_after[i] = before == old.labels[i], after == old.labels[i]
            taken[i] = after in added
        for i in new_fold.held_out:
            # With the detector, unlike the recall: a genre that is found but called unknown helps
            # nobody.
            decided = grown.classify(new.windows[i], new.texture(i))
            found[i] = grown.labels[int(decided.probabilities.argmax())] == new.labels[i]
            known[i] = decided.known
    recalls = {
        label: _recall(
            np.flatnonzero((np.array(new.labels) == label) & new_measured), found, known, new
        )
        for label in added
    }
    before_right, after_right = right_before[measured], right_after[measured]
    return Gain(
        recalls,
        float(before_right.mean()),
        float(after_right.mean()),
        metrics.difference(before_right, after_right),
        int(taken[measured].sum()),
        int(measured.sum()),
    )


def _without(tracks: Tracks, places: NDArray[np.int64], groups: Collection[str]) -> list[int]:
    """Those of these places whose group is none of ``groups``; all of a genre that has no other."""
    apart = {i for i in map(int, places) if tracks.groups[i] not in groups}
    # A genre of these groups alone could not be learnt at all.
    taught = {tracks.labels[i] for i in apart}
    return [i for i in map(int, places) if i in apart or tracks.labels[i] not in taught]


def nearest(head: Head, tracks: Tracks, i: int) -> str:
    """The most probable genre of a track, called unknown or not.

    Parameters
    ----------
    head : Head
        What classifies it.
    tracks : Tracks
        The tracks.
    i : int
        Its place among them.
    """
    output = head.classify(tracks.windows[i], tracks.texture(i))
    return head.labels[int(output.probabilities.argmax())]


def _recall(
    own: NDArray[np.int64], found: NDArray[np.bool_], known: NDArray[np.bool_], new: Tracks
) -> dict[str, Any]:
    """Recall of a new genre on its tracks that were held out; None where none could be."""
    if not len(own):
        return {"n": 0, "recall": None, "interval_95": None, "unknown": 0}
    groups = [new.groups[i] for i in own]
    return {
        "n": len(own),
        "recall": float(found[own].mean()),
        "interval_95": list(metrics.accuracy_interval(found[own], groups=groups)),
        "unknown": int((~known[own]).sum()),
    }


def drawn_tracks(head: Head, *, seed: int = 0) -> Tracks:
    """Tracks of the old genres as the head remembers them: drawn from its own statistics.

    A stand-in for music of the old genres where none is at hand. They spread as the fitted tracks
    did within a genre, so that a new genre that lies near one takes as many of them; but they are
    easier than music, and say nothing of how good the head is.

    Parameters
    ----------
    head : Head
        With the statistics of its fit.
    seed : int
        Of the draw.

    Raises
    ------
    ModelError
        When the head does not hold the statistics of its fit.
    """
    statistics = checked_statistics(head)
    rng = np.random.default_rng(seed)
    windows, labels = [], []
    for label, centre in zip(head.labels, statistics["centres"], strict=True):
        # Normally distributed within a genre: what the discriminant itself assumes.
        scaled = rng.multivariate_normal(centre, statistics["covariance"], size=DRAWN)
        features = np.clip(scaled * statistics["deviation"] + statistics["mean"], 0, 1)
        windows += list(features[:, None] ** (1 / head.power))
        labels += [label] * DRAWN
    return Tracks(windows, labels, [f"drawn:{i}" for i in range(len(labels))])
