"""Which genre a file shall get: policies as pure functions of its tags and what was heard.

Probabilities are by Tonearm's names of genres, confidence is the highest. Imports nothing of
Tonearm but errors, genres and what a tag is.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path

from tonearm.errors import TagError
from tonearm.genres import LONGEST_NAME, SPLITTING, id3_name, key

# A second genre is written if it is at least so probable, measured by the first.
SECOND_SHARE = 0.5


class Policy(Enum):
    """What happens to genres that are there; those Tonearm wrote itself always give way."""

    missing = "missing"
    replace = "replace"
    add = "add"


class Action(StrEnum):
    """What becomes of a file."""

    write = "write"
    same = "same"
    kept = "kept"  # it has a person's genre
    unsure = "unsure"
    unknown = "unknown"


@dataclass(frozen=True)
class Guess:
    """What a file or album sounds like; ``probabilities`` sorted, highest first."""

    probabilities: Mapping[str, float]
    known: bool

    @property
    def confidence(self) -> float:
        """Of the first genre."""
        return next(iter(self.probabilities.values()), 0.0)


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
    guess: Guess, rules: Rules, *, genres: Sequence[str], guesses: Collection[str]
) -> Proposal:
    """Decide on one file by what it has and what it sounds like.

    Parameters
    ----------
    guess : Guess
        What it sounds like.
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
    if not guess.known or not guess.probabilities:
        return Proposal(Action.unknown, old, left_alone)
    if guess.confidence < rules.min_confidence:
        return Proposal(Action.unsure, old, left_alone)
    chosen = names(guess, rules)
    if rules.policy is Policy.add:
        known = set(map(key, stays))
        chosen = tuple(name for name in chosen if key(name) not in known)
        new = stays + chosen
    else:
        new = chosen
    if new == old:
        return Proposal(Action.same, old, left_alone)
    return Proposal(Action.write, new, chosen)


def names(guess: Guess, rules: Rules) -> tuple[str, ...]:
    """The likeliest genres, as tags of this collection spell them."""
    chosen: list[str] = []
    for genre, share in list(guess.probabilities.items())[: rules.max_genres]:
        if share >= SECOND_SHARE * guess.confidence:
            chosen += rules.names.get(genre, (id3_name(genre),))
    return tuple(dict.fromkeys(chosen))


def pooled(guesses: Iterable[Guess]) -> Guess:
    """One guess for an album: the mean of its known tracks, unless half of them are unknown."""
    all_guesses = list(guesses)
    known = [guess for guess in all_guesses if guess.known]
    if not known:
        return Guess({}, known=False)
    labels = known[0].probabilities
    mean = {
        genre: sum(guess.probabilities.get(genre, 0.0) for guess in known) / len(known)
        for genre in labels
    }
    ranked = dict(sorted(mean.items(), key=lambda item: -item[1]))
    return Guess(ranked, known=2 * len(known) > len(all_guesses))


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
