"""Fit a head over tag probabilities: a shrunken linear discriminant and a little prior knowledge.

A track's features are the mean over its windows of ``p ** 0.2``: the power spreads out small
probabilities, which most tags have most of the time. A genre that is itself a tag also scores by
that tag (the genre-name prior), because the tagger learnt the word from far more music than a genre
folder holds. The discriminant learns from tracks and is applied to windows, which vote. What else
was tried, and the figures that chose each number here, are in ``docs/experiments/head.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.data.folds import Fold, k_fold
from tonearm.errors import DatasetError
from tonearm.genres import key
from tonearm.model.head import Head
from tonearm.model.out_of_domain import OutOfDomainDetector
from tonearm.model.votes import calibrated, mean_vote, spread
from tonearm.nets import discriminant

Float64 = NDArray[np.float64]
Windows = NDArray[np.floating[Any]]

POWER = 0.2
SHRINKAGE = 0.2
# Discriminant units for each standard deviation of the tag with the genre's name.
GENRE_NAME_WEIGHT = 1.0
_FOLDS = 8
_REPEATS = 3
# Weight of the augmentation covariance, added to that within genres.
AUGMENTATION_WEIGHT = 2.0
# Weight of the scatter between genre centres, added to that within genres: centres of few artists
# are uncertain, most of all in the directions in which genres differ.
CENTRE_WEIGHT = 0.1
# Discriminant units for one unit of a window's vote: the higher, the softer the votes.
VOTE_TEMPERATURE = 3.0
# Calibration mixes these temperatures; the prior is an even mixture, worth so many tracks.
_TEMPERATURES = (0.25, 0.5, 1.0, 2.0)
_PRIOR_TRACKS = 10
_STEPS = 200


@dataclass(frozen=True)
class Tracks:
    """Analysed tracks: windows [n, d], label, and the group that a split keeps whole, of each.

    ``textures`` holds what the second encoder gave for each, or None; it is empty if no one knows.

    Parameters
    ----------
    windows : sequence of float [n, d]
        Embeddings of each track.
    labels, groups : sequence of str
        Genre of each track, and its artist or whatever no split divides.
    """

    windows: Sequence[Windows]
    labels: Sequence[str]
    groups: Sequence[str]
    textures: Sequence[Windows | None] = ()

    def __post_init__(self) -> None:
        if not len(self.windows) == len(self.labels) == len(self.groups):
            raise DatasetError(
                f"{len(self.windows)} tracks, {len(self.labels)} labels and {len(self.groups)} "
                "groups: their numbers must be equal"
            )
        if self.textures and len(self.textures) != len(self.windows):
            raise DatasetError(f"{len(self.textures)} textures for {len(self.windows)} tracks")

    def texture(self, i: int) -> Windows | None:
        """Texture of a track, where it is known.

        Parameters
        ----------
        i : int
            Place of the track.
        """
        return self.textures[i] if self.textures else None


@dataclass(frozen=True)
class Discriminant:
    """Class centres and shared covariance of standardised features: all that is learnt.

    Parameters
    ----------
    mean, deviation : float64 [d]
        Of the features, by which they are standardised.
    centres : float64 [k, d]
        Mean of each class, standardised.
    covariance : float64 [d, d]
        Within classes and more, standardised.
    """

    mean: Float64  # [d]
    deviation: Float64  # [d]
    centres: Float64  # [k, d], standardised
    covariance: Float64  # [d, d], within classes and more, standardised

    @classmethod
    def fit(
        cls,
        features: Float64,
        classes: NDArray[np.int64],
        *,
        k: int,
        augmentation: Float64 | None = None,
        mass: Float64 | None = None,
    ) -> Discriminant:
        """From features [n, d] and classes [n] in 0..k-1, each of which must occur.

        Parameters
        ----------
        features : float64 [n, d]
            One row per track.
        classes : int64 [n]
            Genre of each, 0 to k - 1; every one must occur.
        k : int
            Number of genres.
        augmentation : float64 [d, d] or None
            Covariance under changes that keep the genre.
        mass : float64 [n] or None
            How much each track counts; None is all alike.
        """
        # Artists of many tracks may count less: they would be most of the covariance.
        counts = np.ones(len(features)) if mass is None else mass
        mean = np.average(features, axis=0, weights=counts)  # (d,)
        spread_out = np.average((features - mean) ** 2, axis=0, weights=counts)
        # A tag that never varies must not divide by zero.
        deviation = np.sqrt(spread_out) + 1e-6
        # Shrinking draws all directions alike, so they have to be of one size before.
        scaled = (features - mean) / deviation  # (n, d)
        centres = np.stack(
            [
                np.average(scaled[classes == i], axis=0, weights=counts[classes == i])
                for i in range(k)
            ]
        )
        residual = scaled - centres[classes]  # (n, d)
        covariance = (residual * counts[:, None]).T @ residual / counts.sum()  # (d, d)
        covariance += CENTRE_WEIGHT * np.cov(centres.T, bias=True)
        if augmentation is not None:
            # On the scale of standardised features.
            covariance += AUGMENTATION_WEIGHT * augmentation / np.outer(deviation, deviation)
        return cls(mean, deviation, centres, covariance)

    def line(self, genre_name_tags: dict[int, int]) -> tuple[Float64, Float64]:
        """Weight [d, k] and bias [k] from plain features to votes, for equal priors.

        The covariance is shrunk toward a multiple of the identity (Friedman 1989); features were
        scaled before, so that common and rare tags are shrunk alike.

        Parameters
        ----------
        genre_name_tags : dict of int to int
            For some genres the tag of the same name.
        """
        directions, bias = discriminant.directions(self.centres, shrunk(self.covariance))
        # Before the division: the weight is for each standard deviation of that tag.
        for genre, tag in genre_name_tags.items():
            directions[tag, genre] += GENRE_NAME_WEIGHT
        # The head gets plain features: standardising is folded into weight and bias.
        weight = directions / self.deviation[:, None]  # (d, k)
        return weight / VOTE_TEMPERATURE, (bias - self.mean @ weight) / VOTE_TEMPERATURE


def shrunk(covariance: Float64) -> Float64:
    """A covariance [d, d] drawn toward a multiple of the identity, as far as heads need it.

    Parameters
    ----------
    covariance : float64 [d, d]
        Of standardised features.
    """
    return discriminant.shrunk(covariance, SHRINKAGE)


def fit(
    tracks: Tracks,
    *,
    names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    extra: Tracks | None = None,
    augmentation: Float64 | None = None,
    detector: OutOfDomainDetector | None = None,
    seed: int = 0,
) -> Head:
    """Fit a head and calibrate it on tracks of groups it had not seen.

    Parameters
    ----------
    tracks : Tracks
        What to learn from.
    names : sequence of str or None
        What each number of a window means, to find the tags that are genres.
    labels : sequence of str or None
        Order of the genres; None is the sorted labels that occur.
    extra : Tracks or None
        Learnt from too, but never calibrated on: tracks whose windows are estimates.
    augmentation : float64 [d, d] or None
        Covariance of the features of one track under changes that keep its genre
        (:func:`augmentation_covariance`): directions that the discriminant must not trust.
    detector : OutOfDomainDetector or None
        Out-of-domain detector of the head.
    seed : int
        Of the folds that calibrate.

    Raises
    ------
    DatasetError
        With fewer than two genres, or a genre without a track.
    """
    order = tuple(labels) if labels else tuple(sorted(set(tracks.labels)))
    everything = [tracks, extra] if extra else [tracks]
    power = power_for([windows for part in everything for windows in part.windows])
    features = np.stack(
        [track_features(w, power=power) for part in everything for w in part.windows]
    )  # (n, d)
    given = [label for part in everything for label in part.labels]
    groups = [group for part in everything for group in part.groups]
    classes = _classes(given, order)  # (n,)
    tags = genre_name_tags(order, names or ())
    logits, truth = [np.empty((0, len(order)))], [np.empty(0, dtype=np.int64)]
    for fold in _folds(given, groups, seed):
        inside = classes[fold.train]
        if len(np.unique(inside)) < len(order):
            continue  # a genre with all its artists held out has no centre
        learnt = Discriminant.fit(
            features[fold.train], inside, k=len(order), augmentation=augmentation
        )
        weight, bias = learnt.line(tags)
        # `extra` stands behind `tracks`: estimates are not calibrated on.
        for i in fold.held_out[fold.held_out < len(tracks.windows)]:
            # Windows vote here as they do in use, so that what is calibrated is what is shown.
            logits.append(mean_vote(spread(tracks.windows[i], power) @ weight + bias)[None])
            truth.append(classes[i : i + 1])
    mixture = calibrate(np.concatenate(logits), np.concatenate(truth))
    # The head itself learns from all; the folds were for its calibration.
    learnt = Discriminant.fit(features, classes, k=len(order), augmentation=augmentation)
    return assemble(learnt, order, tags, mixture, detector, power=power)


def assemble(
    learnt: Discriminant,
    labels: tuple[str, ...],
    tags: dict[int, int],
    calibration: tuple[tuple[float, float], ...],
    detector: OutOfDomainDetector | None,
    *,
    power: float = POWER,
) -> Head:
    """The head of a discriminant; its statistics travel along, so that genres can be added.

    Parameters
    ----------
    learnt : Discriminant
        Centres and covariance.
    labels : tuple of str
        The genres, in the order of the centres.
    tags : dict of int to int
        For some genres the tag of the same name.
    calibration : tuple of (weight, temperature)
        As of :func:`calibrate`.
    detector : OutOfDomainDetector or None
        Out-of-domain detector of the head.
    power : float
        Exponent of the features.
    """
    weight, bias = learnt.line(tags)
    return Head(
        labels=labels,
        kind="votes",
        weight=weight,
        bias=bias,
        power=power,
        calibration=calibration,
        detector=detector,
        statistics={
            "mean": learnt.mean,
            "deviation": learnt.deviation,
            "centres": learnt.centres,
            "covariance": learnt.covariance,
        },
    )


def track_features(windows: Windows, *, power: float = POWER) -> Float64:
    """Features [d] of a track's windows [n, d].

    Parameters
    ----------
    windows : float32 [n, d]
        Embeddings of one track.
    power : float
        Exponent that spreads out small probabilities.
    """
    return np.asarray(spread(windows, power).mean(axis=0))


def power_for(windows: Sequence[Windows]) -> float:
    """The exponent for embeddings: probabilities are spread out, all others left as they are.

    Parameters
    ----------
    windows : sequence of float32 [n, d]
        Of each track.
    """
    # An imported encoder gives any numbers: clipped to 0..1 they would lose most of themselves.
    return POWER if all(w.min() >= 0 and w.max() <= 1 for w in windows if w.size) else 1.0


def genre_name_tags(labels: Sequence[str], names: Sequence[str]) -> dict[int, int]:
    """Which label is which tag: ``hiphop`` is ``Hip-Hop``, spelling aside.

    Parameters
    ----------
    labels : sequence of str
        The genres.
    names : sequence of str
        What each number of an embedding means.
    """
    # Reversed, so that the first of two tags with one spelling counts.
    places = {key(name): i for i, name in reversed(list(enumerate(names)))}
    pairs = ((i, places.get(key(label))) for i, label in enumerate(labels))
    return {i: tag for i, tag in pairs if tag is not None}


def _classes(labels: Sequence[str], order: tuple[str, ...]) -> NDArray[np.int64]:
    missing = [label for label in order if label not in set(labels)]
    if len(order) < 2 or missing:
        what = f"no track of {', '.join(missing)}" if missing else f"only {', '.join(order)}"
        raise DatasetError(f"a head needs two genres or more with tracks of each: {what}")
    index = {label: i for i, label in enumerate(order)}
    return np.array([index[label] for label in labels], dtype=np.int64)


def calibrate(logits: Float64, truth: NDArray[np.int64]) -> tuple[tuple[float, float], ...]:
    """Mixture of temperatures with the most likely weights, given held-out logits [n, k].

    One temperature leaves medium confidences too high and low ones too low, because some artists
    are unlike all others and some are typical. Fitting the temperatures too is worse for new
    artists (``docs/experiments/head.md``), so expectation maximisation finds only the weights.

    Parameters
    ----------
    logits : float64 [n, k]
        Of tracks that the fit had not seen.
    truth : int64 [n]
        Their genres.
    """
    rows, k = np.arange(len(truth)), len(_TEMPERATURES)
    alone = [calibrated(logits, ((1.0, temperature),)) for temperature in _TEMPERATURES]
    likelihood = np.stack([each[rows, truth] for each in alone], axis=1)  # (n, temperatures)
    prior = _PRIOR_TRACKS * _REPEATS  # every track is held out once in each repeat
    weights = np.full(k, 1 / k)  # (temperatures,)
    for _ in range(_STEPS):
        # Expectation: which temperature explains each held-out track, by the present weights.
        owed = weights * likelihood  # (n, temperatures)
        owed /= owed.sum(axis=1, keepdims=True)
        # Maximisation, with some imaginary tracks for each temperature: a few artists must not
        # switch one off.
        weights = (owed.sum(axis=0) + prior / k) / (len(truth) + prior)
    return tuple(zip(weights.tolist(), _TEMPERATURES, strict=True))


def augmentation_covariance(changed: NDArray[np.floating[Any]]) -> Float64:
    """Covariance [d, d] within tracks of features [changes, tracks, d].

    Parameters
    ----------
    changed : float64 [changes, tracks, d]
        Features of each track under each change.
    """
    # From the mean of each track over its changes, so that only what a change does is left.
    residual = (changed - changed.mean(axis=0)).reshape(-1, changed.shape[-1])
    return np.asarray(residual.T @ residual / len(residual), dtype=np.float64)


def _folds(labels: Sequence[str], groups: Sequence[str], seed: int) -> Iterator[Fold]:
    """Folds that keep groups together, repeated; none if a genre has only one group."""
    of_label: dict[str, set[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        of_label.setdefault(label, set()).add(group)
    # No more folds than the rarest genre has groups: some would hold nothing of it.
    count = min(_FOLDS, *map(len, of_label.values()))
    if count < 2:
        return
    for repeat in range(_REPEATS):
        # A thousand apart: repeats of one seed never meet those of the next.
        yield from k_fold(labels, groups, folds=count, seed=1000 * seed + repeat)
