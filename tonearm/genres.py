"""Genre names: GTZAN's spelling inside, ID3's for people and tags, and one colour for each genre.

Inside Tonearm a genre has the name of its folder (``hiphop``, or a folder of yours). People and
tags see the ID3 spelling: ``Hip-Hop``, which is number 7 of ID3v1; "Hip Hop" has no number.
Imports nothing of Tonearm.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache

GTZAN_GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)
# The genres of the built-in model: GTZAN's ten, and one that GTZAN lacks.
BUILTIN_GENRES = (*GTZAN_GENRES, "electronic")
UNKNOWN = "unknown"
# What a long track that changes genre is called; like "unknown", in place of a genre.
MIX = "mix"

# Players (Navidrome, Jellyfin, Plex) split genres at these characters, so a single genre must not
# contain them.
SPLITTING = ";,|\\"
# In characters.
LONGEST_NAME = 100

_ID3_NAMES = {"hiphop": "Hip-Hop"}
# The first letter of a word. No word begins after an apostrophe or a digit: Drum'n'bass, 80s.
_INITIAL = re.compile(r"(?<![^\W_])(?<!['’])[^\W\d_]")

# Eleven hues (Okabe-Ito's eight, three more) that stay apart under common colour blindnesses.
_COLOURS = {
    "blues": "#0072b2",
    "classical": "#e6c229",
    "country": "#a6761d",
    "disco": "#cc79a7",
    "electronic": "#17becf",
    "hiphop": "#e69f00",
    "jazz": "#56b4e9",
    "metal": "#7b5ea7",
    "pop": "#f781bf",
    "reggae": "#009e73",
    "rock": "#d55e00",
}
_SPARE_COLOURS = ("#8da0cb", "#66c2a5", "#b3de69", "#bc80bd", "#fdb462", "#80b1d3")


def words(text: str) -> list[str]:
    """Split a name into case-folded words of letters and digits, to compare spellings.

    Parameters
    ----------
    text : str
        Any text.
    """
    # Normalised twice, because case folding decomposes some letters.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(
        character if unicodedata.category(character)[0] in "LMN" else " " for character in folded
    ).split()


@lru_cache(maxsize=4_096)
def key(name: str) -> str:
    """Return one key for all spellings of a name: ``Hip-Hop``, ``hip hop`` and ``hiphop``.

    Works in any script. A name without letters or digits is its own key.

    Parameters
    ----------
    name : str
        A genre as somebody wrote it.
    """
    return unicodedata.normalize("NFKC", "".join(words(name))) or name


def find(name: str, known: Iterable[str]) -> str | None:
    """Find the known genre that a person means, however it is spelled; None if there is none.

    Parameters
    ----------
    name : str
        As a person writes it.
    known : iterable of str
        Genres, in their inside spelling.
    """
    known = tuple(known)
    # Exact first: another genre with the same key must not win.
    if name in known:
        return name
    return next((genre for genre in known if key(genre) == key(name)), None)


@lru_cache(maxsize=4_096)
def is_reserved(name: str) -> bool:
    """Whether a name, in any spelling, is one that Tonearm gives to what has no genre.

    Parameters
    ----------
    name : str
        A name that somebody chose for a genre.

    Examples
    --------
    >>> is_reserved("Unknown"), is_reserved("mixtape")
    (True, False)
    """
    return key(name) in {key(UNKNOWN), key(MIX)}


def unsplit(name: str) -> str:
    """A name without the characters at which players split it into several genres.

    Parameters
    ----------
    name : str
        The name of a genre.

    Examples
    --------
    >>> unsplit("Folk, World, & Country")
    'Folk World & Country'
    """
    if not any(each in SPLITTING for each in name):
        return name
    plain = "".join(" " if each in SPLITTING else each for each in name)
    return " ".join(plain.split()) or name


def id3_name(genre: str) -> str:
    """Spell ``genre`` for people and tags: ``hiphop`` becomes ``Hip-Hop``.

    A name with a capital letter was written by a person and stays as it is. Every word of any other
    name gets a capital. No name keeps what players would split it at.

    Parameters
    ----------
    genre : str
    """
    genre = unsplit(genre)
    # "EDM" or "Drum'n'Bass" would lose by any rule of ours.
    if any(map(str.isupper, genre)):
        return genre
    # HFS+ decomposes the names of folders: e and its accent would be two characters.
    composed = unicodedata.normalize("NFC", genre)
    return _ID3_NAMES.get(key(genre)) or _INITIAL.sub(lambda match: match[0].title(), composed)


def shown(genre: str | None, mix: Mapping[str, float] | None = None) -> str:
    """What people read in place of a genre: its ID3 name, ``mix`` or ``unknown``.

    Parameters
    ----------
    genre : str or None
        By sound.
    mix : mapping of str to float or None
        Fraction of the track for each genre, where the music changes genre.

    Examples
    --------
    >>> shown("hiphop"), shown(None, {"jazz": 0.6, "pop": 0.4}), shown(None)
    ('Hip-Hop', 'mix', 'unknown')
    """
    if genre is not None:
        return id3_name(genre)
    return MIX if mix else UNKNOWN


def legend(labels: Iterable[str]) -> list[dict[str, str]]:
    """Names and colours of a model's genres, and of what stands in place of one, for a page.

    Parameters
    ----------
    labels : iterable of str
        The genres of the model.

    Examples
    --------
    >>> [row["name"] for row in legend(["hiphop"])]
    ['Hip-Hop', 'Mix', 'Unknown']
    """
    # Once each: a model of somebody's own may know "mix" as a genre.
    names = dict.fromkeys([*labels, MIX, UNKNOWN])
    return [{"genre": each, "name": id3_name(each), "colour": colour(each)} for each in names]


def colour(genre: str | None) -> str:
    """Return the hexadecimal colour of ``genre``: always the same, and grey for unknown (None).

    Parameters
    ----------
    genre : str or None
    """
    if genre is None or genre == UNKNOWN:
        return "#9e9e9e"
    if genre == MIX:
        return "#6f7a86"
    # Not hash(), which Python seeds differently in each process.
    return _COLOURS.get(genre) or _SPARE_COLOURS[sum(genre.encode()) % len(_SPARE_COLOURS)]
