"""Genres for albums that another program keeps: one prediction per album, as ``tonearm tag`` does.

The other program says which files belong together and what their genres are, and writes what comes
back. Knows no library, no tags, and none of these programs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tonearm.errors import DecodeError
from tonearm.model.classifier import Classifier
from tonearm.model.prediction import Prediction
from tonearm.tagging.plan import Proposal, Rules, pooled, propose


@dataclass(frozen=True)
class AlbumTrack:
    """A file as another program knows it.

    Parameters
    ----------
    path : path
        The file.
    genres : tuple of str
        Its genres.
    guesses : frozenset of str
        Those of them that Tonearm chose earlier.
    """

    path: str | os.PathLike[str]
    genres: tuple[str, ...] = ()
    guesses: frozenset[str] = field(default=frozenset())


@dataclass(frozen=True)
class Named:
    """What a file would get.

    Parameters
    ----------
    track : AlbumTrack
        The file as it was given.
    prediction : Prediction or DecodeError
        Of the file alone.
    decided : Prediction or None
        What decides on it: that of its album where the tracks agree; None where it failed.
    proposal : Proposal
        Genres, and why.
    """

    track: AlbumTrack
    prediction: Prediction | DecodeError
    decided: Prediction | None
    proposal: Proposal


def name_albums(
    classifier: Classifier,
    albums: Sequence[Sequence[AlbumTrack]],
    rules: Rules,
    *,
    jobs: int | None = None,
) -> Iterator[list[Named]]:
    """Decide on each album, in order; a file that fails costs only itself.

    Parameters
    ----------
    classifier : Classifier
        The model.
    albums : sequence of sequence of AlbumTrack
        Files that belong together; one of a single file stands for itself.
    rules : Rules
        What may be written.
    jobs : int or None
        Files at once; None is one a core.
    """
    paths = (track.path for album in albums for track in album)
    # One pool for all: its workers load the model once.
    predictions = classifier.predict_many(paths, jobs=jobs)
    for album in albums:
        # Files come in the order given, so an album is the next so many of them.
        found = [next(predictions) for _ in album]
        together = _together(found)
        yield [
            _named(track, prediction, together, rules)
            for track, prediction in zip(album, found, strict=True)
        ]


def _together(found: Sequence[Prediction | DecodeError]) -> Prediction | None:
    """The album's prediction; None for a single file, and where tracks disagree."""
    known = [prediction for prediction in found if isinstance(prediction, Prediction)]
    return pooled(known) if len(known) > 1 else None


def _named(
    track: AlbumTrack,
    prediction: Prediction | DecodeError,
    together: Prediction | None,
    rules: Rules,
) -> Named:
    own = prediction if isinstance(prediction, Prediction) else None
    # Its own prediction where the album gives none, so that a single is named too.
    decided = together or own
    proposal = propose(
        decided,
        rules,
        genres=track.genres,
        guesses=track.guesses,
        of_album=together is not None,
    )
    return Named(track, prediction, decided, proposal)
