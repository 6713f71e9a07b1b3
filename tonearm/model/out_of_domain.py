"""Out-of-domain detection: speech, noise, and music unlike any known genre.

NumPy alone, as everything that classifies. ``runs/fit_out_of_domain.py`` fits the built-in one;
``training/known_region.py`` exempts genres that are added later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

# Closer to 0 or 1 than this, a tag probability says nothing more.
LEAST_ODDS = 1e-3
# Of 297 effects and spoken prompts nine in ten are shorter than this, and hardly a piece of music
# is; so a shorter sound needs less evidence to be called unknown (unknown.md).
SHORT_S = 12.0
# What the tags put farther outside than this stays unknown, whatever the texture says: half a
# minute of steady noise or dense applause is music by it; they lie farther out (unknown.md).
FAR_OUTSIDE = 1.0


@dataclass(frozen=True)
class OutOfDomainDetector:
    """A line between music and other sounds, on the mean log-odds of the tags.

    Parameters
    ----------
    weight, offset : float64 [d], float
        The line; the higher, the less like music.
    limit, slope : float
        A track of n windows is unknown above ``limit + slope / sqrt(n)``: with fewer windows, more
        evidence is needed.
    """

    weight: Float64
    offset: float
    limit: float
    slope: float

    def excess(self, mean: Float64, windows: int) -> Float64:
        """How far mean log-odds [m, d] over that many windows lie beyond the limit, [m].

        Parameters
        ----------
        mean : float64 [m, d]
            Mean log-odds of the tags of each track.
        windows : int
            Number of windows in each mean.
        """
        line = mean @ self.weight + self.offset  # (m,)
        # The noise of a mean of n windows falls as 1 / sqrt(n); so does the margin for it.
        return np.asarray(line - (self.limit + self.slope / np.sqrt(windows)))

    def doubt(self, windows: int) -> float:
        """Width of the band around ``limit`` in which so many windows do not settle it.

        Parameters
        ----------
        windows : int
            Windows of the track that were analysed.
        """
        # Twice the margin: `excess` counts from one margin outside the limit, this leads to one
        # inside.
        return float(2 * self.slope / np.sqrt(windows))


@dataclass(frozen=True)
class TextureDetector:
    """A second line, over the tags and the texture together, where the first is in doubt.

    Parameters
    ----------
    weight, offset : float64 [d + t], float
        The line, over mean log-odds of the tags and the mean texture; the higher, the less like
        music.
    limit, short_limit : float
        A track is unknown above ``limit``; above ``short_limit`` if it is shorter than `SHORT_S`.
    margin : float
        A track is suspect if its tags lie inside the limit of the first line by less than this, or
        outside by less than `FAR_OUTSIDE`; a short one, if they lie farther inside, too.
    """

    weight: Float64
    offset: float
    limit: float
    short_limit: float
    margin: float

    def suspects(self, excess: float, duration_s: float | None) -> bool:
        """Whether a track with this excess of the first line needs a second opinion.

        Parameters
        ----------
        excess : float
            How far the tags lie beyond the first line's limit.
        duration_s : float or None
            Length of the track; None is long.
        """
        return excess < FAR_OUTSIDE and (excess > -self.margin or _is_short(duration_s))

    def excess(self, odds: Float64, texture: Float64, duration_s: float | None) -> float:
        """How far a track lies beyond the limit.

        Parameters
        ----------
        odds : float64 [d]
            Mean log-odds of its tags.
        texture : float64 [t]
            Mean of its texture windows.
        duration_s : float or None
            Length of the track; None is long.
        """
        # Fitted over both together, so that what both say does not count twice.
        line = float(np.concatenate([odds, texture]) @ self.weight) + self.offset
        return line - (self.short_limit if _is_short(duration_s) else self.limit)

    def settings(self) -> dict[str, float]:
        """Everything but the weight."""
        return {
            "offset": self.offset,
            "limit": self.limit,
            "short_limit": self.short_limit,
            "margin": self.margin,
        }


def _is_short(duration_s: float | None) -> bool:
    return duration_s is not None and duration_s < SHORT_S


@dataclass(frozen=True)
class KnownRegion:
    """The region of embedding space that added genres cover: known, whatever the detector says.

    The detector was fitted with the first genres alone, so it takes much of other music for
    something else. Squared distances are Mahalanobis', of mean spread-out probabilities.

    Parameters
    ----------
    labels : tuple of str
        a genres.
    centres, whiten : float64 [a, d], [d, d]
        The centre of each, and what windows are multiplied by before: the spread of tracks round
        it is then one in all directions.
    limits, slopes : float64 [a]
        A track of n windows is known within ``limit + slope / n``.
    """

    labels: tuple[str, ...]
    centres: Float64
    whiten: Float64
    limits: Float64
    slopes: Float64

    def excess(self, mean: Float64, windows: int) -> Float64:
        """How far means [m, d] over that many windows lie beyond each limit, in nats: [m, a].

        Parameters
        ----------
        mean : float64 [m, d]
            Mean spread-out probabilities of each track.
        windows : int
            Number of windows in each mean.
        """
        away = ((mean @ self.whiten)[:, None] - self.centres) ** 2  # (m, a, d)
        # Half a squared distance is a log-likelihood in nats, the unit of the detector's line.
        return np.asarray((away.sum(axis=2) - (self.limits + self.slopes / windows)) / 2)

    def fits(self, labels: tuple[str, ...], dimensions: int) -> bool:
        """Whether it is for a head of these labels over so many numbers.

        Parameters
        ----------
        labels : tuple of str
            Genres of the head.
        dimensions : int
            Numbers per window.
        """
        a, d = len(self.labels), dimensions
        shapes = (self.centres.shape, self.whiten.shape, self.limits.shape, self.slopes.shape)
        # A file put together of two models would index past the end of an array.
        return set(self.labels) <= set(labels) and shapes == ((a, d), (d, d), (a,), (a,))

    def joined_with(self, more: KnownRegion) -> KnownRegion:
        """With genres that were added later, by the same statistics.

        Parameters
        ----------
        more : KnownRegion
            Of a head with the same statistics; its genres come behind.
        """
        return KnownRegion(
            (*self.labels, *more.labels),
            np.vstack([self.centres, more.centres]),
            # The same for all genres that are added: it comes from the covariance of the first
            # ones.
            self.whiten,
            np.append(self.limits, more.limits),
            np.append(self.slopes, more.slopes),
        )


def log_odds(windows: NDArray[np.floating[Any]]) -> Float64:
    """ln(p / (1 - p)) of probabilities kept away from 0 and 1.

    Parameters
    ----------
    windows : float64 [..., d]
        Probabilities.
    """
    # A tag of exactly 0 would count as infinitely unlike music.
    p = np.clip(np.asarray(windows, dtype=np.float64), LEAST_ODDS, 1 - LEAST_ODDS)
    return np.asarray(np.log(p / (1 - p)))


def sigmoid(x: Float64) -> Float64:
    """1 / (1 + exp(-x)), without overflow.

    Parameters
    ----------
    x : float64 array
        Log-odds, of any size.
    """
    # The hyperbolic tangent saturates, where the exponential of a large number would overflow.
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))
