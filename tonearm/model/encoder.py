"""From a file to embeddings: which windows are read, at what level, and the encoder network.

The only door to onnxruntime. Knows nothing of genres; whoever decides may say when it is enough.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tonearm import audio, windows
from tonearm.errors import DecodeError, ModelError
from tonearm.features import mel_power, to_level
from tonearm.model.file import Model
from tonearm.model.prediction import rank
from tonearm.windows import WindowCount

if TYPE_CHECKING:
    import onnxruntime as ort

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

# Shorter sounds are refused: repeated to fill one window they would be judged as a loop.
SHORTEST_S = 0.5
# Neighbouring windows read in one piece: 16 windows of 3 s are 9 MB of 48 kHz audio.
_READ_WINDOWS = 16
# A track whose mean square is below -32 dBFS is lifted to -20 dBFS, by 40 dB at most.
_QUIET, _LIFTED, _MOST_GAIN = 10**-3.2, 10**-2.0, 10**4.0
_LEVEL_GROUPS = 6
# Piece of the end that is read to see that it is there.
_TAIL_S = 0.2
# Windows through the network at once; more cost memory (7 MB each) and win no time.
_RUN_WINDOWS = 2


@dataclass(frozen=True)
class Embeddings:
    """What the encoder gives for a track: :meth:`Classifier.embed` makes it, once and for all.

    Parameters
    ----------
    values : float32 [n, d]
        One embedding a window; for the built-in model the probabilities of 50 tags.
    starts_s : float64 [n]
        Where each window begins.
    duration_s : float
        Length of the track.
    names : tuple of str or None
        What each of the d numbers means.
    warnings : tuple of str
        What was wrong with the file though it could be analysed, e.g. that it is truncated.
    path : str or None
        The file; None for audio in memory.
    """

    values: Float32
    starts_s: NDArray[np.float64]
    duration_s: float
    names: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()
    path: str | None = None

    def tags(self) -> dict[str, float]:
        """Mean of each named number over the track, highest first; empty without names.

        Examples
        --------
        >>> import numpy as np
        >>> values = np.float32([[0.2, 0.7], [0.4, 0.9]])
        >>> Embeddings(values, np.array([0.0, 3.0]), 6.0, names=("vocal", "guitar")).tags()
        {'guitar': 0.8, 'vocal': 0.3}
        """
        if self.names is None:
            return {}
        return rank(self.names, self.values.mean(axis=0))


@dataclass(frozen=True)
class _Cut:
    """Windows read together: mel power [n, window_frames, bands], mean square of samples [1]."""

    power: Float32
    mean_square: Float32


@dataclass(frozen=True)
class Plan:
    """What to hear of a track.

    Parameters
    ----------
    count : int or 'all'
        Windows at most.
    hop_s : float or None
        From one window to the next for ``all``; None is end to end.
    enough : callable or None
        Told the embeddings [n, d] so far after each two windows; once it says True no more are
        heard.
    on_progress : callable or None
        Told the share of the windows heard, 0 to 1, now and then.
    """

    count: WindowCount
    hop_s: float | None = None
    enough: Callable[[Float32], bool] | None = None
    on_progress: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        if self.count != "all" and (not isinstance(self.count, int) or self.count < 1):
            raise ValueError(f"count of {self.count!r} windows: 1 or more, or 'all', is wanted")


def _spread(groups: int) -> list[int]:
    """Up to six of so many groups, evenly over the track."""
    few = min(groups, _LEVEL_GROUPS)
    return [(2 * i + 1) * groups // (2 * few) for i in range(few)]


def _quiet_gain(mean_square: Float32) -> float:
    """Gain on power that lifts a very quiet track; 1 for all others.

    The encoder hears level: 20 dB down, 60 clips of GTZAN lose 33 points of accuracy. Their own
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
    ModelError
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
        raise ModelError(f"the encoder network cannot be loaded: {error}") from None


class Encoder:
    """Hears files and samples with a model file's network; any number of threads may share it."""

    def __init__(self, model: Model, *, threads: int = 1) -> None:
        self._model, self._spec, self._threads = model, model.features, threads
        self._lock = threading.Lock()
        self._loading: Future[ort.InferenceSession] | None = None

    def _load(self) -> Future[ort.InferenceSession]:
        """Begin to load the network in a thread: it takes as long as the first windows take."""
        with self._lock:
            if self._loading is None:
                thread = ThreadPoolExecutor(1)
                self._loading = thread.submit(
                    onnx_session, self._model.encoder, threads=self._threads
                )
                thread.shutdown(wait=False)
            return self._loading

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self._load().result()

    def embed(self, reader: audio.AudioReader, path: Path, plan: Plan) -> Embeddings:
        """Hear what an open file holds; see :meth:`tonearm.model.classifier.Classifier.embed`."""
        self._load()
        info = reader.info
        heard_to, warning = info.samples, info.warning
        starts, embeddings = self._hear(reader, path, heard_to, plan)
        if reader.ended_at is None:  # a file cut short has to say so, wherever the windows lie
            tail = round(_TAIL_S * info.sample_rate_hz)
            reader.read(max(0, info.samples - tail), tail)
        if audio.short_warning(info, reader.ended_at) != info.warning:
            heard_to = audio.count_samples(reader)
            warning = audio.short_warning(info, heard_to)
            starts, embeddings = self._hear(reader, path, heard_to, plan)
        return Embeddings(
            values=embeddings,
            starts_s=starts.astype(np.float64) * self._spec.frame_s,
            duration_s=round(heard_to / info.sample_rate_hz, 3),
            names=self._model.embedding_names,
            warnings=(warning,) if warning else (),
        )

    def _hear(
        self, reader: audio.AudioReader, path: Path, samples: int, plan: Plan
    ) -> tuple[Int64, Float32]:
        """First frames and embeddings [n, d] of the windows of a track of that many samples."""
        rate_hz, spec = reader.info.sample_rate_hz, self._spec
        if samples < SHORTEST_S * rate_hz:
            reason = (
                f"is too short to judge: {samples / rate_hz:.3g} s ({samples} samples), "
                f"{SHORTEST_S} s are needed"
            )
            raise DecodeError(path, "too-short", reason)
        frames = spec.frames_of(samples * spec.sample_rate_hz // rate_hz)
        hop = round(plan.hop_s / spec.frame_s) if plan.hop_s else None
        starts = windows.place(frames, spec.window_frames, count=plan.count, hop_frames=hop)
        if plan.enough:
            few = self._hear_until(reader, starts, frames, plan.enough, plan.on_progress)
            if few:
                return few
        return starts, self._hear_all(reader, starts, frames, plan.on_progress)

    def _hear_until(
        self,
        reader: audio.AudioReader,
        starts: Int64,
        frames: int,
        enough: Callable[[Float32], bool],
        on_progress: Callable[[float], None] | None,
    ) -> tuple[Int64, Float32] | None:
        """Some of the windows, until they are enough; None where the track is a quiet one.

        The level of a quiet track takes more than two windows to know.
        """
        done: dict[int, Float32] = {}
        for few in windows.rounds(len(starts)):
            cuts = [self._cut(reader, starts[i : i + 1], frames) for i in few]
            if not done and _quiet_gain(np.concatenate([cut.mean_square for cut in cuts])) != 1:
                return None
            embeddings = self._embed(np.concatenate([cut.power for cut in cuts]))
            done |= dict(zip(few, embeddings, strict=True))
            order = sorted(done)
            together = np.stack([done[i] for i in order])
            if on_progress:
                on_progress(len(order) / len(starts))
            if enough(together):
                break
        return starts[order], together

    def _hear_all(
        self,
        reader: audio.AudioReader,
        starts: Int64,
        frames: int,
        on_progress: Callable[[float], None] | None,
    ) -> Float32:
        """Embeddings [n, d] of the windows that begin at frames ``starts``."""
        length = self._spec.window_frames
        groups = list(windows.group(starts, length, most_frames=_READ_WINDOWS * length))
        first = {i: self._cut(reader, groups[i], frames) for i in _spread(len(groups))}
        gain = _quiet_gain(np.concatenate([cut.mean_square for cut in first.values()]))
        parts: list[Float32] = []
        for i, group in enumerate(groups):
            cut = first.pop(i, None) or self._cut(reader, group, frames)
            parts.append(self._embed(cut.power * np.float32(gain)))
            if on_progress:
                on_progress((i + 1) / len(groups))
        return np.concatenate(parts)

    def _cut(self, reader: audio.AudioReader, starts: Int64, frames: int) -> _Cut:
        """Mel power of the windows that begin at frames ``starts``."""
        spec = self._spec
        half = spec.n_fft // 2  # frames are centred: the first one reaches back that far
        begin = int(starts[0]) * spec.hop_samples - half
        last = min(int(starts[-1]) + spec.window_frames, frames) - 1
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
        levels = np.stack([to_level(window, self._spec) for window in power])
        batches = range(0, len(levels), _RUN_WINDOWS)
        return np.concatenate(
            [
                self._session.run(None, {"features": levels[i : i + _RUN_WINDOWS]})[0]
                for i in batches
            ]
        )
