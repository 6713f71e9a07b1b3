"""From the embeddings of a track to a decision; NumPy alone, so that deciding needs nothing else.

Two kinds, by what the listener's embeddings are. ``linear``: tag probabilities; a linear
discriminant on their mean over the track. ``average``: already genre probabilities, one row a
window; their mean. Both end in one temperature (Guo et al. 2017), found on tracks the fit had
not seen, and may hold a detector of what is no music of these genres. Fitting is in ``models/head.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import BundleError

Float64 = NDArray[np.float64]
Kind = Literal["linear", "average"]

_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Decision:
    """Probabilities of the labels, float64 [k], summing to 1, and whether it is one of them."""

    probabilities: Float64
    known: bool


@dataclass(frozen=True)
class Head:
    """A decision over windows [n, d].

    Parameters
    ----------
    labels : tuple of str
        k genres.
    kind : 'linear' or 'average'
        What the windows are.
    power : float
        Exponent that spreads out small probabilities before the mean over the track.
    weight, bias : float64 [d, k], [k]
        From pooled windows (``linear``) or mean log-probabilities (``average``) to logits; the
        temperature is folded in.
    min_confidence : float
        Below this probability of the likeliest genre the answer is unknown.
    """

    labels: tuple[str, ...]
    kind: Kind
    weight: Float64
    bias: Float64
    power: float = 1.0
    min_confidence: float = 0.0
    extra: dict[str, Float64] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape[1:] != self.bias.shape:
            raise BundleError(f"head of shapes {self.weight.shape} and {self.bias.shape}")
        if len(self.labels) != len(self.bias) or len(self.labels) < 2:
            raise BundleError(f"head of {len(self.bias)} outputs for {len(self.labels)} labels")

    @property
    def dimensions(self) -> int:
        """d: how many numbers an embedding has."""
        return len(self.weight)

    def decide(self, windows: NDArray[np.floating[Any]]) -> Decision:
        """Decide on all windows [n, d] of a track together."""
        row = self._pool(windows).mean(axis=0, keepdims=True)
        probabilities = self._probabilities(row)[0]
        known = bool(self._known(row)[0] >= 0.5 and probabilities.max() >= self.min_confidence)
        return Decision(probabilities, known)

    def decide_each(self, windows: NDArray[np.floating[Any]]) -> Float64:
        """Probabilities [n, k + 1] of each window by itself; the last is that of unknown."""
        rows = self._pool(windows)
        known = self._known(rows)[:, None]
        return np.hstack([self._probabilities(rows) * known, 1 - known])

    def _pool(self, windows: NDArray[np.floating[Any]]) -> Float64:
        return np.clip(np.asarray(windows, dtype=np.float64), 0, 1) ** self.power

    def _probabilities(self, rows: Float64) -> Float64:
        if self.kind == "average":
            rows = np.log(np.maximum(rows, _LEAST_PROBABILITY))
        logits = rows @ self.weight + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def _known(self, rows: Float64) -> Float64:
        return np.ones(len(rows))

    def settings(self) -> dict[str, Any]:
        """What is no array, as plain JSON values."""
        return {
            "labels": list(self.labels),
            "kind": self.kind,
            "power": self.power,
            "min_confidence": self.min_confidence,
        }

    def arrays(self) -> dict[str, Float64]:
        """The arrays."""
        return {"weight": self.weight, "bias": self.bias, **self.extra}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Head:
        """From :meth:`settings` and :meth:`arrays`."""
        arrays = dict(arrays)
        return cls(
            labels=tuple(settings["labels"]),
            kind=settings["kind"],
            power=float(settings["power"]),
            min_confidence=float(settings["min_confidence"]),
            weight=np.asarray(arrays.pop("weight"), dtype=np.float64),
            bias=np.asarray(arrays.pop("bias"), dtype=np.float64),
            extra={name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()},
        )
