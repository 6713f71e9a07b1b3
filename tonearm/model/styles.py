"""Styles: finer genres below a genre, where a tag of the first encoder is strong enough.

They are tags and not probabilities: a style says that a tag stands out for its genre. Which ones
hold, and at which limit, ``runs/styles.py`` measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# A track has few styles or none: more of them say less.
MOST = 3


@dataclass(frozen=True)
class Style:
    """One style.

    Parameters
    ----------
    name : str
        As people and tags spell it.
    tag : str
        Whose mean over the track decides.
    least : float
        How high it must be.
    genres : tuple of str
        Under which the style is known to hold.
    """

    name: str
    tag: str
    least: float
    genres: tuple[str, ...]

    def settings(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_settings(cls, values: dict[str, Any]) -> Style:
        """From :meth:`settings`.

        Parameters
        ----------
        values : dict
            From the JSON of a model file.
        """
        return cls(
            str(values["name"]), str(values["tag"]), float(values["least"]), tuple(values["genres"])
        )


def styles_of(
    styles: Sequence[Style], genre: str | None, tags: Mapping[str, float]
) -> dict[str, float]:
    """The styles of a track, the one that stands out most first.

    Parameters
    ----------
    styles : sequence of Style
        Of the model.
    genre : str or None
        Of the track; an unknown one has no styles.
    tags : mapping of str to float
        Mean of each tag over the track.

    Examples
    --------
    >>> punk = Style("Punk", "punk", 0.25, ("metal", "rock"))
    >>> styles_of([punk], "rock", {"punk": 0.31})
    {'Punk': 0.31}
    >>> styles_of([punk], "jazz", {"punk": 0.31})
    {}
    """
    found = [
        # By how far it passes its limit: limits differ, since some tags run higher than others.
        (tags[style.tag] / style.least, style)
        for style in styles
        if genre in style.genres and tags.get(style.tag, 0.0) >= style.least
    ]
    # By the number alone, since two styles cannot be compared.
    found.sort(key=lambda pair: -pair[0])
    return {style.name: tags[style.tag] for _, style in found[:MOST]}
