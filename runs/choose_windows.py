r"""How many windows of a track to analyse, and when to stop: accuracy against work.

    python -m runs.choose_windows --gtzan FOLDER --backbone backbone.onnx --sounds sounds.npz \\
        --music FOLDER

First on GTZAN's clips of 30 s, whose genre is known: train clips classified by heads that did not
learn from their artist (five shuffles of the built-in recipe), valid clips by a head trained on
train alone. Then on whole tracks of real music, whose genre is not known: how often the result is
that of all windows.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs.fit_out_of_domain import fit as fit_out_of_domain
from runs.free_music import load as load_free_music
from runs.gtzan import tracks
from runs.recipe import Data, classes, fit_on
from runs.train_head import free_tracks, head_of, held_out_heads, read_sounds
from tonearm.audio import AUDIO_SUFFIXES
from tonearm.errors import DecodeError
from tonearm.files import find
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.model.head import Head
from tonearm.windows import rounds

Windows = NDArray[np.floating]
SHUFFLES = 5
MOST = (6, 8, 10)
# Windows in the middles of equal stretches, and a quarter of a stretch before and after: the choice
# of a clip's windows moves accuracy by a point.
SHIFTS = (-0.25, 0.0, 0.25)
SHORTEST_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """The result for one track; ``genre`` is -1 for unknown."""

    genre: int
    nearest: int
    confidence: float
    analysed: int


Way = Callable[[Head, Windows, float], Outcome]


def outcome_of(head: Head, windows: Windows, shift: float = 0.0) -> Outcome:
    """The result from these windows, wherever they lie."""
    decision = head.classify(windows)
    nearest = int(decision.probabilities.argmax())
    confidence = float(decision.probabilities[nearest])
    return Outcome(nearest if decision.known else -1, nearest, confidence, len(windows))


def middles(total: int, count: int, shift: float) -> NDArray[np.int64]:
    """Indices of ``count`` of ``total`` windows, in the middles of equal stretches or near."""
    places = np.floor((np.arange(count) + 0.5 + shift) * total / count).astype(np.int64)
    return np.minimum(places, total - 1)


def fixed(count: int) -> Way:
    """Always so many windows."""
    return lambda head, windows, shift: outcome_of(
        head, windows[middles(len(windows), count, shift)]
    )


def until(confidence: float, most: int, *, settled: bool) -> Way:
    """Two more at a time until so confident; with ``settled``, until `Head.is_confident`."""

    def way(head: Head, windows: Windows, shift: float) -> Outcome:
        places, have = middles(len(windows), most, shift), list[int]()
        for few in rounds(most):
            have += few
            analysed = windows[places[sorted(have)]]
            decision = head.classify(analysed)
            if settled:
                enough = head.is_confident(analysed, confidence=confidence)
            else:
                enough = decision.known and decision.probabilities.max() >= confidence
            if enough:
                break
        return outcome_of(head, analysed)

    return way


def ways() -> dict[str, Way]:
    """Every row of the tables."""
    rows: dict[str, Way] = {"all": outcome_of}
    rows |= {f"{count}": fixed(count) for count in (10, 8, 6, 4, 2, 1)}
    for most, confidence in product(MOST, (0.7, 0.8, 0.9)):
        name = f"2 to {most}, until {confidence}"
        rows[name] = until(confidence, most, settled=False)
        rows[f"{name} and settled"] = until(confidence, most, settled=True)
    return rows


def on_gtzan(data: Data, heads: list[tuple[int, NDArray[np.int64], Head]], alone: Head) -> None:
    """Accuracy on train by held-out artists, and on valid."""
    clips = list(data.train)
    truth, valid = classes(clips), classes(list(data.valid))
    print("| windows | analysed, mean | train, by artist | confidence | valid, analysed | valid |")
    print("|---|---|---|---|---|---|")
    for name, way in ways().items():
        shape = (SHUFFLES, len(SHIFTS), len(clips))
        right, analysed, confidence = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        for (shuffle, outside, head), (k, shift) in product(heads, enumerate(SHIFTS)):
            for i in outside:
                outcome = way(head, data.train[clips[i]], shift)
                right[shuffle, k, i] = outcome.nearest == truth[i]
                analysed[shuffle, k, i] = outcome.analysed
                confidence[shuffle, k, i] = outcome.confidence
        outcomes = [[way(alone, windows, s) for s in SHIFTS] for windows in data.valid.values()]
        hits = np.mean(
            [o.nearest == t for row, t in zip(outcomes, valid, strict=True) for o in row]
        )
        print(
            f"| {name} | {analysed.mean():.2f} | {right.mean():.3f} ± "
            f"{right.mean(axis=(1, 2)).std():.3f} | {confidence.mean():.3f} "
            f"| {np.mean([o.analysed for row in outcomes for o in row]):.2f} | {hits:.3f} |",
            flush=True,
        )


def on_music(folder: Path) -> None:
    """Agreement with the result of all windows."""
    classifier = Classifier.load()
    head, whole = classifier.model.head, []
    for path in find([folder], suffixes=AUDIO_SUFFIXES, on_error=lambda *_: None):
        try:
            analysed = classifier.embed(path, count="all")
        except DecodeError:
            continue
        if analysed.duration_s >= SHORTEST_S:
            whole.append(analysed.values)
    truth = [outcome_of(head, windows) for windows in whole]
    unknown = np.array([outcome.genre < 0 for outcome in truth])
    print(f"\n{len(whole)} tracks, {unknown.sum()} of them unknown from all windows\n")
    print(
        "| windows | analysed, mean | same result | same result, unknown ones |\n|---|---|---|---|"
    )
    for name, way in ways().items():
        outcomes = [[way(head, windows, shift) for shift in SHIFTS] for windows in whole]
        same = np.array(
            [[o.genre == t.genre for o in row] for row, t in zip(outcomes, truth, strict=True)]
        )
        print(
            f"| {name} | {np.mean([o.analysed for row in outcomes for o in row]):.2f} "
            f"| {same.mean():.3f} "
            f"| {same[unknown].mean():.3f} |"
        )


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, default=os.environ.get("TONEARM_GTZAN"))
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--free", type=Path, required=True)
    parser.add_argument("--music", type=Path)
    args = parser.parse_args()
    data = Data(args.gtzan, args.backbone.read_bytes(), load_free_music(args.free))
    learnt = tracks(data.train, data.groups)
    detector = fit_out_of_domain(learnt, read_sounds(args.sounds), other=free_tracks(data))
    shipped = model_file.load().head
    texture = shipped.texture.calibration if shipped.texture else shipped.calibration
    mixture = (shipped.calibration, texture)
    heads = [
        (shuffle, outside, head)
        for shuffle in range(SHUFFLES)
        for outside, head in held_out_heads(data, seed=shuffle, mixture=mixture, detector=detector)
    ]
    fitted = fit_on(data, list(data.train), hidden=set(), valid=False)
    alone = head_of(fitted, mixture, detector)
    on_gtzan(data, heads, alone)
    if args.music:
        on_music(args.music)


if __name__ == "__main__":
    main()
