"""Which genre a file shall get: policies as pure functions of its tags and its prediction.

Imports nothing that reads or writes audio, tags or a library.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from math import fsum
from pathlib import Path

from tonearm.errors import TagError
from tonearm.genres import LONGEST_NAME, SPLITTING, id3_name, key
from tonearm.model.prediction import Prediction

# A second genre is written if it is at least so probable, measured by the first.
SECOND_SHARE = 0.5


class Policy(Enum):
    """What happens to genres that are there; those Tonearm wrote itself always give way."""

    missing = "missing"
    replace = "replace"
    add = "add"


class By(StrEnum):
    """What gets a genre of its own."""

    file = "file"
    album = "album"


class Action(StrEnum):
    """What becomes of a file."""

    write = "write"
    same = "same"
    kept = "kept"  # it has a person's genre
    unsure = "unsure"
    unknown = "unknown"


@dataclass(frozen=True)
class Rules:
    """How to decide; ``names`` maps Tonearm's genres to those of the collection."""

    policy: Policy = Policy.missing
    min_confidence: float = 0.6
    max_genres: int = 1
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """Genres a file shall have; ``guesses`` are those by Tonearm."""

    action: Action
    genres: tuple[str, ...]
    guesses: tuple[str, ...]


def propose(
    prediction: Prediction, rules: Rules, *, genres: Sequence[str], guesses: Collection[str]
) -> Proposal:
    """Decide on one file by what it has and what it sounds like.

    Parameters
    ----------
    prediction : Prediction
        Of the file, or of its album.
    rules : Rules
        How to decide.
    genres : sequence of str
        What its tags say.
    guesses : collection of str
        Those of them that Tonearm wrote earlier.
    """
    old = tuple(genres)
    stays = tuple(genre for genre in old if genre not in guesses)
    left_alone = tuple(genre for genre in old if genre in guesses)
    if stays and rules.policy is Policy.missing:
        return Proposal(Action.kept, old, left_alone)
    if prediction.genre is None:
        return Proposal(Action.unknown, old, left_alone)
    if prediction.confidence < rules.min_confidence:
        return Proposal(Action.unsure, old, left_alone)
    chosen = names(prediction, rules)
    if rules.policy is Policy.add:
        known = set(map(key, stays))
        chosen = tuple(name for name in chosen if key(name) not in known)
        new = stays + chosen
    else:
        new = chosen
    if new == old:
        return Proposal(Action.same, old, left_alone)
    return Proposal(Action.write, new, chosen)


def names(prediction: Prediction, rules: Rules) -> tuple[str, ...]:
    """The likeliest genres, as tags of this collection spell them."""
    chosen: list[str] = []
    for genre, probability in list(prediction.probabilities.items())[: rules.max_genres]:
        if probability >= SECOND_SHARE * prediction.confidence:
            chosen += rules.names.get(genre, (id3_name(genre),))
    return tuple(dict.fromkeys(chosen))


def pooled(predictions: Sequence[Prediction]) -> Prediction:
    """One prediction for an album: the mean of its known tracks, unless half are unknown.

    Examples
    --------
    >>> jazz = Prediction.of(["jazz", "rock"], [0.9, 0.1], known=True)
    >>> rock = Prediction.of(["jazz", "rock"], [0.3, 0.7], known=True)
    >>> pooled([jazz, rock]).probabilities
    {'jazz': 0.6, 'rock': 0.4}
    """
    known = [prediction for prediction in predictions if prediction.genre is not None]
    used = known or predictions
    labels = list(used[0].probabilities)
    means = [
        fsum(each.probabilities.get(label, 0.0) for each in used) / len(used) for label in labels
    ]
    return Prediction.of(labels, means, known=2 * len(known) > len(predictions))


def album_key(
    path: str | os.PathLike[str], *, album: str | None, album_artist: str | None
) -> tuple[str, str]:
    """Files with the same key are one album.

    An album is its artist and title; without an album artist (a sampler's artists differ) its
    folder and title, and without a title its folder.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not album:
        return folder, ""
    return album_artist.casefold() if album_artist else folder, album.casefold()


def read_names(path: Path) -> dict[str, tuple[str, ...]]:
    """A vocabulary map: TOML lines such as ``hiphop = "Hip-Hop/Rap"`` or a list of names.

    Raises
    ------
    TagError
        When it cannot be read, or a name is none.
    """
    import tomllib  # late: the command line loads this module for its options

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TagError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TagError(f"{path}: no TOML: {error}") from None
    return {genre: _checked(genre, value, path) for genre, value in table.items()}


def _checked(genre: str, value: object, path: Path) -> tuple[str, ...]:
    values: list[object] = value if isinstance(value, list) else [value]
    checked = []
    for name in values:
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
            raise TagError(f"{path}: {genre} = {name!r}: a name or a list of names is wanted")
        if any(sign in SPLITTING or sign < " " for sign in name):
            raise TagError(
                f"{path}: {genre} = {name!r}: players part names at ; , | and \\: "
                'write a list, ["A", "B"]'
            )
        checked.append(name.strip())
    if not checked:
        raise TagError(f"{path}: {genre} = []: a name or a list of names is wanted")
    return tuple(checked)
