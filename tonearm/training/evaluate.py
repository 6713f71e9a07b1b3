"""Evaluate model files on the tracks of a data set, on a named split, side by side.

Every figure names its split, its hash and n, and comes with what may flatter it: a split that
leaks, a model that may have learnt from these very tracks. A track is classified on the windows
after which `predict` stops, and each window by itself. Predictions are the most probable genre,
even if the model says "unknown"; ``answered`` counts these. Must not import torch or write reports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import metrics, windows
from tonearm.data.index import Track
from tonearm.errors import DatasetError
from tonearm.model.file import Model
from tonearm.model.head import Head
from tonearm.training import caveats, learnt_sounds
from tonearm.training.caveats import Caveat
from tonearm.training.evaluation_set import EvaluationSet, TrackEmbeddings, Windows, check_labels
from tonearm.training.learnt_sounds import LearntSounds

SCHEMA = 1
MISTAKES = 10


@dataclass(frozen=True)
class ModelResult:
    """One model file's answers on n tracks and their windows.

    Parameters
    ----------
    path : Path
        The model file.
    model : Model
        What is in it.
    tracks, paths : tuple of Track, tuple of str [n]
        Those measured on, and where their files lie.
    truth, probabilities, known : int64 [n], float64 [n, k], bool [n]
        In the order of the model file's labels; of the windows after which predict stops.
    window_truth, window_probabilities : int64 [m], float64 [m, k]
        Each window decided by itself.
    window_groups : tuple of str [m]
        Artist, or whatever no split divides, of each window.
    learnt : frozenset of str
        Names of the tracks that the model learnt from, by their sound.
    caveats : tuple of Caveat
        What may make the figures too good.
    """

    path: Path
    model: Model
    tracks: tuple[Track, ...]
    paths: tuple[str, ...]
    truth: metrics.Classes
    probabilities: metrics.Floats
    known: NDArray[np.bool_]
    window_truth: metrics.Classes
    window_probabilities: metrics.Floats
    window_groups: tuple[str, ...]
    learnt: frozenset[str]
    caveats: tuple[Caveat, ...]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each track's most probable genre is right."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.truth)

    @property
    def not_measured(self) -> str:
        """A sentence about the genres that no figure is about; empty if there are none."""
        missing, rows = self.figures["not_measured"], self.figures["genres"]
        if not missing:
            return ""
        others = f"the other {len(rows)}" if len(rows) > 1 else "the one that is left"
        return f"Not measured, for lack of tracks: {', '.join(missing)}. Macro F1 covers {others}."

    @property
    def leaks(self) -> bool:
        """Whether its figures must not be compared with honest ones."""
        return any(caveat.kind == "leak" for caveat in self.caveats)

    @cached_property
    def figures(self) -> dict[str, Any]:
        """``tracks`` and ``windows`` as of `metrics.evaluate`, a row for each genre, and the rest.

        ``not_measured`` are genres of the model that no track here has.
        """
        labels = self.model.labels
        tracks = metrics.evaluate(
            self.truth,
            self.probabilities,
            labels,
            groups=[track.group for track in self.tracks],
            # With what the detector says: answered and unknown are counted apart.
            known=self.known,
        )
        each = metrics.evaluate(
            self.window_truth, self.window_probabilities, labels, groups=self.window_groups
        )
        # Windows of one track err together: an interval must not count each by itself.
        del each["interval_95"]
        rows = genre_rows(tracks, labels)
        return {
            "tracks": tracks,
            "windows": each,
            "genres": rows,
            # A genre without tracks has no recall: it is named rather than counted as 0.
            "not_measured": sorted(set(labels) - {row["genre"] for row in rows}),
        }

    def mistakes(self, count: int = MISTAKES) -> list[dict[str, Any]]:
        """Wrong answers, the most confident first.

        Parameters
        ----------
        count : int
            How many at most.
        """
        guess, confidence = self.probabilities.argmax(axis=1), self.probabilities.max(axis=1)
        # Stable: equal confidences keep the order of tracks, so a report is always the same.
        order = [i for i in np.argsort(-confidence, kind="stable") if not self.right[i]]
        labels = self.model.labels
        return [
            {
                "path": self.paths[i],
                "genre": labels[self.truth[i]],
                "answer": labels[guess[i]],
                "confidence": float(confidence[i]),
                "probability_of_genre": float(self.probabilities[i, self.truth[i]]),
                "unknown": not self.known[i],
            }
            for i in order[:count]
        ]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "path": str(self.path),
            "name": self.model.name,
            "sha256": self.model.sha256,
            "labels": list(self.model.labels),
            # The list of learnt sounds would be longer than all figures.
            "training": {k: v for k, v in self.model.training.items() if k != learnt_sounds.FIELD},
            "warnings": [vars(caveat) for caveat in self.caveats],
            **self.figures,
            "mistakes": self.mistakes(),
            "answers": self.answers(),
        }

    def answers(self) -> list[dict[str, Any]]:
        """What was said of every track, from which each figure of the tracks can be had again."""
        labels = self.model.labels
        return [
            {
                "path": path,
                "group": track.group,
                "genre": labels[truth],
                "probabilities": dict(zip(labels, row.tolist(), strict=True)),
                "unknown": not known,
                "learnt": track.name in self.learnt,
            }
            for path, track, truth, row, known in zip(
                self.paths, self.tracks, self.truth, self.probabilities, self.known, strict=True
            )
        ]


@dataclass(frozen=True)
class Evaluation:
    """Several model files on the same tracks: the first, and those compared with it.

    Parameters
    ----------
    evaluation_set : EvaluationSet
        The tracks, and the split they come from.
    results : tuple of ModelResult
        One for each model file, on the same tracks.
    failed : tuple of (path, reason)
        Tracks that one of the models could not analyse; they count for none.
    """

    evaluation_set: EvaluationSet
    results: tuple[ModelResult, ...]
    failed: tuple[tuple[str, str], ...]

    def caveats_of(self, result: ModelResult) -> list[Caveat]:
        """Those of a model file beyond those of the split, which hold for all.

        Parameters
        ----------
        result : ModelResult
            One of this evaluation.
        """
        shared = self.evaluation_set.caveats()
        return [caveat for caveat in result.caveats if caveat not in shared]

    @cached_property
    def differences(self) -> list[dict[str, Any]]:
        """Accuracy of each other model file minus that of the first, paired by track."""
        first, *others = self.results
        groups = [track.group for track in first.tracks]
        rows = []
        # Paired by track: two models err on the same tracks, which would widen plain intervals.
        for other in others:
            plain = metrics.difference(first.right, other.right)
            by_group = metrics.difference(first.right, other.right, groups=groups)
            rows.append(
                {
                    "path": str(other.path),
                    "minus": str(first.path),
                    "n": len(first.right),
                    "difference": plain.mean,
                    "interval_95": [plain.low, plain.high],
                    "interval_95_by_group": [by_group.low, by_group.high],
                    "only_this_right": int((other.right & ~first.right).sum()),
                    "only_first_right": int((first.right & ~other.right).sum()),
                    # A model that saw the test wins by that alone.
                    "one_leaks": other.leaks is not first.leaks,
                }
            )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        split = self.evaluation_set.split
        return {
            "schema": SCHEMA,
            "data": str(self.evaluation_set.folder),
            "split": None
            if split is None
            else {
                "name": split.name,
                "sha256": split.sha256,
                "subset": self.evaluation_set.subset,
                "leaks": split.leaks,
                "groups_in_several_subsets": list(self.evaluation_set.crossing),
            },
            "tracks": len(self.results[0].tracks),
            "tracks_of_the_subset": self.evaluation_set.promised,
            "failed": [{"path": path, "reason": reason} for path, reason in self.failed],
            "models": [result.to_dict() for result in self.results],
            "differences": self.differences,
        }


def evaluate(
    models: Sequence[tuple[Path, Model]],
    evaluation_set: EvaluationSet,
    embeddings: Sequence[TrackEmbeddings],
) -> Evaluation:
    """Evaluate model files on the tracks that all of them could analyse.

    Parameters
    ----------
    models : sequence of (Path, Model)
        The first is what the others are compared with.
    evaluation_set : EvaluationSet
        The tracks, the split they come from, and what is odd about it.
    embeddings : sequence of TrackEmbeddings
        Of each model file.

    Raises
    ------
    DatasetError
        When no track was analysed by all.
    """
    # On the same tracks, or the difference would be one of tracks and not of models.
    shared = [
        track
        for track in evaluation_set.tracks
        if all(track.name in found.windows for found in embeddings)
    ]
    if not shared:
        raise DatasetError(
            f"no track in {evaluation_set.folder} could be analysed by all of these models"
        )
    results = [
        _evaluate(path, model, evaluation_set, shared, found)
        for (path, model), found in zip(models, embeddings, strict=True)
    ]
    # By path: a file that fails for two models is named once.
    failed = dict(pair for found in embeddings for pair in found.failed)
    return Evaluation(evaluation_set, tuple(results), tuple(failed.items()))


def _evaluate(
    path: Path,
    model: Model,
    evaluation_set: EvaluationSet,
    tracks: Sequence[Track],
    found: TrackEmbeddings,
) -> ModelResult:
    check_labels(path, model, evaluation_set.folder, tracks)
    embeddings = [found.windows[track.name] for track in tracks]
    decisions = [
        model.head.classify(
            # The store holds more windows than predict reads; with all of them a figure would be
            # too good.
            _until_confident(model, each, evaluation_set),
            found.textures.get(track.name),
            duration_s=track.duration_s,
        )
        for track, each in zip(tracks, embeddings, strict=True)
    ]
    truth = np.array([model.labels.index(track.genre) for track in tracks], dtype=np.int64)
    learnt = _learnt(model, tracks, found)
    lengths, most = [len(each) for each in embeddings], model.windows_per_track
    return ModelResult(
        path=path,
        model=model,
        tracks=tuple(tracks),
        paths=tuple(evaluation_set.data.place_of(track.name) for track in tracks),
        truth=truth,
        probabilities=np.stack([decision.probabilities for decision in decisions]),
        known=np.array([decision.known for decision in decisions]),
        # One entry per window, in the order of `window_probabilities`.
        window_truth=np.repeat(truth, lengths),
        window_probabilities=np.concatenate(
            [_each_window(model.head, each) for each in embeddings]
        ),
        window_groups=tuple(np.repeat([track.group for track in tracks], lengths)),
        learnt=frozenset(learnt),
        caveats=(
            *evaluation_set.caveats(),
            *(
                []
                if evaluation_set.split
                else caveats.of_unsplit(model.training, learnt=len(learnt), n=len(tracks))
            ),
            *caveats.of_learnt(learnt, len(tracks)),
            *caveats.of_training(model.training, evaluation_set.split, evaluation_set.subset),
            *([] if evaluation_set.excerpts else caveats.of_windows(lengths, most=most)),
        ),
    )


def _learnt(model: Model, tracks: Sequence[Track], found: TrackEmbeddings) -> list[str]:
    """Names of the tracks whose sounds the model learnt from."""
    sounds = LearntSounds.in_training(model.training)
    if sounds is None:
        return []
    return [
        track.name
        for track in tracks
        if sounds.contain(track.sound, track.duration_s, found.windows[track.name])
    ]


def _until_confident(model: Model, embeddings: Windows, evaluation_set: EvaluationSet) -> Windows:
    """The windows [n, d] of a track after which predict is confident and stops.

    Excerpts that a split names, or arrays of more windows than predict takes, are other windows
    than it would choose from: they are classified together. (Of a track below -32 dBFS predict
    takes all; how loud it was is not known here.)
    """
    if evaluation_set.excerpts or len(embeddings) > model.windows_per_track:
        return embeddings
    taken: list[int] = []
    for few in windows.rounds(len(embeddings)):
        # In the order of time, as predict has them; the mean of the votes does not depend on it.
        taken = sorted([*taken, *few])
        if model.is_enough(embeddings[taken]):
            break
    return embeddings[taken]


def _each_window(head: Head, embeddings: Windows) -> metrics.Floats:
    """Probabilities [m, k] of each window by itself, were it one of the genres."""
    # The last column is "unknown", which is not asked here.
    return replace(head, detector=None).classify_each(embeddings)[:, :-1]


def genre_rows(figures: Mapping[str, Any], labels: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each genre that occurs: n, recall, precision, F1, most frequent confusion.

    Parameters
    ----------
    figures : mapping
        As of :func:`metrics.evaluate`.
    labels : sequence of str
        Genres, in the order of the confusion matrix.
    """
    counts = np.array(figures["confusion"])  # (k, k): true, answered
    rows = []
    for i, label in enumerate(labels):
        n, guessed, right = int(counts[i].sum()), int(counts[:, i].sum()), int(counts[i, i])
        if not n:
            continue
        wrong = counts[i].copy()
        wrong[i] = 0
        most = int(wrong.max())
        rows.append(
            {
                "genre": label,
                "n": n,
                "recall": right / n,
                "precision": right / guessed if guessed else None,
                "f1": 2 * right / (n + guessed),
                # All of them, if several are as frequent.
                "confused_with": [labels[int(j)] for j in np.flatnonzero(wrong == most) if most],
                "confused_with_count": most,
            }
        )
    return rows
