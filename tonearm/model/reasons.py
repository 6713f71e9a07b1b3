"""Reasons: what points to a genre, and what to the second guess; needs NumPy alone.

All votes are linear, so each tag and each filter has its exact share in a window's vote; only the
limits of the texture are not heeded here. Amounts are nats of log odds of the genre over the next,
beyond what an average track of the training set has: 0.7 doubles the odds. The mean over the
windows is taken before the votes are counted and calibrated, so the amounts order the reasons and
do not sum to the probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.features import band_edges_hz
from tonearm.model.encoder import Embeddings
from tonearm.model.file import Model
from tonearm.model.halves import last_weights
from tonearm.model.head import Head, log_votes
from tonearm.model.texture import GROUPS, TextureHead
from tonearm.model.votes import spread

Float64 = NDArray[np.float64]

_TAGS, _WINDOWS = 5, 3  # how many are named
# What is cut out as the most typical of a track.
TYPICAL_S = 10.0


@dataclass(frozen=True)
class TagReason:
    """A tag that points to the genre (amount above 0) or away from it.

    Parameters
    ----------
    tag : str
        Its name.
    amount : float
        Nats of log odds.
    """

    tag: str
    amount: float


@dataclass(frozen=True)
class WindowReason:
    """A stretch of the track, by how much it points to the genre.

    Parameters
    ----------
    start_s, end_s : float
        Where in the track.
    amount : float
        Nats of log odds.
    """

    start_s: float
    end_s: float
    amount: float


@dataclass(frozen=True)
class BandReason:
    """A part of the spectrum, by how its movement points to the genre.

    Parameters
    ----------
    low_hz, high_hz : float
        Ends of the band.
    amount : float
        Nats of log odds.
    """

    low_hz: float
    high_hz: float
    amount: float


@dataclass(frozen=True)
class Reasons:
    """Why a track was given its genre.

    Parameters
    ----------
    genre, against : str
        The most probable genre and the next.
    tags : tuple of TagReason
        Largest amount first, whatever its sign.
    windows : tuple of WindowReason
        The windows that point most to the genre, strongest first.
    bands : tuple of BandReason
        Of the second encoder, lowest first; empty where it has not analysed the track.
    typical_s : tuple of (float, float)
        Begin and end of the ten seconds that are most typical of the genre.
    """

    genre: str
    against: str
    tags: tuple[TagReason, ...]
    windows: tuple[WindowReason, ...]
    bands: tuple[BandReason, ...]
    typical_s: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


NO_REASONS = "this model has no tags to explain a genre with: use the built-in one, or a head"


def reasons_of(model: Model, embeddings: Embeddings, ranked: Sequence[str]) -> Reasons | None:
    """Why ``ranked[0]`` rather than ``ranked[1]``; None for a head that does not count votes.

    Parameters
    ----------
    model : Model
        The model that classified the track.
    embeddings : Embeddings
        Of the whole track, with the texture if there is a second encoder.
    ranked : sequence of str
        Genres, most probable first.
    """
    head = model.head
    if head.kind != "votes":
        return None
    # Against the next genre alone: against all others, what they have in common would cancel out.
    pair = (head.labels.index(ranked[0]), head.labels.index(ranked[1]))
    windows, typical_s = window_reasons(
        head,
        embeddings.values,
        embeddings.starts_s,
        pair,
        window_s=model.features.window_s,
        duration_s=embeddings.duration_s,
    )
    bands: tuple[BandReason, ...] = ()
    modulations = embeddings.modulations
    if model.texture is not None and head.texture is not None and modulations is not None:
        edges_hz = band_edges_hz(model.texture.features, GROUPS)
        voting = _with_modulation_weight(head.texture, model.texture.encoder)
        bands = band_reasons(voting, modulations, edges_hz, pair)
    # By number where nobody named them, as in a network of one's own.
    names = model.embedding_names or tuple(map(str, range(head.dimensions)))
    tags = tag_reasons(head, embeddings.values, names, pair, both=modulations is not None)
    return Reasons(ranked[0], ranked[1], tags, windows, bands, typical_s)


def _with_modulation_weight(head: TextureHead, encoder: bytes) -> TextureHead:
    """The same votes; after `learn` or `extend` how bands speak follows from the encoder."""
    if head.modulation_weight is not None:
        return head
    projection = last_weights(encoder)  # (f, t)
    if projection is None or projection.shape[1] != head.dimensions:
        return head
    return replace(head, modulation_weight=projection.astype(np.float64) @ head.whole_weight)


def tag_reasons(
    head: Head,
    windows: NDArray[np.floating[Any]],
    names: Sequence[str],
    pair: tuple[int, int],
    *,
    both: bool = False,
) -> tuple[TagReason, ...]:
    """The tags of windows [n, d] that point most to the first genre of ``pair``, or the second.

    Parameters
    ----------
    head : Head
        The head that votes.
    windows : float32 [n, d]
        Embeddings of the first encoder, a row per window.
    names : sequence of str [d]
        Names of the tags.
    pair : (int, int)
        Two genres by their places among the labels.
    both : bool
        Whether the second encoder was asked, so that the vote by both together counts as well.
    """
    difference = head.weight[:, pair[0]] - head.weight[:, pair[1]]  # (d,)
    joint = head.texture.joint if both and head.texture is not None else None
    if joint is not None and max(pair) < len(joint.bias):
        shared = joint.weight[: head.dimensions]
        difference = difference + shared[:, pair[0]] - shared[:, pair[1]]
    # Less what is usual: a tag that every track has explains nothing.
    usual = head.statistics.get("mean", np.zeros(head.dimensions))
    amounts = (spread(windows, head.power).mean(axis=0) - usual) * difference
    order = np.argsort(-np.abs(amounts), kind="stable")[:_TAGS]
    return tuple(TagReason(names[i], round(float(amounts[i]), 2)) for i in order)


def window_reasons(
    head: Head,
    windows: NDArray[np.floating[Any]],
    starts_s: Float64,
    pair: tuple[int, int],
    *,
    window_s: float,
    duration_s: float,
) -> tuple[tuple[WindowReason, ...], tuple[float, float]]:
    """The windows that point most to the genre; begin and end of the most typical stretch.

    Parameters
    ----------
    head : Head
        The head that votes.
    windows : float32 [n, d]
        Embeddings of the first encoder, a row per window.
    starts_s : float64 [n]
        Where each window begins.
    pair : (int, int)
        Indices of the genre and of the next one.
    window_s, duration_s : float
        Length of a window and of the track.
    """
    votes = log_votes(head, windows)  # (n, k)
    amounts = votes[:, pair[0]] - votes[:, pair[1]]
    found = tuple(
        WindowReason(
            round(float(starts_s[i]), 2),
            round(min(float(starts_s[i]) + window_s, duration_s), 2),
            round(float(amounts[i]), 2),
        )
        for i in _apart(np.argsort(-amounts, kind="stable"), starts_s, window_s)
    )
    typical_s = typical_stretch(
        head, windows, starts_s, pair[0], window_s=window_s, duration_s=duration_s
    )
    return found, typical_s


def typical_stretch(
    head: Head,
    windows: NDArray[np.floating[Any]],
    starts_s: NDArray[np.floating[Any]],
    label: int,
    *,
    window_s: float,
    duration_s: float,
    length_s: float = TYPICAL_S,
) -> tuple[float, float]:
    """Begin and end of the seconds that are most typical of a genre, as far as windows know.

    Parameters
    ----------
    head : Head
        The head that votes.
    windows : float32 [n, d]
        Embeddings of the first encoder, a row per window.
    starts_s : float64 [n]
        Where each window begins.
    label : int
        Index of the genre.
    window_s, duration_s : float
        Length of a window and of the track.
    length_s : float
        How long the stretch is, where the track is as long.
    """
    middles = starts_s + window_s / 2
    # Mean of what lies within half a length of each window's middle.
    near = np.abs(middles[:, None] - middles) <= length_s / 2
    # Probabilities, because a mean of logarithms would be ruled by the worst window.
    likely = np.exp(log_votes(head, windows)[:, label])
    best = int(((near * likely).sum(axis=1) / near.sum(axis=1)).argmax())
    # Moved inward at both ends, so that it has its length wherever the track has as much.
    start_s = max(0.0, min(float(middles[best]) - length_s / 2, duration_s - length_s))
    return round(start_s, 2), round(min(start_s + length_s, duration_s), 2)


def _apart(order: NDArray[np.int64], starts_s: Float64, window_s: float) -> list[int]:
    """The first windows of ``order`` that do not overlap, as those of a timeline would."""
    chosen: list[int] = []
    for i in map(int, order):
        if all(abs(starts_s[i] - starts_s[other]) >= 0.99 * window_s for other in chosen):
            chosen.append(i)
        if len(chosen) == _WINDOWS:
            break
    return chosen


def band_reasons(
    head: TextureHead,
    modulations: NDArray[np.floating[Any]],
    edges_hz: Sequence[float],
    pair: tuple[int, int],
) -> tuple[BandReason, ...]:
    """By groups of mel bands, what the filters of windows [m, f] said for the genre.

    Parameters
    ----------
    head : TextureHead
        The second encoder's votes.
    modulations : float32 [m, f]
        What the fixed filters gave, a row per texture window.
    edges_hz : sequence of float
        Edges of the groups of bands.
    pair : (int, int)
        Indices of the genre and of the next one.
    """
    if head.modulation_weight is None or head.modulation_mean is None:
        return ()
    if max(pair) >= head.modulation_weight.shape[1]:  # a genre without a vote
        return ()
    difference = head.modulation_weight[:, pair[0]] - head.modulation_weight[:, pair[1]]
    amounts = (np.mean(modulations, axis=0, dtype=np.float64) - head.modulation_mean) * difference
    # Two numbers of every filter in each group of bands, then one over all of them.
    split = len(amounts) // (2 * GROUPS + 1) * 2 * GROUPS
    groups = amounts[:split].reshape(-1, GROUPS).sum(axis=0) + amounts[split:].sum() / GROUPS
    return tuple(
        BandReason(round(low), round(high), round(float(amount), 2))
        for low, high, amount in zip(edges_hz, edges_hz[1:], groups, strict=False)
    )
