"""From the embeddings of a track to probabilities of genres; needs NumPy alone.

There are two kinds. ``votes``: the embeddings are tag probabilities; each window votes by the
softmax of a linear discriminant, and the track is the mean of the votes, so that an odd passage
cannot outvote the rest. ``average``: the embeddings are genre probabilities already; the track is
their mean. Both end in a calibration found on tracks that the fit had not seen: softmax at one
temperature (Guo et al. 2017) or a mixture of several. Both may hold an out-of-domain detector.
``training/head_fit.py`` fits them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import ModelError, counted
from tonearm.model.out_of_domain import KnownRegion, OutOfDomainDetector, log_odds, sigmoid
from tonearm.model.texture import Gate, TextureHead, closed
from tonearm.model.votes import LEAST_PROBABILITY, calibrated, mean_vote, softmax, spread

Float64 = NDArray[np.float64]
Kind = Literal["votes", "average", "multi-label"]

_REGION_ARRAYS = ("centres", "whiten", "limits", "slopes")


@dataclass(frozen=True)
class HeadOutput:
    """The numbers of one track, from which :meth:`Prediction.of` names the genre.

    Parameters
    ----------
    probabilities : float64 [k]
        Of the labels, if it is one of them; they sum to 1.
    known : bool
        Whether it is one of them.
    unknown : float
        Probability that it is none of them, by the out-of-domain detector.
    """

    probabilities: Float64
    known: bool
    unknown: float

    def named(self, labels: Sequence[str]) -> tuple[str | None, float]:
        """The genre of a segment and its probability; None and that of unknown if it is none.

        Parameters
        ----------
        labels : sequence of str [k]
            What the probabilities are of.
        """
        # No detector in between: `known` has asked it already.
        if not self.known:
            return None, self.unknown
        best = int(self.probabilities.argmax())
        return labels[best], float(self.probabilities[best])


@dataclass(frozen=True)
class Head:
    """Probabilities of genres for windows [n, d].

    Parameters
    ----------
    labels : tuple of str
        k genres.
    kind : 'votes' or 'average'
        How the windows become one result.
    power : float
        Exponent that spreads out small probabilities, before any mean over the track.
    weight, bias : float64 [d, k], [k]
        ``votes``: from each window to the logits of its vote; z is the log of the mean vote.
        ``average``: from the log of the mean window to z.
    calibration : tuple of (weight, temperature)
        Probabilities are the weighted sum of softmax(z / temperature); the weights sum to 1.
    min_confidence : float
        Below this probability of the most probable genre, the track is unknown.
    detector : OutOfDomainDetector or None
        Recognises speech, noise, and music unlike these genres.
    known_region : KnownRegion or None
        Music that the detector must let pass.
    statistics : dict of arrays
        What the fit learnt, for adding genres later; classifying does not use it.
    prior : float64 [k] or None
        Added to z: genres that are rarer than the training tracks make them.
    gates : tuple of Gate
        Tags that some genres need.
    texture : TextureHead or None
        ``votes``: the second encoder's votes, whose log is added to z.
    """

    labels: tuple[str, ...]
    kind: Kind
    weight: Float64
    bias: Float64
    power: float = 1.0
    calibration: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    min_confidence: float = 0.0
    detector: OutOfDomainDetector | None = None
    known_region: KnownRegion | None = None
    statistics: dict[str, Float64] = field(default_factory=dict)
    prior: Float64 | None = None
    gates: tuple[Gate, ...] = ()
    texture: TextureHead | None = None

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape[1:] != self.bias.shape:
            raise ModelError(
                f"the head's weights {self.weight.shape} and biases {self.bias.shape} do not fit"
            )
        if len(self.labels) != len(self.bias) or len(self.labels) < 2:
            raise ModelError(
                f"the head has {counted(len(self.bias), 'output')} for "
                f"{counted(len(self.labels), 'label')}"
            )
        if self.kind not in get_args(Kind):
            raise ModelError(f"the head is of an unknown kind, {self.kind!r}")
        # A file may be damaged or made by hand: what is impossible is named here, not as NaN in a
        # table.
        if not (np.isfinite(self.weight).all() and np.isfinite(self.bias).all()):
            raise ModelError("the head has weights that are not finite numbers")
        weights, temperatures = zip(*self.calibration, strict=True)
        if min(weights) < 0 or not np.isclose(sum(weights), 1) or not min(temperatures) > 0:
            raise ModelError(f"the head's calibration {self.calibration} is impossible")
        if self.detector is not None and self.detector.weight.shape != (len(self.weight),):
            raise ModelError(
                f"the head's detector has {self.detector.weight.shape} weights, which do not fit"
            )
        if self.known_region is not None and not self.known_region.fits(
            self.labels, self.dimensions
        ):
            raise ModelError(
                f"the head's added genres {', '.join(self.known_region.labels)} do not fit"
            )
        self._check_parts()

    def _check_parts(self) -> None:
        k = len(self.labels)
        if self.prior is not None and self.prior.shape != (k,):
            raise ModelError(
                f"the head's prior has shape {self.prior.shape}, not one value per genre"
            )
        if self.texture is not None and len(self.texture.bias) > k:
            raise ModelError(
                f"the head's texture has {counted(len(self.texture.bias), 'output')} for "
                f"{counted(k, 'label')}"
            )
        joint = None if self.texture is None else self.texture.joint
        if joint is not None and (
            len(joint.weight) != self.dimensions + self.texture.dimensions  # type: ignore[union-attr]
        ):
            raise ModelError(f"the head's joint weights {joint.weight.shape} do not fit")
        for gate in self.gates:
            if gate.label not in self.labels or not 0 <= min(gate.tags) <= max(gate.tags) < (
                self.dimensions
            ):
                raise ModelError(f"the head has no such genre or tag: {gate}")

    @property
    def dimensions(self) -> int:
        """d: how many numbers an embedding has."""
        return len(self.weight)

    def classify(
        self,
        windows: NDArray[np.floating[Any]],
        texture: NDArray[np.floating[Any]] | None = None,
        *,
        duration_s: float | None = None,
    ) -> HeadOutput:
        """Classify all windows [n, d] of a track together.

        Texture windows [m, t] count where the windows alone leave in doubt which genre it is, or
        whether it is music.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the first encoder, a row per window.
        texture : float32 [m, t] or None
            From the second encoder, if it was asked.
        duration_s : float or None
            Length of the track; a very short sound is less likely to be music.
        """
        track = np.asarray(windows)[None]
        z = self._logits(track)  # (1, k)
        probabilities = calibrated(z, self.calibration)
        excess = self._excess(track)
        if texture is not None and self.texture is not None:
            long_windows = np.asarray(texture, dtype=np.float64)
            if self._is_suspect(excess, duration_s):
                odds = log_odds(windows).mean(axis=0)
                mean = long_windows.mean(axis=0)
                excess = np.array([self.texture.detector.excess(odds, mean, duration_s)])  # type: ignore[union-attr]
            if probabilities.max() < self.texture.ask_below:
                # Votes multiply: weights .5, .7, 1 and 1.3 gave .829, .831, .834, .834
                # (second-encoder.md).
                features = spread(track, self.power)[0].mean(axis=0)
                z += self.texture.log_votes(long_windows, features, z[0])
                probabilities = calibrated(z, self.texture.calibration)
        # The detector's line is a logistic regression, so its distance in nats is a log-odds.
        unknown = float(sigmoid(self._exempted(excess, track, probabilities))[0])
        # Either may refuse: the genres among themselves, or the detector that it is music at all.
        known = probabilities.max() >= self.min_confidence and unknown <= 0.5
        return HeadOutput(probabilities[0], bool(known), unknown)

    def wants_texture(
        self, windows: NDArray[np.floating[Any]], *, duration_s: float | None = None
    ) -> bool:
        """Whether these windows [n, d] leave the track in such doubt that texture counts.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the first encoder, a row per window.
        duration_s : float or None
            Length of the track.
        """
        if self.texture is None:
            return False
        track = np.asarray(windows)[None]
        # Below .9 in the built-in model: half of GTZAN's clips. Always would be twice as many for
        # two thousandths of log-loss and no accuracy (second-encoder.md).
        in_doubt = self._probabilities(track).max() < self.texture.ask_below
        return bool(in_doubt) or self._is_suspect(self._excess(track), duration_s)

    def _is_suspect(self, excess: Float64, duration_s: float | None) -> bool:
        """Whether the texture is to say if a track with this excess is music."""
        second = self.texture.detector if self.texture is not None else None
        return second is not None and second.suspects(float(excess[0]), duration_s)

    def is_confident(self, windows: NDArray[np.floating[Any]], *, confidence: float) -> bool:
        """Whether these windows [n, d] of a track suffice, so that no more are analysed.

        They do if the most probable genre has that probability and they lie as far inside the limit
        of the detector as they would have to lie outside it to be called unknown; or if they lie
        twice as far outside.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the first encoder, a row per window.
        confidence : float
            The least probability of the most probable genre.
        """
        track = np.asarray(windows)[None]
        probabilities = self._probabilities(track)
        beyond = float(self._beyond(track, probabilities)[0])
        doubt = self.detector.doubt(len(windows)) if self.detector is not None else 0.0
        # Without this 4.1 instead of 4.3 windows of free music are read, but only .69 instead of
        # .84 of its unknown tracks stay unknown (speed.md, 2 to 8 until .7).
        if abs(beyond) < doubt:
            return False
        highest = float(probabilities.max())
        return beyond > 0 or highest >= max(confidence, self.min_confidence)

    def classify_each(self, windows: NDArray[np.floating[Any]]) -> Float64:
        """Probabilities [n, k + 1] of each window by itself; the last is that of unknown.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the first encoder, a row per window.
        """
        alone = np.asarray(windows)[:, None]  # (n, 1, d): each window a track of its own
        probabilities = self._probabilities(alone)
        unknown = sigmoid(self._beyond(alone, probabilities))[:, None]
        return np.hstack([probabilities * (1 - unknown), unknown])

    def _beyond(self, tracks: NDArray[np.floating[Any]], probabilities: Float64) -> Float64:
        """How far tracks [m, n, d] lie beyond what is known, by tags alone: [m]."""
        return self._exempted(self._excess(tracks), tracks, probabilities)

    def _excess(self, tracks: NDArray[np.floating[Any]]) -> Float64:
        """How far tracks [m, n, d] lie beyond the detector's limit, [m]; -inf without one."""
        if self.detector is None:
            return np.full(len(tracks), -np.inf)
        return self.detector.excess(log_odds(tracks).mean(axis=1), tracks.shape[1])

    def _exempted(
        self, beyond: Float64, tracks: NDArray[np.floating[Any]], probabilities: Float64
    ) -> Float64:
        """The same, but for tracks near a genre that was added after the detector was fitted."""
        if self.known_region is None:
            return beyond
        # By the head's own features, in which its centres were fitted, not by log-odds.
        near = self.known_region.excess(spread(tracks, self.power).mean(axis=1), tracks.shape[1])
        nearest = probabilities.argmax(axis=1)
        for label, its in zip(self.known_region.labels, near.T, strict=True):
            own = nearest == self.labels.index(label)
            # Near the genre, and most probable: the second alone let in .41 of effects
            # (unknown.md).
            beyond = np.where(own, np.minimum(beyond, its), beyond)
        return beyond

    def _probabilities(self, tracks: NDArray[np.floating[Any]]) -> Float64:
        """Of tracks [m, n, d] of n windows each, by the first encoder alone: [m, k]."""
        return calibrated(self._logits(tracks), self.calibration)

    def _logits(self, tracks: NDArray[np.floating[Any]]) -> Float64:
        """Sums of log votes (z) of tracks [m, n, d]: [m, k]."""
        wide = spread(tracks, self.power)  # (m, n, d)
        if self.kind == "votes":
            z = mean_vote(wide @ self.weight + self.bias)
        else:
            mean = np.maximum(wide.mean(axis=1), LEAST_PROBABILITY)
            z = np.log(mean) @ self.weight + self.bias
        if self.prior is not None:
            # One nat less for electronic in the built-in model (second-encoder.md).
            z = z + self.prior
        if self.gates:
            z = z + closed(self.gates, self.labels, np.asarray(tracks, np.float64).mean(axis=1))
        return z

    def settings(self) -> dict[str, Any]:
        """Everything but the arrays, as plain JSON values."""
        return {
            "labels": list(self.labels),
            "kind": self.kind,
            "power": self.power,
            "calibration": self.calibration,
            "min_confidence": self.min_confidence,
            "detector": None
            if self.detector is None
            else {
                "offset": self.detector.offset,
                "limit": self.detector.limit,
                "slope": self.detector.slope,
            },
            "known_region": None if self.known_region is None else list(self.known_region.labels),
            "gates": [gate.settings() for gate in self.gates],
            "texture": None if self.texture is None else self.texture.settings(),
        }

    def arrays(self) -> dict[str, Float64]:
        """The arrays."""
        arrays = {"weight": self.weight, "bias": self.bias}
        if self.detector is not None:
            arrays["detector"] = self.detector.weight
        if self.known_region is not None:
            for name in _REGION_ARRAYS:
                arrays[f"known_region.{name}"] = getattr(self.known_region, name)
        if self.prior is not None:
            arrays["prior"] = self.prior
        if self.texture is not None:
            arrays |= {f"texture.{name}": a for name, a in self.texture.arrays().items()}
        return arrays | {f"statistics.{name}": array for name, array in self.statistics.items()}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Head:
        """From :meth:`settings` and :meth:`arrays`.

        Parameters
        ----------
        settings : dict
            As :meth:`settings` gives them, read from JSON.
        arrays : dict of array
            As :meth:`arrays` gives them, of any float type.
        """
        wide = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
        detector = settings["detector"]
        added = settings.get("known_region")
        return cls(
            labels=tuple(settings["labels"]),
            kind=settings["kind"],
            weight=wide["weight"],
            bias=wide["bias"],
            power=float(settings["power"]),
            calibration=_mixture(settings["calibration"]),
            min_confidence=float(settings["min_confidence"]),
            detector=OutOfDomainDetector(wide["detector"], **detector) if detector else None,
            known_region=KnownRegion(
                tuple(added), **{name: wide[f"known_region.{name}"] for name in _REGION_ARRAYS}
            )
            if added
            else None,
            statistics=_within(wide, "statistics."),
            prior=wide.get("prior"),
            gates=tuple(
                Gate(gate["label"], tuple(map(int, gate["tags"])), float(gate["least"]))
                for gate in settings["gates"]
            ),
            texture=TextureHead.from_parts(settings["texture"], _within(wide, "texture."))
            if settings["texture"]
            else None,
        )


def _within(arrays: dict[str, Float64], prefix: str) -> dict[str, Float64]:
    """Arrays of one part of the head, by their names in it."""
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _mixture(pairs: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((float(share), float(temperature)) for share, temperature in pairs)


def log_votes(head: Head, windows: NDArray[np.floating[Any]]) -> Float64:
    """Log probabilities [n, k] of what each window [n, d] votes for, before calibration.

    Parameters
    ----------
    head : Head
        The head that votes.
    windows : float32 [n, d]
        Embeddings of the first encoder, a row per window.
    """
    logits = spread(windows, head.power) @ head.weight + head.bias
    return np.asarray(np.log(np.maximum(softmax(logits), LEAST_PROBABILITY)))
