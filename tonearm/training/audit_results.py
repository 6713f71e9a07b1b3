"""What an audit found: suspects, copies, genres by one artist, artists on both sides of a split.

``audit.py`` finds it, ``audit_page.py`` shows it; ``to_dict`` is the JSON of ``tonearm audit``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tonearm.data import groups
from tonearm.faults import Faults

SCHEMA = 1
NOTHING_CHECKED = (
    "No label was checked: that takes two genres, each by two artists or groups, with a few tracks."
)


@dataclass(frozen=True)
class Neighbour:
    """A track by another artist that sounds alike: 1 the same, 0 nothing in common.

    Parameters
    ----------
    name, genre : str
        The track and its label.
    similarity : float
        Cosine of its embedding.
    """

    name: str
    genre: str
    similarity: float


@dataclass(frozen=True)
class Suspect:
    """A track whose label contradicts its sound.

    Parameters
    ----------
    name, genre : str
        The track, and its label.
    answer : str
        The genre that models fitted without its artist give it.
    probability : float
        Of the answer.
    probability_of_label : float
    neighbours : tuple of Neighbour
        The nearest tracks by other artists.
    one_by_one : bool
        Whether only the track was held out, since its genre is hardly by anyone else.
    """

    name: str
    genre: str
    answer: str
    probability: float
    probability_of_label: float
    neighbours: tuple[Neighbour, ...]
    one_by_one: bool = False


@dataclass(frozen=True)
class Copies:
    """One recording in several files.

    Parameters
    ----------
    kept : str
        The whole, or the first.
    copies : tuple of str
        The others.
    genres : tuple of str
        All labels that they have; several contradict each other.
    """

    kept: str
    copies: tuple[str, ...]
    genres: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """All that was found.

    Parameters
    ----------
    folder : str
        The data set, as it was named.
    genres : dict of str to int
        Tracks of each genre.
    artists : int
        Groups of which the artist is known.
    unknown_artist : int
        Tracks without one.
    suspects : tuple of Suspect
        Most doubtful first.
    measured : int
        Tracks that were classified; 0 where too few artists made that impossible.
    agreement : float or None
        Fraction of these whose label is the answer.
    copies : tuple of Copies
    lonely : dict of str to str
        Genres of one group alone, with it.
    dominated : dict of str to (str, int)
        Genres of one group but for a few tracks: that group, and how many are by others.
    one_by_one : dict of str to int
        Tracks of each genre that were held out without their artist.
    unchecked : dict of str to int
        Genres with too few tracks to be asked about, and how many these are.
    split : str or None
        The split that was looked at.
    crossing : dict of str to dict
        Groups in several subsets of the split: a track of each subset.
    failed, damaged : Faults
        Files that are left out (unreadable, silent, too short), and files with damage.
    """

    folder: str
    genres: Mapping[str, int]
    artists: int
    unknown_artist: int
    suspects: tuple[Suspect, ...]
    measured: int
    agreement: float | None
    copies: tuple[Copies, ...]
    lonely: Mapping[str, str]
    dominated: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    one_by_one: Mapping[str, int] = field(default_factory=dict)
    unchecked: Mapping[str, int] = field(default_factory=dict)
    split: str | None = None
    crossing: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    failed: Faults = field(default_factory=Faults)
    damaged: Faults = field(default_factory=Faults)

    @property
    def across(self) -> tuple[Copies, ...]:
        """Copies that have several genres: their labels contradict each other."""
        return tuple(found for found in self.copies if len(found.genres) > 1)

    @property
    def held_out(self) -> str:
        """What the heads that were asked about a track had not learnt from, in words."""
        if not self.artists:
            words = "songs of one artist may have influenced each other's predictions"
            return f"no artist is known: {words}"
        if self.unknown_artist:
            return f"artists held out where known, unknown for {self.unknown_artist}"
        return "artists held out"

    @property
    def notes(self) -> list[str]:
        """Sentences about genres by one artist, and about labels not asked in the usual way."""
        said = [
            f"{genre} has a single artist ({groups.shown(group)}): its accuracy cannot be "
            "measured, and its labels were not checked"
            for genre, group in self.lonely.items()
        ]
        for genre, (group, others) in self.dominated.items():
            text = (
                f"All but {others} of the {self.genres[genre]} tracks of {genre} are by one artist "
                f"({groups.shown(group)}): its accuracy cannot be measured"
            )
            # Without its artist nothing of the genre would be left to learn from.
            if genre in self.one_by_one:
                text += (
                    "; the artist's tracks were held out one by one, so they may have influenced "
                    "each other"
                )
            said.append(text)
        said += [
            f"{genre} was not checked: {n} tracks are too few to hold one out"
            for genre, n in self.unchecked.items()
            # Those are named above, with the reason that comes first.
            if genre not in self.lonely
        ]
        return said

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "schema": SCHEMA,
            "data": self.folder,
            # Copies as well: it is the number of files that a person sees in the folder.
            "tracks": sum(self.genres.values()),
            "genres": dict(self.genres),
            "artists": self.artists,
            "artist_unknown": self.unknown_artist,
            "measured": self.measured,
            "agreement": self.agreement,
            "suspects": [
                # All of them, however many a table or a page shows.
                {**vars(each), "neighbours": [vars(near) for near in each.neighbours]}
                for each in self.suspects
            ],
            "copies": [
                {"kept": each.kept, "copies": list(each.copies), "genres": list(each.genres)}
                for each in self.copies
            ],
            "one_artist_genres": dict(self.lonely),
            "nearly_one_artist_genres": {
                genre: {"group": group, "other_tracks": others}
                for genre, (group, others) in self.dominated.items()
            },
            "held_out_one_by_one": dict(self.one_by_one),
            "unchecked_genres": dict(self.unchecked),
            "split": self.split,
            "artists_on_both_sides": {name: dict(where) for name, where in self.crossing.items()},
            "failed": self.failed.to_dicts(),
            "damaged": self.damaged.to_dicts(),
        }
