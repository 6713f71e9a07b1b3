"""Names of genres: GTZAN's inside, ID3's for people and tags, and one colour for each.

Inside Tonearm a genre is GTZAN's folder name (``hiphop``); people and tags see the ID3 spelling
(``Hip-Hop``: the form ID3v1 knows as number 7; "Hip Hop" is none). Imports nothing of Tonearm.
"""

from __future__ import annotations

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

_ID3_NAMES = {"hiphop": "Hip-Hop"}

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


def id3_name(genre: str) -> str:
    """Spelling of ``genre`` for people and tags: ``hiphop`` becomes ``Hip-Hop``."""
    return _ID3_NAMES.get(genre, genre if any(map(str.isupper, genre)) else genre.title())


def colour(genre: str | None) -> str:
    """Hexadecimal colour of ``genre``, the same each time; grey for unknown (None)."""
    if genre is None or genre == UNKNOWN:
        return "#9e9e9e"
    return _COLOURS.get(genre) or _SPARE_COLOURS[sum(genre.encode()) % len(_SPARE_COLOURS)]
