"""From a file to embeddings: the encoder network, over windows spread across the track.

The only module that imports onnxruntime. Knows no genres; callers may stop it early.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio, windows
from tonearm.errors import DecodeError, ModelError
from tonearm.features import FeatureSpec, to_level
from tonearm.model.file import Model
from tonearm.model.prediction import rank
from tonearm.model.track import Track, is_silent, quiet_gain, spread, track_gain
from tonearm.windows import WindowCount

if TYPE_CHECKING:
    import onnxruntime as ort

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

# Shorter sounds are refused: repeated to fill one window they would be classified as a loop.
SHORTEST_S = 0.5
# Where networks run, for this process and its workers.
DEVICE_VARIABLE = "TONEARM_DEVICE"
_PROVIDERS = {
    "auto": "CPUExecutionProvider",
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
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
    texture : float32 [m, t] or None
        What the second encoder gives for long windows; None where the model has none, or where
        the first encoder is confident of the genre, and that it is music.
    texture_starts_s : float64 [m] or None
        Where each of these begins.
    modulations : float32 [m, f] or None
        What the second encoder's filters gave, before they became texture: for reasons alone.
    """

    values: Float32
    starts_s: NDArray[np.float64]
    duration_s: float
    names: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()
    path: str | None = None
    texture: Float32 | None = None
    texture_starts_s: NDArray[np.float64] | None = None
    modulations: Float32 | None = None

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
class Plan:
    """Which windows of a track to embed.

    Parameters
    ----------
    count : int or 'all'
        Windows at most.
    hop_s : float or None
        From one window to the next for ``all``; None is end to end.
    enough : callable or None
        Called with the embeddings [n, d] so far after each two windows; once it returns True no
        more are embedded.
    grows : bool
        Whether a long track has more windows than ``count``.
    reasons : bool
        Whether reasons are wanted, for which the second encoder is asked in any case.
    on_progress : callable or None
        Called with the fraction of the windows that are done, 0 to 1, now and then.
    """

    count: WindowCount
    hop_s: float | None = None
    enough: Callable[[Float32], bool] | None = None
    grows: bool = False
    reasons: bool = False
    on_progress: Callable[[float], None] | None = None

    def __post_init__(self) -> None:
        if self.count != "all" and (not isinstance(self.count, int) or self.count < 1):
            raise ValueError(f"count is {self.count!r}, but must be 1 or more, or 'all'")


def use_device(device: str) -> None:
    """Choose where this process and its workers run the networks that they load from now on.

    Parameters
    ----------
    device : str
        ``auto`` is the processor, whose results are the same everywhere; ``cuda`` and ``mps`` need
        an onnxruntime that has them.

    Raises
    ------
    ModelError
        When onnxruntime has no such device.
    """
    provider(device)
    # In the environment, because worker processes are started again with nothing else in common.
    os.environ[DEVICE_VARIABLE] = device


def provider(device: str) -> str:
    """The execution provider of a device, in onnxruntime's own word.

    Parameters
    ----------
    device : str

    Raises
    ------
    ModelError
        When there is none of that name, or it is not installed.
    """
    if device not in _PROVIDERS:
        raise ModelError(f"the device {device!r} is not one of {', '.join(_PROVIDERS)}")
    wanted = _PROVIDERS[device]
    if wanted != _PROVIDERS["cpu"]:
        import onnxruntime as ort

        has = ort.get_available_providers()
        if wanted not in has:
            raise ModelError(
                f"the onnxruntime that is installed cannot use {device}: it has {', '.join(has)}, "
                f"not {wanted}. Install one that does (onnxruntime-gpu for cuda), or use cpu"
            )
    return wanted


def onnx_session(
    model: bytes, *, threads: int = 1, device: str | None = None
) -> ort.InferenceSession:
    """An onnxruntime session with that many threads, which sleep while they wait.

    Parameters
    ----------
    model : bytes
        An ONNX model.
    threads : int
    device : str or None
        None is that of `use_device`, by default the processor.

    Raises
    ------
    ModelError
        When onnxruntime cannot read the model, or not use the device.
    """
    import onnxruntime as ort

    wanted = provider(device or os.environ.get(DEVICE_VARIABLE, "auto"))

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; they are raised as well
    # Waiting threads spin by default, which would take the cores from other workers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(model, options, providers=[wanted])
    except Exception as error:  # onnxruntime's own exceptions share no other base
        raise ModelError(f"the encoder network cannot be loaded: {error}") from None
    # A driver that is missing makes onnxruntime go on with the processor, and only warn.
    if wanted not in session.get_providers():
        raise ModelError(
            f"onnxruntime has {wanted} but cannot use it here; is its driver installed? Use cpu"
        )
    return session


class _Network:
    """A network and its front end; any number of threads may share it."""

    def __init__(self, encoder: bytes, spec: FeatureSpec, *, threads: int) -> None:
        self.spec, self._encoder, self._threads = spec, encoder, threads
        self._lock = threading.Lock()
        self._loading: Future[ort.InferenceSession] | None = None

    def load(self) -> Future[ort.InferenceSession]:
        """Begin to load the network in a thread: it takes as long as the first windows take."""
        with self._lock:
            if self._loading is None:
                thread = ThreadPoolExecutor(1)
                self._loading = thread.submit(onnx_session, self._encoder, threads=self._threads)
                thread.shutdown(wait=False)
            return self._loading

    @cached_property
    def _session(self) -> ort.InferenceSession:
        return self.load().result()

    def run(self, power: Float32) -> Float32:
        """Embeddings [n, d] of windows of mel power [n, window_frames, bands]."""
        return self.outputs(power)[0]

    def outputs(self, power: Float32) -> list[Float32]:
        """Everything that the network gives for these windows."""
        # Levels are relative to the window, so that they do not depend on what is read with it.
        levels = np.stack([to_level(window, self.spec) for window in power])
        batches = range(0, len(levels), _RUN_WINDOWS)
        rows = [
            self._session.run(None, {"features": levels[i : i + _RUN_WINDOWS]}) for i in batches
        ]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]


class Encoder:
    """Runs a model file's networks on files and samples; any number of threads may share it.

    Parameters
    ----------
    model : Model
    threads : int
        Threads of one run of the network.
    """

    def __init__(self, model: Model, *, threads: int = 1) -> None:
        self._model, self._spec = model, model.features
        self._network = _Network(model.encoder, model.features, threads=threads)
        second = model.texture
        self._texture = (
            _Network(second.encoder, second.features, threads=threads) if second else None
        )

    def embed(self, reader: audio.AudioReader, path: Path, plan: Plan) -> Embeddings:
        """Embed an open file; see :meth:`tonearm.model.classifier.Classifier.embed`.

        Parameters
        ----------
        reader : AudioReader
        path : Path
            The file, for messages.
        plan : Plan
            How many windows, and when to stop.
        """
        self._network.load()
        info = reader.info
        samples, warning = info.samples, info.warning
        # Shorter than any music: then the length is looked into first, else behind the windows.
        known = info.duration_s >= SHORTEST_S or not audio.length_is_wrong(reader)
        if known:
            starts, embeddings = self._embed_track(reader, path, samples, plan)
        # Windows placed by a wrong length miss part of the music, so they are placed again.
        if not known or audio.length_is_wrong(reader):
            samples = audio.count_samples(reader)
            warning = audio.short_warning(info, samples)
            starts, embeddings = self._embed_track(reader, path, samples, plan)
        warning = warning or reader.info.warning  # of damage that was met on the way
        return Embeddings(
            values=embeddings,
            starts_s=starts.astype(np.float64) * self._spec.frame_s,
            duration_s=round(samples / info.sample_rate_hz, 3),
            names=self._model.embedding_names,
            warnings=(warning,) if warning else (),
            **self._embed_texture(reader, samples, embeddings, plan),
        )

    def _embed_texture(
        self, reader: audio.AudioReader, samples: int, values: Float32, plan: Plan
    ) -> dict[str, Any]:
        """The texture of the track, as fields of its embeddings; none where it is not wanted.

        One window in the middle of a track; more of a long one, all of one for a timeline.
        """
        network = self._texture
        duration_s = samples / reader.info.sample_rate_hz
        if network is None or not (
            plan.reasons or self._model.wants_texture(values, duration_s=duration_s)
        ):
            return {}
        track, spec = Track(reader, network.spec, samples), network.spec
        # These windows are ten times as long as the first encoder's.
        many = windows.for_length(1, duration_s)
        count: WindowCount = "all" if plan.hop_s or many == "all" else max(1, many // 10)
        starts = windows.place(track.frames, spec.window_frames, count=count)
        # One at a time: 30 s of decoded audio each would add up in a long track.
        rows = [network.outputs(track.cut(starts[i : i + 1]).power) for i in range(len(starts))]
        texture, *more = (np.concatenate(column) for column in zip(*rows, strict=True))
        return {
            "texture": texture,
            "texture_starts_s": starts.astype(np.float64) * spec.frame_s,
            "modulations": more[0] if more and plan.reasons else None,
        }

    def _embed_track(
        self, reader: audio.AudioReader, path: Path, samples: int, plan: Plan
    ) -> tuple[Int64, Float32]:
        """First frames and embeddings [n, d] of the windows of a track of that many samples."""
        duration_s = samples / reader.info.sample_rate_hz
        if duration_s < SHORTEST_S:
            reason = (
                f"is too short to analyse: {duration_s:.3g} s ({samples} samples). "
                f"Tonearm needs {SHORTEST_S} s or more"
            )
            raise DecodeError(path, "too-short", reason)
        track = Track(reader, self._spec, samples)
        count = windows.for_length(plan.count, duration_s) if plan.grows else plan.count
        hop = round(plan.hop_s / self._spec.frame_s) if plan.hop_s else None
        starts = windows.place(track.frames, self._spec.window_frames, count=count, hop_frames=hop)
        # A long track may change genre, so its first windows never decide for the others.
        if plan.enough and count == plan.count:
            few = self._embed_until(track, starts, plan.enough, plan.on_progress)
            if few:
                return few
        embeddings, levels = self._embed_all(track, starts, plan.on_progress)
        silent = is_silent(levels)
        if count == "all":
            # A silent track keeps all of its windows: the detector then calls it unknown.
            kept = ~silent if not silent.all() else ~np.zeros_like(silent)
            return starts[: len(levels)][kept], embeddings[kept]
        # A track that is quiet wherever it was read may be loud elsewhere.
        if not track.has_ended and (silent.any() or quiet_gain(float(levels.mean())) != 1):
            sounding = track.sounding(count)
            if sounding is not None:
                return sounding, self._embed_all(track, sounding, plan.on_progress)[0]
        return starts[: len(levels)], embeddings

    def _embed_until(
        self,
        track: Track,
        starts: Int64,
        enough: Callable[[Float32], bool],
        on_progress: Callable[[float], None] | None,
    ) -> tuple[Int64, Float32] | None:
        """Some of the windows, until they are enough; None where the track is quiet or silent.

        The level of such a track takes more than two windows to know.
        """
        done: dict[int, Float32] = {}
        levels = np.empty(0)
        track.read_ahead(starts)
        for few in windows.rounds(len(starts)):
            cuts = [track.cut(starts[i : i + 1]) for i in few]
            levels = np.concatenate([levels, *(cut.levels for cut in cuts)])
            level = float(np.mean([cut.mean_square for cut in cuts]))
            if is_silent(levels).any() or (not done and quiet_gain(level) != 1):
                return None
            embeddings = self._network.run(np.concatenate([cut.power for cut in cuts]))
            done |= dict(zip(few, embeddings, strict=True))
            # In the order of the track, so that the result is as if all had been read in a row.
            order = sorted(done)
            together = np.stack([done[i] for i in order])
            if on_progress:
                on_progress(len(order) / len(starts))
            if enough(together):
                break
        return starts[order], together

    def _embed_all(
        self, track: Track, starts: Int64, on_progress: Callable[[float], None] | None
    ) -> tuple[Float32, Float64]:
        """Embeddings [n, d] and levels [n] of the windows that begin at frames ``starts``."""
        groups = track.groups(starts)
        # The gain must be known before the first window runs, so six groups are read ahead.
        first = {i: track.cut(groups[i]) for i in spread(len(groups))}
        gain = np.float32(track_gain(list(first.values())))
        parts: list[Float32] = []
        levels: list[Float64] = []
        for i, group in enumerate(groups):
            cut = first.pop(i, None) or track.cut(group)
            parts.append(self._network.run(cut.power * gain))
            levels.append(cut.levels)
            if on_progress:
                on_progress((i + 1) / len(groups))
            if track.has_ended:  # its length was overstated, and what follows would be silence
                break
        return np.concatenate(parts), np.concatenate(levels)
