"""What an audit holds out around each track, so that its genre is still learnt from others.

As a rule that is the track's artist. Where one artist made all of a genre but for a few tracks,
holding the artist out would leave only these, and if they are the wrong ones every right label
would look wrong. Tracks of such an artist are held out one by one instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Tracks of its genre that a head must learn from besides what is held out. Two may both be
# misfiled; of three, one right one still pulls the centre of the genre to its place.
FEWEST = 3


@dataclass(frozen=True)
class Units:
    """How each track is held out.

    Parameters
    ----------
    groups : tuple of str [n]
        What is held out together: the track's own group, or the track by itself.
    one_by_one : tuple of bool [n]
        Whether the track is held out without its artist, whose other tracks may speak for it.
    unchecked : dict of str to int
        Genres that have too few tracks for any of them to be held out, with their number.
    """

    groups: tuple[str, ...]
    one_by_one: tuple[bool, ...]
    unchecked: dict[str, int]


def units(labels: Sequence[str], groups: Sequence[str]) -> Units:
    """Decide what is held out with each track.

    Parameters
    ----------
    labels, groups : sequence of str [n]
        Genre and group of each track.
    """
    of_label, of_both = Counter(labels), Counter(zip(labels, groups, strict=True))
    unchecked = {label: n for label, n in sorted(of_label.items()) if n <= FEWEST}
    # A genre whose every track is by one group stays as it is: heads would tell artists apart.
    chosen, alone = [], []
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        others = of_label[label] - of_both[label, group]
        alone.append(label not in unchecked and 0 < others < FEWEST)
        if label in unchecked:
            # One group for the whole genre: it is always learnt from and never asked about.
            chosen.append(f"genre:{label}")
        else:
            # The place, since a name would have to be passed along for this alone.
            chosen.append(f"one:{i}" if alone[-1] else group)
    return Units(tuple(chosen), tuple(alone), unchecked)


def dominated(labels: Sequence[str], groups: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Genres of one group but for a few tracks: that group, and how many are by others.

    Parameters
    ----------
    labels, groups : sequence of str [n]
        Genre and group of each track.
    """
    of_label, found = Counter(labels), {}
    for (label, group), n in sorted(Counter(zip(labels, groups, strict=True)).items()):
        others = of_label[label] - n
        # More than half, or a genre of two tracks by two artists would have two owners.
        if 0 < others < FEWEST and n > others:
            found[label] = (group, others)
    return found
