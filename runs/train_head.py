"""Train, measure and pack the built-in model.

    python -m runs.export_backbone --out backbone.onnx
    python -m runs.other_sounds --backbone backbone.onnx --out sounds.npz
    python -m runs.free_music --packages FOLDER --backbone backbone.onnx --out free_music.npz
    python -m runs.train_head --backbone backbone.onnx --sounds sounds.npz --free free_music.npz
        --gtzan FOLDER --emotify FOLDER

Chosen on GTZAN's artist- and fault-filtered split, train and valid, and on collections left out;
the test clips are not used and need not be there. Measured: train clips by cross-validation
grouped by artist, valid by heads that saw only train, and every collection of free music by heads
that saw nothing of it. Emotify's music is never learnt from: it is one more collection left out.
The confidence is calibrated on all of these answers together, and each figure of it is measured
with a calibration that knows none of the answers it is about. The shipped heads then learn from
train, valid and all free music. Everything goes into the model file's metrics.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.fit_out_of_domain import Sounds
from runs.fit_out_of_domain import fit as fit_out_of_domain
from runs.fit_texture_detector import Pieces
from runs.fit_texture_detector import fit as fit_texture_detector
from runs.free_music import load as load_free_music
from runs.gtzan import genre_of, tracks
from runs.left_out import Answers, LeftOut, emotify, measure_left_out
from runs.recipe import GATES, LABELS, PRIOR, Data, Fitted, classes, fit_on
from runs.styles import STYLES
from runs.texture import encoder_of
from tonearm import metrics
from tonearm.containers.sound_key import sound_key
from tonearm.data import splits
from tonearm.data.folds import k_fold
from tonearm.features import MUSICNN_SPEC, TEXTURE_SPEC
from tonearm.genres import GTZAN_GENRES
from tonearm.model import file as model_file
from tonearm.model.head import Head
from tonearm.model.out_of_domain import OutOfDomainDetector, TextureDetector
from tonearm.model.votes import calibrated
from tonearm.nets.musicnn import MSD_TAGS
from tonearm.training import learnt_sounds
from tonearm.training.head_fit import Tracks, assemble, calibrate, genre_name_tags
from tonearm.training.learnt_sounds import LearntSounds

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Mixture = tuple[tuple[float, float], ...]

FOLDS = 8
REPEATS = 5
WINDOWS_PER_TRACK = 8
STOP_CONFIDENCE = 0.7  # runs/choose_windows.py
# How often an answer counts in calibration: about a train clip, about a collection left out.
TRAIN_COUNT, LEFT_OUT_COUNT = 3, 1
SPLIT = splits.official("gtzan-filtered")
NOTICE = Path(__file__).parent.parent / "NOTICE"


def held_out_answers(data: Data, *, valid: bool) -> list[tuple[Answers, Int64]]:
    """For each shuffle, answers on train clips of artists not seen, and the fold of each."""
    clips = list(data.train)
    groups, labels = [data.groups[clip] for clip in clips], [genre_of(clip) for clip in clips]
    found = []
    for seed in range(REPEATS):
        answers, folds = Answers.empty(classes(labels)), np.zeros(len(clips), dtype=np.int64)
        for number, fold in enumerate(k_fold(labels, groups, folds=FOLDS, seed=seed)):
            learnt, hidden = [clips[i] for i in fold.train], {groups[i] for i in fold.held_out}
            fitted = fit_on(data, learnt, hidden=hidden, valid=valid)
            for i in fold.held_out:
                answers.put(i, fitted, data.train[clips[i]], data.modulations[clips[i]][:1])
                folds[i] = number
        found.append((answers, folds))
        print(f"shuffle {seed + 1} of {REPEATS}", flush=True)
    return found


def mixtures(train: list[Answers], left_out: Answers) -> tuple[Mixture, Mixture]:
    """Calibration of the first encoder alone, and of both, on all answers held out."""
    every = Answers.joined(TRAIN_COUNT * train + LEFT_OUT_COUNT * len(train) * [left_out])
    return calibrate(every.first, every.truth), calibrate(every.both, every.truth)


def nested(answers: Answers, folds: Int64, left_out: Answers) -> Float64:
    """Probabilities [n, k] of train clips, each calibrated on the answers of the other folds."""
    probabilities = np.zeros_like(answers.first)
    for fold in range(FOLDS):
        others, own = answers.subset(folds != fold), folds == fold
        probabilities[own] = answers.subset(own).probabilities(*mixtures([others], left_out))
    return probabilities


def nested_left_out(train: list[Answers], worlds: LeftOut) -> Float64:
    """Probabilities [n, k] of tracks left out, calibrated on no answer about their collection."""
    probabilities = np.zeros_like(worlds.answers.first)
    for collection in np.unique(worlds.collections):
        own = worlds.collections == collection
        mixture = mixtures(train, worlds.answers.subset(~own))
        probabilities[own] = worlds.answers.subset(own).probabilities(*mixture)
    return probabilities


def measure_grouped(
    data: Data, found: list[tuple[Answers, Int64]], left_out: Answers
) -> dict[str, Any]:
    """Means over the shuffles of grouped cross-validation: of eleven genres, and of the ten."""
    rows = [nested(answers, folds, left_out) for answers, folds in found]
    truth = found[0][0].truth
    right = np.stack([row.argmax(axis=1) == truth for row in rows])
    ten = [row[:, :-1] / row[:, :-1].sum(axis=1, keepdims=True) for row in rows]
    evaluated = [metrics.evaluate(truth, row, GTZAN_GENRES) for row in ten]
    groups = [data.groups[clip] for clip in data.train]
    first = [calibrated(a.first, calibrate(a.first, a.truth)) for a, _ in found]
    shares = zip(*(row["coverage"] for row in evaluated), strict=True)
    return {
        "protocol": f"{FOLDS} folds by artist on {len(truth)} train clips, {REPEATS} shuffles",
        "n": len(truth),
        "artists": len(set(groups)),
        "accuracy": float(np.mean([row.argmax(axis=1) == truth for row in ten])),
        "accuracy_of_eleven": float(right.mean()),
        "accuracy_of_first_encoder": float(
            np.mean([row[:, :-1].argmax(axis=1) == truth for row in first])
        ),
        "deviation_of_shuffles": float(right.mean(axis=1).std()),
        "interval_95_by_artist": metrics.accuracy_interval(
            np.mean([row.argmax(axis=1) == truth for row in ten], axis=0), groups=groups
        ),
        "log_loss": float(np.mean([row["log_loss"] for row in evaluated])),
        "ece": float(np.mean([metrics.reliability(truth, row)["ece"] for row in rows])),
        "called_electronic": float(
            np.mean([(row.argmax(axis=1) == len(GTZAN_GENRES)) for row in rows])
        ),
        "coverage": {
            str(share[0]["coverage"]): float(np.mean([row["accuracy"] for row in share]))
            for share in shares
        },
        "recall": {
            genre: float(right[:, truth == i].mean()) for i, genre in enumerate(GTZAN_GENRES)
        },
    }


def measure_valid(data: Data, mixture: tuple[Mixture, Mixture]) -> dict[str, Any]:
    """The valid clips with tags, by heads that learnt from train and free music alone."""
    hidden = {data.groups[clip] for clip in data.valid}
    clips = [clip for clip in data.train if data.groups[clip] not in hidden]
    fitted = fit_on(data, clips, hidden=hidden, valid=False)
    answers = Answers.empty(classes([genre_of(clip) for clip in data.valid]))
    for i, (clip, windows) in enumerate(data.valid.items()):
        answers.put(i, fitted, windows, data.modulations[clip][:1])
    probabilities = answers.probabilities(*mixture)
    return metrics.evaluate(answers.truth, probabilities, LABELS)


def head_of(
    fitted: Fitted,
    mixture: tuple[Mixture, Mixture],
    detector: OutOfDomainDetector,
    second: TextureDetector | None = None,
) -> Head:
    """The head as it ships."""
    first, both = mixture
    tags = genre_name_tags(LABELS, MSD_TAGS)
    head = assemble(fitted.discriminant, LABELS, tags, first, detector)
    texture = fitted.texture_head(both, detector=second)
    return Head(**{**vars(head), "prior": PRIOR, "gates": GATES, "texture": texture})


def held_out_heads(
    data: Data, *, seed: int, mixture: tuple[Mixture, Mixture], detector: OutOfDomainDetector
) -> Iterator[tuple[Int64, Head]]:
    """The train clips held out, by number, and a head that knows none of their artists; by fold."""
    clips = list(data.train)
    groups, labels = [data.groups[clip] for clip in clips], [genre_of(clip) for clip in clips]
    for fold in k_fold(labels, groups, folds=FOLDS, seed=seed):
        learnt, hidden = [clips[i] for i in fold.train], {groups[i] for i in fold.held_out}
        yield fold.held_out, head_of(fit_on(data, learnt, hidden=hidden), mixture, detector)


def read_sounds(path: Path) -> Sounds:
    """What ``runs/other_sounds.py`` wrote."""
    with np.load(path) as file:
        return Sounds(file["windows"], file["kinds"], file["tunes"])


def read_pieces(path: Path) -> Pieces:
    """The same sounds and tunes, as both encoders know them."""
    with np.load(path) as file:
        return Pieces(file["piece_kinds"], file["piece_log_odds"], file["piece_modulations"])


def free_tracks(data: Data) -> Tracks:
    """The free music, as the out-of-domain detector learns it."""
    return Tracks(
        [track.tags for track in data.free],
        [track.label for track in data.free],
        [track.artist for track in data.free],
    )


def learnt_from(data: Data, root: Path) -> LearntSounds:
    """What a leak is recognised by: keys where there is audio, and the mean tags of each track."""
    keys = {path.stem: sound_key(path) for path in root.glob("audio/*/*.flac")}
    clips = data.train | data.valid
    ours = LearntSounds.of(
        [keys.get(clip, clip) for clip in clips], list(clips.values()), [30.0] * len(clips)
    )
    free = LearntSounds.of([t.key for t in data.free], [t.tags for t in data.free])
    return ours.and_(free)


def main() -> None:
    """Train, measure, pack."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, default=os.environ.get("TONEARM_GTZAN"))
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--free", type=Path, required=True)
    parser.add_argument("--emotify", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=model_file.builtin_path())
    args = parser.parse_args()
    backbone = args.backbone.read_bytes()
    sounds, pieces = read_sounds(args.sounds), read_pieces(args.sounds)
    data = Data(args.gtzan, backbone, load_free_music(args.free))
    learnt = tracks(data.train | data.valid, data.groups)
    detector = fit_out_of_domain(learnt, sounds, other=free_tracks(data))

    other = emotify(args.emotify)
    fitted = fit_on(data, list(data.train), hidden=set())
    second = fit_texture_detector(
        data, args.gtzan, pieces, fitted.projection, first=detector, more=other[0]
    )
    found = held_out_answers(data, valid=True)
    worlds = measure_left_out(data, other)
    held_out = [answers for answers, _ in found]
    mixture = mixtures(held_out, worlds.answers)
    head = head_of(fitted, mixture, detector, second)
    measured = {
        "grouped": measure_grouped(data, found, worlds.answers),
        "valid_by_train_alone": measure_valid(data, mixture),
        "left_out": worlds.table(
            nested_left_out(held_out, worlds), head=head, projection=fitted.projection
        ),
    }
    model = model_file.Model(
        name="musicnn-gabor-head",
        features=MUSICNN_SPEC,
        encoder=backbone,
        head=head,
        embedding_names=MSD_TAGS,
        windows_per_track=WINDOWS_PER_TRACK,
        stop_confidence=STOP_CONFIDENCE,
        texture=model_file.TextureEncoder(TEXTURE_SPEC, encoder_of(fitted.projection)),
        styles=STYLES,
        training={
            "data": "GTZAN, artist- and fault-filtered split: 443 train and 197 valid clips; "
            f"{len(data.free)} tracks of free music from Debian packages",
            "split": SPLIT.name,
            "split_sha256": SPLIT.sha256,
            "parts": ["train", "valid"],
            "n": len(data.train) + len(data.valid) + len(data.pictured) + len(data.free),
            "estimated": len(data.pictured),
            learnt_sounds.FIELD: learnt_from(data, args.gtzan).to_dict(),
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
