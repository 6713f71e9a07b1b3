"""The evaluation set: tracks of one subset and their embeddings. Must not import torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import windows
from tonearm.data import feature_store, prepare, splits
from tonearm.data.feature_store import FeatureStore
from tonearm.data.index import Index, Track
from tonearm.data.splits import EXCERPTS, Split
from tonearm.errors import DatasetError, DecodeError, ModelError, counted
from tonearm.faults import Fault, Faults
from tonearm.model.classifier import Classifier
from tonearm.model.file import Model
from tonearm.model.network import onnx_session
from tonearm.training import caveats, dataset
from tonearm.training.caveats import Caveat
from tonearm.training.dataset import DataSet, Encoding
from tonearm.training.run import SPLIT
from tonearm.workers import Caller, Failure, Pool, Work, in_order

_RUN_WINDOWS = 64  # at once through the network

Windows = NDArray[np.float32]


@dataclass(frozen=True)
class EvaluationSet:
    """The tracks to measure on.

    Parameters
    ----------
    data : DataSet
    split : Split or None
        None takes every track.
    subset : str
    tracks : tuple of Track
        Those of the subset that are here.
    promised : int
        How many the subset names.
    crossing : tuple of str
        Groups that are in several subsets of the split.
    excerpts : dict of str to set of int
        Of each track the excerpts that the subset names, where it names excerpts.
    copies, contradictions : tuple of Track
        Those left out, as `splits.Subset` says.
    unshared : dict of str to int
        Tracks left out because not all models that are compared know their genre.
    """

    data: DataSet
    split: Split | None
    subset: str
    tracks: tuple[Track, ...]
    promised: int
    crossing: tuple[str, ...]
    excerpts: Mapping[str, set[int]]
    copies: tuple[Track, ...] = ()
    contradictions: tuple[Track, ...] = ()
    unshared: Mapping[str, int] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The folder of the data set, as it was named."""
        return self.data.folder

    def caveats(self) -> list[Caveat]:
        """What the split itself lets through."""
        about_split = caveats.of_split(self.split, crossing=self.crossing, tracks=self.tracks)
        about_copies = caveats.of_copies(self.copies, self.contradictions)
        return about_split + about_copies + caveats.of_unshared(self.unshared)

    def shared_by(self, models: Sequence[Model]) -> EvaluationSet:
        """Without the genres that some of several models do not know.

        Parameters
        ----------
        models : sequence of Model
            Those that are compared; one alone must know every genre (`check_labels`).
        """
        kept, left_out = _shared(self.tracks, models)
        return replace(self, tracks=kept, unshared=left_out)


def choose(data: DataSet, *, wanted: str | None, subset: str) -> EvaluationSet:
    """The tracks of one subset of a split of a data set.

    Parameters
    ----------
    data : DataSet
        Where the tracks are looked for.
    wanted : str or None
        As `splits.make` takes it; None takes every track.
    subset : str
        ``train``, ``valid`` or ``test``.

    Raises
    ------
    DatasetError
        When there is no such split or subset, or nothing of it is here.
    """
    if wanted is None:
        everything = splits.whole(data.index)
        if not everything.tracks:
            raise DatasetError(
                f"all tracks in {data.folder} are copies of each other in several genres"
            )
        return _chosen(data, None, "", everything)
    split = splits.make(wanted, data.index)
    # By name, before any sound is looked at: a wrong subset is named at once.
    found = _find(split, subset, data.index, data.folder)
    return _chosen(data, split, subset, found)


def _shared(
    tracks: Collection[Track], models: Sequence[Model]
) -> tuple[tuple[Track, ...], dict[str, int]]:
    """Tracks of the genres that all of several models know, and how many others each genre has."""
    # Models can only be compared on genres that all of them could have named.
    known = set.intersection(*(set(model.labels) for model in models))
    kept = tuple(track for track in tracks if track.genre in known)
    # One model with foreign genres is refused further on, with their names.
    if len(models) < 2 or not kept:
        return tuple(tracks), {}
    return kept, dict(sorted(Counter(t.genre for t in tracks if t.genre not in known).items()))


def _find(split: Split, subset: str, made: Index, folder: Path) -> splits.Subset:
    if subset not in split.subsets:
        known = ", ".join(sorted(split.subsets))
        raise DatasetError(f"split {split.name} has no subset {subset!r}; it has: {known}")
    found = splits.find(split, subset, made)
    if not found.tracks:
        raise DatasetError(
            f"{folder} holds none of the {found.promised} tracks that split {split.name} names "
            f"as {subset}"
        )
    return found


def _chosen(data: DataSet, split: Split | None, subset: str, found: splits.Subset) -> EvaluationSet:
    return EvaluationSet(
        data,
        split,
        subset,
        found.tracks,
        found.promised,
        splits.check(split, data.index) if split else (),
        found.excerpts,
        found.copies,
        found.contradictions,
    )


@dataclass(frozen=True)
class TrackEmbeddings:
    """Embeddings [n, d] by one model's encoders by name of the track, and what failed and why.

    ``textures`` [m, t] are those of the second encoder, for the tracks that it was asked about.
    """

    windows: Mapping[str, Windows]
    failed: tuple[Fault, ...]
    textures: Mapping[str, Windows] = field(default_factory=dict)


def embed(evaluation_set: EvaluationSet, encoding: Encoding) -> TrackEmbeddings:
    """Embeddings of the tracks by the cheapest way there is.

    From stored log-mel features of the encoder's own front end, else from the embedding store,
    else from the audio, which is then kept in the store. Where a split names excerpts, which are
    tenths of a track, these are made from features or audio and not kept.

    Parameters
    ----------
    evaluation_set : EvaluationSet
        The tracks.
    encoding : Encoding
        The model whose encoders are used, and the store.

    Raises
    ------
    DatasetError
        When a store is damaged, the disk is full, or no track could be analysed.
    """
    chosen = evaluation_set.tracks
    # What training itself saw, where it is there: no decoding, and the same numbers bit by bit.
    levels = _features(evaluation_set, encoding.model)
    textures: dict[str, Windows] = {}
    # The usual way: whole tracks, whose embeddings any other command can use again.
    if levels is None and not evaluation_set.excerpts:
        kept, failed = dataset.embed(evaluation_set.data, chosen, encoding)
        found = {name: made.values.astype(np.float32) for name, made in kept.items()}
        textures = {
            name: made.texture.astype(np.float32)
            for name, made in kept.items()
            if made.texture is not None
        }
    else:
        found, failed = _embed_here(evaluation_set, encoding, levels)
    dataset.refuse_none(evaluation_set.data, found, failed)
    # By path, which a person can open; names are relative to the data set.
    named = tuple(Fault(evaluation_set.data.place_of(name), reason) for name, reason in failed)
    return TrackEmbeddings(found, named, textures)


def _features(evaluation_set: EvaluationSet, model: Model) -> FeatureStore | None:
    """The store of log-mel features, if it is of the model's own front end."""
    root = evaluation_set.data.prepared
    if root is None or not (root / prepare.FEATURES).exists():
        return None
    levels = feature_store.open_store(root / prepare.FEATURES)
    # Features of another front end would be other inputs than the model learnt from.
    return levels if levels.identity == feature_store.identity(model.features) else None


def _embed_here(
    evaluation_set: EvaluationSet, encoding: Encoding, levels: FeatureStore | None
) -> tuple[dict[str, Windows], Faults]:
    found: dict[str, Windows] = {}
    failed = Faults()
    encoding.on_start(len(evaluation_set.tracks))
    # A function with a name, since workers are started afresh and get it by pickle.
    make_work = partial(_make_encoder, encoding.model, evaluation_set, levels)
    with Pool(min(encoding.jobs, len(evaluation_set.tracks)), make_work=make_work) as pool:
        for done, outcome in enumerate(in_order(pool, evaluation_set.tracks), 1):
            if isinstance(outcome.value, Failure):
                failed.add(outcome.task.name, outcome.value.reason)
            else:
                found[outcome.task.name] = outcome.value
            encoding.on_done(done, len(failed))
    return found, failed


def _make_encoder(model: Model, evaluation_set: EvaluationSet, levels: FeatureStore | None) -> Work:
    """In a worker: the function that gives the embeddings of a track."""
    encoder = _Encoder(model, evaluation_set, levels)

    def work(track: Track, _: Caller) -> Windows:
        return encoder(track)

    return work


class _Encoder:
    """Embeddings of one track from features or audio."""

    def __init__(
        self, model: Model, evaluation_set: EvaluationSet, levels: FeatureStore | None
    ) -> None:
        self._model, self._set, self._levels = model, evaluation_set, levels
        self._classifier = Classifier(model)
        # Next to the Classifier, whose encoder reads audio: here its input is stored already.
        self._session = onnx_session(model.encoder)

    def __call__(self, track: Track) -> Windows:
        # Without excerpts: the windows that predict would take.
        if not self._set.excerpts:
            return self._embedded(track, self._model.windows_per_track)
        # All ten, since they are placed over the whole track; then those that the split names.
        every = self._embedded(track, EXCERPTS)
        named = self._set.excerpts.get(track.name, range(EXCERPTS))
        # A short track has fewer than ten places for a window.
        chosen = [i for i in sorted(named) if i < len(every)]
        if not chosen:
            reason = "is too short to have the excerpts that the split names"
            raise DecodeError(track.name, "too-short", reason)
        return every[chosen]

    def _embedded(self, track: Track, count: int) -> Windows:
        if self._levels is not None and self._levels.has(track.sound):
            return self._of_levels(self._levels.get(track.sound), count)
        if not self._set.data.index.source:
            reason = "is an array without a file, which this model's encoder cannot take"
            raise DecodeError(track.name, "missing", reason)
        return self._classifier.embed(self._set.data.path_of(track), count=count).values

    def _of_levels(self, levels: NDArray[Any], count: int) -> Windows:
        spec = self._model.features
        # The same places as in audio: frames of features are those of the front end.
        starts = windows.place(len(levels), spec.window_frames, count=count)
        cuts = np.stack([feature_store.cut(levels, int(start), spec) for start in starts])
        pieces = [
            self._session.run(None, {"features": cuts[i : i + _RUN_WINDOWS]})[0]
            # In pieces, which bounds the memory of the network's layers.
            for i in range(0, len(cuts), _RUN_WINDOWS)
        ]
        return np.concatenate(pieces)


def look_ahead(
    data: Path, models: Sequence[tuple[Path, Model]], *, wanted: str | None, subset: str
) -> None:
    """Refuse, before anything is analysed, a data set with genres that a model does not know.

    Only names are looked at: those of the listing, or of the index of a prepared folder.

    Parameters
    ----------
    data : Path
        The folder of the data set.
    models : sequence of (Path, Model)
        The models that are to be measured.
    wanted : str or None
        The split, as for :func:`choose`.
    subset : str
        The subset of it.

    Raises
    ------
    ModelError
        As `check_labels` does.
    DatasetError
        When there is no such split or subset, or nothing of it is here.
    """
    # Names and genres without reading a file, which takes no time even for a large folder.
    made = dataset.outline(data)
    split = splits.written(wanted) if wanted else None
    tracks = _find(split, subset, made, data).tracks if split else made.tracks
    tracks, _ = _shared(tracks, [model for _, model in models])
    for path, model in models:
        check_labels(path, model, data, tracks)


def check_labels(path: Path, model: Model, folder: Path, tracks: Collection[Track]) -> None:
    """Refuse tracks of genres the model does not know; ModelError names both.

    Parameters
    ----------
    path : Path
        The model file, for the message.
    model : Model
        The model.
    folder : Path
        The data set, for the message.
    tracks : collection of Track
        What is to be measured.
    """
    counts = Counter(track.genre for track in tracks)
    foreign = sorted(set(counts) - set(model.labels))
    if foreign:
        what = ", ".join(f"{genre} ({counted(counts[genre], 'track')})" for genre in foreign)
        if len(foreign) == len(counts):
            raise ModelError(
                f"{path} knows {', '.join(model.labels)}, but none of the genres of {folder}, "
                f"{what}: there is nothing to measure"
            )
        raise ModelError(
            f"{path} knows {', '.join(model.labels)}, but {folder} also has {what}: name a model "
            "or a split with the same genres"
        )


def split_next_to(path: Path, data: Path) -> str | None:
    """The split file that a training run left next to its model, if it names tracks of the data.

    Parameters
    ----------
    path : Path
        The model file.
    data : Path
        The folder of the data set.
    """
    file = path.with_name(SPLIT)
    if not file.exists():
        return None
    found = splits.select(splits.load(file), dataset.outline(data))
    # A split of other music says nothing about this data.
    return str(file) if any(found.values()) else None
