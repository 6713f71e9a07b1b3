"""The shrunken linear discriminant that a head and the network ``gabor`` end in.

A covariance of few tracks is drawn toward a multiple of the identity (Friedman 1989); the rule is
Fisher's, for equal priors. Pure functions on NumPy arrays; imports nothing of Tonearm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def shrunk(covariance: Float64, shrinkage: float) -> Float64:
    """A covariance [d, d] drawn toward the identity times its mean variance.

    Parameters
    ----------
    covariance : float64 [d, d]
        Within classes.
    shrinkage : float
        How far, 0 to 1.

    Examples
    --------
    >>> shrunk(np.array([[3.0, 1.0], [1.0, 1.0]]), 0.5)
    array([[2.5, 0.5],
           [0.5, 1.5]])
    """
    d = len(covariance)
    # The trace stays, so that shrinking changes the shape and not the overall scale.
    target = np.trace(covariance) / d * np.eye(d)
    return np.asarray((1 - shrinkage) * covariance + shrinkage * target)


def directions(centres: Float64, covariance: Float64) -> tuple[Float64, Float64]:
    """Weight [d, k] and bias [k] that score a point for each of k centres [k, d].

    Parameters
    ----------
    centres : float64 [k, d]
        A row per class.
    covariance : float64 [d, d]
        Within classes, shrunken.
    """
    # Solved rather than inverted: cheaper, and stable where tags are nearly collinear.
    weight: Float64 = np.asarray(np.linalg.solve(covariance, centres.T), dtype=np.float64)
    bias = -0.5 * (centres.T * weight).sum(axis=0)
    return weight, bias
