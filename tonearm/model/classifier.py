"""The two steps from a file to its genre: encoding and classifying.

Encoding (:mod:`tonearm.model.encoder`) decodes a few windows of a track and runs the encoder on
them: expensive, done once, its result worth keeping. Classifying is a small head over embeddings.
A Classifier holds no state that changes: any number of threads may share one, and it can be
pickled for processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.audio.source import Source, open_source
from tonearm.errors import DecodeError, ModelError, whole_number
from tonearm.files import cores
from tonearm.model import batch
from tonearm.model import file as model_file
from tonearm.model.encoder import Embeddings, Encoder, Plan, refuse_invalid
from tonearm.model.file import Model
from tonearm.model.mix import with_mix
from tonearm.model.prediction import Prediction, note_of
from tonearm.model.reasons import NO_REASONS, reasons_of
from tonearm.model.track_segments import checked_texture, checked_windows, track_segments
from tonearm.windows import WindowCount
from tonearm.workers import failure_of

Float32 = NDArray[np.float32]
FilePath = str | os.PathLike[str]

# From one window of a timeline to the next: every second is classified.
TIMELINE_HOP_S = 1.0


class Classifier:
    """Names the genre of music.

    Parameters
    ----------
    model : Model
        The encoder and the head; ``load`` reads one from a model file.
    threads : int
        Threads of the encoder for one track. Leave it at 1 where tracks are analysed in parallel.

    Examples
    --------
    >>> from tonearm import Classifier
    >>> classifier = Classifier.load()
    >>> prediction = classifier.predict("midnight_walk.mp3")
    >>> prediction.genre
    'jazz'
    """

    def __init__(self, model: Model, *, threads: int = 1) -> None:
        if not isinstance(model, Model):
            raise TypeError(
                f"Classifier needs a Model, not {type(model).__name__}: see Classifier.load"
            )
        self.model = model
        self._threads = threads = whole_number(threads, "threads")
        # Nothing is loaded yet: the network is, when the first file is embedded.
        self._encoder = Encoder(model, threads=threads)

    def __reduce__(self) -> tuple[Callable[[Model, int], Classifier], tuple[Model, int]]:
        """Pickle the model, so that another process makes a Classifier of its own."""
        # An onnxruntime session cannot be pickled, the bytes of its network can.
        return _restored, (self.model, self._threads)

    @classmethod
    def load(cls, path: FilePath | None = None, *, threads: int = 1) -> Classifier:
        """Load a model file and check it by its hashes.

        Parameters
        ----------
        path : path or None
            A ``.tonearm`` file; None is the built-in model.
        threads : int
            As for ``Classifier``.

        Raises
        ------
        ModelError
            When the file is missing, damaged, or not a model file.

        Examples
        --------
        >>> Classifier.load().model.labels[:3]
        ('blues', 'classical', 'country')
        """
        return cls(model_file.load(path), threads=threads)

    def embed(
        self,
        source: Source,
        sample_rate_hz: float | None = None,
        *,
        count: WindowCount | None = None,
        timeline: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> Embeddings:
        """Run the encoder on a track: the expensive step, once for each recording.

        Parameters
        ----------
        source : path, binary file object or array
            An audio file; an open file, read from its current position; or samples [n],
            [n, channels] or [channels, n], floats in -1..1 or integers of their type's full range.
        sample_rate_hz : float or None
            Of samples, in hertz; files say it themselves.
        count : int, 'all' or None
            Windows of 3 s to analyse, ``all`` for the whole track; None is as many as it takes to
            be confident, up to the number in the model file.
        timeline : bool
            Analyse the whole track, a window each second, whatever ``count`` says.
        on_progress : callable or None
            Called with the fraction of the windows that are done, 0 to 1, now and then.

        Returns
        -------
        Embeddings

        Raises
        ------
        DecodeError
            When the audio cannot be decoded, or is shorter than half a second.
        ValueError
            When ``count`` is no whole number or less than 1, or the samples cannot be audio.

        Examples
        --------
        >>> embeddings = classifier.embed("midnight_walk.mp3", count=4)
        >>> embeddings.values.shape, embeddings.duration_s
        ((4, 50), 22.11)
        >>> import numpy as np
        >>> stereo = np.zeros((441_000, 2), dtype=np.int16)
        >>> classifier.embed(stereo, 44_100, count="all").duration_s
        10.0
        """
        return self._embed(source, sample_rate_hz, self._plan(count, timeline, on_progress))

    def classify(
        self,
        embeddings: Embeddings | NDArray[np.floating[Any]],
        *,
        timeline: bool = False,
        tags: bool = False,
    ) -> Prediction:
        """Name the genre: the cheap step, as often as you like.

        Parameters
        ----------
        embeddings : Embeddings or float [n, d]
            From ``embed``; or an array of windows from any places of a track.
        timeline : bool
            Divide the track into segments of one genre; to the second, if ``embed`` was
            called with ``timeline=True``.
        tags : bool
            Give moods and instruments as well.

        Raises
        ------
        ModelError
            When the embeddings are not those of this model's encoder.
        ValueError
            When ``timeline`` or ``tags`` is asked for an array, which has neither times nor names.

        Examples
        --------
        >>> embeddings = classifier.embed("midnight_walk.mp3")
        >>> prediction = classifier.classify(embeddings, tags=True)
        >>> prediction.genre, next(iter(prediction.tags))
        ('jazz', 'jazz')
        >>> classifier.classify(embeddings.values).confidence == prediction.confidence
        True
        """
        if not isinstance(embeddings, Embeddings):
            if timeline or tags:
                raise ValueError(
                    "timeline and tags need Embeddings: an array has neither times nor names"
                )
            return self._name_genre(checked_windows(self.model.head, embeddings))
        windows = checked_windows(self.model.head, embeddings.values)
        named = replace(
            self._name_genre(
                windows,
                checked_texture(self.model.head, embeddings.texture),
                duration_s=embeddings.duration_s,
            ),
            path=embeddings.path,
            duration_s=embeddings.duration_s,
            tags=embeddings.tags() if tags else {},
            timeline=track_segments(self.model, embeddings) if timeline else [],
            warnings=embeddings.warnings,
            note=note_of(
                silent=embeddings.silent,
                low_rate=embeddings.low_rate,
                duration_s=embeddings.duration_s,
                window_s=self.model.features.window_s,
            ),
        )
        # A mix may take the genre away, so styles come after it.
        whole = with_mix(
            named,
            self.model.head,
            windows,
            starts_s=embeddings.starts_s,
            duration_s=embeddings.duration_s,
            window_s=self.model.features.window_s,
        )
        return replace(whole, styles=self.model.styles_of(whole.genre, windows))

    def predict(
        self,
        source: Source,
        sample_rate_hz: float | None = None,
        *,
        timeline: bool = False,
        tags: bool = False,
        count: WindowCount | None = None,
        reasons: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> Prediction:
        """Name the genre of a track: ``embed``, then ``classify``.

        Parameters
        ----------
        source, sample_rate_hz : path, binary file object or array; float or None
            As for ``embed``.
        timeline : bool
            Analyse the whole track, and divide it into segments of one genre.
        tags : bool
            Give moods and instruments as well.
        count, on_progress : int, 'all' or None; callable or None
            As for ``embed``.
        reasons : bool
            Also give reasons, from the windows that are analysed; the prediction is the same.

        Raises
        ------
        DecodeError
            When the audio cannot be decoded, or is shorter than half a second.

        Examples
        --------
        >>> prediction = classifier.predict("midnight_walk.mp3", timeline=True)
        >>> prediction.genre, len(prediction.timeline), prediction.timeline[0].genre
        ('jazz', 1, 'jazz')
        >>> prediction.to_dict()["duration_s"]
        22.11
        """
        plan = replace(self._plan(count, timeline, on_progress), reasons=reasons)
        embeddings = self._embed(source, sample_rate_hz, plan)
        # Reasons ask the second encoder of every track; the answer heeds it only where it would
        # have been asked anyway.
        heeded = embeddings
        length_s = embeddings.duration_s
        if reasons and not self.model.wants_texture(embeddings.values, duration_s=length_s):
            heeded = replace(embeddings, texture=None, texture_starts_s=None)
        prediction = self.classify(heeded, timeline=timeline, tags=tags)
        return self._with_reasons(prediction, embeddings) if reasons else prediction

    def explain(self, source: Source, sample_rate_hz: float | None = None) -> Prediction:
        """Name the genre of a track, with its tags and the reasons.

        The whole track is analysed, by both encoders.

        Parameters
        ----------
        source, sample_rate_hz : path, binary file object or array; float or None
            As for ``embed``.

        Raises
        ------
        DecodeError
            When the audio cannot be decoded, or is shorter than half a second.
        ModelError
            When the model has no tags to explain a genre with, as a network.

        Examples
        --------
        >>> reasons = classifier.explain("midnight_walk.mp3").reasons
        >>> if reasons is not None:  # as it is for silence
        ...     print(reasons.genre, reasons.tags[0].tag)
        jazz jazz
        """
        # All windows, since the most typical ten seconds may lie anywhere.
        embeddings = self._embed(source, sample_rate_hz, Plan("all", reasons=True))
        explained = self._with_reasons(self.classify(embeddings, tags=True), embeddings)
        # A network gives genres at once: no tags or filters lie in between.
        if explained.reasons is None and not embeddings.silent:
            raise ModelError(NO_REASONS)
        return explained

    def predict_or_error(
        self,
        path: FilePath,
        *,
        timeline: bool = False,
        tags: bool = False,
        count: WindowCount | None = None,
        reasons: bool = False,
        on_progress: Callable[[float], None] | None = None,
    ) -> Prediction | DecodeError:
        """``predict``, but a file that fails is a result too: the error is returned.

        Whatever goes wrong with one file ends as a DecodeError, so that a batch goes on; what is
        wrong with the model is raised.

        Parameters
        ----------
        path : path
            The file.
        timeline : bool
            Classify every second.
        tags : bool
            Add moods, instruments and more.
        count : int, 'all' or None
            Windows to analyse; None stops when confident.
        reasons : bool
            Say why as well.
        on_progress : callable or None
            Called with the fraction done.

        Examples
        --------
        >>> error = classifier.predict_or_error("missing.mp3")
        >>> error.kind, error.to_dict()["error"]["message"]
        ('missing', 'does not exist')
        """
        batch.checked(path, by="predict_or_error")
        try:
            return self.predict(
                path,
                timeline=timeline,
                tags=tags,
                count=count,
                reasons=reasons,
                on_progress=on_progress,
            )
        except DecodeError as error:
            return error
        # A broken model fails for every file alike; as an error of each it would fill a table.
        except (ModelError, CancelledError):
            raise
        except Exception as error:
            failure = failure_of(error)
            failed = DecodeError(path, failure.kind, failure.reason)
            failed.__cause__ = error  # --verbose shows it
            return failed

    def predict_many(
        self,
        paths: Iterable[FilePath],
        *,
        jobs: int | None = None,
        timeline: bool = False,
        tags: bool = False,
        count: WindowCount | None = None,
    ) -> Iterator[Prediction | DecodeError]:
        """Name the genre of many files, several at once, in the order given.

        A file that fails yields its ``DecodeError`` in its place instead of raising
        it; both kinds have ``path`` and ``to_dict()``.

        Parameters
        ----------
        paths : iterable of path
            Files, taken as there is room for them: a generator over an archive is fine.
        jobs : int or None
            Files at once, each in a process of its own: one that makes a decoder crash yields an
            error as well. None is one for each core.
        timeline, tags, count : bool, bool, int, 'all' or None
            As for ``predict``.

        Examples
        --------
        >>> from tonearm import DecodeError
        >>> for result in classifier.predict_many(["midnight_walk.mp3", "missing.mp3"], jobs=2):
        ...     if isinstance(result, DecodeError):
        ...         print(result.path, result.reason)
        ...     else:
        ...         print(result.path, result.genre)
        midnight_walk.mp3 jazz
        missing.mp3 does not exist
        """
        if isinstance(paths, str | bytes | os.PathLike):
            raise TypeError(
                f"predict_many needs a list of files, not one path: use predict({paths!r})"
            )
        jobs = cores() if jobs is None else whole_number(jobs, "jobs")
        self._plan(count, timeline, None)  # refuses a wrong count before the first file
        options = batch.Options(timeline=timeline, tags=tags, count=count)
        return batch.predict_many(self, paths, options, jobs=jobs)

    def _embed(self, source: Source, sample_rate_hz: float | None, plan: Plan) -> Embeddings:
        with open_source(source, sample_rate_hz) as opened:
            embeddings = self._encoder.embed(opened.reader, Path(opened.shown), plan)
            refuse_invalid(embeddings.values, opened.shown)
        return replace(embeddings, path=opened.path)

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
        # 3.3 windows of GTZAN's clips reach .826; always eight reach .829 (speed.md).
        enough = model.is_enough if model.stop_confidence < 1 else None
        return Plan(model.windows_per_track, enough=enough, grows=True, on_progress=on_progress)

    def _with_reasons(self, prediction: Prediction, embeddings: Embeddings) -> Prediction:
        if embeddings.silent:  # what tells one genre from another says nothing of silence
            return prediction
        ranked = list(prediction.probabilities)
        return replace(prediction, reasons=reasons_of(self.model, embeddings, ranked))

    def _name_genre(
        self, windows: Float32, texture: Float32 | None = None, *, duration_s: float | None = None
    ) -> Prediction:
        output = self.model.head.classify(windows, texture, duration_s=duration_s)
        return Prediction.of(self.model.labels, output.probabilities, known=output.known)


def _restored(model: Model, threads: int) -> Classifier:
    """What a pickle calls."""
    return Classifier(model, threads=threads)
