"""The head of an imported network: dense layers to independent classes, which make genres.

Classes may be styles under a genre (``Jazz---Bebop``, as Discogs and Essentia have them). Several
may hold at once, so the activation of each is its own. A genre is as strong as the strongest of its
styles; probabilities of genres are these strengths, made to sum to 1. NumPy alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import ModelError, counted
from tonearm.model.head import Head, HeadOutput
from tonearm.model.prediction import PLACES
from tonearm.model.styles import MOST
from tonearm.model.votes import softmax

Float64 = NDArray[np.float64]
Activation = Literal["relu", "sigmoid", "softmax", "none"]

KIND: Literal["multi-label"] = "multi-label"
# Between a genre and its style in the name of a class.
SEPARATOR = "---"
# Weaker than this nothing stands out, and no style is named: the default of Essentia's examples.
LEAST_ACTIVATION = 0.1
_LEAST_STRENGTH = 1e-6


@dataclass(frozen=True)
class Layer:
    """A dense layer.

    Parameters
    ----------
    weight, bias : float32 [d, h], [h]
    activation : 'relu', 'sigmoid', 'softmax' or 'none'
        What follows.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: Activation

    def __call__(self, values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Values [..., d] to [..., h]."""
        logits = np.asarray(values @ self.weight + self.bias)
        return activated(logits, self.activation)


def activated(
    values: NDArray[np.floating[Any]], activation: Activation
) -> NDArray[np.floating[Any]]:
    """Apply an activation to values [..., h].

    Parameters
    ----------
    values : float [..., h]
        Outputs of a layer.
    activation : 'relu', 'sigmoid', 'softmax' or 'none'
        Name of the function.
    """
    if activation == "relu":
        return np.asarray(np.maximum(values, 0))
    if activation == "sigmoid":
        return np.asarray(0.5 * (1 + np.tanh(values / 2)))  # without overflow
    if activation == "softmax":
        return softmax(values)
    return values


@dataclass(frozen=True)
class MultiLabelHead(Head):
    """Genres and styles from windows [n, d] of an imported encoder.

    Parameters
    ----------
    layers : tuple of Layer
        From an embedding to the activations of the classes; none where the embedding is these.
    classes : tuple of str
        Names of the activations, ``Genre---Style`` or ``Genre``.
    members : tuple of int
        For each class the place of its genre among ``labels``.
    """

    layers: tuple[Layer, ...] = ()
    classes: tuple[str, ...] = ()
    members: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        sizes = [layer.weight.shape for layer in self.layers]
        for (_, out), (inside, _) in pairwise(sizes):
            if out != inside:
                raise ModelError(
                    f"the head's layers have shapes {sizes}, which do not fit together"
                )
        if any(layer.bias.shape != layer.weight.shape[1:] for layer in self.layers):
            raise ModelError("the head has a layer whose bias does not fit")
        last = sizes[-1][1] if sizes else len(self.classes)
        if last != len(self.classes) or len(self.members) != last:
            raise ModelError(
                f"the head has {counted(last, 'output')} for {len(self.classes)} classes"
            )
        # A genre without a class could never win, and would stand in every table with 0.
        if set(self.members) != set(range(len(self.labels))) or len(self.labels) < 2:
            raise ModelError(
                f"the head has {len(self.labels)} genres, not all of which have a class"
            )

    @property
    def dimensions(self) -> int:
        """d: how many numbers an embedding has."""
        return len(self.layers[0].weight) if self.layers else len(self.classes)

    def activations(self, windows: NDArray[np.floating[Any]]) -> Float64:
        """Of each class in windows [n, d]: [n, c].

        Parameters
        ----------
        windows : float [n, d]
            Embeddings of the first encoder, a row per window.
        """
        # In 32 bits, as the network computes: the comparison at import allows little difference.
        values: NDArray[np.floating[Any]] = np.asarray(windows, dtype=np.float32)
        for layer in self.layers:
            values = layer(values)
        return np.clip(np.asarray(values, dtype=np.float64), 0, 1)

    def strengths(self, activations: Float64) -> Float64:
        """Of each genre [..., k] by activations [..., c]: that of its strongest class.

        Parameters
        ----------
        activations : float64 [..., c]
            Of each class, 0 to 1.
        """
        members = np.array(self.members)
        # The maximum, not the sum: Rock has a hundred styles and Blues ten, and would win by
        # number.
        columns = [activations[..., members == i].max(axis=-1) for i in range(len(self.labels))]
        return np.stack(columns, axis=-1)

    def classify(
        self,
        windows: NDArray[np.floating[Any]],
        texture: NDArray[np.floating[Any]] | None = None,
        *,
        duration_s: float | None = None,
    ) -> HeadOutput:
        """Classify all windows [n, d] of a track together, by their mean activations.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the first encoder, a row per window.
        texture, duration_s
            Of no use to such a head.
        """
        # The mean of each class first, then the strongest: a class that is strong for a moment does
        # not decide.
        strengths = self.strengths(self.activations(windows).mean(axis=0))
        # No detector is fitted for a foreign network: what no class reaches is all that is known.
        unknown = float(_unknown(strengths.max()))
        return HeadOutput(_shares(strengths), unknown <= 0.5, unknown)

    def classify_each(self, windows: NDArray[np.floating[Any]]) -> Float64:
        """Probabilities [n, k + 1] of each window by itself; the last is that of unknown.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the first encoder, a row per window.
        """
        strengths = self.strengths(self.activations(windows))
        unknown = _unknown(strengths.max(axis=1))[:, None]
        return np.hstack([_shares(strengths) * (1 - unknown), unknown])

    def is_confident(self, windows: NDArray[np.floating[Any]], *, confidence: float) -> bool:
        """Never: these strengths are not calibrated, so all windows are analysed."""
        return False

    def wants_texture(
        self,
        windows: NDArray[np.floating[Any]],
        *,
        duration_s: float | None = None,
    ) -> bool:
        """Never: such a model has one encoder."""
        return False

    def styles(self, windows: NDArray[np.floating[Any]], genre: str | None) -> dict[str, float]:
        """The strongest styles of a genre with their activations; none of an unknown one.

        Parameters
        ----------
        windows : float32 [n, d]
            Embeddings of the first encoder, a row per window.
        genre : str or None
            The genre whose styles are wanted; None is unknown.
        """
        if genre is None:
            return {}
        means = self.activations(windows).mean(axis=0)  # (c,)
        place = self.labels.index(genre)
        found = [
            (float(mean), name.partition(SEPARATOR)[2])
            for mean, name, member in zip(means, self.classes, self.members, strict=True)
            # A class without a separator is the genre itself.
            if member == place and SEPARATOR in name and mean >= LEAST_ACTIVATION
        ]
        # By the number alone: ties keep the order of the classes.
        found.sort(key=lambda pair: -pair[0])
        return {name: round(mean, PLACES) for mean, name in found[:MOST]}

    def settings(self) -> dict[str, Any]:
        """Everything but the arrays, as plain JSON values."""
        return {
            "kind": KIND,
            "labels": list(self.labels),
            "classes": list(self.classes),
            "members": list(self.members),
            "activations": [layer.activation for layer in self.layers],
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays."""
        return {
            f"layers.{i}.{name}": getattr(layer, name)
            for i, layer in enumerate(self.layers)
            for name in ("weight", "bias")
        }

    @classmethod
    def from_parts(
        cls, settings: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> MultiLabelHead:
        """From :meth:`settings` and :meth:`arrays`.

        Parameters
        ----------
        settings : dict
            As :meth:`settings` gives them.
        arrays : dict of array
            As :meth:`arrays` gives them.
        """
        layers = tuple(
            Layer(
                np.asarray(arrays[f"layers.{i}.weight"], dtype=np.float32),
                np.asarray(arrays[f"layers.{i}.bias"], dtype=np.float32),
                activation,
            )
            for i, activation in enumerate(settings["activations"])
        )
        return cls.of(
            layers, settings["classes"], labels=settings["labels"], members=settings["members"]
        )

    @classmethod
    def of(
        cls,
        layers: Sequence[Layer],
        classes: Sequence[str],
        *,
        labels: Sequence[str],
        members: Sequence[int],
    ) -> MultiLabelHead:
        """Of these layers; what other heads have besides stays empty.

        Parameters
        ----------
        layers : sequence of Layer
            From an embedding to the classes, in their order.
        classes, labels : sequence of str
            Names of the outputs, and the genres that they belong to.
        members : sequence of int
            For each class the place of its genre.
        """
        # `Head` wants a weight; layers take its place here.
        nothing = np.empty((0, len(labels)))
        return cls(
            labels=tuple(map(str, labels)),
            kind=KIND,
            weight=nothing,
            bias=np.zeros(len(labels)),
            power=1.0,
            layers=tuple(layers),
            classes=tuple(map(str, classes)),
            members=tuple(map(int, members)),
        )


def head_of(settings: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Head:
    """The head of a model file, of whatever kind.

    Parameters
    ----------
    settings : dict
        Of the model file, whose ``kind`` decides.
    arrays : dict of array
        The arrays of the head, by name.
    """
    kind = MultiLabelHead if settings["kind"] == KIND else Head
    return kind.from_parts(settings, arrays)


def _shares(strengths: Float64) -> Float64:
    """Strengths [..., k] as probabilities that sum to 1."""
    # Independent strengths need not sum to 1, or to anything: silence may have all of them at 0.
    kept = np.maximum(strengths, _LEAST_STRENGTH)
    return np.asarray(kept / kept.sum(axis=-1, keepdims=True))


def _unknown(strongest: Float64) -> Float64:
    """Above a half where the strongest class does not reach what counts as one."""
    return np.clip(1 - np.asarray(strongest) / (2 * LEAST_ACTIVATION), 0, 1)
