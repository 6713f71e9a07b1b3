"""Which genre a file gets: policies as pure functions of its tags and its prediction.

Genres are named as in the model inside, and as the collection spells them in tags. Imports nothing
of Tonearm but errors, genres and what a prediction is.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import lru_cache
from math import fsum
from pathlib import Path

from tonearm.errors import TagError
from tonearm.genres import LONGEST_NAME, SPLITTING, id3_name, key
from tonearm.model.prediction import Prediction, rank

# A second genre is written if it is at least this probable, relative to the first.
SECOND_SHARE = 0.5
# What programs write where nobody chose a genre; compared without case and punctuation.
PLACEHOLDERS = (
    "Other",
    "12",
    "Unknown",
    "Unknown Genre",
    "Misc",
    "Miscellaneous",
    "None",
    "No Genre",
    "genre",
    "Undefined",
    "Unclassifiable",
    "Default",
)
_PLACEHOLDER_KEYS = frozenset(map(key, PLACEHOLDERS))
# Where people and programs put several genres into one value.
_PARTS = re.compile(r"[;/,|\\]")
# A map is a few lines; anything longer, or endless, is not one.
_LONGEST_MAP_BYTES = 1 << 20
_DISC = re.compile(r"[\s_-]*[(\[]?\b(?:cd|disc|disk)\s*\d+\b[)\]]?\s*$", re.IGNORECASE)
_VARIOUS = frozenset({"variousartists", "various", "va", "diverse", "compilation", "compilations"})


class Policy(Enum):
    """What happens to genres that are there; those Tonearm wrote itself always give way."""

    missing = "missing"
    replace = "replace"
    add = "add"


class By(StrEnum):
    """What gets a genre of its own: each album, or each file."""

    album = "album"
    file = "file"


class Action(StrEnum):
    """What becomes of a file."""

    write = "write"
    same = "same"
    kept = "kept"  # it has a person's genre
    low_confidence = "low-confidence"
    unknown = "unknown"
    excluded = "excluded"  # by --genre, --not-genre or a map that says never
    link = "link"  # another name of one of the other files
    reviewed = "reviewed"  # a person rejected its genre by sound, or said another
    damaged = "damaged"  # only a part of its sound could be analysed
    refused = "refused"  # cannot be written safely


# From the precision of what is written on collections that the model has not learnt from
# (docs/experiments/second-encoder.md):
# an album's tracks together are right more often than a file alone.
ALBUM_CONFIDENCE, FILE_CONFIDENCE = 0.7, 0.8


@dataclass(frozen=True)
class Rules:
    """How to decide.

    Parameters
    ----------
    policy : Policy
        What happens to genres that are there.
    min_confidence : float or None
        Predictions below it are not written; None is `ALBUM_CONFIDENCE` for what an album decides
        together, and `FILE_CONFIDENCE` for a file alone.
    max_genres : int
        1, or 2 for a second genre too.
    names : mapping of str to tuple of str
        The collection's names for the model's genres; an empty tuple means never.
    only, never : frozenset of str
        The only genres of the model that are written (all if empty), and those that never are.
    placeholders : frozenset of str
        Keys of names (:func:`tonearm.genres.key`) that count as no genre.
    joint : str or None
        Joins several genres into one value, for players that show only the first; None writes
        true multiple values.
    styles : bool
        Also write the styles, as further values.
    damaged : bool
        Also write into files of which only a part could be analysed.
    """

    policy: Policy = Policy.missing
    min_confidence: float | None = None
    max_genres: int = 1
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    placeholders: frozenset[str] = _PLACEHOLDER_KEYS
    joint: str | None = None
    styles: bool = False
    damaged: bool = False

    def least_confidence(self, *, of_album: bool) -> float:
        """The confidence from which on a prediction is written.

        Parameters
        ----------
        of_album : bool
            Whether the prediction is that of an album.
        """
        if self.min_confidence is not None:
            return self.min_confidence
        return ALBUM_CONFIDENCE if of_album else FILE_CONFIDENCE


@dataclass(frozen=True)
class Proposal:
    """Genres for a file; ``guesses`` are those of them that Tonearm chose."""

    action: Action
    genres: tuple[str, ...]
    guesses: tuple[str, ...]


def propose(
    prediction: Prediction | None,
    rules: Rules,
    *,
    genres: Sequence[str],
    guesses: Collection[str],
    of_album: bool = False,
) -> Proposal:
    """Decide on one file by its tags and its prediction.

    Parameters
    ----------
    prediction : Prediction or None
        Of the file or its album; None where nothing is known of the sound.
    rules : Rules
        How to decide.
    genres : sequence of str
        The genres in its tags.
    guesses : collection of str
        Those of them that Tonearm wrote earlier.
    of_album : bool
        Whether the prediction is that of an album's tracks together.
    """
    old = tuple(genres)
    by_person = of_a_person(old, guesses, rules.placeholders)
    # What Tonearm wrote earlier keeps its mark where the file stays as it is.
    skipped = tuple(genre for genre in old if genre in guesses)
    if by_person and rules.policy is Policy.missing:
        return Proposal(Action.kept, old, skipped)
    if prediction is None or prediction.genre is None:
        return Proposal(Action.unknown, old, skipped)
    if prediction.confidence < rules.least_confidence(of_album=of_album):
        return Proposal(Action.low_confidence, old, skipped)
    chosen = chosen_names(prediction, rules)
    if not chosen:
        return Proposal(Action.excluded, old, skipped)
    new = chosen
    if rules.policy is Policy.add:
        chosen = lacking(by_person, chosen)
        new = by_person + chosen
    if rules.joint and len(new) > 1:
        # Tonearm's mark names the whole value if all of it is Tonearm's, else none of it.
        joined = rules.joint.join(new)
        new, chosen = (joined,), (joined,) if new == chosen else ()
    if new == old:
        return Proposal(Action.same, old, skipped)
    return Proposal(Action.write, new, chosen)


def of_a_person(
    genres: Sequence[str], guesses: Collection[str], placeholders: Collection[str]
) -> tuple[str, ...]:
    """Those of the genres that a person wrote: no guess and no placeholder.

    Parameters
    ----------
    genres : sequence of str
        Names of genres.
    guesses : collection of str
        Those of the genres that Tonearm chose.
    placeholders : collection of str
        Keys of names that count as no genre.
    """
    return tuple(
        genre for genre in genres if genre not in guesses and key(genre) not in placeholders
    )


@lru_cache(maxsize=4_096)
def names_genre(stored: str) -> bool:
    """Whether genres as the library keeps them, a JSON list, hold more than placeholders.

    Parameters
    ----------
    stored : str
        The list; a large library has a few hundred different ones.
    """
    return any(key(genre) not in _PLACEHOLDER_KEYS for genre in json.loads(stored))


def parts(genre: str) -> list[str]:
    """The genres in one value: ``Rock; Pop`` and ``Rock/Pop`` are two.

    Parameters
    ----------
    genre : str
        One value of a genre tag.
    """
    return [part.strip() for part in _PARTS.split(genre) if part.strip()]


def lacking(genres: Iterable[str], wanted: Iterable[str]) -> tuple[str, ...]:
    """Those of the wanted genres that others do not name, in any spelling.

    Parameters
    ----------
    genres : iterable of str
        The genres that are there.
    wanted : iterable of str
        Those that are looked for.

    Examples
    --------
    >>> lacking(["hip hop", "Rock/Pop"], ["Hip-Hop", "Rock", "Jazz"])
    ('Jazz',)
    """
    # Whole values and their parts: "Rock/Pop" has Rock already.
    known = {key(part) for genre in genres for part in (genre, *parts(genre))}
    return tuple(name for name in wanted if key(name) not in known)


def lost(
    old: Sequence[str], new: Sequence[str], guesses: Collection[str], rules: Rules
) -> tuple[str, ...]:
    """Genres of a person that a change removes.

    Parameters
    ----------
    old : sequence of str
        Genres before.
    new : sequence of str
        Genres after.
    guesses : collection of str
        Those of the genres that Tonearm chose.
    rules : Rules
        How to decide.
    """
    return lacking(new, of_a_person(old, guesses, rules.placeholders))


def chosen_names(prediction: Prediction, rules: Rules) -> tuple[str, ...]:
    """The most likely genres in the collection's spelling; none where the rules exclude them.

    Parameters
    ----------
    prediction : Prediction
        What the sound is.
    rules : Rules
        How to decide.
    """
    chosen: list[str] = []
    for genre, probability in list(prediction.probabilities.items())[: rules.max_genres]:
        # A second genre only if it is at least half as likely as the first.
        if probability < SECOND_SHARE * prediction.confidence or genre in rules.never:
            continue
        if not rules.only or genre in rules.only:
            chosen += rules.names.get(genre, (id3_name(genre),))
    if rules.styles and chosen:
        chosen += prediction.styles
    return tuple(dict.fromkeys(chosen))


def pooled(predictions: Sequence[Prediction]) -> Prediction | None:
    """One prediction for an album: the mean over its tracks of known genre.

    Unknown where half of the tracks are. None for an album of different genres, where at most half
    of the known tracks sound like the album's mean: there each file stands for itself.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of each track.

    Examples
    --------
    >>> clear = Prediction.of(["jazz", "rock"], [0.9, 0.1], known=True)
    >>> close = Prediction.of(["jazz", "rock"], [0.6, 0.4], known=True)
    >>> pooled([clear, close]).probabilities
    {'jazz': 0.75, 'rock': 0.25}
    """
    known = [prediction for prediction in predictions if prediction.genre is not None]
    # Unknown by all of its tracks: any of them says so.
    if not known:
        return predictions[0] if predictions else None
    labels = list(known[0].probabilities)
    # Exact sums: the order of the tracks must not matter.
    means = [fsum(p.probabilities.get(label, 0.0) for p in known) / len(known) for label in labels]
    nearest = next(iter(rank(labels, means)))
    agreeing = Counter(prediction.nearest for prediction in known)[nearest]
    # The mean of half rock and half jazz may be blues, which is none of its tracks.
    if len(known) > 1 and 2 * agreeing <= len(known):
        return None
    # An album that is mostly unknown is not named after the few tracks that are not.
    return Prediction.of(labels, means, known=2 * len(known) > len(predictions))


def album_key(
    path: str | os.PathLike[str], *, album: str | None, album_artist: str | None
) -> tuple[str, str] | None:
    """Files with the same key are one album; None without an album in the tags.

    An album is its artist and title. Without an album artist, or by various artists, it is its
    folder and title. ``CD 1`` and ``CD 2`` are one, in titles and in names of folders.

    Parameters
    ----------
    path : path
        The file.
    album : str or None
        Title of the album in the tags.
    album_artist : str or None
        Artist of the album in the tags.
    """
    if not album:
        return None
    above, name = os.path.split(os.path.dirname(os.path.abspath(path)))
    # "Box CD 1" and "Box [CD 2]" are discs of Box, and "CD 1" is one of the album above it.
    disc = _DISC.sub("", name)
    folder = os.path.join(above, disc) if disc else above
    title = album_title(album).casefold()
    # With an artist the folder does not matter: an album may lie in several.
    if album_artist and key(album_artist) not in _VARIOUS:
        return album_artist.casefold(), title
    return folder, title


def album_title(album: str) -> str:
    """The title of an album without the number of a disc: Night Box (CD 2) is Night Box.

    Parameters
    ----------
    album : str
        Title of the album in the tags.
    """
    # An album may itself be called "Disc 1".
    return (_DISC.sub("", album) or album).strip()


def read_names(path: Path) -> dict[str, tuple[str, ...]]:
    """A vocabulary map: TOML lines such as ``hiphop = "Hip-Hop/Rap"``, or a list of names.

    An empty list means that the genre is never written.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    TagError
        When it cannot be read, or a name is not valid.
    """
    import tomllib  # late: the command line loads this module for its options

    try:
        with path.open("rb") as file:
            # One more than allowed, so that a longer file is noticed without being read.
            data = file.read(_LONGEST_MAP_BYTES + 1)
        if len(data) > _LONGEST_MAP_BYTES:
            raise TagError(f"{path} is not a map: it is longer than 1 MB.")
        table = tomllib.loads(data.decode())
    except OSError as error:
        raise TagError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TagError(f"{path} is not TOML: {error}.") from None
    except RecursionError:
        raise TagError(f"{path} is not a map: its values are nested too deeply.") from None
    return {genre: _checked(genre, value, path) for genre, value in table.items()}


def _checked(genre: str, value: object, path: Path) -> tuple[str, ...]:
    values: list[object] = value if isinstance(value, list) else [value]
    checked = []
    for name in values:
        if not isinstance(name, str) or not name.strip() or len(name) > LONGEST_NAME:
            raise TagError(f"{path}: {genre} needs a name or a list of names.")
        # Players split genres at these characters, so a single genre must not contain them.
        if any(character in SPLITTING or character < " " for character in name):
            raise TagError(
                f"{path}: {genre} = {name!r}: players split names at ; , | and \\. "
                'Write a list: ["A", "B"].'
            )
        checked.append(name.strip())
    return tuple(checked)
