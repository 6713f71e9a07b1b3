"""What may make a figure better than it would be on new music.

Must not import torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tonearm.data import groups, splits
from tonearm.data.index import Track
from tonearm.data.splits import Split
from tonearm.errors import counted
from tonearm.training import learnt_sounds

FEW = 10  # fewer examples of a genre are few; `train library.sqlite` leaves it out then
_NAMED = 5  # names in a sentence; the rest are counted


@dataclass(frozen=True)
class Caveat:
    """What may make a figure better than it would be on new music.

    Parameters
    ----------
    kind : 'leak', 'caveat' or 'note'
        A leak is certain and large, a caveat is possible, a note is small.
    text : str
    """

    kind: Literal["leak", "caveat", "note"]
    text: str


def of_split(
    split: Split | None, *, crossing: Collection[str], tracks: Collection[Track]
) -> list[Caveat]:
    """What a split itself lets through.

    Parameters
    ----------
    split : Split or None
        None where every track is measured on.
    crossing : collection of str
        Groups that are in several of its subsets.
    tracks : collection of Track
        Those measured on.
    """
    its = [track.group for track in tracks]
    if split is None:
        # Whether the model learnt from them is asked of each model: `of_unsplit`.
        return of_artists(its, held_apart=False)
    if split.leaks:
        # A split that leaks is measured all the same, to show by how much: it must say so each
        # time.
        who = counted(
            len(crossing),
            "artist or track is in several subsets",
            "artists or tracks are in several subsets",
        )
        if not crossing:
            who = "the artists are unknown, so any of them may be in several subsets"
        text = (
            f"Split {split.name} leaks on purpose: {who}. Its accuracy is ten to thirty points "
            "too high, and must not be compared with that of a split that does not leak."
        )
        return [Caveat("leak", text)]
    if not crossing:
        return of_artists(its, held_apart=not splits.is_official(split))
    inside = sum(track.group in crossing for track in tracks)
    # The official split of GTZAN has two such artists: a note, since the list is not ours to mend.
    names = _some([name.removeprefix("artist:") for name in crossing])
    text = (
        f"Split {split.name} is an official list that has {names} in several subsets: {inside} of "
        f"the {counted(len(tracks), 'track')} measured here are theirs."
    )
    return [Caveat("note", text)]


def of_artists(
    its: Sequence[str],
    *,
    held_apart: bool = True,
    advice: str = "Give a table of artists to `tonearm prepare --artists`.",
) -> list[Caveat]:
    """What it means that only the folder of tracks is known, or not even that.

    Parameters
    ----------
    its : sequence of str
        Group of each track.
    held_apart : bool
        Whether what was learnt from is held apart by these groups, not by somebody's list.
    advice : str
        How artists are made known: a sentence.
    """
    unknown = groups.without_artist(its)
    if not unknown:
        return []
    # A folder is an album as a rule: its artist may be in another one too.
    folders = f", {unknown['folder']} of them grouped by their folder" if unknown["folder"] else ""
    text = f"Artist unknown for {unknown.total()} of {counted(len(its), 'track')}{folders}: "
    if not held_apart:
        text += "the interval by group counts each as a different artist, so it may be too narrow."
        return [Caveat("note", text)]
    text += (
        "songs of one artist may be in both training and test, so this accuracy may be too high. "
        f"{advice}"
    )
    return [Caveat("caveat", text)]


def of_new_genres(labels: Sequence[str], known: Collection[str]) -> list[Caveat]:
    """That the model before could not be right where its genres do not have the wanted one.

    Parameters
    ----------
    labels : sequence of str
        The genre of each correction.
    known : collection of str
        Genres of the model before.
    """
    new = [label for label in labels if label not in known]
    if not new:
        return []
    text = (
        f"{len(new)} of {counted(len(labels), 'correction')} name genres that the model did not "
        f"have before ({_some(sorted(set(new)))}), so its accuracy before counts them as mistakes."
    )
    few = [f"{name} {n}" for name, n in sorted(Counter(new).items()) if n < FEW]
    return [Caveat("note", text), *([_of_few(few)] if few else [])]


def _of_few(few: Sequence[str]) -> Caveat:
    """That a slip of typing, too, would become a genre."""
    text = (
        f"New genres with few corrections: {_some(few)}. Each becomes a genre of the model, even "
        f"if it is a slip of typing; {FEW} or more make it reliable."
    )
    return Caveat("caveat", text)


def of_lonely(lonely: Mapping[str, str]) -> list[Caveat]:
    """That genres of one group are learnt, but not measured.

    Parameters
    ----------
    lonely : mapping of str to str
        Genres, and the group that each has alone (`groups.lonely_genres`).
    """
    return [
        Caveat(
            "note",
            f"{genre} is learnt but not measured: it has a single artist or group "
            f"({groups.shown(group)}). Add music by others.",
        )
        for genre, group in sorted(lonely.items())
    ]


def of_copies(copies: Sequence[Track], contradictions: Sequence[Track]) -> list[Caveat]:
    """That recordings count once, and not at all where their genre is in doubt.

    Parameters
    ----------
    copies : sequence of Track
        Left out because another file has the sound.
    contradictions : sequence of Track
        Left out because their copies have other genres.
    """
    found = []
    if copies:
        found.append(Caveat("note", f"Copies of other tracks left out: {len(copies)}."))
    if contradictions:
        names = ", ".join(track.name for track in contradictions)
        text = f"Left out, as copies of one recording in several genres: {names}."
        found.append(Caveat("note", text))
    return found


def of_unshared(counts: Mapping[str, int]) -> list[Caveat]:
    """That models are compared on the genres that all of them know.

    Parameters
    ----------
    counts : mapping of str to int
        Tracks of each genre that is left out.
    """
    if not counts:
        return []
    what = ", ".join(f"{genre} ({n})" for genre, n in counts.items())
    text = f"Compared on the genres that all of these models know. Tracks left out: {what}."
    return [Caveat("note", text)]


def of_training(training: Mapping[str, Any], split: Split | None, subset: str) -> list[Caveat]:
    """What a model file's own training says about figures on a subset of a split.

    Parameters
    ----------
    training : mapping
        As in the model file: ``split_sha256`` of the split it learnt from and ``parts`` of it
        (``train`` alone where it does not say), ``leaks``; ``data`` or ``split`` in words.
    split : Split or None
    subset : str
        What is measured on.
    """
    if training.get("leaks"):
        return [
            Caveat("leak", f"The model was trained on {training.get('split')}, a split that leaks.")
        ]
    if split is None:
        return []
    # By hash, not by name: two lists may be called alike.
    if training.get("split_sha256") != split.sha256:
        # Where every learnt sound is known, `of_learnt` says more than a doubt could.
        return [] if learnt_sounds.complete(training) else of_base(training)
    # Files from before `parts` was written learnt from train alone.
    if subset in training.get("parts", ["train"]):
        return [Caveat("leak", "These are the tracks the model was trained on.")]
    # Chosen, not learnt: smaller than a leak, but not nothing. A head is calibrated within train.
    if subset == "valid" and "recipe" in training:
        both = "epoch and the temperature of this network were"
        what = both if training.get("patience") else "temperature of this network was"
        return [Caveat("note", f"The {what} chosen on valid.")]
    return []


def of_unsplit(training: Mapping[str, Any], *, learnt: int, n: int) -> list[Caveat]:
    """What it means that no split keeps a model's training tracks out of the n measured.

    Parameters
    ----------
    training : mapping
        As in the model file.
    learnt : int
        Tracks that the model learnt from, recognised by their sound (:func:`of_learnt`).
    n : int
        Tracks that are measured.
    """
    if training.get("leaks") or learnt:
        return []  # said already, as a leak
    sounds = learnt_sounds.LearntSounds.in_training(training)
    if sounds is None:
        text = (
            "No split was named: every track is measured, even those that the model learnt from, "
            "if this is its training data."
        )
        return [Caveat("caveat", text)]
    text = f"No split was named. None of the {n} tracks is among those the model learnt from"
    # Another encoding has another key; only means of embeddings could find it.
    if sounds.means is None:
        text += ", unless in another encoding: a network's file keeps only checksums"
    if learnt_sounds.complete(training):
        return [Caveat("note", f"{text}.")]
    return [Caveat("caveat", f"{text}, as far as its file names them: it learnt from others too.")]


def of_learnt(names: Sequence[str], n: int) -> list[Caveat]:
    """What it means that the model learnt from some of the n tracks measured on.

    Parameters
    ----------
    names : sequence of str
        Those that it learnt from, recognised by their sound.
    n : int
        Tracks that are measured.
    """
    if not names:
        return []
    text = (
        f"The model learnt from {len(names)} of the {counted(n, 'track')} (compared by "
        f"sound, not by name): {_some(names)}."
    )
    return [Caveat("leak", text)]


def of_base(training: Mapping[str, Any]) -> list[Caveat]:
    """What a model's own training leaves open where it is measured on whatever tracks.

    Parameters
    ----------
    training : mapping
        As in the model file.
    """
    learnt_from = training.get("data") or training.get("split")
    said = "The model does not say what it was trained on"
    if learnt_from:
        said = f"The model was trained on {learnt_from}"
    doubt = "it may have learnt these very tracks, and its figures may be too good."
    return [Caveat("caveat", f"{said}: {doubt}")]


def of_windows(counts: Sequence[int], *, most: int) -> list[Caveat]:
    """What it means that tracks have more windows than ``most``, which predict analyses.

    Parameters
    ----------
    counts : sequence of int
        Windows of each track.
    most : int
        Windows of a file that predict analyses at most.
    """
    more = sum(count > most for count in counts)
    if not more:
        return []
    have = "has" if more == 1 else "have"
    text = (
        f"{more} of {counted(len(counts), 'track')} {have} more windows than the {most} that "
        "`tonearm predict` analyses per file; all of them were used."
    )
    return [Caveat("note", text)]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
