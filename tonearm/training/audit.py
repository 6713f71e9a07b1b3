"""What is wrong with a data set: wrong labels, copies, genres by one artist, crossing artists.

A label is doubted by models fitted without its artist: heads are fitted on four fifths of the
groups and asked about the rest, with three draws of the folds, and the probabilities are averaged.
Where too little of a genre is left without an artist, its tracks are held out one by one
(``hold_out.py``).
Tracks whose label is not the answer are ranked by the margin: how much less probable the label is
than the answer. Their nearest neighbours by other artists say what they sound like.

Must not read audio.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.data import groups, splits
from tonearm.data.index import Index
from tonearm.data.splits import Split
from tonearm.faults import Faults
from tonearm.training import custom_genres, hold_out
from tonearm.training.custom_genres import EmbeddedTracks
from tonearm.training.head_fit import Tracks

SCHEMA = 1
DRAWS = 3
NEIGHBOURS = 3
NOTHING_CHECKED = (
    "No label was checked: every genre has a single artist or group, or too few tracks."
)

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbour:
    """A track by another artist that sounds alike: 1 the same, 0 nothing in common."""

    name: str
    genre: str
    similarity: float


@dataclass(frozen=True)
class Suspect:
    """A track whose label contradicts its sound.

    Parameters
    ----------
    name, genre : str
        The track, and its label.
    answer : str
        The genre that models fitted without its artist give it.
    probability : float
        Of the answer.
    probability_of_label : float
    neighbours : tuple of Neighbour
        The nearest tracks by other artists.
    one_by_one : bool
        Whether only the track was held out, since its genre is hardly by anyone else.
    """

    name: str
    genre: str
    answer: str
    probability: float
    probability_of_label: float
    neighbours: tuple[Neighbour, ...]
    one_by_one: bool = False


@dataclass(frozen=True)
class Copies:
    """One recording in several files.

    Parameters
    ----------
    kept : str
        The whole, or the first.
    copies : tuple of str
        The others.
    genres : tuple of str
        All labels that they have; several contradict each other.
    """

    kept: str
    copies: tuple[str, ...]
    genres: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """All that was found.

    Parameters
    ----------
    folder : str
        The data set, as it was named.
    genres : dict of str to int
        Tracks of each genre.
    artists : int
        Groups of which the artist is known.
    unknown_artist : int
        Tracks without one.
    suspects : tuple of Suspect
        Most doubtful first.
    measured : int
        Tracks that were classified; 0 where too few artists made that impossible.
    agreement : float or None
        Fraction of these whose label is the answer.
    copies : tuple of Copies
    lonely : dict of str to str
        Genres of one group alone, with it.
    dominated : dict of str to (str, int)
        Genres of one group but for a few tracks: that group, and how many are by others.
    one_by_one : dict of str to int
        Tracks of each genre that were held out without their artist.
    unchecked : dict of str to int
        Genres with too few tracks to be asked about, and how many these are.
    split : str or None
        The split that was looked at.
    crossing : dict of str to dict
        Groups in several subsets of the split: a track of each subset.
    failed, damaged : Faults
        Files that are left out (unreadable, silent, too short), and files with damage.
    """

    folder: str
    genres: Mapping[str, int]
    artists: int
    unknown_artist: int
    suspects: tuple[Suspect, ...]
    measured: int
    agreement: float | None
    copies: tuple[Copies, ...]
    lonely: Mapping[str, str]
    dominated: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    one_by_one: Mapping[str, int] = field(default_factory=dict)
    unchecked: Mapping[str, int] = field(default_factory=dict)
    split: str | None = None
    crossing: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: Faults = field(default_factory=Faults)
    damaged: Faults = field(default_factory=Faults)

    @property
    def across(self) -> tuple[Copies, ...]:
        """Copies that have several genres: their labels contradict each other."""
        return tuple(found for found in self.copies if len(found.genres) > 1)

    @property
    def held_out(self) -> str:
        """What the heads that were asked about a track had not learnt from, in words."""
        if not self.artists:
            words = "songs of one artist may have influenced each other's predictions"
            return f"no artist is known: {words}"
        if self.unknown_artist:
            return f"artists held out where known, unknown for {self.unknown_artist}"
        return "artists held out"

    @property
    def notes(self) -> list[str]:
        """Sentences about genres by one artist, and about labels not asked in the usual way."""
        said = [
            f"{genre} has a single artist ({groups.shown(group)}): its accuracy cannot be "
            "measured, and its labels were not checked"
            for genre, group in self.lonely.items()
        ]
        for genre, (group, others) in self.dominated.items():
            text = (
                f"{genre} is by one artist ({groups.shown(group)}) but for {others} of its "
                f"{self.genres[genre]} tracks: its accuracy cannot be measured"
            )
            if genre in self.one_by_one:
                text += (
                    "; the artist's tracks were held out one by one, so they may have influenced "
                    "each other"
                )
            said.append(text)
        said += [
            f"{genre} was not checked: {n} tracks are too few to learn it without one of them"
            for genre, n in self.unchecked.items()
            if genre not in self.lonely
        ]
        return said

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "schema": SCHEMA,
            "data": self.folder,
            "tracks": sum(self.genres.values()),
            "genres": dict(self.genres),
            "artists": self.artists,
            "artist_unknown": self.unknown_artist,
            "measured": self.measured,
            "agreement": self.agreement,
            "suspects": [
                {**vars(each), "neighbours": [vars(near) for near in each.neighbours]}
                for each in self.suspects
            ],
            "copies": [
                {"kept": each.kept, "copies": list(each.copies), "genres": list(each.genres)}
                for each in self.copies
            ],
            "one_artist_genres": dict(self.lonely),
            "nearly_one_artist_genres": {
                genre: {"group": group, "other_tracks": others}
                for genre, (group, others) in self.dominated.items()
            },
            "held_out_one_by_one": dict(self.one_by_one),
            "unchecked_genres": dict(self.unchecked),
            "split": self.split,
            "artists_on_both_sides": {name: dict(where) for name, where in self.crossing.items()},
            "failed": self.failed.to_dicts(),
            "damaged": self.damaged.to_dicts(),
        }


def audit(
    folder: str,
    found: EmbeddedTracks,
    *,
    names: Sequence[str] | None,
    split: Split | None = None,
    failed: Faults | None = None,
    damaged: Faults | None = None,
    seed: int = 0,
) -> Audit:
    """Look at a data set.

    Parameters
    ----------
    folder : str
        Its name, for the report.
    found : EmbeddedTracks
        All of its tracks, copies as well.
    names : sequence of str or None
        What each number of an embedding means.
    split : Split or None
        Whose subsets are checked for artists on both sides.
    failed, damaged : Faults or None
        Files that are left out, and files with damage.
    seed : int
        Of the first draw of folds.
    """
    tracks = found.index.tracks
    # Labels are measured on each recording once: a copy in training would answer for the other.
    once = found.once()
    measured, probabilities = held_out(once.tracks, names=names, seed=seed)
    # Sorted, as `cross_validate` sorts the columns of its probabilities.
    labels = tuple(sorted(set(once.tracks.labels)))
    doubted = suspects(once, labels, measured, probabilities)
    every = [track.genre for track in tracks], [track.group for track in tracks]
    how = hold_out.units(once.tracks.labels, once.tracks.groups)
    one_by_one = (
        label for label, alone in zip(once.tracks.labels, how.one_by_one, strict=True) if alone
    )
    unknown = groups.without_artist(track.group for track in tracks).total()
    return Audit(
        folder=folder,
        genres=dict(sorted(Counter(every[0]).items())),
        # Groups by folder or by track are no artists, and are counted as unknown.
        artists=len({track.group for track in tracks if track.group.startswith("artist:")}),
        unknown_artist=unknown,
        suspects=doubted,
        measured=int(measured.sum()),
        agreement=1 - len(doubted) / int(measured.sum()) if measured.any() else None,
        copies=copies_of(found.index),
        lonely=groups.lonely_genres(*every),
        dominated=hold_out.dominated(*every),
        one_by_one=Counter(one_by_one),
        unchecked=how.unchecked,
        split=split.name if split else None,
        crossing=splits.crossing(split, found.index) if split else {},
        failed=failed or Faults(),
        damaged=damaged or Faults(),
    )


def held_out(
    tracks: Tracks, *, names: Sequence[str] | None, seed: int = 0, draws: int = DRAWS
) -> tuple[NDArray[np.bool_], Float64]:
    """Which tracks were classified [n], and their mean held-out probabilities [n, k].

    Parameters
    ----------
    tracks : Tracks
        Each recording once.
    names : sequence of str or None
        What each number of an embedding means.
    seed : int
        Of the first draw of folds.
    draws : int
        How often folds are drawn: which artists are learnt from together moves an answer.
    """
    labels = sorted(set(tracks.labels))
    how = hold_out.units(tracks.labels, tracks.groups)
    tracks = replace(tracks, groups=how.groups)
    measured = np.zeros(len(tracks.labels), dtype=bool)
    total = np.zeros((len(tracks.labels), len(labels)))
    if len(labels) < 2 or not custom_genres.folds_for(tracks.labels, tracks.groups):
        return measured, total
    for draw in range(draws):
        # Each draw measures the same tracks: which ones can be measured depends on groups alone.
        trial = custom_genres.cross_validate(tracks, names=names, seed=seed + draw)
        places = list(trial.places)
        measured[places] = True
        total[places] += trial.probabilities
    # Rows that were never measured stay 0; `measured` says which.
    return measured, total / draws


def suspects(
    found: EmbeddedTracks,
    labels: Sequence[str],
    measured: NDArray[np.bool_],
    probabilities: Float64,
) -> tuple[Suspect, ...]:
    """Tracks whose label is not the answer, the widest margin first.

    Parameters
    ----------
    found : EmbeddedTracks
        The tracks that were classified, in that order.
    labels : sequence of str [k]
        What the columns of the probabilities mean.
    measured, probabilities : bool [n], float64 [n, k]
        From :func:`held_out`.
    """
    truth = np.array([labels.index(label) for label in found.tracks.labels])
    margins = margin(probabilities, truth)
    doubted = np.flatnonzero(measured & (margins < 0))
    # Of all pairs at once: 10,000 tracks make 800 MB, and a data set to audit is rarely larger.
    alike = similarities(found.tracks)
    alone = hold_out.units(found.tracks.labels, found.tracks.groups).one_by_one
    order = doubted[np.argsort(margins[doubted], kind="stable")]
    made = []
    for i in order:
        answer = int(probabilities[i].argmax())
        made.append(
            Suspect(
                found.index.tracks[i].name,
                found.tracks.labels[i],
                labels[answer],
                round(float(probabilities[i, answer]), 4),
                round(float(probabilities[i, truth[i]]), 4),
                _neighbours(found, alike[i], int(i)),
                alone[i],
            )
        )
    return tuple(made)


def margin(probabilities: Float64, truth: NDArray[np.int64]) -> Float64:
    """How much more probable each label is than the likeliest other genre, [n]; negative: less.

    Parameters
    ----------
    probabilities : float64 [n, k]
        Of the genres, a row a track.
    truth : int64 [n]
        The labels' places.
    """
    rows = np.arange(len(truth))
    others = probabilities.copy()
    # Below every probability, so that the label itself is not among the others.
    others[rows, truth] = -1
    return np.asarray(probabilities[rows, truth] - others.max(axis=1))


def similarities(tracks: Tracks) -> Float64:
    """Similarity of each pair of tracks [n, n]: cosine between centred roots of mean embeddings.

    The measure of `tonearm similar`, which says why (``library/similar.py``).
    """
    roots = np.stack([np.sqrt(np.maximum(each.mean(axis=0), 0)) for each in tracks.windows])
    # Without this all music is alike: some tags are likely in every track.
    centred = roots - roots.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-9
    return np.asarray(centred @ centred.T, dtype=np.float64)


def _neighbours(found: EmbeddedTracks, alike: Float64, own: int) -> tuple[Neighbour, ...]:
    others = [
        int(i)
        for i in np.argsort(-alike, kind="stable")
        # Songs of one artist resemble each other and have one label, right or wrong.
        if found.tracks.groups[i] != found.tracks.groups[own]
    ]
    return tuple(
        Neighbour(found.index.tracks[i].name, found.tracks.labels[i], round(float(alike[i]), 3))
        for i in others[:NEIGHBOURS]
    )


def copies_of(index: Index) -> tuple[Copies, ...]:
    """Recordings in several files; those with several genres first.

    Parameters
    ----------
    index : Index
        Of all tracks, copies as well.
    """
    # By the file that is kept, which has no `copy_of` itself.
    recordings: dict[str, list[str]] = defaultdict(list)
    by_name = index.by_name()
    for track in index.tracks:
        if track.copy_of:
            recordings[track.copy_of].append(track.name)
    found = [
        Copies(
            kept,
            tuple(names),
            tuple(dict.fromkeys(by_name[name].genre for name in (kept, *names))),
        )
        for kept, names in recordings.items()
    ]
    return tuple(sorted(found, key=lambda each: (-len(each.genres), each.kept)))
