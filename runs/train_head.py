"""Train, measure and pack the shipped model.

    python -m runs.export_backbone --out backbone.onnx
    python -m runs.other_sounds --backbone backbone.onnx --out sounds.npz
    python -m runs.train_head --gtzan FOLDER --backbone backbone.onnx --sounds sounds.npz

Chosen on GTZAN's artist- and fault-filtered split, train and valid; the test clips are not used and
need not be there. Three figures are measured: grouped cross-validation of the shipped recipe on
the train clips, the same with train clips alone, and valid judged by a head that saw only train.
The shipped head then learns from train and valid. Everything goes into the model file's metrics.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.augment_clips import hear_changed
from runs.estimate_tags import hear_pictures, regress
from runs.fit_out_of_domain import Sounds
from runs.fit_out_of_domain import fit as fit_out_of_domain
from runs.gtzan import genre_of, read_groups, read_split, read_taggrams, tracks
from tonearm import metrics
from tonearm.data import splits
from tonearm.data.folds import k_fold
from tonearm.features import MUSICNN_SPEC
from tonearm.genres import GTZAN_GENRES
from tonearm.model import file as model_file
from tonearm.model.head import Head, calibrated
from tonearm.model.out_of_domain import OutOfDomainDetector
from tonearm.nets.musicnn import MSD_TAGS
from tonearm.training.head_fit import (
    POWER,
    Tracks,
    augmentation_covariance,
    calibrate,
    fit,
    track_features,
)

Int64 = NDArray[np.int64]

FOLDS = 8
REPEATS = 10
WINDOWS_PER_TRACK = 8
SURE = 0.7  # runs/choose_windows.py
SPLIT = splits.official("gtzan-filtered")
NOTICE = Path(__file__).parent.parent / "NOTICE"


class Data:
    """Everything that is learnt from, with the artist of each clip."""

    def __init__(self, root: Path, backbone: bytes) -> None:
        valid_clips = set(read_split(root, "valid"))
        self.train = read_taggrams(root / "taggram_msd_train.npz", "tags")
        embeddings = read_taggrams(root / "taggram_audio_dev.npz", "msd")
        self.valid = {clip: windows for clip, windows in embeddings.items() if clip in valid_clips}
        known = {*self.train, *self.valid}
        self.pictured = sorted(valid_clips - known)
        paths = sorted(path for path in root.glob("audio/*/*.flac") if path.stem in known)
        self.groups = read_groups(root, [*self.train, *self.valid, *self.pictured])
        self._changed_clips = [path.stem for path in paths]
        self._changed = hear_changed(paths, backbone)
        self._pictures = hear_pictures(root, backbone)

    def hearing(self, clips: set[str]) -> NDArray[np.float64]:
        """Scatter under changed hearings of those of ``clips`` that have audio."""
        usable = [clip in clips for clip in self._changed_clips]
        return augmentation_covariance(self._changed[:, usable])

    def estimates(self, learn_from: list[str], hidden: set[str]) -> Tracks:
        """Valid clips without tags, of other artists than ``hidden``, as one-window tracks."""
        clips = [clip for clip in self.pictured if self.groups[clip] not in hidden]
        features = regress(
            np.stack([self._pictures[clip] for clip in learn_from]),
            np.stack([track_features(self.train[clip]) for clip in learn_from]),
            np.stack([self._pictures[clip] for clip in clips]),
        )
        windows = features[:, None] ** (1 / POWER)
        labels = [genre_of(clip) for clip in clips]
        return Tracks(list(windows), labels, [self.groups[clip] for clip in clips])


def fit_on(
    data: Data,
    clips: list[str],
    *,
    shipped: bool,
    hidden: set[str],
    seed: int,
    detector: OutOfDomainDetector | None = None,
) -> Head:
    """A head of the given train clips: alone, or by the shipped recipe with valid clips too."""
    learnt = {clip: data.train[clip] for clip in clips}
    if shipped:
        learnt |= {c: w for c, w in data.valid.items() if data.groups[c] not in hidden}
    return fit(
        tracks(learnt, data.groups),
        names=MSD_TAGS,
        labels=GTZAN_GENRES,
        extra=data.estimates(clips, hidden) if shipped else None,
        hearing=data.hearing(set(learnt)),
        seed=seed,
        detector=detector,
    )


def held_out_heads(
    data: Data, *, shipped: bool, seed: int, detector: OutOfDomainDetector | None = None
) -> Iterator[tuple[Int64, Head]]:
    """The train clips held out, by number, and a head that knows none of their artists; by fold."""
    clips = list(data.train)
    labels = [genre_of(clip) for clip in clips]
    groups = [data.groups[clip] for clip in clips]
    for fold in k_fold(labels, groups, folds=FOLDS, seed=seed):
        learnt, hidden = [clips[i] for i in fold.train], {groups[i] for i in fold.held_out}
        yield (
            fold.held_out,
            fit_on(data, learnt, shipped=shipped, hidden=hidden, seed=seed, detector=detector),
        )


def held_out(
    data: Data, *, shipped: bool, counts: tuple[int, ...]
) -> tuple[dict[int, NDArray[np.float64]], NDArray[np.float64]]:
    """Answers [repeats, clips, genres] on train clips whose artist the head had not seen.

    Probabilities by number of windows, and logits before calibration on all windows.
    """
    clips = list(data.train)
    answers = {count: np.zeros((REPEATS, len(clips), len(GTZAN_GENRES))) for count in counts}
    logits = np.zeros((REPEATS, len(clips), len(GTZAN_GENRES)))
    for repeat in range(REPEATS):
        for outside, head in held_out_heads(data, shipped=shipped, seed=repeat):
            bare = replace(head, calibration=((1.0, 1.0),))
            for i in outside:
                logits[repeat, i] = np.log(bare.classify(data.train[clips[i]]).probabilities)
                for count in counts:
                    windows = some(data.train[clips[i]], count)
                    answers[count][repeat, i] = head.classify(windows).probabilities
    return answers, logits


def some(windows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """``count`` windows spread evenly over a clip; 0 is all of them."""
    if count == 0:
        return windows
    places = np.linspace(0, len(windows) - 1, count) if count > 1 else [len(windows) // 2]
    return windows[np.round(places).astype(int)]


def measure_grouped(data: Data, *, shipped: bool) -> dict[str, Any]:
    """Means over the shuffles of grouped cross-validation, and the first shuffle in full."""
    counts = (0, 10, 6, 3, 1)
    answers, logits = held_out(data, shipped=shipped, counts=counts)
    truth = classes(list(data.train))
    # One calibration for all held-out answers, judged on these: kinder than the nested figure.
    mixture = calibrate(np.concatenate(logits), np.tile(truth, REPEATS))
    fitted = [metrics.reliability(truth, calibrated(each, mixture))["ece"] for each in logits]
    right = answers[0].argmax(axis=2) == truth
    rows = [metrics.evaluate(truth, repeat, GTZAN_GENRES) for repeat in answers[0]]
    shares = zip(*(row["coverage"] for row in rows), strict=True)
    return {
        "protocol": f"{FOLDS} folds by artist on {len(truth)} train clips, {REPEATS} shuffles",
        "n": len(truth),
        "artists": len({data.groups[clip] for clip in data.train}),
        "accuracy": float(right.mean()),
        "deviation_of_shuffles": float(right.mean(axis=1).std()),
        "interval_95_by_artist": metrics.bootstrap_interval(
            right.mean(axis=0), groups=[data.groups[clip] for clip in data.train]
        ),
        "log_loss": float(np.mean([row["log_loss"] for row in rows])),
        "ece": float(np.mean([row["calibration"]["ece"] for row in rows])),
        "ece_not_nested": float(np.mean(fitted)),
        "coverage": {
            str(share[0]["coverage"]): float(np.mean([row["accuracy"] for row in share]))
            for share in shares
        },
        "accuracy_by_windows": {
            str(count or "all"): float((answers[count].argmax(axis=2) == truth).mean())
            for count in counts
        },
        "recall": {
            genre: float(right[:, truth == i].mean()) for i, genre in enumerate(GTZAN_GENRES)
        },
    }


def measure_valid(data: Data, head: Head) -> dict[str, Any]:
    """The valid clips with tags, judged by a head that learnt from train alone."""
    answers = np.stack([head.classify(w).probabilities for w in data.valid.values()])
    known = np.mean([head.classify(windows).known for windows in data.valid.values()])
    return metrics.evaluate(classes(list(data.valid)), answers, GTZAN_GENRES) | {
        "called_unknown": 1 - float(known)
    }


def classes(clips: list[str]) -> NDArray[np.int64]:
    """Index of each clip's genre."""
    return np.array([GTZAN_GENRES.index(genre_of(clip)) for clip in clips], dtype=np.int64)


def read_sounds(path: Path) -> Sounds:
    """What ``runs/other_sounds.py`` wrote."""
    with np.load(path) as file:
        return Sounds(file["windows"], file["kinds"], file["tunes"])


def main() -> None:
    """Train, measure, pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, default=os.environ.get("TONEARM_GTZAN"))
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=model_file.builtin_path())
    args = parser.parse_args()
    backbone = args.backbone.read_bytes()
    data, sounds = Data(args.gtzan, backbone), read_sounds(args.sounds)

    everything = list(data.train)
    train_rejector: OutOfDomainDetector = fit_out_of_domain(tracks(data.train, data.groups), sounds)
    train_head = fit_on(
        data, everything, shipped=False, hidden=set(), seed=0, detector=train_rejector
    )
    measured = {
        "grouped": measure_grouped(data, shipped=True),
        "grouped_train_alone": measure_grouped(data, shipped=False),
        "valid_by_train_alone": measure_valid(data, train_head),
    }
    both = tracks(data.train | data.valid, data.groups)
    detector = fit_out_of_domain(both, sounds)
    head = fit_on(data, everything, shipped=True, hidden=set(), seed=0, detector=detector)
    model = model_file.Model(
        name="musicnn-head",
        features=MUSICNN_SPEC,
        encoder=backbone,
        head=head,
        embedding_names=MSD_TAGS,
        windows_per_track=WINDOWS_PER_TRACK,
        stop_confidence=SURE,
        training={
            "data": "GTZAN, artist- and fault-filtered split: 443 train and 197 valid clips",
            "split": SPLIT.name,
            "split_sha256": SPLIT.sha256,
            "parts": ["train", "valid"],
            "n": len(everything) + len(data.valid) + len(data.pictured),
            "estimated": len(data.pictured),
        },
        metrics=measured,
        notices=NOTICE.read_text(),
    )
    print(json.dumps(measured, indent=1))
    print(
        f"{args.out}: sha256 {model_file.save(model, args.out)}, {args.out.stat().st_size:,} bytes"
    )


if __name__ == "__main__":
    main()
