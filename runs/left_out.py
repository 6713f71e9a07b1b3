"""What heads say of collections that they have not learnt from, and of what ``tag`` would write.

A model that learns what one collection sounds like fails on the next: so each collection of free
music is classified by heads of all the others, and Emotify's, which is never learnt from, by heads
of all of them. No track of it is in two roles.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.free_music import FreeTrack
from runs.recipe import ASK_BELOW, ELECTRONIC, LABELS, Data, Fitted, classes, fit_on
from runs.texture import Projection, modulations_of
from tonearm import metrics
from tonearm.model.head import Head
from tonearm.model.prediction import Prediction
from tonearm.model.votes import calibrated
from tonearm.tagging.plan import Rules, pooled

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Mixture = Sequence[tuple[float, float]]

# The artist's own word for the genre; what is between two of ours (Electro Rock) is left out.
EMOTIFY_LABELS = {
    "Classical": "classical",
    "Alternative Rock": "rock",
    "Hard Rock": "rock",
    "Electronic": "electronic",
    "Ambient": "electronic",
}
LIMITS = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Answers:
    """Logits [n, k] before calibration, of the first encoder alone and of both; truth [n]."""

    first: Float64
    both: Float64
    truth: Int64

    @classmethod
    def empty(cls, truth: Int64) -> Answers:
        """Room for answers on tracks of these classes."""
        shape = len(truth), len(LABELS)
        return cls(np.zeros(shape), np.zeros(shape), truth)

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """All of them."""
        return cls(
            np.concatenate([part.first for part in parts]),
            np.concatenate([part.both for part in parts]),
            np.concatenate([part.truth for part in parts]),
        )

    def put(
        self, i: int, fitted: Fitted, tags: NDArray[np.floating], modulations: NDArray[np.floating]
    ) -> None:
        """Enter what ``fitted`` says of a track."""
        self.first[i] = fitted.first(tags)
        self.both[i] = fitted.both(tags, modulations)

    def subset(self, which: NDArray[np.generic]) -> Answers:
        """Some of them."""
        return Answers(self.first[which], self.both[which], self.truth[which])

    def probabilities(self, first: Mixture, both: Mixture) -> Float64:
        """Calibrated [n, k]: of the first encoder where that is confident, else of both."""
        alone = calibrated(self.first, first)
        confident = alone.max(axis=1, keepdims=True) >= ASK_BELOW
        return np.where(confident, alone, calibrated(self.both, both))


@dataclass(frozen=True)
class LeftOut:
    """Answers on every track left out, with its album and its collection."""

    tracks: list[FreeTrack]
    albums: list[str]
    answers: Answers

    @property
    def collections(self) -> NDArray[np.str_]:
        """The collection of each track."""
        return np.array([track.collection for track in self.tracks])

    def table(
        self, probabilities: Float64, *, head: Head, projection: Projection
    ) -> dict[str, Any]:
        """By collection and genre: n, recall, called electronic, unknown; then tag's precision."""
        right = probabilities.argmax(axis=1) == self.answers.truth
        electronic = probabilities.argmax(axis=1) == ELECTRONIC
        unknown = np.array(
            [not head.classify(t.tags[::2], projection(t.modulations)).known for t in self.tracks]
        )
        kinds = [f"{track.collection}: {track.label}" for track in self.tracks]
        rows = {}
        for kind in dict.fromkeys(kinds):
            own = np.array(kinds) == kind
            rows[kind] = {
                "n": int(own.sum()),
                "recall": float(right[own].mean()),
                "called_electronic": float(electronic[own].mean()),
                "unknown": float(unknown[own].mean()),
            }
        return {
            "protocol": "each collection by heads and calibration of the others; "
            "unknown by the shipped detector",
            "n": len(right),
            "accuracy": float(right.mean()),
            "ece": metrics.reliability(self.answers.truth, probabilities)["ece"],
            "collections": rows,
            "tag": self._tag(probabilities, right),
            "tag_by_default": self._by_default(probabilities, ~unknown),
        }

    def _by_default(self, probabilities: Float64, known: NDArray[np.bool_]) -> dict[str, Any]:
        """Precision and coverage of what ``tag`` writes by its own rules and limits."""
        rules, rows = Rules(), zip(probabilities, known.tolist(), strict=True)
        own = [Prediction.of(LABELS, row.tolist(), known=its) for row, its in rows]
        by_album: dict[str, list[Prediction]] = {}
        for album, prediction in zip(self.albums, own, strict=True):
            by_album.setdefault(album, []).append(prediction)
        together = {name: pooled(tracks) for name, tracks in by_album.items() if len(tracks) > 1}
        written, right = [], []
        for album, alone, truth in zip(self.albums, own, self.answers.truth.tolist(), strict=True):
            decided = together.get(album) or alone
            limit = rules.least_confidence(of_album=decided is not alone)
            written.append(decided.genre is not None and decided.confidence >= limit)
            right.append(decided.nearest == LABELS[truth])
        collections = self.collections.tolist()
        return {
            name: _share(written, right, [name in ("all", its) for its in collections])
            for name in ("all", *dict.fromkeys(collections))
        }

    def _tag(self, probabilities: Float64, right: NDArray[np.bool_]) -> dict[str, Any]:
        """Precision and coverage of what ``tag`` writes, by its limit, per file and per album."""
        names, which = np.unique(self.albums, return_inverse=True)
        pooled = np.stack([probabilities[which == i].mean(axis=0) for i in range(len(names))])
        of_album = pooled[which]
        right_album = of_album.argmax(axis=1) == self.answers.truth
        emotify_only = self.collections == "emotify"
        rows = {}
        for limit in LIMITS:
            row = {}
            for name, confident, good in (
                ("file", probabilities.max(axis=1) >= limit, right),
                ("album", of_album.max(axis=1) >= limit, right_album),
            ):
                row[name] = {
                    "precision": float(good[confident].mean()),
                    "coverage": float(confident.mean()),
                }
                its = confident & emotify_only
                row[f"{name}_of_emotify"] = {
                    "precision": float(good[its].mean()),
                    "coverage": float(confident[emotify_only].mean()),
                }
            rows[str(limit)] = row
        return rows


def _share(written: list[bool], right: list[bool], which: list[bool]) -> dict[str, float | None]:
    """Of some tracks, how many are written, and how many of those are right; None of none."""
    good = [r for w, r, own in zip(written, right, which, strict=True) if w and own]
    return {
        "precision": sum(good) / len(good) if good else None,
        "coverage": len(good) / sum(which),
    }


def emotify(root: Path) -> tuple[list[FreeTrack], list[str]]:
    """Emotify's tracks whose artist names a genre of ours, and the album of each."""
    with open(root / "emotify_give.tsv", newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}
    with np.load(root / "emotify_give.npz") as file:
        names, tags = file["name"], file["tags"]
        levels = dict(zip(file["logmel_name"].tolist(), file["logmel"], strict=True))
    found, albums = [], []
    for name, row in rows.items():
        label = EMOTIFY_LABELS.get(row["id3_genre"])
        if label is None or name not in levels:
            continue
        modulations = modulations_of(levels[name].T[None])
        own = tags[names == name]
        found.append(FreeTrack(name, "emotify", label, row["group"], "", own, modulations))
        albums.append(f"{row['artist']}: {row['album']}")
    return found, albums


def measure_left_out(data: Data, more: tuple[list[FreeTrack], list[str]]) -> LeftOut:
    """Answers on all collections, each by heads that learnt nothing of it."""
    tracks = [*data.free, *more[0]]
    albums = [str(Path(track.name).parent) for track in data.free] + more[1]
    answers = Answers.empty(classes([track.label for track in tracks]))
    for collection in dict.fromkeys(track.collection for track in tracks):
        fitted = fit_on(data, list(data.train), hidden=set(), without=collection)
        for i, track in enumerate(tracks):
            if track.collection == collection:
                answers.put(
                    i, fitted, track.tags, track.modulations[len(track.modulations) // 2][None]
                )
        print(f"left out: {collection}", flush=True)
    return LeftOut(tracks, albums, answers)
