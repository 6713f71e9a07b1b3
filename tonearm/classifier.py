"""The two steps from a file to its genre; the only door to onnxruntime.

Listening decodes a few windows of a track, transforms them and runs the listener network:
expensive, done once, its result worth keeping. Deciding is a small head over those embeddings.
A Classifier holds no state that changes: any number of threads may share one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio, bundle, windows
from tonearm.bundle import Bundle
from tonearm.errors import BundleError, DecodeError
from tonearm.features import mel_power, to_level
from tonearm.timeline import Segment, segments
from tonearm.windows import WindowCount

if TYPE_CHECKING:
    import onnxruntime as ort

Float32 = NDArray[np.float32]

# Shorter sounds are refused: repeated to fill one window they would be judged as a loop.
SHORTEST_S = 0.5
# Neighbouring windows read in one piece: 16 windows of 3 s are 9 MB of 48 kHz audio.
_READ_WINDOWS = 16
# A track whose mean square is below -32 dBFS is lifted to -20 dBFS, by 40 dB at the most.
_QUIET, _LIFTED, _MOST_GAIN = 10**-3.2, 10**-2.0, 10**4.0
_LEVEL_GROUPS = 6
# Windows through the network at once; more cost memory (7 MB each) and win no time.
_RUN_WINDOWS = 2


@dataclass(frozen=True)
class Heard:
    """What listening gives.

    Parameters
    ----------
    windows : float32 [n, d]
        One embedding a window; for the shipped bundle the probabilities of 50 tags.
    starts_s : float64 [n]
        Where each window begins.
    duration_s : float
        Length of the track.
    names : tuple of str or None
        What each of the d numbers means.
    warnings : tuple of str
        What was wrong with the file though it could be heard, e.g. that it is truncated.
    """

    windows: Float32
    starts_s: NDArray[np.float64]
    duration_s: float
    names: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()

    def tags(self) -> dict[str, float]:
        """Mean of each named number over the track, highest first; empty without names."""
        if self.names is None:
            return {}
        means = self.windows.mean(axis=0)
        order = np.argsort(-means, kind="stable")
        return {self.names[i]: round(float(means[i]), 4) for i in order}


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
        Of each genre, highest first; they sum to 1.
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


@dataclass(frozen=True)
class _Cut:
    """Windows read together: mel power [n, window_frames, bands], mean square of samples [1]."""

    power: Float32
    mean_square: Float32


def _spread(groups: int) -> list[int]:
    """Up to six of so many groups, evenly over the track."""
    few = min(groups, _LEVEL_GROUPS)
    return [(2 * i + 1) * groups // (2 * few) for i in range(few)]


def _quiet_gain(mean_square: Float32) -> float:
    """Gain on power that lifts a very quiet track; 1 for all others.

    The listener hears level: 20 dB down, 60 clips of GTZAN lose 33 points of accuracy. Their own
    levels are -31.2 to -10.5 dBFS, so lifting only what is quieter leaves them as they are.
    """
    level = float(mean_square.mean())
    if level >= _QUIET or level == 0:
        return 1.0
    return min(_LIFTED / level, _MOST_GAIN)


def onnx_session(model: bytes, *, threads: int = 1) -> ort.InferenceSession:
    """An onnxruntime session on the CPU with that many threads, which sleep while they wait.

    Raises
    ------
    BundleError
        When onnxruntime cannot read the model.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; they are raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise BundleError(f"the listener network cannot be loaded: {error}") from None


class Classifier:
    """Hears the genre of music.

    Parameters
    ----------
    model : Bundle
        What listens and decides; see :meth:`load`.
    threads : int
        Threads of the network for one call. Leave it at 1 where calls run in parallel.
    """

    def __init__(self, model: Bundle, *, threads: int = 1) -> None:
        self.bundle = model
        self._threads = threads

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, threads: int = 1) -> Classifier:
        """Load a bundle, checked by its hashes; None is the one that comes with the package."""
        return cls(bundle.load(path), threads=threads)

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return onnx_session(self.bundle.listener, threads=self._threads)

    def listen(
        self,
        path: str | os.PathLike[str],
        *,
        count: WindowCount | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Heard:
        """Hear a file.

        Parameters
        ----------
        path : path
            An audio file.
        count : int, 'all' or None
            Windows to hear at the most; None is the bundle's own choice, ``all`` the whole track.
        on_progress : callable or None
            Told the share of the windows heard, 0 to 1, now and then.

        Raises
        ------
        DecodeError
            When the file cannot be decoded, or is shorter than half a second.
        """
        with audio.open_audio(path) as reader:
            return self._listen(reader, Path(path), count, on_progress)

    def listen_samples(
        self, samples: Float32, sample_rate_hz: int, *, count: WindowCount | None = None
    ) -> Heard:
        """Hear mono audio in memory, float32 [n] in -1..1; otherwise as :meth:`listen`."""
        reader = audio.ArrayReader(np.asarray(samples, dtype=np.float32), sample_rate_hz)
        return self._listen(reader, Path("<samples>"), count, None)

    def decide(
        self, heard: NDArray[np.floating[Any]], *, timeline_of: Heard | None = None
    ) -> Prediction:
        """Decide on the embeddings of a track.

        Parameters
        ----------
        heard : float [n, d]
            Any number of windows, at any distance from each other.
        timeline_of : Heard or None
            The track heard whole, to divide it into parts as well.
        """
        decision = self.bundle.head.decide(self._checked(heard))
        labels = self.bundle.labels
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
        heard = self.listen(path, count="all" if timeline else count)
        return self.decide(heard.windows, timeline_of=heard if timeline else None)

    def _parts(self, heard: Heard) -> list[Segment]:
        head, checked = self.bundle.head, self._checked(heard.windows)

        def together(start: int, stop: int) -> NDArray[np.float64]:
            unknown = head.decide_each(checked[start:stop])[:, -1].mean()
            return np.append(head.decide(checked[start:stop]).probabilities, unknown)

        return segments(
            heard.starts_s,
            head.decide_each(checked),
            (*self.bundle.labels, None),
            together=together,
            duration_s=heard.duration_s,
            window_s=self.bundle.features.window_s,
        )

    def _checked(self, heard: NDArray[np.floating[Any]]) -> Float32:
        array = np.asarray(heard, dtype=np.float32)
        if array.ndim != 2 or not len(array) or array.shape[1] != self.bundle.head.dimensions:
            raise BundleError(
                f"windows of shape {array.shape} given; this model decides on "
                f"[n, {self.bundle.head.dimensions}] with n of 1 or more"
            )
        if not np.isfinite(array).all():
            raise BundleError("windows with values that are not numbers")
        return array

    def _listen(
        self,
        reader: audio.AudioReader,
        path: Path,
        count: WindowCount | None,
        on_progress: Callable[[float], None] | None,
    ) -> Heard:
        info = reader.info
        heard_to, warning = info.samples, info.warning
        starts = self._place(reader, path, info.samples, count)
        embeddings = self._hear(reader, starts, info.samples, on_progress)
        if reader.ended_at is not None:  # less there than promised: measure, and hear what is
            heard_to = audio.count_samples(reader)
            warning = audio.short_warning(info, heard_to)
            if warning != info.warning:
                starts = self._place(reader, path, heard_to, count)
                embeddings = self._hear(reader, starts, heard_to, None)
        return Heard(
            windows=embeddings,
            starts_s=starts.astype(np.float64) * self.bundle.features.frame_s,
            duration_s=round(heard_to / info.sample_rate_hz, 3),
            names=self.bundle.names,
            warnings=(warning,) if warning else (),
        )

    def _place(
        self, reader: audio.AudioReader, path: Path, samples: int, count: WindowCount | None
    ) -> NDArray[np.int64]:
        """First frames of the windows of a track of that many of its own samples."""
        rate_hz, spec = reader.info.sample_rate_hz, self.bundle.features
        if samples < SHORTEST_S * rate_hz:
            reason = (
                f"is too short to judge: {samples / rate_hz:.3g} s ({samples} samples), "
                f"{SHORTEST_S} s are needed"
            )
            raise DecodeError(path, "too-short", reason)
        count = count or self.bundle.windows_per_track
        return windows.place(self._frames(reader, samples), spec.window_frames, count=count)

    def _frames(self, reader: audio.AudioReader, samples: int) -> int:
        spec = self.bundle.features
        return spec.frames_of(samples * spec.sample_rate_hz // reader.info.sample_rate_hz)

    def _hear(
        self,
        reader: audio.AudioReader,
        starts: NDArray[np.int64],
        samples: int,
        on_progress: Callable[[float], None] | None,
    ) -> Float32:
        """Embeddings [n, d] of the windows that begin at frames ``starts``."""
        spec, total = self.bundle.features, self._frames(reader, samples)
        groups = list(windows.group(starts, spec.window_frames, most=_READ_WINDOWS))
        first = {i: self._cut(reader, groups[i], total) for i in _spread(len(groups))}
        gain = _quiet_gain(np.concatenate([cut.mean_square for cut in first.values()]))
        parts: list[Float32] = []
        for i, group in enumerate(groups):
            cut = first.pop(i, None) or self._cut(reader, group, total)
            parts.append(self._embed(cut.power * np.float32(gain)))
            if on_progress:
                on_progress((i + 1) / len(groups))
        return np.concatenate(parts)

    def _cut(self, reader: audio.AudioReader, starts: NDArray[np.int64], total: int) -> _Cut:
        """Mel power of the windows that begin at frames ``starts``."""
        spec = self.bundle.features
        half = spec.n_fft // 2  # frames are centred: the first one reaches back that far
        begin = int(starts[0]) * spec.hop_samples - half
        last = min(int(starts[-1]) + spec.window_frames, total) - 1
        span = audio.read_span(
            reader, begin, last * spec.hop_samples + half, rate_hz=spec.sample_rate_hz
        )
        power = mel_power(span, spec, centre=False)
        if len(power) < spec.window_frames:  # a sound shorter than a window is heard repeatedly
            power = np.tile(power, (-(-spec.window_frames // len(power)), 1))
        return _Cut(
            np.stack([power[i : i + spec.window_frames] for i in starts - starts[0]]),
            np.mean(np.square(span), keepdims=True),
        )

    def _embed(self, power: Float32) -> Float32:
        """Embeddings [n, d] of windows of mel power [n, window_frames, bands]."""
        # Levels are relative to the window, so that they do not depend on what is read with it.
        levels = np.stack([to_level(window, self.bundle.features) for window in power])
        batches = range(0, len(levels), _RUN_WINDOWS)
        return np.concatenate(
            [
                self._session.run(None, {"features": levels[i : i + _RUN_WINDOWS]})[0]
                for i in batches
            ]
        )
