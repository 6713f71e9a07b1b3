"""The sounds that a model learnt from, as its file keeps them, so that a leak is recognised.

A split's hash shows that a model is evaluated on its own training tracks only as long as the same
split is used. Files are renamed, moved and encoded again, splits are replaced; the sound stays. So
a model file keeps, of each sound it learnt from, the sound key, the length, and the mean of its
embeddings: the key finds the same file under any name, the mean finds other encodings of it (30
clips as MP3: all; as Ogg at .7 of the level: a third). Must not import torch.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.data import copies
from tonearm.model.file import Model

Floats = NDArray[np.floating[Any]]

FIELD = "sounds"  # of `Model.training`
_PARTLY = "sounds_of_base_unknown"  # of `Model.training`, too
_UNKNOWN_S = -1.0


@dataclass(frozen=True)
class LearntSounds:
    """Sounds that a model learnt from.

    Parameters
    ----------
    keys : tuple of str [n]
        Sound keys.
    lengths_s : float64 [n]
        Length of each; negative where it is not known.
    means : float32 [n, d] or None
        Mean embedding of each; None for networks, whose embeddings are their answers.
    """

    keys: tuple[str, ...]
    lengths_s: NDArray[np.float64]
    means: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        keys: Sequence[str],
        windows: Sequence[Floats] | None,
        lengths_s: Sequence[float] | None = None,
    ) -> LearntSounds:
        """From sound keys, the embeddings [n, d] of each, and their lengths where known.

        Parameters
        ----------
        keys : sequence of str
            Sound keys.
        windows : sequence of float [n, d], or None
            Embeddings of each sound.
        lengths_s : sequence of float or None
            Length of each sound.
        """
        lengths = np.asarray(lengths_s if lengths_s is not None else [_UNKNOWN_S] * len(keys))
        means = None
        if windows is not None and len(windows):
            means = np.stack([each.mean(axis=0, dtype=np.float32) for each in windows])
        return cls(tuple(keys), lengths.astype(np.float64), means)

    @classmethod
    def in_training(cls, training: Mapping[str, Any]) -> LearntSounds | None:
        """Those that a model file names; None for a file that names none.

        Parameters
        ----------
        training : mapping
            What a model file says of its training.
        """
        values = training.get(FIELD)
        if not values:
            return None
        keys = tuple(values["keys"])
        means = None
        if values.get("means"):
            data = np.frombuffer(base64.b64decode(values["means"]), dtype="<f2")
            means = data.reshape(len(keys), -1).astype(np.float32)
        return cls(keys, np.asarray(values["lengths_s"], dtype=np.float64), means)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for `Model.training`."""
        # Float16 in base64: a thousand means of 50 numbers add 130 kB to a model file.
        data = b"" if self.means is None else self.means.astype("<f2").tobytes()
        return {
            "keys": list(self.keys),
            "lengths_s": [round(float(length), 3) for length in self.lengths_s],
            "means": base64.b64encode(data).decode(),
        }

    def and_(self, other: LearntSounds | None) -> LearntSounds:
        """These and others; without means where one of both has none.

        Parameters
        ----------
        other : LearntSounds or None
            What another model learnt from; None where it names none.
        """
        if other is None:
            return self
        both = self.means is not None and other.means is not None
        return LearntSounds(
            self.keys + other.keys,
            np.concatenate([self.lengths_s, other.lengths_s]),
            np.vstack([self.means, other.means]) if both else None,  # type: ignore[list-item]
        )

    def contain(self, key: str, length_s: float, windows: Floats) -> bool:
        """Whether the model learnt from this sound, or from another encoding of it.

        Parameters
        ----------
        key : str
            Sound key.
        length_s : float
            Its length.
        windows : float [n, d]
            Its embeddings by the model's own encoder.
        """
        if key in self._known:
            return True
        if self.means is None or self.means.shape[1] != windows.shape[1]:
            return False
        as_long = copies.lengths_agree(self.lengths_s, length_s)
        # Square roots, as wherever embeddings are compared: Hellinger's distance.
        points = np.sqrt(np.maximum(self.means[as_long], 0))
        point = np.sqrt(np.maximum(windows.mean(axis=0, dtype=np.float32), 0))
        return bool(copies.same_mean(points, point).any())

    @property
    def _known(self) -> frozenset[str]:
        return frozenset(self.keys)


def complete(training: Mapping[str, Any]) -> bool:
    """Whether a model file names every sound that the model learnt from.

    Parameters
    ----------
    training : mapping
        As in the model file.
    """
    # Of tracks that were estimated from other data there is no sound to keep.
    return bool(training.get(FIELD)) and not (training.get("estimated") or training.get(_PARTLY))


def also_learnt(base: Model, more: str, sounds: LearntSounds) -> dict[str, Any]:
    """How a head was trained that starts from another: on all that this one was, and more.

    Parameters
    ----------
    base : Model
        The model that it starts from.
    more : str
        What it learnt besides, in words.
    sounds : LearntSounds
        What it learnt besides.
    """
    before = LearntSounds.in_training(base.training)
    learnt = base.training.get("data") or base.training.get("split") or "what it does not say"
    return {
        **base.training,
        # What it learnt from stays true of everything that starts from it.
        "data": f"{learnt}; and {more}",
        "base": base.sha256,
        FIELD: sounds.and_(before).to_dict(),
        **({} if before else {_PARTLY: True}),
    }
