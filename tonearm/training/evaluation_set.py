"""What is measured on: the tracks of one part of a split, and hearing them by the cheapest way.

A track is heard as embeddings kept from before, else from stored log-mel of the same front end,
else from its audio. Must not import torch.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import windows
from tonearm.data import feature_store, index, prepare, splits
from tonearm.data.feature_store import FeatureStore
from tonearm.data.index import Index, Track
from tonearm.data.splits import SEGMENTS, Split
from tonearm.errors import DatasetError, DecodeError, ModelError
from tonearm.model.classifier import Classifier
from tonearm.model.encoder import onnx_session
from tonearm.model.file import Model
from tonearm.pool import in_order
from tonearm.training import caveats
from tonearm.training.caveats import Caveat
from tonearm.training.run import SPLIT

_RUN_WINDOWS = 64

Windows = NDArray[np.float32]
OnDone = Callable[[int], None]  # failures so far


@dataclass(frozen=True)
class EvaluationSet:
    """The tracks to measure on.

    Parameters
    ----------
    folder : Path
        A prepared folder.
    source : str
        Folder of music the tracks' names are relative to; empty where they came as arrays.
    split : Split or None
        None takes every track.
    part : str
    tracks : tuple of Track
        Those of the part that are here.
    promised : int
        How many the part names.
    crossing : tuple of str
        Groups that are in several parts of the split.
    segments : dict of str to set of int
        Of each track the segments that the part names, where it names segments.
    copies, contradictions : tuple of Track
        Those left out, as `splits.Part` says.
    """

    folder: Path
    source: str
    split: Split | None
    part: str
    tracks: tuple[Track, ...]
    promised: int
    crossing: tuple[str, ...]
    segments: Mapping[str, set[int]]
    copies: tuple[Track, ...] = ()
    contradictions: tuple[Track, ...] = ()

    def path_of(self, track: Track) -> str:
        """Where the file lies, or the track's name where it came as an array."""
        return os.path.join(self.source, track.name) if self.source else track.name

    def caveats(self) -> list[Caveat]:
        """What the split itself lets through."""
        about_split = caveats.of_split(self.split, crossing=self.crossing, tracks=self.tracks)
        return about_split + caveats.of_copies(self.copies, self.contradictions)


def choose(folder: str | os.PathLike[str], *, wanted: str | None, part: str) -> EvaluationSet:
    """The tracks of one part of a split of a prepared folder.

    Parameters
    ----------
    folder : path
    wanted : str or None
        As `splits.make` takes it; None takes every track.
    part : str
        ``train``, ``valid`` or ``test``.

    Raises
    ------
    DatasetError
        When there is no such split or part, or nothing of it is here.
    """
    folder = Path(folder)
    made: Index = index.load(folder)
    if wanted is None:
        found = splits.whole(made)
        return _material(folder, made, None, "", found)
    split = splits.make(wanted, made)
    if part not in split.parts:
        known = ", ".join(sorted(split.parts))
        raise DatasetError(f"split {split.name} has no part {part!r}; it has: {known}")
    found = splits.find(split, part, made)
    if not found.tracks:
        raise DatasetError(
            f"{folder}: holds none of the {found.promised} tracks that split {split.name} names "
            f"as {part}"
        )
    return _material(folder, made, split, part, found)


def _material(
    folder: Path, made: Index, split: Split | None, part: str, found: splits.Part
) -> EvaluationSet:
    return EvaluationSet(
        folder,
        made.source,
        split,
        part,
        found.tracks,
        found.promised,
        splits.check(split, made) if split else (),
        found.segments,
        found.copies,
        found.contradictions,
    )


@dataclass(frozen=True)
class TrackEmbeddings:
    """What one encoder heard: embeddings [n, d] by name of the track, and what failed, why."""

    windows: Mapping[str, Windows]
    failed: tuple[tuple[str, str], ...]


def hear(
    classifier: Classifier,
    evaluation_set: EvaluationSet,
    *,
    jobs: int = 1,
    on_done: OnDone = lambda _failed: None,
) -> TrackEmbeddings:
    """Embeddings of the tracks: heard before, or of stored log-mel, or of the audio, and kept.

    Parameters
    ----------
    classifier : Classifier
    material : Material
    jobs : int
        Tracks at once, in threads.
    on_done : callable
        Told after each track how many have failed.

    Raises
    ------
    DatasetError
        When a store is damaged, the disk is full, or nothing at all could be heard.
    """
    encoder = _Encoder(classifier, evaluation_set)
    found: dict[str, Windows] = {}
    failed: list[tuple[str, str]] = []
    for track, future in in_order(encoder, evaluation_set.tracks, jobs=jobs):
        try:
            found[track.name] = future.result()
        except DecodeError as error:
            failed.append((evaluation_set.path_of(track), error.reason))
        on_done(len(failed))
    if not found:
        path, reason = failed[0]
        raise DatasetError(f"none of {len(failed)} tracks could be heard, e.g. {path}: {reason}")
    return TrackEmbeddings(found, tuple(failed))


class _Encoder:
    """Embeddings of one track by the cheapest way there is; any number of threads may share it."""

    def __init__(self, classifier: Classifier, evaluation_set: EvaluationSet) -> None:
        self._classifier, self._material = classifier, evaluation_set
        self._model = classifier.model
        self._segments = evaluation_set.segments
        self._kept: FeatureStore | None = None
        # Segments of a split are tenths of a track: windows heard for something else are not.
        if not self._segments:
            with suppress(DatasetError):  # none were heard yet
                self._kept = self._windows(create=False)
        self._levels: FeatureStore | None = None
        if (evaluation_set.folder / prepare.FEATURES).exists():
            levels = feature_store.open_store(evaluation_set.folder / prepare.FEATURES)
            if levels.identity == feature_store.identity(self._model.features):
                self._levels = levels
                self._session = onnx_session(self._model.encoder)

    def __call__(self, track: Track) -> Windows:
        if not self._segments:
            return self._whole(track)
        every = self._heard(track, SEGMENTS)
        named = self._segments.get(track.name, range(SEGMENTS))
        chosen = [i for i in sorted(named) if i < len(every)]
        if not chosen:
            reason = "is too short to have the segments that the split names"
            raise DecodeError(track.name, "too-short", reason)
        return every[chosen]

    def _whole(self, track: Track) -> Windows:
        if self._kept is not None and self._kept.has(track.sound):
            return np.asarray(self._kept.get(track.sound), dtype=np.float32)
        embeddings = self._heard(track, self._model.windows_per_track)
        if self._levels is None:  # of audio, which takes long
            self._windows(create=True).put(track.sound, embeddings)
        return embeddings

    def _windows(self, *, create: bool) -> FeatureStore:
        folder, encoder = self._material.folder, self._model.encoder_sha256
        return prepare.open_windows(folder, encoder, create=create)

    def _heard(self, track: Track, count: int) -> Windows:
        if self._levels is not None and self._levels.has(track.sound):
            return self._of_levels(self._levels.get(track.sound), count)
        if not self._material.source:
            reason = "came as an array that this model's encoder cannot take"
            raise DecodeError(track.name, "missing", reason)
        return self._classifier.embed(self._material.path_of(track), count=count).values

    def _of_levels(self, levels: NDArray[Any], count: int) -> Windows:
        spec = self._model.features
        starts = windows.place(len(levels), spec.window_frames, count=count)
        cuts = np.stack([feature_store.cut(levels, int(start), spec) for start in starts])
        parts = [
            self._session.run(None, {"features": cuts[i : i + _RUN_WINDOWS]})[0]
            for i in range(0, len(cuts), _RUN_WINDOWS)
        ]
        return np.concatenate(parts)


def check_labels(path: str | os.PathLike[str], model: Model, evaluation_set: EvaluationSet) -> None:
    """Refuse data with genres the model file does not know; ModelError names both."""
    counts = Counter(track.genre for track in evaluation_set.tracks)
    foreign = sorted(set(counts) - set(model.labels))
    if foreign:
        what = ", ".join(f"{genre} ({counts[genre]} tracks)" for genre in foreign)
        raise ModelError(
            f"{path}: knows {', '.join(model.labels)}; {evaluation_set.folder} "
            f"also has {what}: name a "
            "model or a split with the same genres"
        )


def split_next_to(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str | None:
    """The split file a training run left beside its model file, if it names tracks of the data."""
    beside = Path(path).with_name(SPLIT)
    if not beside.exists():
        return None
    found = splits.select(splits.load(beside), index.load(folder))
    return str(beside) if any(found.values()) else None
