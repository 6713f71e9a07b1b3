"""How often medleys of whole tracks are called a mix, and long pieces of one genre are not.

The tracks are those of the packages in ``real_music.tsv`` and any other folder of music, one
sub-folder an album or a package. Tracks are dealt into two halves; of each half, medleys of twelve
minutes are made of tracks that are confidently different genres by themselves, and pieces of 10 to
29 minutes of tracks of one folder that have one genre. Windows are put end to end, no audio is
joined. A logistic regression of the evidence of a mix is fitted on each half, and what it says of
the other half is printed for several thresholds. ``python -m runs.long_pieces FOLDER``

On music that no rule was chosen on, ``--check 16 --check 400`` tries the rule as it is alone.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runs.fit_out_of_domain import logistic
from tonearm import Classifier
from tonearm.audio import AUDIO_SUFFIXES
from tonearm.errors import DecodeError
from tonearm.model import mix
from tonearm.model.prediction import Prediction

HOP_S, MEDLEY_S, LEAST_S, MOST_S = 15.0, 720.0, 600.0, 1_740.0
CONFIDENT, WRITTEN, SHORTEST_S = 0.7, 0.6, 60.0
# Medleys of each of the rounds, in each half.
MEDLEYS, ROUNDS = 200, 4
# Log-odds from which a track is called a mix; pieces weigh three times as much as medleys.
THRESHOLDS = (-2.0, -1.5, -1.0, -0.5, 0.0)
PIECE_WEIGHT, RIDGE = 3.0, 0.1


@dataclass
class Track:
    """A whole track, or several end to end: windows every 15 s, and 30 s of texture or more."""

    folder: str
    values: np.ndarray
    starts_s: np.ndarray
    duration_s: float
    texture: np.ndarray | None
    genre: str | None = None
    confidence: float = 0.0


def embedded(classifier: Classifier, folder: Path) -> list[Track]:
    """Every track of a minute or more, with its genre."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES):
        try:
            few = classifier.embed(path, count=4)
            if few.duration_s < SHORTEST_S:
                continue
            all_ = classifier.embed(path, count=int(few.duration_s / HOP_S))
        except DecodeError:
            continue
        texture = all_.texture if all_.texture is not None else few.texture
        package = path.relative_to(folder).parts[0]
        found.append(Track(package, all_.values, all_.starts_s, all_.duration_s, texture))
    return found


def named(classifier: Classifier, track: Track) -> Prediction:
    """What all windows say together."""
    head = classifier.model.head
    output = head.classify(track.values, track.texture, duration_s=track.duration_s)
    return Prediction.of(head.labels, output.probabilities, known=output.known)


def joined(parts: list[tuple[Track, float]]) -> Track:
    """So many seconds of each track, end to end."""
    values, starts_s, textures, at_s = [], [], [], 0.0
    for track, seconds in parts:
        kept = track.starts_s < max(seconds - 3.0, track.starts_s[0] + 0.1)
        values.append(track.values[kept])
        starts_s.append(track.starts_s[kept] + at_s)
        textures += [] if track.texture is None else [track.texture[: 1 + int(seconds / 150)]]
        at_s += seconds
    texture = np.concatenate(textures) if textures else None
    first = parts[0][0].folder
    return Track(first, np.concatenate(values), np.concatenate(starts_s), at_s, texture)


def medley(sure: dict[str, list[Track]], rng: random.Random) -> Track:
    """Two to six blocks, neighbours of different genres."""
    blocks = rng.choice([2, 2, 3, 3, 4, 6])
    names: list[str] = []
    while len(names) < blocks:
        weights = [len(tracks) ** 0.5 for tracks in sure.values()]
        name = rng.choices(list(sure), weights)[0]
        names += [] if names and name == names[-1] else [name]
    cut_s = MEDLEY_S * rng.uniform(0.3, 0.7)
    lengths_s = [cut_s, MEDLEY_S - cut_s] if blocks == 2 else [MEDLEY_S / blocks] * blocks
    parts: list[tuple[Track, float]] = []
    for name, length_s in zip(names, lengths_s, strict=True):
        left_s = length_s
        while left_s > 0:
            track = rng.choice(sure[name])
            parts.append((track, min(track.duration_s, left_s)))
            left_s -= track.duration_s
    return joined(parts)


def pieces(tracks: list[Track], rng: random.Random) -> list[Track]:
    """Long tracks as they are; shorter ones of one folder and one genre end to end."""
    found = [track for track in tracks if LEAST_S <= track.duration_s <= MOST_S]
    alike: dict[tuple[str, str], list[Track]] = defaultdict(list)
    for track in tracks:
        if track.genre and track.duration_s < LEAST_S:
            alike[track.folder, track.genre].append(track)
    for same in alike.values():
        rng.shuffle(same)
        parts: list[tuple[Track, float]] = []
        wanted_s, length_s = rng.uniform(MEDLEY_S, MOST_S - LEAST_S), 0.0
        for i, track in enumerate(same):
            parts.append((track, track.duration_s))
            length_s += track.duration_s
            if length_s >= wanted_s or (i == len(same) - 1 and length_s >= LEAST_S):
                found.append(joined(parts))
                parts, length_s = [], 0.0
    return found


Made = list[tuple[Track, Prediction]]
Counts = tuple[int, int, int]


def times(classifier: Classifier, track: Track) -> dict[str, Any]:
    """When its windows begin, and how long they and the track are."""
    window_s = classifier.model.features.window_s
    return {"starts_s": track.starts_s, "duration_s": track.duration_s, "window_s": window_s}


def counts(classifier: Classifier, made: Made) -> Counts:
    """How many there are, are called a mix, and would be written as one genre."""
    head = classifier.model.head
    results = [
        mix.with_mix(prediction, head, track.values, **times(classifier, track))
        for track, prediction in made
    ]
    written = [each.genre is not None and each.confidence >= WRITTEN for each in results]
    return len(results), sum(each.mix is not None for each in results), sum(written)


def fitted(classifier: Classifier, medleys: Made, pieces: Made) -> tuple[Any, float]:
    """Weights of the evidence of a mix, and what is added to their sum."""
    head = classifier.model.head
    numbers = [
        mix.evidence(mix.divide(head, track.values, **times(classifier, track)), head.labels)
        for track, _ in medleys + pieces
    ]
    is_medley = np.repeat([1.0, 0.0], [len(medleys), len(pieces)])
    mass = np.where(is_medley == 1, 1.0, PIECE_WEIGHT)
    return logistic(np.array(numbers), is_medley, mass, ridge=RIDGE)


def main() -> None:
    """Print the counts by the rule as it is, and by those that are fitted on each half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--check", type=int, action="append", help="so many medleys of all tracks")
    args = parser.parse_args()
    classifier, rng = Classifier.load(), random.Random(1)
    tracks = embedded(classifier, args.folder)
    for track in tracks:
        prediction = named(classifier, track)
        track.genre, track.confidence = prediction.genre, prediction.confidence
    rng.shuffle(tracks)

    def made(some: list[Track], medleys: int) -> list[Made]:
        sure: dict[str, list[Track]] = defaultdict(list)
        for track in some:
            if track.genre and track.confidence >= CONFIDENT:
                sure[track.genre].append(track)
        mixed = [medley(sure, rng) for _ in range(medleys)]
        same = [piece for _ in range(ROUNDS) for piece in pieces(some, rng)]
        return [[(each, named(classifier, each)) for each in kind] for kind in (mixed, same)]

    if args.check:
        print(f"{len(tracks)} tracks; (medleys, mix, written), (pieces, mix, written)")
        for medleys in args.check:
            print(*(counts(classifier, kind) for kind in made(tracks, medleys)))
        return
    halves = [made(half, MEDLEYS * ROUNDS) for half in (tracks[::2], tracks[1::2])]
    print("(medleys, mix, written), (pieces, mix, written) of one half, then of the other")
    print("as it is", *(counts(classifier, kind) for half in halves for kind in half))
    for which, (own, other) in (("one half", halves), ("the other", halves[::-1])):
        weights, offset = fitted(classifier, *own)
        mix._WEIGHTS = tuple(weights)
        print(f"fitted on {which}: weights {np.round(weights, 2)}, offset {offset:.2f}")
        for threshold in THRESHOLDS:
            mix._LEAST_SCORE = threshold - offset
            print(f"  above {threshold}:", *(counts(classifier, kind) for kind in other))


if __name__ == "__main__":
    main()
