"""What the shipped model calls unknown: the tables of the model card, as Markdown.

    python -m runs.measure_unknown --gtzan DIR --sounds sounds.npz --music DIR --effects DIR

Both folders may be given several times; the list is ``runs/real_music.tsv`` by default.

``sounds.npz`` is what ``runs/other_sounds.py`` wrote. The list names real recordings, one
collection a line, by tabs: ``folder`` (a pattern below one of the folders given), ``label`` (a
genre; ``none`` for music of none of them; nothing where there is no reference; ``effects`` or
``voices``), ``source`` of the label, and ``without``: words that leave a path out. Recordings are
analysed through the public API, 30 of a collection, spread evenly over the sorted names.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs import sounds
from runs.fit_out_of_domain import Sounds
from runs.fit_out_of_domain import fit as fit_out_of_domain
from runs.gtzan import Taggrams, read_groups, read_split, read_taggrams, tracks
from runs.train_head import read_sounds
from tonearm import Classifier
from tonearm.audio import AUDIO_SUFFIXES, decode, open_audio
from tonearm.errors import DecodeError
from tonearm.files import find
from tonearm.genres import BUILTIN_GENRES
from tonearm.model.out_of_domain import OutOfDomainDetector, log_odds

# Not 0, which was learnt from, nor 1, by which the method was chosen.
NEW_SEED = 7
NEW_PER_KIND = 4
MOST_FILES = 30
SHORTEST_EFFECT_S, SHORTEST_MUSIC_S = 1.0, 20.0
NO_MUSIC = ("effects", "voices")


@dataclass(frozen=True)
class Collection:
    """A line of the list."""

    folder: str
    label: str
    source: str
    without: tuple[str, ...]

    @property
    def shortest_s(self) -> float:
        """Jingles are too short to classify; effects are short by nature."""
        return SHORTEST_EFFECT_S if self.label in NO_MUSIC else SHORTEST_MUSIC_S

    def paths(self, roots: Iterable[Path]) -> list[Path]:
        """Its audio files long enough, at most ``MOST_FILES``, spread over their names."""
        places = [place for root in roots for place in sorted(root.glob(self.folder))]
        found = sorted(set(find(places, suffixes=AUDIO_SUFFIXES, on_error=_complain)))
        wanted = [p for p in found if not any(word in str(p) for word in self.without)]
        wanted = [p for p in wanted if _duration_s(p) >= self.shortest_s]
        if len(wanted) <= MOST_FILES:
            return wanted
        spread = np.linspace(0, len(wanted) - 1, MOST_FILES).round().astype(int)
        return [wanted[i] for i in spread]


@dataclass(frozen=True)
class Answer:
    """What was said of one recording."""

    known: bool
    nearest: str


def some(windows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """``count`` windows spread evenly over a clip; 0 is all of them."""
    if count == 0:
        return windows
    places = np.linspace(0, len(windows) - 1, count) if count > 1 else [len(windows) // 2]
    return windows[np.round(places).astype(int)]


def read_list(path: Path) -> list[Collection]:
    """Collections of a list."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [
        Collection(row["folder"], row["label"], row["source"], tuple(row["without"].split()))
        for row in rows
    ]


def analyse(classifier: Classifier, path: Path) -> Answer | None:
    """The answer about a file; None if it is damaged."""
    try:
        # Frets on Fire keeps the guitar in a file of its own.
        guitar = path.with_name("guitar.ogg")
        if path.name == "song.ogg" and guitar.is_file():
            song, part = decode(path), decode(guitar)
            length = min(len(song.samples), len(part.samples))
            mix = song.samples[:length] + part.samples[:length]
            embeddings = classifier.embed(mix, song.sample_rate_hz)
        else:
            embeddings = classifier.embed(path)
    except DecodeError as error:
        print(error, file=sys.stderr)
        return None
    answer = classifier.classify(embeddings)
    return Answer(answer.genre is not None, answer.nearest)


def unknown(detector: OutOfDomainDetector, windows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each window [n, d], by itself, is called unknown: [n]."""
    return detector.excess(log_odds(windows), 1) > 0


def family_rows(
    classifier: Classifier, music: Taggrams, groups: dict[str, str], embeddings: Sounds
) -> Iterator[tuple[object, ...]]:
    """Each family: left out of a refit, and as shipped in sounds of another seed."""
    shares, totals = [], np.zeros(2, dtype=int)
    family_of = np.array([sounds.FAMILY_OF[kind] for kind in embeddings.kinds])
    for family, makers in sounds.FAMILIES.items():
        own = family_of == family
        left = Sounds(embeddings.windows[~own], embeddings.kinds[~own], embeddings.tunes)
        alone = float(
            unknown(fit_out_of_domain(tracks(music, groups), left), embeddings.windows[own]).mean()
        )
        new = [
            classifier.predict(sound.samples, sounds.SAMPLE_RATE_HZ).genre is None
            for sound in sounds.make(seed=NEW_SEED, per_kind=NEW_PER_KIND, kinds=makers)
        ]
        shares.append(alone)
        totals += (sum(new), len(new))
        yield family, len(makers), int(own.sum()), f"{alone:.3f}", f"{sum(new)} of {len(new)}"
        print(f"{family}: {len(new)} sounds", file=sys.stderr, flush=True)
    kinds, mean = len(sounds.FAMILY_OF), f"{np.mean(shares):.3f}"
    yield "all (mean)", kinds, len(own), mean, f"{totals[0]} of {totals[1]}"


def valid_rows(
    classifier: Classifier, valid: Taggrams, blind: OutOfDomainDetector
) -> Iterator[tuple[object, ...]]:
    """GTZAN's valid clips called unknown, by their tags: as shipped; learnt from train alone."""
    for count in (0, 6, 3, 1):
        clips = [some(windows, count) for windows in valid.values()]
        shipped = sum(classifier.classify(windows).genre is None for windows in clips)
        means = [(log_odds(windows).mean(axis=0), len(windows)) for windows in clips]
        alone = sum(bool(blind.excess(mean[None], n)[0] > 0) for mean, n in means)
        yield count or "all 28", f"{shipped} of {len(clips)}", f"{alone} of {len(clips)}"


def plain_row(collection: Collection, answers: list[Answer]) -> tuple[object, ...]:
    """A collection that is not music."""
    count, rejected = len(answers), sum(not answer.known for answer in answers)
    return collection.label, collection.folder, count, rejected, f"{rejected / count:.2f}"


def music_row(collection: Collection, answers: list[Answer]) -> tuple[object, ...]:
    """A collection of music, with the genres of its recordings."""
    known = [answer for answer in answers if answer.known]
    rejected = len(answers) - len(known)
    right = sum(answer.nearest == collection.label for answer in known)
    nearest = sum(answer.nearest == collection.label for answer in answers)
    labelled, taken = (
        collection.label in BUILTIN_GENRES,
        Counter(answer.nearest for answer in known),
    )
    return (
        collection.folder,
        collection.label or "-",
        collection.source,
        len(answers),
        rejected,
        f"{right} of {len(known)}" if labelled else "-",
        f"{nearest} of {len(answers)}" if labelled else "-",
        ", ".join(f"{genre} {n}" for genre, n in taken.most_common()) or "-",
    )


def table(columns: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Print a Markdown table; columns are divided by bars."""
    names = columns.split("|")
    print(f"\n| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def report_recordings(
    classifier: Classifier, collections: list[Collection], *, music: list[Path], effects: list[Path]
) -> None:
    """Analyse everything in the folders, and print it: other sounds, then music."""
    plain_rows, music_rows = [], []
    pooled: dict[str, list[Answer]] = {label: [] for label in NO_MUSIC}
    for collection in collections:
        plain = collection.label in NO_MUSIC
        paths = collection.paths(effects if plain else music)
        answers = [answer for path in paths if (answer := analyse(classifier, path)) is not None]
        print(f"{collection.folder}: {len(answers)} files", file=sys.stderr, flush=True)
        if answers and plain:
            plain_rows.append(plain_row(collection, answers))
            pooled[collection.label] += answers
        elif answers:
            music_rows.append(music_row(collection, answers))
    for label, answers in pooled.items():
        if answers:
            plain_rows.append(plain_row(Collection("all", label, "", ()), answers))
    table("what|folder|files|unknown|share", plain_rows)
    columns = "folder|label|source|files|unknown|right of the known|nearest right|known as"
    table(columns, music_rows)


def _duration_s(path: Path) -> float:
    """Length of a file; 0 with a complaint if it cannot be read."""
    try:
        with open_audio(path) as reader:
            return reader.info.samples / reader.info.sample_rate_hz
    except DecodeError as error:
        print(error, file=sys.stderr)
        return 0.0


def _complain(path: Path, error: OSError) -> None:
    print(f"{path}: {error}", file=sys.stderr)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, default=os.environ.get("TONEARM_GTZAN"))
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--list", type=Path, default=Path(__file__).with_name("real_music.tsv"))
    parser.add_argument("--music", type=Path, action="append", default=[])
    parser.add_argument("--effects", type=Path, action="append", default=[])
    args = parser.parse_args()
    classifier, made = Classifier.load(), read_sounds(args.sounds)
    train = read_taggrams(args.gtzan / "taggram_msd_train.npz", "tags")
    dev = read_taggrams(args.gtzan / "taggram_audio_dev.npz", "msd")
    split = read_split(args.gtzan, "valid")
    valid = {clip: windows for clip, windows in dev.items() if clip in split}
    groups = read_groups(args.gtzan, {*train, *split})

    table(
        "windows|shipped|learnt from train alone",
        valid_rows(classifier, valid, fit_out_of_domain(tracks(train, groups), made)),
    )
    table(
        "family|kinds|windows|family left out: windows unknown|new seed: clips unknown",
        family_rows(classifier, train | valid, groups, made),
    )
    collections = read_list(args.list)
    report_recordings(classifier, collections, music=args.music, effects=args.effects)


if __name__ == "__main__":
    main()
