"""The genres that files of a library would get, by rules; ``tag_runs.py`` writes them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tonearm.errors import TagError
from tonearm.library.records import Track
from tonearm.library.store import Library
from tonearm.library.tag_runs import Wanted
from tonearm.model.prediction import Prediction
from tonearm.tagging.plan import (
    By,
    Policy,
    Proposal,
    Rules,
    album_key,
    pooled,
    propose,
)
from tonearm.tagging.read import read_tags


@dataclass(frozen=True)
class ProposedTags:
    """One file with the genres proposed for it.

    Parameters
    ----------
    track : Track
        The file.
    album : tuple of (str, str)
        Key of its album.
    prediction : Prediction
        Of the file, or of its album.
    proposal : Proposal
        What to write, and why not.
    """

    track: Track
    album: tuple[str, str]
    prediction: Prediction
    proposal: Proposal

    @property
    def wanted(self) -> Wanted:
        """What :func:`tonearm.library.tag_runs.write_all` is to write."""
        return Wanted(self.track.path, self.proposal.genres, self.proposal.guesses)


def propose_all(
    library: Library,
    rules: Rules | None = None,
    *,
    paths: Iterable[str | os.PathLike[str]] | None = None,
    by: By = By.file,
    failures: list[tuple[str, str]] | None = None,
) -> Iterator[ProposedTags]:
    """Propose genres for files of the library; nothing is written.

    Parameters
    ----------
    library : Library
        Open.
    rules : Rules or None
        None fills in missing genres at a confidence of 60 % or more.
    paths : iterable of path or None
        Files and folders; None is the whole library.
    by : By
        ``album``: all tracks of an album together get one genre.
    failures : list of (path, reason) or None
        Files that were not analysed, or whose tags cannot be read, are added to it.

    Examples
    --------
    >>> from tonearm.library.scan import scan
    >>> with Library("library.sqlite", write=True) as library:
    ...     result = scan(library, ["midnight_walk.mp3"], jobs=1)
    ...     for row in propose_all(library, Rules(policy=Policy.replace)):
    ...         print(row.proposal.action, row.proposal.genres)
    write ('Jazz',)
    """
    rules, failures = rules or Rules(), failures if failures is not None else []
    albums: dict[tuple[str, str], list[Prediction]] = {}
    if by is By.album:
        for track in library.tracks():
            if track.prediction is not None:
                albums.setdefault(_album(track), []).append(track.prediction)
    of_albums = {key: pooled(predictions) for key, predictions in albums.items()}
    for track in library.tracks(paths):
        if track.tags.error:
            failures.append((track.path, track.tags.error.removeprefix(f"{track.path}: ")))
        elif track.prediction is None:
            failures.append((track.path, f"could not be read: {track.error_message}"))
        else:
            album = _album(track)
            prediction = of_albums[album] if by is By.album else track.prediction
            genres, guesses = track.tags.genres, _guesses(track, rules)
            proposal = propose(prediction, rules, genres=genres, guesses=guesses)
            yield ProposedTags(track, album, prediction, proposal)


def _guesses(track: Track, rules: Rules) -> tuple[str, ...]:
    """Genres that Tonearm wrote; where it did not write all, only the file knows which."""
    tags = track.tags
    if tags.by_tonearm:
        return tags.genres
    if rules.policy is Policy.add and tags.genres:
        try:
            return read_tags(track.path).guesses
        except TagError:
            return ()
    return ()


def _album(track: Track) -> tuple[str, str]:
    return album_key(track.path, album=track.tags.album, album_artist=track.tags.album_artist)
