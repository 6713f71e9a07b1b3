"""The two steps from a file to its genre: encoding and classifying.

Encoding (:mod:`tonearm.model.encoder`) decodes a few windows of a track and runs the encoder on
them: expensive, done once, its result worth keeping. Classifying is a small head over embeddings.
A Classifier holds no state that changes: any number of threads may share one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio
from tonearm.errors import ModelError
from tonearm.model import file as model_file
from tonearm.model.encoder import Embeddings, Encoder, Plan
from tonearm.model.file import Model
from tonearm.timeline.segments import Segment, segments
from tonearm.windows import WindowCount

Float32 = NDArray[np.float32]

# From one window of a timeline to the next: every second is judged.
TIMELINE_HOP_S = 1.0


@dataclass(frozen=True)
class Prediction:
    """A decision about one track.

    Parameters
    ----------
    genre : str or None
        The genre; None when what was heard is like none of them.
    nearest : str
        The likeliest genre, also when ``genre`` is None.
    confidence : float
        Calibrated probability that ``nearest`` is right, if it is one of the genres at all.
    probabilities : dict of str to float
        Of each genre, highest first, to four places; they sum to 1 but for these.
    timeline : list of Segment
        Parts of the track, if asked for.
    """

    genre: str | None
    nearest: str
    confidence: float
    probabilities: dict[str, float]
    timeline: list[Segment]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "genre": self.genre,
            "nearest": self.nearest,
            "confidence": self.confidence,
            "probabilities": self.probabilities,
            "timeline": [segment._asdict() for segment in self.timeline],
        }


class Classifier:
    """Hears the genre of music.

    Parameters
    ----------
    model : Model
        What listens and decides; see :meth:`load`.
    threads : int
        Threads of the network for one call. Leave it at 1 where calls run in parallel.
    """

    def __init__(self, model: Model, *, threads: int = 1) -> None:
        if not isinstance(model, Model):
            raise TypeError(f"a Model wanted, not {type(model).__name__}: see Classifier.load")
        self.model = model
        self._encoder = Encoder(model, threads=threads)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, threads: int = 1) -> Classifier:
        """Load a model file, checked by its hashes; None is the one that comes with the package."""
        return cls(model_file.load(path), threads=threads)

    def embed(
        self,
        path: str | os.PathLike[str],
        *,
        count: WindowCount | None = None,
        timeline: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> Embeddings:
        """Hear a file.

        Parameters
        ----------
        path : path
            An audio file.
        count : int, 'all' or None
            Windows to hear, ``all`` for the whole track; None is as many as it takes to be sure,
            up to the model file's own number.
        timeline : bool
            Hear the whole track, a window each second, whatever ``count`` says.
        on_progress : callable or None
            Told the share of the windows heard, 0 to 1, now and then.

        Raises
        ------
        DecodeError
            When the file cannot be decoded, or is shorter than half a second.
        ValueError
            When ``count`` is less than 1.
        """
        with audio.open_audio(path) as reader:
            return self._encoder.embed(reader, Path(path), self._plan(count, timeline, on_progress))

    def embed_samples(
        self,
        samples: NDArray[np.floating[Any]],
        sample_rate_hz: int,
        *,
        count: WindowCount | None = None,
    ) -> Embeddings:
        """Hear mono audio in memory, float [n] in -1..1; otherwise as :meth:`listen`.

        Raises
        ------
        ValueError
            When it is not mono, not in -1..1 (integers), or has no rate.
        DecodeError
            When it is shorter than half a second.
        """
        array = np.asarray(samples)
        if array.ndim != 1 or not np.issubdtype(array.dtype, np.floating):
            what = f"{array.dtype} of shape {array.shape}"
            raise ValueError(f"mono samples wanted, float [n] in -1..1, not {what}")
        if int(sample_rate_hz) < 1:
            raise ValueError(f"a sample rate of {sample_rate_hz} Hz")
        reader = audio.ArrayReader(array.astype(np.float32), int(sample_rate_hz))
        return self._encoder.embed(reader, Path("<samples>"), self._plan(count, False, None))

    def classify(
        self, embeddings: NDArray[np.floating[Any]], *, timeline_of: Embeddings | None = None
    ) -> Prediction:
        """Decide on the embeddings of a track.

        Parameters
        ----------
        heard : float [n, d]
            Any number of windows, at any distance from each other.
        timeline_of : Heard or None
            The track heard whole, to divide it into parts as well.
        """
        decision = self.model.head.classify(self._checked(embeddings))
        labels = self.model.labels
        order = np.argsort(-decision.probabilities, kind="stable")
        ranked = {labels[i]: round(float(decision.probabilities[i]), 4) for i in order}
        nearest = labels[order[0]]
        return Prediction(
            genre=nearest if decision.known else None,
            nearest=nearest,
            confidence=ranked[nearest],
            probabilities=ranked,
            timeline=self._parts(timeline_of) if timeline_of is not None else [],
        )

    def predict(
        self,
        path: str | os.PathLike[str],
        *,
        timeline: bool = False,
        count: WindowCount | None = None,
    ) -> Prediction:
        """Listen and decide; with ``timeline`` the whole track, and what is heard when."""
        embeddings = self.embed(path, count=count, timeline=timeline)
        return self.classify(embeddings.values, timeline_of=embeddings if timeline else None)

    def _plan(
        self,
        count: WindowCount | None,
        timeline: bool,
        on_progress: Callable[[float], None] | None,
    ) -> Plan:
        if timeline:
            return Plan("all", hop_s=TIMELINE_HOP_S, on_progress=on_progress)
        if count is not None:
            return Plan(count, on_progress=on_progress)
        model = self.model
        enough = (
            partial(model.head.is_confident, confidence=model.stop_confidence)
            if model.stop_confidence < 1
            else None
        )
        return Plan(model.windows_per_track, enough=enough, on_progress=on_progress)

    def _parts(self, embeddings: Embeddings) -> list[Segment]:
        head, checked = self.model.head, self._checked(embeddings.values)

        def together(start: int, stop: int) -> tuple[str | None, float]:
            decision = head.classify(checked[start:stop])
            if not decision.known:
                return None, decision.unknown
            best = int(decision.probabilities.argmax())
            return head.labels[best], float(decision.probabilities[best])

        return segments(
            embeddings.starts_s,
            head.classify_each(checked),
            (*self.model.labels, None),
            together=together,
            duration_s=embeddings.duration_s,
            window_s=self.model.features.window_s,
        )

    def _checked(self, embeddings: NDArray[np.floating[Any]]) -> Float32:
        try:
            array = np.asarray(embeddings, dtype=np.float32)
        except (TypeError, ValueError):
            raise ModelError(
                f"an array of windows wanted, not {type(embeddings).__name__}"
            ) from None
        if array.ndim != 2 or not len(array) or array.shape[1] != self.model.head.dimensions:
            raise ModelError(
                f"windows of shape {array.shape} given; this model decides on "
                f"[n, {self.model.head.dimensions}] with n of 1 or more"
            )
        if not np.isfinite(array).all():
            raise ModelError("windows with values that are not numbers")
        return array
