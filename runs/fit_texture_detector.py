"""Fit the second line of the out-of-domain detector: over tags and texture together.

The tags alone cannot do both: at one piece of music in a hundred called unknown they miss every
fifth effect. The texture knows noise, speech and repetition from music, and errs about other
sounds than the tags do. So this line is the mean of two, one over the tags and one over both, each
learnt from whole tracks. Its limit is set on collections that it has not learnt from; that for
short sounds on clips of GTZAN cut short. What was tried: ``docs/experiments/unknown.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs.fit_out_of_domain import TUNE_SHARE, logistic
from runs.free_music import FreeTrack
from runs.recipe import Data
from runs.texture import Projection, modulations_of
from tonearm.features import TEXTURE_SPEC
from tonearm.model.out_of_domain import OutOfDomainDetector, TextureDetector, log_odds

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# Of the 128 numbers of a texture the first, which hold most of the variance, tell most.
NUMBERS = 64
RIDGE_TAGS, RIDGE_BOTH = 1.0, 0.1
# Music weighs as much as sounds: GTZAN's clips and free music alike, tunes a part of it.
SHORT_SHARE = 0.2
# Of music of other collections half of what may be called unknown: the first line calls unknown
# what it puts far outside, too. Of short pieces more: at .01, 8 of 162 effects pass for music
# instead of 6.
FALSE_ALARMS = 0.005
SHORT_FALSE_ALARMS = 0.02
# How much of music gets the second opinion for this alone: it costs 50 ms a track.
SUSPECTS = 0.05
FOLDS = 8
# Most windows of a track in use.
WINDOWS = 6
# Frames of clips cut short: 3 to 15 s.
SHORT_FRAMES = (39, 52, 78, 130, 200)
TUNE = "tune"


@dataclass(frozen=True)
class Pieces:
    """Sounds of each kind, tunes among them, as both encoders know them."""

    kinds: NDArray[np.str_]
    log_odds: Float32
    modulations: Float32


@dataclass(frozen=True)
class Examples:
    """Everything that is learnt from: features [n, 50 + NUMBERS], mass [n], group, what it is."""

    features: Float64
    mass: Float64
    groups: NDArray[np.str_]
    what: NDArray[np.str_]


def mean_odds(windows: NDArray[np.floating]) -> Float64:
    """Mean log-odds [50] of as many windows as a track has in use, spread evenly."""
    most = min(len(windows), WINDOWS)
    places = np.linspace(0, len(windows) - 1, most).round().astype(int)
    return np.asarray(log_odds(windows[places]).mean(axis=0))


def cut_short(data: Data, root: Path, *, seed: int = 0) -> tuple[list[str], Float64, Float64]:
    """Every second clip with tags, cut to 3 to 15 s: clips, log-odds, modulations."""
    rng = np.random.default_rng(seed)
    tags = data.train | data.valid
    clips = list(tags)[::2]
    odds, levels = [], []
    with np.load(root / "logmel_dev.npz") as file:
        pictures = dict(zip(file["name"].tolist(), file["logmel"], strict=True))
    whole = TEXTURE_SPEC.window_frames
    for clip in clips:
        frames = int(rng.choice(SHORT_FRAMES))
        start = int(rng.integers(0, whole - frames))
        part = pictures[clip].T[start : start + frames].astype(np.float32)
        # As the encoder does it: a sound that is too short is repeated.
        levels.append(np.tile(part, (-(-whole // frames), 1))[:whole])
        first = int(start / whole * len(tags[clip]))
        few = max(1, round(frames * TEXTURE_SPEC.frame_s / 3))
        odds.append(log_odds(tags[clip][first : first + few]).mean(axis=0))
    return clips, np.stack(odds), modulations_of(np.stack(levels)).astype(np.float64)


def examples(data: Data, root: Path, pieces: Pieces, projection: Projection) -> Examples:
    """GTZAN's clips whole and cut short, free music, tunes, and sounds."""
    tags = data.train | data.valid
    short, short_odds, short_modulations = cut_short(data, root)
    parts = [
        (
            "clips",
            np.stack([mean_odds(windows) for windows in tags.values()]),
            np.stack([data.modulations[clip][0] for clip in tags]),
            [data.groups[clip] for clip in tags],
        ),
        ("short", short_odds, short_modulations, [data.groups[clip] for clip in short]),
        (
            "free",
            np.stack([mean_odds(track.tags) for track in data.free]),
            np.stack([track.modulations.mean(axis=0) for track in data.free]),
            [track.collection for track in data.free],
        ),
        ("pieces", pieces.log_odds, pieces.modulations, pieces.kinds.tolist()),
    ]
    what = np.concatenate([np.full(len(odds), name) for name, odds, _, _ in parts])
    groups = np.concatenate([np.array(own) for *_, own in parts])
    what = np.where((what == "pieces") & (groups != TUNE), "sounds", what)
    kinds = dict(zip(*np.unique(groups[what == "sounds"], return_counts=True), strict=True))
    music = (1 - TUNE_SHARE) / 2
    share = {
        "clips": music * (1 - SHORT_SHARE),
        "short": music * SHORT_SHARE,
        "free": music,
        "pieces": TUNE_SHARE,
    }
    mass = np.array(
        [
            1 / len(kinds) / kinds[group]
            if name == "sounds"
            else share[name] / (what == name).sum()
            for name, group in zip(what.tolist(), groups.tolist(), strict=True)
        ]
    )
    odds = np.concatenate([part[1] for part in parts]).astype(np.float64)
    texture = np.concatenate([projection(part[2])[:, :NUMBERS] for part in parts])
    return Examples(np.hstack([odds, texture]), mass, groups, what)


def line(known: Examples, which: NDArray[np.bool_], d: int) -> tuple[Float64, float]:
    """Weight and offset of the mean of both lines, learnt from some of the examples."""
    features, sounds = known.features[which], known.what[which] == "sounds"
    mass, usual = 1000 * known.mass[which], features[~sounds]
    tags, tags_offset = logistic(features[:, :d], sounds.astype(float), mass, ridge=RIDGE_TAGS)
    both, both_offset = logistic(features, sounds.astype(float), mass, ridge=RIDGE_BOTH)
    # On one scale, that of the line over the tags; else the steeper would decide alone.
    ratio = float((usual[:, :d] @ tags).std() / (usual @ both).std())
    weight = ratio * both / 2
    weight[:d] += tags / 2
    return weight, (tags_offset + ratio * both_offset) / 2


def fit(
    data: Data,
    root: Path,
    pieces: Pieces,
    projection: Projection,
    *,
    first: OutOfDomainDetector,
    more: Sequence[FreeTrack],
    seed: int = 0,
) -> TextureDetector:
    """The second line; ``more`` are tracks that nothing learns from, for its limit."""
    known = examples(data, root, pieces, projection)
    d = pieces.log_odds.shape[1]
    names = np.unique(known.groups[known.what != "sounds"])
    fold_of = dict(
        zip(np.random.default_rng(seed).permutation(names), range(len(names)), strict=True)
    )
    folds = np.array([fold_of.get(group, -1) % FOLDS for group in known.groups])
    folds[np.isin(known.what, ("sounds", "pieces"))] = -1
    weight, offset = line(known, np.ones(len(folds), dtype=bool), d)
    scores = known.features @ weight + offset
    for fold in range(FOLDS):
        # No collection and no artist sets a limit that it was learnt from.
        w, b = line(known, folds != fold, d)
        scores[folds == fold] = known.features[folds == fold] @ w + b
    others = np.stack([mean_odds(track.tags) for track in more])
    texture = projection(np.stack([track.modulations.mean(axis=0) for track in more]))
    unseen = np.hstack([others, texture[:, :NUMBERS]]) @ weight + offset
    left_out = np.concatenate([scores[known.what == "free"], unseen])
    music = known.features[np.isin(known.what, ("clips", "free"))][:, :d]
    full = np.zeros(d + projection.weight.shape[1])
    full[: len(weight)] = weight
    return TextureDetector(
        full,
        float(offset),
        limit=float(np.quantile(left_out, 1 - FALSE_ALARMS)),
        short_limit=float(np.quantile(scores[known.what == "short"], 1 - SHORT_FALSE_ALARMS)),
        margin=-float(np.quantile(first.excess(music, WINDOWS), 1 - SUSPECTS)),
    )
