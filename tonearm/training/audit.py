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
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tonearm.data import groups, splits
from tonearm.data.index import Index
from tonearm.data.splits import Split
from tonearm.faults import Faults
from tonearm.training import custom_genres, hold_out
from tonearm.training.audit_results import Audit, Copies, Neighbour, Suspect
from tonearm.training.custom_genres import EmbeddedTracks
from tonearm.training.head_fit import Tracks

DRAWS = 3
NEIGHBOURS = 3

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """Answers about tracks by heads that had not learnt from them or their artist.

    Parameters
    ----------
    labels : tuple of str [k]
        Genres, sorted, as `cross_validate` sorts the columns of its probabilities.
    measured : bool [n]
        Which tracks were classified.
    probabilities : float64 [n, k]
        Mean over the draws; 0 in rows that were not measured.
    how : Units
        What was held out with each track.
    """

    labels: tuple[str, ...]
    measured: NDArray[np.bool_]
    probabilities: Float64
    how: hold_out.Units


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
    asked = held_out(once.tracks, names=names, seed=seed)
    doubted = suspects(once, asked)
    measured = int(asked.measured.sum())
    every = [track.genre for track in tracks], [track.group for track in tracks]
    one_by_one = (
        label
        for label, alone in zip(once.tracks.labels, asked.how.one_by_one, strict=True)
        if alone
    )
    unknown = groups.without_artist(track.group for track in tracks).total()
    return Audit(
        folder=folder,
        genres=dict(sorted(Counter(every[0]).items())),
        # Groups by folder or by track are no artists, and are counted as unknown.
        artists=len({track.group for track in tracks if track.group.startswith("artist:")}),
        unknown_artist=unknown,
        suspects=doubted,
        measured=measured,
        agreement=1 - len(doubted) / measured if measured else None,
        copies=copies_of(found.index),
        lonely=groups.lonely_genres(*every),
        dominated=hold_out.dominated(*every),
        one_by_one=Counter(one_by_one),
        unchecked=asked.how.unchecked,
        split=split.name if split else None,
        crossing=splits.crossing(split, found.index) if split else {},
        failed=failed or Faults(),
        damaged=damaged or Faults(),
    )


def held_out(
    tracks: Tracks, *, names: Sequence[str] | None, seed: int = 0, draws: int = DRAWS
) -> HeldOut:
    """Classify tracks by heads that were fitted without their artists.

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
    labels = tuple(sorted(set(tracks.labels)))
    how = hold_out.units(tracks.labels, tracks.groups)
    tracks = replace(tracks, groups=how.groups)
    measured = np.zeros(len(tracks.labels), dtype=bool)
    total = np.zeros((len(tracks.labels), len(labels)))
    if len(labels) < 2 or not custom_genres.folds_for(tracks.labels, tracks.groups):
        return HeldOut(labels, measured, total, how)
    for draw in range(draws):
        # Each draw measures the same tracks: which ones can be measured depends on groups alone.
        trial = custom_genres.cross_validate(tracks, names=names, seed=seed + draw)
        places = list(trial.places)
        measured[places] = True
        total[places] += trial.probabilities
    return HeldOut(labels, measured, total / draws, how)


def suspects(found: EmbeddedTracks, asked: HeldOut) -> tuple[Suspect, ...]:
    """Tracks whose label is not the answer, the widest margin first.

    Parameters
    ----------
    found : EmbeddedTracks
        The tracks that were asked about, in that order.
    asked : HeldOut
        From :func:`held_out`.
    """
    labels, probabilities = asked.labels, asked.probabilities
    truth = np.array([labels.index(label) for label in found.tracks.labels])
    margins = margin(probabilities, truth)
    doubted = np.flatnonzero(asked.measured & (margins < 0))
    # Of all pairs at once: 10,000 tracks make 800 MB, and a data set to audit is rarely larger.
    alike = similarities(found.tracks)
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
                asked.how.one_by_one[i],
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

    Parameters
    ----------
    tracks : Tracks
        Embeddings of each track, n of them.
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
