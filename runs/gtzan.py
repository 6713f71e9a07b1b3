"""Reading the research copy of GTZAN that the head is made from: tags, artists, splits.

The folder (``--gtzan``, or ``TONEARM_GTZAN``) holds ``taggram_msd_train.npz`` and
``taggram_audio_dev.npz`` (tag probabilities of windows), ``logmel_dev.npz`` (spectrograms without
their scale), ``artists.tsv``, ``splits/*.txt``, ``audio/GENRE/*.flac``. GTZAN's clips carry no
licence: nothing of them goes into the repository.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.data import groups
from tonearm.data.groups import plain_artist
from tonearm.training.head_fit import Tracks

Taggrams = dict[str, NDArray[np.float32]]


def genre_of(clip: str) -> str:
    """``blues`` of ``blues.00029``."""
    return clip.partition(".")[0]


def read_split(root: Path, name: str) -> list[str]:
    """Clips of ``train``, ``valid``, ``test`` or ``excluded``."""
    return (root / "splits" / f"{name}.txt").read_text().split()


def read_taggrams(path: Path, key: str) -> Taggrams:
    """Windows [n, 50] of each clip."""
    with np.load(path) as file:
        names, windows = file["name"], file[key]
    return {str(clip): windows[names == clip] for clip in dict.fromkeys(names)}


def read_groups(root: Path, clips: Iterable[str]) -> dict[str, str]:
    """Group of each clip: its artist, spellings and joint credits merged; else itself."""
    artists = groups.read_artists(root / "artists.tsv")
    names = {clip: plain_artist(artists.get(clip, "")) or f"unknown {clip}" for clip in clips}
    same = _merged(sorted(set(names.values())))
    return {clip: same[name] for clip, name in names.items()}


def read_release_genres(root: Path) -> dict[str, str]:
    """What a store calls the genre of each clip that it knows; "" where it does not say."""
    with open(root / "release_genres.tsv", newline="", encoding="utf-8") as file:
        return {row["clip"]: row["release_genre"] for row in csv.DictReader(file, delimiter="\t")}


def tracks(taggrams: Mapping[str, NDArray[np.float32]], groups: Mapping[str, str]) -> Tracks:
    """The clips as something to fit a head on."""
    clips = list(taggrams)
    return Tracks(
        [taggrams[clip] for clip in clips],
        [genre_of(clip) for clip in clips],
        [groups[clip] for clip in clips],
    )


def _merged(names: list[str]) -> dict[str, str]:
    """One name for all that credit each other: A, B, and "A and B" become one group."""
    parent = {name: name for name in names}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for credit in names:
        for artist in names:
            # Short or single words (Queen, War) also stand inside the names of others.
            if artist == credit or len(artist) < 6 or " " not in artist:
                continue
            if re.search(rf"\b{re.escape(artist)}\b", credit):
                parent[root(credit)] = root(artist)
    return {name: root(name) for name in names}
