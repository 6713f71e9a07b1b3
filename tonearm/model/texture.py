"""The second encoder's part in a decision, and the tags that a genre may need; NumPy alone.

Tags say what a listener would call the music. The texture says how its spectrogram moves: numbers
of windows of 30 s, by fixed filters (``nets/gabor.py``). Each knows what the other misses, so their
votes are multiplied; the texture is asked for only where the tags are in doubt. Where it is, a
third vote is by both together: what tags and texture say in common is counted once there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import ModelError
from tonearm.model.out_of_domain import TextureDetector
from tonearm.model.votes import mean_vote

Float64 = NDArray[np.float64]

# Groups of bands in which the filters of the texture are averaged (``nets/gabor.py``).
GROUPS = 8
# Added to a logit, this leaves a probability that rounds to 0 at every temperature in use.
CLOSED = -50.0


@dataclass(frozen=True)
class JointVote:
    """One vote of a track by its tags and its texture together, for the first k genres of a head.

    Parameters
    ----------
    weight, bias : float64 [d + t, k], [k]
        From the features of the tags and the texture, both averaged over the track, to logits.
    """

    weight: Float64
    bias: Float64

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape[1:] != self.bias.shape:
            raise ModelError(
                f"the joint weights {self.weight.shape} and biases {self.bias.shape} do not fit"
            )

    def log_vote(self, features: Float64, texture: Float64) -> Float64:
        """Log of the vote of a track with these means [d] and [t]: [k].

        Parameters
        ----------
        features : float64 [d]
            The tags' features, averaged over the track.
        texture : float64 [t]
            The texture, averaged over its windows.
        """
        return mean_vote((np.concatenate([features, texture]) @ self.weight + self.bias)[None])


@dataclass(frozen=True)
class TextureHead:
    """The votes of texture windows, and what follows from both encoders together.

    Parameters
    ----------
    weight, bias : float64 [t, k], [k]
        From the texture of a window to the logits of its vote, for the first k genres of the head:
        those that were added without textures to learn from have no vote.
    calibration : tuple of (share, temperature)
        As of the head, but for the sum of both encoders' log votes.
    ask_below : float
        The texture counts where the first encoder alone is less confident than this.
    modulation_weight, modulation_mean : float64 [f, k], [f], or None
        From the filters' own numbers to the same logits, and their usual values: for reasons. The
        weight follows from the encoder's last layer where it is None.
    detector : TextureDetector or None
        Second opinion on whether a suspect track is music at all.
    covariance : float64 [t, t] or None
        Spread of texture within genres, on the scale of the votes, for adding genres later.
    limits : float64 [t] or None
        What lies farther from 0 than this counts as this: a recording like no other must not
        decide by one number.
    joint : JointVote or None
        The vote by tags and texture together.
    """

    weight: Float64
    bias: Float64
    calibration: tuple[tuple[float, float], ...]
    ask_below: float
    modulation_weight: Float64 | None = None
    modulation_mean: Float64 | None = None
    detector: TextureDetector | None = None
    covariance: Float64 | None = None
    limits: Float64 | None = None
    joint: JointVote | None = None

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.weight.shape[1:] != self.bias.shape:
            raise ModelError(
                f"the texture's weights {self.weight.shape} and biases {self.bias.shape} do not fit"
            )
        if self.detector is not None and self.detector.weight.ndim != 1:
            raise ModelError(
                f"the texture's detector has {self.detector.weight.shape} weights, which do not fit"
            )
        if self.joint is not None and len(self.joint.bias) > len(self.bias):
            raise ModelError(f"the joint weights {self.joint.weight.shape} do not fit")
        if self.limits is not None and self.limits.shape != (self.dimensions,):
            raise ModelError(f"the texture's limits {self.limits.shape} do not fit")

    @property
    def dimensions(self) -> int:
        """t: how many numbers the texture of a window has."""
        return len(self.weight)

    def log_votes(
        self, texture: NDArray[np.floating[Any]], features: Float64, z: Float64
    ) -> Float64:
        """Log votes of texture windows [m, t], to be added to z [k] of all genres.

        Parameters
        ----------
        texture : float32 [m, t]
            From the second encoder.
        features : float64 [d]
            The tags' features, averaged over the track.
        z : float64 [k]
            By the first encoder.
        """
        rows = self.limited(texture)
        votes = _for_all(mean_vote(rows @ self.weight + self.bias), z)
        if self.joint is None:
            return votes
        return votes + _for_all(self.joint.log_vote(features, rows.mean(axis=0)), z + votes)

    @property
    def whole_weight(self) -> Float64:
        """Weight [t, k] of the texture in its own and the joint vote together: for reasons."""
        whole = self.weight.copy()
        if self.joint is not None:
            own = self.joint.weight[-self.dimensions :]
            whole[:, : own.shape[1]] += own
        return whole

    def limited(self, texture: NDArray[np.floating[Any]]) -> Float64:
        """Texture [..., t] within its limits.

        Parameters
        ----------
        texture : float32 [..., t]
            From the second encoder.
        """
        wide = np.asarray(texture, dtype=np.float64)
        return wide if self.limits is None else np.clip(wide, -self.limits, self.limits)

    def settings(self) -> dict[str, Any]:
        """Everything but arrays, as plain JSON values."""
        return {
            "calibration": self.calibration,
            "ask_below": self.ask_below,
            "detector": None if self.detector is None else self.detector.settings(),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays, by name; those for reasons are rounded."""
        found: dict[str, NDArray[Any]] = {"weight": self.weight, "bias": self.bias}
        # They explain and do not decide, so half the bytes will do.
        if self.modulation_weight is not None:
            found["modulation_weight"] = self.modulation_weight.astype(np.float32)
        if self.modulation_mean is not None:
            found["modulation_mean"] = self.modulation_mean.astype(np.float32)
        if self.detector is not None:
            found["detector"] = self.detector.weight
        if self.covariance is not None:
            found["covariance"] = self.covariance.astype(np.float32)
        if self.limits is not None:
            found["limits"] = self.limits
        if self.joint is not None:
            found |= {"joint_weight": self.joint.weight, "joint_bias": self.joint.bias}
        return found

    @classmethod
    def from_parts(cls, settings: Mapping[str, Any], arrays: Mapping[str, Float64]) -> TextureHead:
        """From :meth:`settings` and :meth:`arrays`.

        Parameters
        ----------
        settings : mapping
            From the JSON of a model file.
        arrays : mapping of str to float64
            The arrays of a model file, by their names in this part.
        """
        detector = settings.get("detector")
        return cls(
            arrays["weight"],
            arrays["bias"],
            tuple((float(share), float(t)) for share, t in settings["calibration"]),
            float(settings["ask_below"]),
            arrays.get("modulation_weight"),
            arrays.get("modulation_mean"),
            None
            if detector is None
            else TextureDetector(
                arrays["detector"], **{name: float(value) for name, value in detector.items()}
            ),
            arrays.get("covariance"),
            arrays.get("limits"),
            JointVote(arrays["joint_weight"], arrays["joint_bias"])
            if "joint_weight" in arrays
            else None,
        )


def _for_all(known: Float64, z: Float64) -> Float64:
    """Log votes for all genres of z [k], where the last of them have none."""
    rest = len(z) - len(known)
    if not rest:
        return known
    # A genre without a vote keeps its share: what the votes take from all others together. Left at
    # 0, it would win wherever the votes are in doubt.
    among = z[: len(known)]
    even = np.logaddexp.reduce(among + known) - np.logaddexp.reduce(among)
    return np.append(known, np.full(rest, even))


@dataclass(frozen=True)
class Gate:
    """A genre that only sounds with certain tags can be.

    Parameters
    ----------
    label : str
        The genre.
    tags : tuple of int
        Places of the tags in an embedding.
    least : float
        What their probabilities, averaged over the track, must add up to.
    """

    label: str
    tags: tuple[int, ...]
    least: float

    def settings(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def closed(gates: Sequence[Gate], labels: Sequence[str], means: Float64) -> Float64:
    """What to add to the logits [m, k] of tracks with these mean embeddings [m, d].

    Parameters
    ----------
    gates : sequence of Gate
        Of genres that need certain tags.
    labels : sequence of str [k]
        Genres of the head.
    means : float64 [m, d]
        Mean embeddings of the tracks.
    """
    added = np.zeros((len(means), len(labels)))
    for gate in gates:
        # Electronic's tags must add up to .32: with no gate, .1 or .2, .08 to .10 of orchestras
        # were called electronic instead of .06, now .05 (second-encoder.md).
        shut = means[:, list(gate.tags)].sum(axis=1) < gate.least
        added[shut, list(labels).index(gate.label)] = CLOSED
    return added
