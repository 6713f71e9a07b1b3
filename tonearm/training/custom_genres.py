"""Your own genres over embeddings: fit a head to them, in seconds.

Every figure is of groups (artists, copies) that the fit had not seen. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import metrics
from tonearm.data import splits
from tonearm.data.folds import Fold, k_fold
from tonearm.data.groups import ALL_LONELY, groups_of, lonely_genres, refuse_few
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError
from tonearm.model.head import Head
from tonearm.training import head_fit as heads
from tonearm.training.head_fit import Tracks
from tonearm.training.learnt_sounds import LearntSounds

Float64 = NDArray[np.float64]

FOLDS = 5


@dataclass(frozen=True)
class Trial:
    """Answers of a head on tracks of groups it had not seen: probabilities [n, k], right class.

    ``places`` are those of the tracks among all, where some could not be measured.

    Parameters
    ----------
    truth : int64 [n]
        Right class.
    probabilities : float64 [n, k]
        Of each class.
    labels : tuple of str [k]
        The classes.
    groups : tuple of str [n]
        Artist, or whatever no split divides.
    """

    truth: metrics.Classes
    probabilities: metrics.Floats
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    places: tuple[int, ...] = ()

    def figures(self) -> dict[str, Any]:
        """All metrics."""
        return metrics.evaluate(self.truth, self.probabilities, self.labels, groups=self.groups)


@dataclass(frozen=True)
class EmbeddedTracks:
    """The tracks of a data set that could be analysed, and their embeddings."""

    index: Index
    tracks: Tracks

    def of(self, chosen: Sequence[Track]) -> Tracks:
        """The embeddings of some of the tracks.

        Parameters
        ----------
        chosen : sequence of Track
            Tracks of the index, in the order wanted.
        """
        place = {track.name: i for i, track in enumerate(self.index.tracks)}
        return subset(self.tracks, [place[track.name] for track in chosen])

    def sounds(self, chosen: Sequence[Track] | None = None) -> LearntSounds:
        """What a model file keeps of these tracks, or of some of them, once it learnt from them.

        Parameters
        ----------
        chosen : sequence of Track or None
            Tracks of the index; None is all.
        """
        tracks = self.index.tracks if chosen is None else tuple(chosen)
        return LearntSounds.of(
            [track.sound for track in tracks],
            self.of(tracks).windows,
            [track.duration_s for track in tracks],
        )

    def once(self) -> EmbeddedTracks:
        """Without copies, and without recordings that stand in several genres."""
        chosen = splits.whole(self.index).tracks
        return EmbeddedTracks(replace(self.index, tracks=chosen), self.of(chosen))


def embedded_tracks(
    made: Index,
    embeddings: Mapping[str, NDArray[np.floating[Any]]],
    textures: Mapping[str, NDArray[np.floating[Any]] | None] | None = None,
) -> EmbeddedTracks:
    """The tracks of an index that have embeddings [n, d], by their names; copies as well.

    Parameters
    ----------
    made : Index
        The data set.
    embeddings : mapping of str to float32 [n, d]
        By the name of the track.
    textures : mapping of str to float32 [m, t], or None
        Of the second encoder, where it was asked.

    Raises
    ------
    DatasetError
        When none has.
    """
    tracks = tuple(track for track in made.tracks if track.name in embeddings)
    if not tracks:
        raise DatasetError(f"no track of {made.source or 'the data set'} was analysed")
    return EmbeddedTracks(
        replace(made, tracks=tracks),
        Tracks(
            [embeddings[track.name].astype(np.float32) for track in tracks],
            [track.genre for track in tracks],
            [track.group for track in tracks],
            [textures.get(track.name) for track in tracks] if textures else (),
        ),
    )


def subset(tracks: Tracks, chosen: Sequence[int] | NDArray[np.int64]) -> Tracks:
    """Tracks of these places.

    Parameters
    ----------
    tracks : Tracks
        All tracks.
    chosen : sequence of int
        Places of those wanted, in that order.
    """
    return Tracks(
        [tracks.windows[i] for i in chosen],
        [tracks.labels[i] for i in chosen],
        [tracks.groups[i] for i in chosen],
        [tracks.textures[i] for i in chosen] if tracks.textures else (),
    )


def folds_for(labels: Sequence[str], groups: Sequence[str], *, fewest: int = 2) -> int:
    """Five folds, or as many as the measurable genre of the fewest groups allows.

    A genre of one group (one artist, as a rule) cannot be measured: it does not count here.

    Parameters
    ----------
    labels, groups : sequence of str [n]
        Genre and group of each track.
    fewest : int
        Genres that there must be at least.

    Returns
    -------
    int
        0 where no genre can be measured.

    Raises
    ------
    DatasetError
        With less than ``fewest`` genres.
    """
    of_genre = groups_of(labels, groups)
    refuse_few(of_genre, fewest=fewest)
    alone = lonely_genres(labels, groups)
    # More folds than a genre has groups would leave folds in which it is not measured; times 0
    # where every genre is alone.
    return min([FOLDS, *(len(own) for label, own in of_genre.items() if label not in alone)]) * (
        len(alone) < len(of_genre)
    )


def held_out_folds(
    labels: Sequence[str], groups: Sequence[str], *, folds: int, seed: int
) -> Iterator[Fold]:
    """Folds that hold out every track that can be measured once, and with it all of its group.

    Groups with a track of a genre that has no other group are always learnt from: held out, they
    would leave nothing to learn the genre from.

    Parameters
    ----------
    labels, groups : sequence of str [n]
        Genre and group of each track.
    folds : int
        How many; no more than the rarest measurable genre has groups.
    seed : int
        Draws which groups go together.
    """
    alone = lonely_genres(labels, groups)
    kept = {group for label, group in zip(labels, groups, strict=True) if label in alone}
    always = np.array([i for i, group in enumerate(groups) if group in kept], dtype=np.int64)
    rest = np.array([i for i, group in enumerate(groups) if group not in kept], dtype=np.int64)
    if not len(rest):
        yield from [Fold(always, rest)] * folds
        return
    # The splitter sees only what can be held out, or its folds would be uneven.
    own = [labels[i] for i in rest], [groups[i] for i in rest]
    for fold in k_fold(*own, folds=folds, seed=seed):
        train = np.sort(np.concatenate([rest[fold.train], always]))
        yield Fold(train, rest[fold.held_out])


def cross_validate(tracks: Tracks, *, names: Sequence[str] | None, seed: int = 0) -> Trial:
    """Classify every track by a head that was fitted without its group.

    Tracks of a genre of one group are learnt from and not classified.

    Parameters
    ----------
    tracks : Tracks
        Each recording once.
    names : sequence of str or None
        What each number of an embedding means.
    seed : int
        Of the folds, and of those that calibrate.

    Raises
    ------
    DatasetError
        With one genre only, or where no genre can be measured.
    """
    labels = tuple(sorted(set(tracks.labels)))
    folds = folds_for(tracks.labels, tracks.groups)
    if not folds:
        raise DatasetError(ALL_LONELY)
    probabilities = np.zeros((len(tracks.labels), len(labels)))  # rows that no fold measures stay 0
    measured = np.zeros(len(tracks.labels), dtype=bool)  # (n,)
    for fold in held_out_folds(tracks.labels, tracks.groups, folds=folds, seed=seed):
        # Fitted again in each fold, its calibration too: nothing of what is held out leaks in.
        head = heads.fit(subset(tracks, fold.train), names=names, labels=labels, seed=seed)
        measured[fold.held_out] = True
        for i in fold.held_out:
            probabilities[i] = head.classify(tracks.windows[i]).probabilities
    places = np.flatnonzero(measured).tolist()
    truth = np.array([labels.index(tracks.labels[i]) for i in places], dtype=np.int64)
    groups = tuple(tracks.groups[i] for i in places)
    return Trial(truth, probabilities[places], labels, groups, tuple(places))


def evaluate_head(head: Head, tracks: Tracks) -> Trial:
    """The answers of a head on tracks; DatasetError if they have labels it does not know.

    Parameters
    ----------
    head : Head
        What is measured.
    tracks : Tracks
        Tracks of genres that it knows.
    """
    foreign = sorted(set(tracks.labels) - set(head.labels))
    if foreign:
        raise DatasetError(f"the model knows no {', '.join(foreign)}")
    truth = np.array([head.labels.index(label) for label in tracks.labels], dtype=np.int64)
    rows = [head.classify(windows).probabilities for windows in tracks.windows]
    return Trial(truth, np.stack(rows), head.labels, tuple(tracks.groups))
