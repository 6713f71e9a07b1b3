"""From a file to embeddings: the encoder network, over windows spread across the track.

Knows no genres; callers may stop it early.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio, windows
from tonearm.errors import DAMAGED, DecodeError, counted, whole_number
from tonearm.model.file import Model
from tonearm.model.network import Network
from tonearm.model.prediction import rank
from tonearm.model.texture_windows import TextureWindows
from tonearm.model.track import SILENT_PEAK, Track, is_silent, quiet_gain, spread, track_gain
from tonearm.windows import WindowCount

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

# Shorter sounds are refused: repeated to fill one window they would be classified as a loop.
SHORTEST_S = 0.5
# Audio that is kept for the second encoder's windows of a timeline: one of them, and its margins.
_KEEP_S = 31.0


# Compared by identity: what is equal of arrays is a question of its own.
@dataclass(frozen=True, eq=False)
class Embeddings:
    """What the encoder gives for a track: ``Classifier.embed`` makes it, once and for all.

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
    silent : bool
        Whether all windows are digital silence.
    low_rate : bool
        Whether it was sampled at a lower rate than the encoder's, so that high notes are missing.
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
    silent: bool = False
    low_rate: bool = False

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
        if not isinstance(self.count, str) or self.count != "all":
            count = whole_number(self.count, "count", otherwise=", or 'all'")
            object.__setattr__(self, "count", count)  # the way of frozen dataclasses


def refuse_invalid(values: NDArray[np.floating[Any]], path: str | os.PathLike[str]) -> None:
    """Raise DecodeError where embeddings are no numbers, as of samples beyond any sound.

    Parameters
    ----------
    values : float [windows, n]
        Embeddings.
    path : path
        The file, for the message.
    """
    if not np.isfinite(values).all():
        reason = f"holds sound for which the model gives no valid numbers. {DAMAGED}"
        raise DecodeError(path, "unreadable", reason)


class Encoder:
    """Runs a model file's networks on files and samples; any number of threads may share it.

    Parameters
    ----------
    model : Model
        Its networks and their front ends.
    threads : int
        Threads of one run of the network.
    """

    def __init__(self, model: Model, *, threads: int = 1) -> None:
        self._model, self._spec = model, model.features
        self._network = Network(model.encoder, model.features, threads=threads)
        second = model.texture
        self._texture = (
            Network(second.encoder, second.features, threads=threads) if second else None
        )

    def embed(self, reader: audio.AudioReader, path: Path, plan: Plan) -> Embeddings:
        """Embed an open file; see ``Classifier.embed``.

        Parameters
        ----------
        reader : AudioReader
            The file, open; the caller closes it.
        path : Path
            The file, for messages.
        plan : Plan
            How many windows, and when to stop.
        """
        self._network.load()
        if plan.hop_s:
            # For the windows of the second encoder, which end behind those of the first.
            reader = audio.RecentReader(reader, _KEEP_S)
        info = reader.info
        samples, warning = info.samples, info.warning
        # Shorter than any music: then the length is looked into first, else behind the windows.
        known = info.duration_s >= SHORTEST_S or not audio.length_is_wrong(reader)
        texture = self._texture_windows(reader, samples, plan)
        if known:
            starts, embeddings, silent = self._embed_track(reader, path, samples, plan, texture)
        # Windows placed by a wrong length miss part of the music, so they are placed again.
        if not known or audio.length_is_wrong(reader):
            samples = audio.count_samples(reader)
            warning = audio.short_warning(reader.info, samples)
            texture = self._texture_windows(reader, samples, plan)
            starts, embeddings, silent = self._embed_track(reader, path, samples, plan, texture)
        warning = warning or reader.info.warning  # of damage that was met on the way
        fields: dict[str, Any] = {}
        duration_s = samples / info.sample_rate_hz
        if texture and (
            plan.reasons or self._model.wants_texture(embeddings, duration_s=duration_s)
        ):
            fields = texture.embeddings(with_modulations=plan.reasons)
        return Embeddings(
            values=embeddings,
            starts_s=starts.astype(np.float64) * self._spec.frame_s,
            duration_s=round(duration_s, 3),
            names=self._model.embedding_names,
            warnings=(warning,) if warning else (),
            silent=silent,
            low_rate=info.sample_rate_hz < self._spec.sample_rate_hz,
            **fields,
        )

    def _texture_windows(
        self, reader: audio.AudioReader, samples: int, plan: Plan
    ) -> TextureWindows | None:
        if self._texture is None:
            return None
        return TextureWindows(self._texture, reader, samples, all_through=bool(plan.hop_s))

    def _embed_track(
        self,
        reader: audio.AudioReader,
        path: Path,
        samples: int,
        plan: Plan,
        texture: TextureWindows | None,
    ) -> tuple[Int64, Float32, bool]:
        """First frames and embeddings [n, d] of a track's windows, and whether all are silent."""
        duration_s = samples / reader.info.sample_rate_hz
        if duration_s < SHORTEST_S:
            reason = (
                f"is too short to analyse: {duration_s:.3g} s ({counted(samples, 'sample')}). "
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
                return *few, False

        def on_group(end_s: float, parts: list[Float32]) -> None:
            # Whether the second encoder is wanted shows at the end, and mostly on the way.
            if texture and self._model.wants_texture(np.concatenate(parts), duration_s=duration_s):
                texture.analyse_until(end_s)

        embeddings, levels = self._embed_all(
            track, starts, plan.on_progress, on_group if plan.hop_s else None
        )
        silent = is_silent(levels)
        nothing = bool(levels.max(initial=0) <= SILENT_PEAK**2)
        if count == "all":
            # A silent track keeps all of its windows: the detector then calls it unknown.
            kept = ~silent if not silent.all() else ~np.zeros_like(silent)
            return starts[: len(levels)][kept], embeddings[kept], nothing
        # A track that is quiet wherever it was read may be loud elsewhere.
        if not track.has_ended and (silent.any() or quiet_gain(float(levels.mean())) != 1):
            sounding = track.sounding(count)
            if sounding is not None:
                return sounding, self._embed_all(track, sounding, plan.on_progress)[0], False
        return starts[: len(levels)], embeddings, nothing

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
            embeddings = self._network.run(
                np.concatenate([cut.power(self._spec.window_frames) for cut in cuts])
            )
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
        self,
        track: Track,
        starts: Int64,
        on_progress: Callable[[float], None] | None,
        on_group: Callable[[float, list[Float32]], None] | None = None,
    ) -> tuple[Float32, Float64]:
        """Embeddings [n, d] and levels [n] of the windows that begin at frames ``starts``.

        ``on_group`` is called after each group with the seconds of the track that were read and
        the embeddings so far.
        """
        groups = track.groups(starts)
        # The gain must be known before the first window runs, so six groups are read ahead.
        first = {i: track.cut(groups[i]) for i in spread(len(groups))}
        gain = np.float32(track_gain(list(first.values())))
        parts: list[Float32] = []
        levels: list[Float64] = []

        def stretches() -> Iterator[tuple[Float32, Int64]]:
            for i, group in enumerate(groups):
                cut = first.pop(i, None) or track.cut(group)
                levels.append(cut.levels)
                yield cut.stretch * gain, cut.offsets
                if on_group and parts:
                    end = int(group[-1]) + self._spec.window_frames
                    on_group(end * self._spec.frame_s, parts)
                if track.has_ended:  # its length was overstated, and what follows would be silence
                    return

        for embeddings in self._network.run_behind(stretches()):
            parts.append(embeddings)
            if on_progress:
                on_progress(len(parts) / len(groups))
        return np.concatenate(parts), np.concatenate(levels)
