"""What is in a library, in numbers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tonearm import genres as names
from tonearm.library.links import COPIED, links_of
from tonearm.library.places import PRESENT, note_offline, unread
from tonearm.library.rows import KIND
from tonearm.library.store import Library
from tonearm.tagging.plan import names_genre

# Other spellings of genres that the model knows.
_SPELLINGS = {"rap": "hiphop"}
_BINS = 10  # tenths of confidence


@dataclass(frozen=True)
class Overview:
    """A library in numbers.

    Parameters
    ----------
    tracks, links : int
        Files that are there by all their names, and how many of these are links to the others.
    analysed, failed, missing, offline : int
        Of the files analysed; what could not be read, with links to nowhere; files that are
        missing; files in folders that are offline.
    offline_folders : list of str
        These folders.
    duration_s : float
        Of all analysed tracks.
    genres : dict of str to int
        Tracks of each genre, most first; ``mix`` and ``unknown`` among them.
    confidence : list of int
        Tracks of a known genre whose probability is 0 to .1, .1 to .2, and so on.
    untagged, tagged_by_tonearm, disagreeing : int
        Files that can be read and have no genre tag; with one by Tonearm; with one by a person
        that names a known genre other than the one by sound.
    damaged : int
        Analysed tracks that were classified by what is left of them.
    copies : int
        Files whose sound another file holds too, as ``list --copies`` lists them; links to one
        file do not count.
    untaggable : int
        Analysed files whose tags cannot be read or written.
    errors : dict of str to int
        Files that could not be read, by kind.
    model : str or None
        Its name.
    """

    tracks: int
    analysed: int
    failed: int
    missing: int
    duration_s: float
    genres: dict[str, int]
    confidence: list[int]
    untagged: int
    tagged_by_tonearm: int
    disagreeing: int
    damaged: int
    copies: int
    errors: dict[str, int]
    model: str | None
    untaggable: int = 0
    links: int = 0
    offline: int = 0
    offline_folders: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def overview(library: Library) -> Overview:
    """Count everything.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    # Offline files are neither there nor missing: every count below leaves them out.
    folders = note_offline(library)
    model = library.model()
    counts = _counts(library, model.labels if model else ())
    failed = library.rows(
        "SELECT error_kind, count(*) FROM tracks t"  # noqa: S608
        f" WHERE {PRESENT} AND error_kind IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
    )
    tracks, missing = library.rows("SELECT count(*), coalesce(sum(missing), 0) FROM tracks")[0]
    absent = {number for (number,) in library.rows("SELECT id FROM temp.offline")}
    offline = len(absent)
    links = {link.track for link in links_of(library)} - absent
    sql = f"SELECT id FROM tracks t WHERE {PRESENT} AND {COPIED}"  # noqa: S608
    copied = {number for (number,) in library.rows(sql)} - links
    untaggable = library.rows(
        f"SELECT count(*) FROM tracks t WHERE {PRESENT}"  # noqa: S608
        " AND error_kind IS NULL AND tag_error IS NOT NULL"
    )[0][0]
    damaged = library.rows(
        "SELECT count(*) FROM tracks t JOIN sounds s ON s.id = t.sound"  # noqa: S608
        f" WHERE {PRESENT} AND s.warning IS NOT NULL"
    )[0][0]
    return Overview(
        tracks=tracks - missing - offline,
        links=len(links),
        analysed=sum(counts.genres.values()),
        # Links to nowhere have no row among the tracks, but a person counts them as files.
        failed=sum(count for _, count in failed) + len(unread(library)),
        missing=missing,
        duration_s=round(counts.duration_s, 1),
        genres=dict(sorted(counts.genres.items(), key=lambda item: (-item[1], item[0]))),
        confidence=counts.confidence,
        untagged=counts.untagged,
        tagged_by_tonearm=counts.by_tonearm,
        disagreeing=counts.disagreeing,
        damaged=damaged,
        untaggable=untaggable,
        copies=len(copied),
        errors=dict(failed),
        model=model.name if model else None,
        offline=offline,
        offline_folders=[str(folder) for folder in folders],
    )


@dataclass
class _Counts:
    """Files by what they sound like and by their tags."""

    genres: Counter[str] = field(default_factory=Counter)
    confidence: list[int] = field(default_factory=lambda: [0] * _BINS)
    duration_s: float = 0.0
    untagged: int = 0
    by_tonearm: int = 0
    disagreeing: int = 0


def _counts(library: Library, labels: tuple[str, ...]) -> _Counts:
    """One pass over the analysed tracks, and one over the tags of the others."""
    found = _Counts()
    for kind, genre, place, tags, own, known, count, seconds in library.rows(
        f"SELECT {KIND}, s.genre, min(cast(s.confidence * ? AS INTEGER), ?), t.genres,"  # noqa: S608
        " t.by_tonearm, t.tag_error IS NULL, count(*), sum(s.duration_s)"
        " FROM tracks t JOIN sounds s ON s.id = t.sound"
        f" WHERE {PRESENT} GROUP BY 1, 2, 3, 4, 5, 6",
        # Confidence 1.0 belongs to the last bin, not to an eleventh.
        [_BINS, _BINS - 1],
    ):
        found.genres[kind] += count
        # Neither "unknown" nor "mix" is a guess to be confident of.
        found.confidence[place] += count * (genre is not None)
        found.duration_s += seconds
        if not names_genre(tags):
            found.untagged += count * known
        elif own:
            found.by_tonearm += count
        elif genre is not None:
            named = set[str]().union(*(known_genres(tag, labels) for tag in json.loads(tags)))
            # A tag that names no genre of the model ("Other", a decade) cannot disagree.
            found.disagreeing += count * bool(named and genre not in named)
    # Of what could not be analysed, the tags may be known all the same.
    for tags, count in library.rows(
        f"SELECT genres, count(*) FROM tracks t WHERE {PRESENT} AND sound IS NULL"  # noqa: S608
        " AND by_tonearm GROUP BY 1"
    ):
        found.by_tonearm += count * names_genre(tags)
    return found


def known_genres(tag: str, labels: tuple[str, ...]) -> set[str]:
    """Which of the labels a genre tag of any spelling names: "Alternative Rock" is rock.

    Compared are all words that follow each other in the tag, written as one.

    Parameters
    ----------
    tag : str
        A genre tag, in any spelling.
    labels : tuple[str, ...]
        The genres of the model.
    """
    # No run of words longer than the longest label can be one: "rock" in a sentence stays cheap.
    longest = max(map(len, map(names.key, labels)), default=0)
    words = names.words(tag)
    runs: set[str] = set()
    for first in range(len(words)):
        run = ""
        for word in words[first:]:
            run += word
            if len(run) > longest:
                break
            # Words joined, since hip hop, hip-hop and hiphop are one genre.
            runs.add(_SPELLINGS.get(run, run))
    return {label for label in labels if names.key(label) in runs}
