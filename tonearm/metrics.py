"""Metrics of classification: arrays in, dict out.

``validate`` rejects arrays that do not fit each other, each metric computes one thing, and
``evaluate`` returns all of them as one dict of plain numbers. Classes are indices into a list of
labels; probabilities are [n, classes]. Imports nothing of Tonearm but its errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import DatasetError

Classes = NDArray[np.int64]
Floats = NDArray[np.float64]

BINS = 10
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)
BOOTSTRAP_DRAWS = 2_000  # 50 of them lie beyond each end of a 95 % interval
_Z_95 = 1.96  # of the normal distribution, two-sided


def validate(
    truth: Classes,
    probabilities: Floats,
    labels: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    known: NDArray[np.bool_] | None = None,
) -> None:
    """Reject arrays that do not fit each other.

    Parameters
    ----------
    truth : int64 [n]
        Right class of each track.
    probabilities : float64 [n, classes]
        Predictions.
    labels : sequence of str
        Names of the classes.
    groups : sequence of str [n] or None
        Artist of each track.
    known : bool [n] or None
        Whether each prediction is given, or is "unknown".

    Raises
    ------
    DatasetError
        If they do not; the message says which.
    """
    if probabilities.shape != (len(truth), len(labels)):
        raise DatasetError(
            f"{len(truth)} tracks and {len(labels)} classes do not fit probabilities of shape "
            f"{probabilities.shape}"
        )
    # A mean of nothing is not a number, and would go into a report as one.
    if not len(truth):
        raise DatasetError("there is nothing to measure: 0 tracks")
    if truth.min() < 0 or truth.max() >= len(labels):
        raise DatasetError(f"classes {truth.min()}-{truth.max()} do not fit {len(labels)} labels")
    # Loose enough for eleven numbers rounded to four places, which err by 5.5e-4 at most.
    if not np.allclose(probabilities.sum(axis=1), 1, atol=1e-3):
        raise DatasetError("probabilities do not sum to 1")
    for name, values in (("groups", groups), ("marks of unknown", known)):
        if values is not None and len(values) != len(truth):
            raise DatasetError(f"{len(values)} {name} do not fit {len(truth)} tracks")


def accuracy(truth: Classes, guess: Classes) -> float:
    """Fraction of right predictions.

    Parameters
    ----------
    truth : int64 [n]
        The right class of each sample.
    guess : int64 [n]
        Predicted classes.
    """
    return float(np.mean(truth == guess))


def bootstrap_interval(
    values: NDArray[Any],
    *,
    groups: Sequence[str] | None = None,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron 1979).

    Parameters
    ----------
    values : array [n]
        One value per track, e.g. whether it is classified right, or the difference of two systems.
    groups : sequence of str [n] or None
        Artist of each track. If given, whole groups are drawn, because errors come by the artist:
        the interval then holds for other artists, not for other tracks by the same artists.
    level : float
        Probability that the interval covers the mean.

    Returns
    -------
    tuple of float
        Lower and upper end.
    """
    values = np.asarray(values, dtype=float)
    _, owner = np.unique(np.arange(len(values)) if groups is None else groups, return_inverse=True)
    # Summed by group first, so that a draw costs as many numbers as there are groups, not tracks.
    sums, counts = np.bincount(owner, values), np.bincount(owner)  # (groups,) each
    # A fixed seed: the same predictions give the same published interval.
    rng = np.random.default_rng(0)
    means = np.empty(BOOTSTRAP_DRAWS)
    for i in range(BOOTSTRAP_DRAWS):
        drawn = rng.integers(0, len(counts), len(counts))
        # Groups differ in size, so the denominator is drawn too.
        means[i] = sums[drawn].sum() / counts[drawn].sum()
    tail = (1 - level) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def accuracy_interval(
    right: NDArray[Any], *, groups: Sequence[str] | None = None
) -> tuple[float, float]:
    """95 % interval of an accuracy: `bootstrap_interval`, and Wilson's interval at 0 and 1.

    If all predictions are right, or none, every bootstrap draw is the same, also if several seeds
    were asked: they share the tracks. Wilson's interval (1927) then counts each group, or each
    track, as one trial.

    Parameters
    ----------
    right : bool or float64 [n]
        Whether each track is classified right, or the share of seeds that classify it right.
    groups : sequence of str [n] or None
        Artist of each track.

    Returns
    -------
    tuple of float
        Lower and upper end.
    """
    right = np.asarray(right, dtype=float)
    if 0 < right.sum() < len(right):
        return bootstrap_interval(right, groups=groups)
    # Where all are right, drawing them again gives no spread: the bootstrap would say that it is
    # certain.
    trials = len(right) if groups is None else len(set(groups))
    # Wilson's other end: after 52 of 52 right answers the true rate may be as low as .93.
    reach = _Z_95**2 / (trials + _Z_95**2)
    return (1 - reach, 1.0) if right.any() else (0.0, reach)


def over_seeds(right: NDArray[np.bool_], *, groups: Sequence[str]) -> dict[str, Any]:
    """Accuracy of several seeds on the same tracks, as one figure.

    Two kinds of chance are kept apart: the interval is over groups, the deviation over seeds.

    Parameters
    ----------
    right : bool [seeds, n]
        Whether each seed classifies each track right.
    groups : sequence of str [n]
        Artist of each track.
    """
    accuracies = right.mean(axis=1)
    return {
        "accuracy": float(accuracies.mean()),
        "interval_95_by_group": list(accuracy_interval(right.mean(axis=0), groups=groups)),
        # ddof=1: of three seeds the spread around their own mean is too small.
        "deviation_of_seeds": float(accuracies.std(ddof=1)) if len(right) > 1 else None,
        "n": right.shape[1],
        "groups": len(set(groups)),
    }


@dataclass(frozen=True)
class Difference:
    """Paired change on the same tracks: mean of after - before, and its 95 % interval.

    Parameters
    ----------
    mean : float
        Of after - before, over the tracks.
    low, high : float
        Ends of its 95 % interval.
    """

    mean: float
    low: float
    high: float


def difference(
    before: NDArray[Any], after: NDArray[Any], *, groups: Sequence[str] | None = None
) -> Difference:
    """Compare two systems on the same tracks.

    Parameters
    ----------
    before, after : array [n]
        A value per track, e.g. whether it is classified right.
    groups : sequence of str [n] or None
        Artist of each track, for the interval.
    """
    # Paired: what both get right or wrong cancels, which narrows the interval.
    change = np.asarray(after, dtype=float) - before
    return Difference(float(change.mean()), *bootstrap_interval(change, groups=groups))


def confusion(truth: Classes, guess: Classes, *, classes: int) -> NDArray[np.int64]:
    """Count tracks by [true class, predicted class].

    Parameters
    ----------
    truth : int64 [n]
        The right class of each sample.
    guess : int64 [n]
        Predicted classes.
    classes : int
        Number of classes.

    Returns
    -------
    int64 [classes, classes]
    """
    counts = np.zeros((classes, classes), dtype=np.int64)
    # counts[truth, guess] += 1 would count a repeated pair once.
    np.add.at(counts, (truth, guess), 1)
    return counts


def macro_f1(counts: NDArray[np.int64]) -> float:
    """Mean F1 of the classes that occur in ``counts`` [true, predicted].

    Parameters
    ----------
    counts : int64 [classes, classes]
        From :func:`confusion`.
    """
    right = np.diag(counts).astype(float)
    # 2 TP / (2 TP + FP + FN): row and column of a class both count its TP.
    either = counts.sum(axis=0) + counts.sum(axis=1)
    # A genre without tracks has no F1: as 0 it would punish small test sets.
    present = counts.sum(axis=1) > 0
    return float(np.mean(2 * right[present] / np.maximum(either[present], 1)))


def reliability(truth: Classes, probabilities: Floats) -> dict[str, Any]:
    """Expected calibration error (Guo et al. 2017) and its bins.

    Parameters
    ----------
    truth : int64 [n]
        The right class of each sample.
    probabilities : float64 [n, classes]
        Of each class, for each sample.

    Returns
    -------
    dict
        ``ece``, and lists over bins of equal width: ``count``, ``confidence``, ``accuracy``
        (None for an empty bin).
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    # A confidence of 1 belongs to the last bin, not to one beyond it.
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(which, minlength=BINS)
    mean_confidence = np.bincount(which, confidence, BINS) / np.maximum(count, 1)
    share_right = np.bincount(which, right, BINS) / np.maximum(count, 1)
    # Biased upward for few tracks: a perfect model shows .035 on 443 clips (head.md).
    ece = float(np.sum(count * np.abs(share_right - mean_confidence)) / len(truth))
    return {
        "ece": ece,
        "count": count.tolist(),
        "confidence": [
            float(c) if n else None for c, n in zip(mean_confidence, count, strict=True)
        ],
        "accuracy": [float(a) if n else None for a, n in zip(share_right, count, strict=True)],
    }


def coverage(
    truth: Classes, probabilities: Floats, *, fractions: Sequence[float] = COVERAGES
) -> list[dict[str, float]]:
    """Accuracy of the most confident tracks, for several fractions of them.

    Parameters
    ----------
    truth : int64 [n]
        Right class of each track.
    probabilities : float64 [n, classes]
        Predictions.
    fractions : sequence of float
        Fractions of the tracks to keep.

    Returns
    -------
    list of dict
        ``coverage`` (the fraction), ``accuracy``, and the ``min_confidence`` of the tracks kept.
    """
    confidence = probabilities.max(axis=1)
    # Stable, so that ties give the same table everywhere.
    order = np.argsort(-confidence, kind="stable")
    right = (probabilities.argmax(axis=1) == truth)[order]
    rows = []
    for fraction in fractions:
        kept = max(1, round(fraction * len(truth)))
        rows.append(
            {
                "coverage": float(fraction),
                "accuracy": float(right[:kept].mean()),
                "min_confidence": float(confidence[order[kept - 1]]),
            }
        )
    return rows


def log_loss(truth: Classes, probabilities: Floats) -> float:
    """Mean negative log-likelihood of the right class, in nats.

    Parameters
    ----------
    truth : int64 [n]
        The right class of each sample.
    probabilities : float64 [n, classes]
        Of each class, for each sample.
    """
    right = probabilities[np.arange(len(truth)), truth]
    # One certain error would make the mean infinite; here it costs 27.6 nats.
    return float(-np.mean(np.log(np.maximum(right, 1e-12))))


def answered(right: NDArray[np.bool_], known: NDArray[np.bool_]) -> dict[str, Any]:
    """Summarise a system that may answer "unknown".

    Parameters
    ----------
    right : bool [n]
        Whether the most probable class is right.
    known : bool [n]
        Whether the system answers with it, rather than "unknown".

    Returns
    -------
    dict
        ``n`` answered, their fraction ``coverage`` and their ``accuracy`` (None if there are
        none); ``unknown`` tracks, and ``unknown_right``: those whose first guess is right.
    """
    return {
        "n": int(known.sum()),
        "coverage": float(known.mean()),
        "accuracy": float(right[known].mean()) if known.any() else None,
        "unknown": int((~known).sum()),
        "unknown_right": int(right[~known].sum()),
    }


def evaluate(
    truth: Classes,
    probabilities: Floats,
    labels: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    known: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Compute every metric of this module, as plain numbers for JSON.

    Parameters
    ----------
    truth : int64 [n]
        Right class of each track.
    probabilities : float64 [n, classes]
        Predictions.
    labels : sequence of str
        Names of the classes.
    groups : sequence of str [n] or None
        Artist of each track, for ``groups`` and ``interval_95_by_group``.
    known : bool [n] or None
        Whether each prediction is given, or is "unknown", for ``answered``.

    Returns
    -------
    dict
        A number, list or dict for each metric.
    """
    validate(truth, probabilities, labels, groups=groups, known=known)
    guess = probabilities.argmax(axis=1).astype(np.int64)
    right = guess == truth
    counts = confusion(truth, guess, classes=len(labels))
    totals = counts.sum(axis=1)
    result: dict[str, Any] = {
        "n": len(truth),
        "accuracy": accuracy(truth, guess),
        "interval_95": list(accuracy_interval(right)),
        "macro_f1": macro_f1(counts),
        "log_loss": log_loss(truth, probabilities),
        "calibration": reliability(truth, probabilities),
        "coverage": coverage(truth, probabilities),
        "per_genre": {
            label: {"n": int(totals[i]), "recall": float(counts[i, i] / totals[i])}
            for i, label in enumerate(labels)
            if totals[i]
        },
        "confusion": counts.tolist(),
    }
    if groups is not None:
        result["groups"] = len(set(groups))
        result["interval_95_by_group"] = list(accuracy_interval(right, groups=groups))
    if known is not None:
        result["answered"] = answered(right, known)
    return result
