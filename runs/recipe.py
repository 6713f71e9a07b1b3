"""What the built-in model learns from, and how: the recipe that ``runs/train_head.py`` measures.

GTZAN's train and valid clips, of which those with a doubtful label count less
(``runs/doubtful_labels.py``); free music (``runs/free_music.py``) that adds electronic music and
other worlds of classical and metal. Two heads of eleven genres, one over the tags of the first
encoder, one over the texture of the second, and one over both; their log votes are added.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs.augment_clips import hear_changed
from runs.doubtful_labels import opinions
from runs.estimate_tags import hear_pictures, regress
from runs.free_music import FreeTrack
from runs.gtzan import (
    Taggrams,
    genre_of,
    read_groups,
    read_release_genres,
    read_split,
    read_taggrams,
)
from runs.texture import (
    SHIFTS,
    Projection,
    Votes,
    clip_modulations,
    fit_joint,
    fit_votes,
    limits_of,
)
from tonearm.genres import BUILTIN_GENRES
from tonearm.model.out_of_domain import TextureDetector
from tonearm.model.texture import Gate, JointVote, TextureHead, closed
from tonearm.model.votes import mean_vote, spread
from tonearm.nets.musicnn import MSD_TAGS
from tonearm.training.head_fit import (
    POWER,
    Discriminant,
    augmentation_covariance,
    genre_name_tags,
    track_features,
)

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

LABELS = BUILTIN_GENRES
ELECTRONIC = LABELS.index("electronic")
# How much a track of free music counts, where a clip of GTZAN counts 1: for genres that GTZAN
# has, its own artists are the better guide; of electronic music there is no other.
FREE_MASS, FREE_ELECTRONIC_MASS = 0.3, 1.0
# For the second encoder each clip of an artist of n clips counts n to the power of minus this: the
# texture of a studio is learnt sooner than that of a genre.
ARTIST_POWER = 0.3
# Below this confidence of the first encoder the second is asked: above, it gains too little for
# what it costs (second-encoder.md).
ASK_BELOW = 0.9
# Nats off the electronic genre: orchestras were called electronic, and some clips of GTZAN.
PRIOR = np.where(np.arange(len(LABELS)) == ELECTRONIC, -0.75, 0.0)
GATES = (
    Gate(
        "electronic",
        tuple(MSD_TAGS.index(tag) for tag in ("electronic", "electronica", "House", "electro")),
        0.32,
    ),
)


def classes(labels: list[str]) -> Int64:
    """Index of each label."""
    return np.array([LABELS.index(label) for label in labels], dtype=np.int64)


class Data:
    """Everything that is learnt from, with the artist of each clip."""

    def __init__(self, root: Path, backbone: bytes, free: list[FreeTrack]) -> None:
        valid_clips = set(read_split(root, "valid"))
        self.train = read_taggrams(root / "taggram_msd_train.npz", "tags")
        real: Taggrams = {
            **read_taggrams(root / "taggram_audio_dev.npz", "msd"),
            **read_taggrams(root / "taggram_audio_more.npz", "msd"),
        }
        self.valid = {clip: windows for clip, windows in real.items() if clip in valid_clips}
        known = {*self.train, *self.valid}
        self.pictured = sorted(valid_clips - known)
        paths = sorted(path for path in root.glob("audio/*/*.flac") if path.stem in known)
        self.groups = read_groups(root, [*self.train, *self.valid, *self.pictured])
        self.released_as = read_release_genres(root)
        self.modulations = clip_modulations(root)
        self.free = free
        self._changed_clips = [path.stem for path in paths]
        self._changed = hear_changed(paths, backbone)
        self._pictures = hear_pictures(root, backbone)

    def scatter(self, clips: set[str]) -> Float64:
        """Covariance under augmentation of those of ``clips`` that have audio."""
        usable = [clip in clips for clip in self._changed_clips]
        return augmentation_covariance(self._changed[:, usable])

    def labelled(self, clips: list[str]) -> tuple[Int64, Int64, Float64]:
        """Place in ``clips``, class and mass of each of their labels; a doubtful clip has two."""
        rows = [
            (i, LABELS.index(genre), mass)
            for i, clip in enumerate(clips)
            for genre, mass in opinions(genre_of(clip), self.released_as.get(clip, ""))
        ]
        places, found, mass = zip(*rows, strict=True)
        return np.array(places), np.array(found), np.array(mass)

    def estimates(self, learn_from: list[str], hidden: set[str]) -> tuple[list[str], Float64]:
        """Valid clips without tags, of other artists than ``hidden``, and their features."""
        clips = [clip for clip in self.pictured if self.groups[clip] not in hidden]
        features = regress(
            np.stack([self._pictures[clip] for clip in learn_from]),
            np.stack([track_features(self.train[clip]) for clip in learn_from]),
            np.stack([self._pictures[clip] for clip in clips]),
        )
        return clips, features


def artist_mass(artists: list[str]) -> Float64:
    """How much each clip counts by how many its artist has; 1 on average."""
    counts = Counter(artists)
    mass = np.array([counts[artist] ** -ARTIST_POWER for artist in artists])
    return np.asarray(mass / mass.mean())


@dataclass(frozen=True)
class Fitted:
    """All heads, before calibration."""

    discriminant: Discriminant
    projection: Projection
    votes: Votes
    limits: Float64
    joint: JointVote
    usual_modulations: Float64

    def first(self, tags: NDArray[np.floating]) -> Float64:
        """Sum of log votes (z) of a track's tags [n, 50], with prior and gates: [k]."""
        weight, bias = self.discriminant.line(genre_name_tags(LABELS, MSD_TAGS))
        z = mean_vote(spread(tags, POWER) @ weight + bias) + PRIOR
        means = np.asarray(tags, dtype=np.float64).mean(axis=0, keepdims=True)
        return np.asarray(z + closed(GATES, LABELS, means)[0])

    def both(self, tags: NDArray[np.floating], modulations: NDArray[np.floating]) -> Float64:
        """The same with the votes of a track's modulations [m, 1275]: [k]."""
        z, texture = self.first(tags), self.projection(modulations)
        return z + self.texture_head(((1.0, 1.0),)).log_votes(texture, track_features(tags), z)

    def texture_head(
        self,
        calibration: tuple[tuple[float, float], ...],
        *,
        ask_below: float = ASK_BELOW,
        detector: TextureDetector | None = None,
    ) -> TextureHead:
        """The second encoder's part of a head."""
        d = len(self.discriminant.mean)
        return TextureHead(
            self.votes.weight,
            self.votes.bias,
            calibration,
            ask_below,
            modulation_weight=self.projection.weight @ (self.votes.weight + self.joint.weight[d:]),
            modulation_mean=self.usual_modulations,
            detector=detector,
            covariance=self.votes.covariance,
            limits=self.limits,
            joint=self.joint,
        )


@dataclass(frozen=True)
class Examples:
    """Everything that the heads learn from: for each encoder features, class and mass of a row."""

    features: Float64  # [n, 50]
    classes: Int64  # [n]
    mass: Float64  # [n]
    augmentation: Float64  # [50, 50]
    modulations: Float64  # [m, 1275]
    modulation_tags: Float64  # [m, 50]: the features of the same clips
    modulation_classes: Int64  # [m]
    shares: Float64  # [m]

    def without(self, genre: int) -> Examples:
        """As if there were no such genre; those behind it move up."""
        one, two = self.classes != genre, self.modulation_classes != genre
        return Examples(
            self.features[one],
            self.classes[one] - (self.classes[one] > genre),
            self.mass[one],
            self.augmentation,
            self.modulations[two],
            self.modulation_tags[two],
            self.modulation_classes[two] - (self.modulation_classes[two] > genre),
            self.shares[two],
        )

    def fit(self, labels: tuple[str, ...] = LABELS) -> Fitted:
        """All heads, of these genres."""
        k = len(labels)
        discriminant = Discriminant.fit(
            self.features, self.classes, k=k, augmentation=self.augmentation, mass=self.mass
        )
        projection = Projection.fit(self.modulations, self.shares)
        plain = projection(self.modulations)
        limits = limits_of(plain, self.shares)
        texture = np.clip(plain, -limits, limits)
        votes = fit_votes(texture, self.modulation_classes, self.shares, k)
        joint = fit_joint(
            self.modulation_tags,
            texture,
            self.modulation_classes,
            self.shares,
            augmentation=self.augmentation,
            genre_name_tags=genre_name_tags(labels, MSD_TAGS),
        )
        usual = np.average(self.modulations, axis=0, weights=self.shares)
        return Fitted(discriminant, projection, votes, limits, joint, usual)


def fit_on(
    data: Data,
    clips: list[str],
    *,
    hidden: set[str],
    valid: bool = True,
    without: str | None = None,
) -> Fitted:
    """Both heads of these train clips; see :func:`examples`."""
    return examples(data, clips, hidden=hidden, valid=valid, without=without).fit()


def examples(
    data: Data,
    clips: list[str],
    *,
    hidden: set[str],
    valid: bool = True,
    without: str | None = None,
) -> Examples:
    """What is learnt from with these train clips.

    ``hidden`` artists and the free collection ``without`` are not learnt from; with ``valid``,
    valid clips of other artists are.
    """
    real = {c: w for c, w in data.valid.items() if valid and data.groups[c] not in hidden}
    guessed, estimated = data.estimates(clips, hidden)
    if not valid:
        guessed, estimated = [], estimated[:0]
    free = [track for track in data.free if track.collection != without]
    mass = [FREE_ELECTRONIC_MASS if track.label == "electronic" else FREE_MASS for track in free]
    named = [*clips, *real, *guessed]
    places, labels, counted = data.labelled(named)
    of_clips = np.concatenate(
        [
            np.stack([track_features(data.train[c]) for c in clips]),
            *([np.stack([track_features(w) for w in real.values()])] if real else []),
            estimated,
        ]
    )
    of_free = np.stack([track_features(track.tags) for track in free])
    free_labels = classes([track.label for track in free])
    moved = np.stack([data.modulations[clip] for clip in named])  # (clips, shifts, 1275)
    of_artist = artist_mass([data.groups[clip] for clip in named])
    of_label = of_artist[places] * counted
    return Examples(
        np.concatenate([of_clips[places], of_free]),
        np.concatenate([labels, free_labels]),
        np.concatenate([counted, mass]),
        data.scatter({*clips, *real}),
        np.concatenate([*moved[places], np.stack([t.modulations.mean(axis=0) for t in free])]),
        np.concatenate([np.repeat(of_clips[places], len(SHIFTS), axis=0), of_free]),
        np.concatenate([np.repeat(labels, len(SHIFTS)), free_labels]),
        np.concatenate([np.repeat(of_label, len(SHIFTS)) / len(SHIFTS), mass]),
    )
