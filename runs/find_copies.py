"""How well copies are found: 40 made by code, pairs of different music, and GTZAN's known repeats.

    python -m runs.find_copies --gtzan FOLDER --music FOLDER [--emotify FOLDER]

Prints three tables. The first is of copies made by code from GTZAN's audio and from free music
(offset, encoding, level, speed, part of a long file), found by fingerprint among all of these
pieces, with the fraction of bits that differ; and the lowest fraction of a pair of different
pieces. The second is of clips that exist only as arrays: the correlation of copies made by code and
of clips of different collections, between which the threshold lies. The third is what that
threshold finds among GTZAN's 710 clips. The last line times 10,000 tracks.

GTZAN's exact repeats are those that Sturm published ("An Analysis of the GTZAN Music Genre
Dataset", 2012, table 1, and "The GTZAN dataset", 2013).
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runs import array_copies
from runs.arrays import ARRAY_SPEC
from runs.generated_copies import Samples, encoded, made_of, read
from tonearm.audio import resample
from tonearm.data import copies
from tonearm.features import GTZAN_SPEC, mel_power, power_to_db

RATE_HZ = 22_050
COPIES = 40
REPEATS = {
    "disco": "50,51,70 55,60,89 71,74 98,99",
    "hiphop": "39,45 76,78",
    "jazz": "33,51 34,53 35,55 36,58 37,60 38,62 39,65 40,67 42,68 43,69 44,70 45,71 46,72",
    "metal": "4,13 34,94 40,61 41,62 42,63 43,64 44,65 45,66",
    "pop": "15,22 30,31 45,46 47,80 52,57 54,60 56,59 67,71 87,90",
    "reggae": "3,54 5,56 8,57 10,60 13,58 41,69 73,74 80,81,82 75,91,92",
}
_ACROSS = ("metal.00058", "rock.00016")
_DECIBELS = np.float32(80 / 256)

Pair = tuple[str, str]


def known_repeats(names: set[str]) -> set[Pair]:
    """The published pairs of exact repeats whose clips are both there."""
    pairs = {_ACROSS}
    for genre, text in REPEATS.items():
        for repeat in text.split():
            clips = [f"{genre}.{int(number):05}" for number in repeat.split(",")]
            pairs |= set(combinations(clips, 2))
    return {pair for pair in pairs if set(pair) <= names}


def by_fingerprint(pieces: dict[str, tuple[Samples, int]], long: Samples) -> None:
    """Copies made by code among all pieces, and pairs of different pieces."""
    codes = {}
    made = {}
    for number, (name, (samples, rate_hz)) in enumerate(pieces.items()):
        whole = resample(samples, rate_hz, RATE_HZ)
        codes[name] = copies.fingerprint(whole, RATE_HZ)
        if number < COPIES:
            copy = made_of(whole, RATE_HZ, number=number, long=long)
            made[f"copy {number}"] = (name, copy)
            codes[f"copy {number}"] = copies.fingerprint(copy.samples, copy.rate_hz)
    # Two copies inside one long file hold the same long file: no error, and no task.
    hidden = {key for key, (_, copy) in made.items() if copy.kind == "long file"}
    pairs = {frozenset(p) for p in copies.find(codes) if not set(p) <= hidden}
    wanted = {frozenset((key, name)): copy for key, (name, copy) in made.items()}
    print("kind\tfound\tof\tbits that differ, worst")
    for kind in dict.fromkeys(copy.kind for copy in wanted.values()):
        own = {pair: copy for pair, copy in wanted.items() if copy.kind == kind}
        wrong = [copies.least_wrong({n: codes[n] for n in pair}) for pair in own]
        print(f"{kind}\t{len(pairs & set(own))}\t{len(own)}\t{max(wrong):.3f}")
        for pair, copy in own.items():
            if pair not in pairs:
                print(f"  missed: {copy.change} of {sorted(pair)[-1]}")
    plain = {name: codes[name] for name in pieces}
    n = len(plain)
    print(f"pairs of different pieces found\t{len(pairs - set(wanted))}\tof {n * (n - 1) // 2}")
    print(f"bits that differ, lowest of different pieces\t{copies.least_wrong(plain):.3f}")


def array_of(samples: Samples, rate_hz: int) -> NDArray[np.float32]:
    """Levels [frames, bands] of a clip as the research arrays hold them."""
    power = mel_power(resample(samples, rate_hz, RATE_HZ), GTZAN_SPEC)
    level = power_to_db(power, reference=1.0)
    frames = np.floor((np.arange(387) + 0.5) * 1_293 / 387.5).astype(int)
    kept = level[frames[frames < len(level)]]
    scaled = (kept - level.min()) / (level.max() - level.min()) * 256
    return np.clip(scaled, 0, 255).astype(np.uint8) * _DECIBELS


def copies_as_arrays(clips: dict[str, tuple[Samples, int]]) -> NDArray[np.float32]:
    """Correlations of GTZAN's clips with copies made by code, as arrays."""
    found = []
    for number, (samples, rate_hz) in enumerate(clips.values()):
        name = ("MP3 24 kbit/s", "Opus 24 kbit/s", "WMA 64 kbit/s")[number % 3]
        begin = round((1 + number % 12) * rate_hz) + 37 * number
        changed = encoded(samples[begin:], rate_hz, name)
        pair = [array_of(samples, rate_hz), array_of(*changed)]
        found.append(array_copies.correlations(pair, frame_s=ARRAY_SPEC.frame_s)[0, 1])
    return np.array(found)


def among_arrays(gtzan: Path, emotify: Path | None, made: NDArray[np.float32]) -> None:
    """The threshold for arrays, and what it finds among GTZAN's clips."""
    names, levels = _levels(gtzan / "logmel_dev.npz", "name")
    n = len(names)
    if emotify is not None:
        levels += _levels(emotify / "emotify_give.npz", "logmel_name")[1]
    begin = time.perf_counter()
    found = array_copies.correlations(levels, frame_s=ARRAY_SPEC.frame_s)
    took_s = time.perf_counter() - begin
    print("\narrays\tlowest\t5 %\tmedian\thighest\tabove the threshold")
    for what, values in (("copies", made), ("different collections", found[:n, n:].ravel())):
        if len(values):
            low, five, median, high = np.percentile(values, [0, 5, 50, 100])
            above = f"{(values > array_copies.ALIKE).sum()} of {len(values)}"
            print(f"{what}\t{low:.3f}\t{five:.3f}\t{median:.3f}\t{high:.3f}\t{above}")
    print(f"threshold\t{array_copies.ALIKE}\t({len(levels)} clips in {took_s:.0f} s)")
    known = known_repeats(set(names))
    own = found[:n, :n]
    pairs = {(names[i], names[j]) for i, j in np.argwhere(own > array_copies.ALIKE)}
    print(f"\nknown repeats among {n} clips\t{len(known & pairs)} of {len(known)} found")
    place = {name: i for i, name in enumerate(names)}
    for title, some in (("missed", known - pairs), ("found, but not known", pairs - known)):
        for one, other in sorted(some):
            print(f"  {title}: {one} {other} {own[place[one], place[other]]:.3f}")


def _levels(path: Path, key: str) -> tuple[list[str], list[NDArray[np.floating]]]:
    with np.load(path) as file:
        return list(map(str, file[key])), [levels.T * _DECIBELS for levels in file["logmel"]]


def time_many(pieces: dict[str, tuple[Samples, int]], *, tracks: int) -> None:
    """Seconds to find copies among so many tracks of 30 s.

    Tracks beyond the real ones are theirs with bits turned by a pattern of their own, so that they
    repeat themselves as music does, but are not copies.
    """
    rng = np.random.default_rng(0)
    real = [copies.fingerprint(samples, rate_hz) for samples, rate_hz in pieces.values()]
    codes = {}
    for number in range(tracks):
        base = real[number % len(real)]
        pattern = np.uint32(rng.integers(0, 2**32) if number >= len(real) else 0)
        codes[str(number)] = np.where(base == 0, 0, base ^ pattern)
    begin = time.perf_counter()
    pairs = copies.find(codes)
    hours = sum(each.shape[1] for each in codes.values()) * 0.032 / 3_600
    took_s = time.perf_counter() - begin
    print(f"\n{tracks} tracks, {hours:.0f} hours\t{took_s:.0f} s\t{len(pairs)} pairs")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gtzan", type=Path, required=True)
    parser.add_argument("--music", type=Path, required=True, help="a folder of other music")
    parser.add_argument("--emotify", type=Path, help="arrays of another collection")
    parser.add_argument("--tracks", type=int, default=10_000, help="how many to time")
    options = parser.parse_args()
    gtzan = {path.name: read(str(path)) for path in sorted(options.gtzan.glob("audio/*/*.flac"))}
    music = {path.name: read(str(path)) for path in _music(options.music)}
    # Half of the other music is copied, half is the long file that parts are hidden in.
    half = list(music)[1::2]
    long = np.concatenate([resample(*music[name], RATE_HZ) for name in half[:6]])
    others = {name: music[name] for name in list(music)[::2]}
    # In turns, so that both kinds of music are among the 40.
    ordered = [*list(gtzan.items())[::2][: COPIES - len(others)], *others.items()]
    pieces = dict(ordered) | gtzan
    by_fingerprint(pieces, long)
    among_arrays(options.gtzan, options.emotify, copies_as_arrays(gtzan))
    time_many(pieces, tracks=options.tracks)


def _music(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in {".mp3", ".ogg", ".flac"})


if __name__ == "__main__":
    main()
