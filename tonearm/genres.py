"""Names of genres: GTZAN's inside, ID3's for people and tags, and one colour for each.

Inside Tonearm a genre is GTZAN's folder name (``hiphop``), or that of a folder of one's own; people
and tags see the ID3 spelling (``Hip-Hop``: the form ID3v1 knows as number 7; "Hip Hop" is none).
Imports nothing of Tonearm.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
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
UNKNOWN = "unknown"

# Where players part one value into several (Navidrome, Jellyfin, Plex): no name holds one of them.
SPLITTING = ";,|\\"
LONGEST_NAME = 100

_ID3_NAMES = {"hiphop": "Hip-Hop"}
# The first letter of a word; none begins after an apostrophe or a digit: Drum'n'bass, 80s.
_INITIAL = re.compile(r"(?<![^\W_])(?<!['’])[^\W\d_]")

# Ten hues (Okabe-Ito's eight and two more) that stay apart under the common colour blindnesses.
_COLOURS = {
    "blues": "#0072b2",
    "classical": "#e6c229",
    "country": "#a6761d",
    "disco": "#cc79a7",
    "hiphop": "#e69f00",
    "jazz": "#56b4e9",
    "metal": "#7b5ea7",
    "pop": "#f781bf",
    "reggae": "#009e73",
    "rock": "#d55e00",
}
_SPARE_COLOURS = ("#8da0cb", "#66c2a5", "#b3de69", "#bc80bd", "#fdb462", "#80b1d3")


def words(text: str) -> list[str]:
    """The words of a name, by which spellings are compared: letters (with their marks), digits."""
    # Again afterwards, since folding takes some letters apart.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(
        sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in folded
    ).split()


@lru_cache(maxsize=4_096)
def key(name: str) -> str:
    """What all spellings of a name have in common: ``Hip-Hop``, ``hip hop`` and ``hiphop``.

    Names in any script; one of signs alone is its own key.
    """
    return unicodedata.normalize("NFKC", "".join(words(name))) or name


def find(name: str, known: Iterable[str]) -> str | None:
    """Which of the known genres a person means, however they spell it; None for none of them."""
    known = tuple(known)
    if name in known:
        return name
    return next((genre for genre in known if key(genre) == key(name)), None)


@lru_cache(maxsize=4_096)
def id3_name(genre: str) -> str:
    """Spelling of ``genre`` for people and tags: ``hiphop`` becomes ``Hip-Hop``.

    A name that holds a capital is as a person wrote it, and stays; the words of others get one.
    """
    if any(map(str.isupper, genre)):
        return genre
    composed = unicodedata.normalize("NFC", genre)
    return _ID3_NAMES.get(key(genre)) or _INITIAL.sub(lambda match: match[0].title(), composed)


def colour(genre: str | None) -> str:
    """Hexadecimal colour of ``genre``, the same each time; grey for unknown (None)."""
    if genre is None or genre == UNKNOWN:
        return "#9e9e9e"
    return _COLOURS.get(genre) or _SPARE_COLOURS[sum(genre.encode()) % len(_SPARE_COLOURS)]
