"""Groups (artist, album, recording) that a split must keep together.

A group is ``artist:…`` if the artist is known, else ``folder:…`` or ``track:…``; all copies of one
recording are in one group. Only for ``artist:`` is another group certainly another artist.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tonearm.data.csv_rows import csv_rows
from tonearm.data.index import Track, stem
from tonearm.errors import DatasetError, writing
from tonearm.files import write_atomically
from tonearm.genres import is_reserved

_ARTIST, _FOLDER, _TRACK = "artist:", "folder:", "track:"
# Words that come and go in the name of one artist.
_ENSEMBLES = frozenset(("the", "trio", "quartet", "quintet", "band"))
# Names that stand for no artist: they must not join unrelated tracks into one group.
_NOBODY = frozenset(("", "unknown", "unknownartist", "various", "variousartists", "va"))
# Folders that name no artist and occur under many genres: CD1, Disc 2, Vol. 3, 1999, Singles.
_NO_NAME = re.compile(r"(cd|dis[ck]|vol|volume|part|side)?\d*|side[ab]|singles|misc|unsorted|other")
# Folders of a format, or of a subset, below those of genres.
_KIND = re.compile(
    r"wavs?|mp3s?|flacs?|oggs?|m4as?|aus?|audio|music|songs?|tracks?|clips?|files?|data|"
    r"train(ing)?|test(ing)?|val(id(ation)?)?"
)
_FEATURING = re.compile(r"\s*[(\[]?\b(feat|ft|featuring)\b\.?\s.*$", re.IGNORECASE)
# One or two words on each side, so that `Crosby, Stills & Nash` is nobody's last name.
_LAST_FIRST = re.compile(r"\s*([\w'-]+(?: [\w'-]+)?)\s*,\s*([\w'.-]+(?: [\w'.-]+)?)\s*")
# Encoders add up to a tenth of a second; what is a second shorter lacks music.
_AS_LONG_S = 1.0
_ARTISTS = ("artist", "artist_name", "artists")
_HEADERS = frozenset(("clip", "track", "file", "filename", "name", "path", "song"))


def shown(group: str) -> str:
    """The name of an artist, folder or track that a group stands for.

    Parameters
    ----------
    group : str
        As `group_of` gives it.

    Examples
    --------
    >>> shown("artist:bach")
    'bach'
    """
    return group.partition(":")[2]


def group_of(name: str, *, artist: str | None, album: str | None = None) -> str:
    """Return the group of a track: its artist if known, else album or folder, else the track.

    Parameters
    ----------
    name : str
        Path from the folder of music: ``genre/…/file``. The first folder below the genre that
        names an artist or an album counts; folders such as CD1 do not. A folder of the same name
        below another genre is the same group.
    artist : str or None
        From a table or the file's tags. If None, ``Artist - Title`` in the file's name counts.
    album : str or None
        From a table; it counts like a folder of that name.
    """
    base = stem(name)
    written = base.split(" - ", 1)[0] if " - " in base else ""
    # In `01 - Title`, the number is the track's.
    for candidate in (artist or "", re.sub(r"^[\d\s.]+$", "", written)):
        plain = plain_artist(candidate)
        if plain.replace(" ", "") not in _NOBODY:
            return f"{_ARTIST}{plain}"
    if album and _names_somebody(album):
        return f"{_FOLDER}{album}"
    top, *inner = name.split("/")[:-1] or [""]
    # `rock/wav/a.wav` and `rock/train/a.wav`: such a folder says nothing of who made it.
    folders = [top, *(folder for folder in inner if not _KIND.fullmatch(folder.casefold()))]
    # Directly in its genre's folder: nothing is known of who made it.
    if len(folders) < 2:
        return f"{_TRACK}{name}"
    named = (folder for folder in folders[1:] if _names_somebody(folder))
    return f"{_FOLDER}{next(named, '/'.join(folders))}"


def credited(artist: str | None, album_artist: str | None) -> str | None:
    """Who a track is by: its album's artist if that names somebody, else its own.

    Guests change from song to song; on a compilation the album is by various artists.

    Parameters
    ----------
    artist, album_artist : str or None
        As the tags say.
    """
    of_album = plain_artist(album_artist or "").replace(" ", "")
    # "Various Artists" names nobody.
    return artist if of_album in _NOBODY else album_artist


def _names_somebody(folder: str) -> bool:
    plain = plain_artist(folder).replace(" ", "")
    return plain not in _NOBODY and not _NO_NAME.fullmatch(plain)


def plain_artist(artist: str) -> str:
    """Return one form for all spellings: ``The Dave Brubeck Quartet`` is ``dave brubeck``.

    ``Davis, Miles`` is ``miles davis``, accents do not count, nor does who is featured.

    Joint credits are a name of their own. Otherwise all artists who feature each other would be one
    group, and nothing could be held out.

    Parameters
    ----------
    artist : str
        As a table or tags have it.
    """
    artist = _FEATURING.sub("", artist)
    last_first = _LAST_FIRST.fullmatch(artist)
    if last_first:
        artist = f"{last_first[2]} {last_first[1]}"
    # Beyoncé and Beyonce are one: in NFKD an accent is a character of its own, not of a word.
    spelled = unicodedata.normalize("NFKD", artist.casefold()).replace("&", " and ")
    text = re.sub(r"[^\w\s]|_", "", spelled).split()
    # A band may be called The Band: keep the words if nothing else is left.
    return " ".join(word for word in text if word not in _ENSEMBLES) or " ".join(text)


def join_folders(tracks: Iterable[Track]) -> list[Track]:
    """Move tracks into an artist's group if their folder has the name of that artist.

    Parameters
    ----------
    tracks : iterable of Track
        Of one data set, in the order of its index.
    """
    tracks = list(tracks)
    artists = {track.group for track in tracks if track.group.startswith(_ARTIST)}
    joined = []
    for track in tracks:
        artist = f"{_ARTIST}{plain_artist(track.group.removeprefix(_FOLDER))}"
        known = track.group.startswith(_FOLDER) and artist in artists
        joined.append(replace(track, group=artist) if known else track)
    return joined


def without_artist(groups: Iterable[str]) -> Counter[str]:
    """Count the tracks whose group is only a ``folder`` or a ``track``.

    Parameters
    ----------
    groups : iterable of str
        Group of each track.
    """
    kinds = Counter(group.split(":", 1)[0] for group in groups)
    return Counter({kind: kinds[kind] for kind in ("folder", "track") if kinds[kind]})


def groups_of(labels: Iterable[str], groups: Iterable[str]) -> dict[str, set[str]]:
    """The groups of each genre.

    Parameters
    ----------
    labels, groups : iterable of str
        Of each track.
    """
    found: dict[str, set[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        found.setdefault(label, set()).add(group)
    return found


# Where no genre is by two artists, no split and no fold can be honest.
ALL_LONELY = "every genre has a single artist or group: add music by others"


def refuse_few(genres: Collection[str], *, fewest: int = 2) -> None:
    """Raise DatasetError where there are too few genres to tell apart.

    Parameters
    ----------
    genres : collection of str
        Those of the data set.
    fewest : int
        How many there must be at least.
    """
    if len(genres) < fewest:
        named = ", ".join(genres) or "none"
        raise DatasetError(f"there is only one genre ({named}): two or more are needed")


def refuse_reserved(genres: Iterable[str]) -> None:
    """Raise DatasetError where a genre has the name of what has none, so that both read alike.

    Parameters
    ----------
    genres : iterable of str
        Those that a model shall learn.
    """
    reserved = sorted(filter(is_reserved, genres))
    if reserved:
        named = " and ".join(f"“{genre}”" for genre in reserved)
        words = f"Tonearm says {named} of music without one known genre"
        raise DatasetError(f"{words}: give that genre another name, or leave it out")


def lonely_genres(labels: Iterable[str], groups: Iterable[str]) -> dict[str, str]:
    """The genres that one group has alone, with that group: no figure of theirs can be honest.

    Parameters
    ----------
    labels, groups : iterable of str
        Of each track.
    """
    of_genre = groups_of(labels, groups)
    return {label: next(iter(own)) for label, own in of_genre.items() if len(own) == 1}


def merge_copies(tracks: Iterable[Track], pairs: Iterable[tuple[str, str]]) -> tuple[Track, ...]:
    """Set ``copy_of``, and join the groups of copies.

    The whole recording is the original, and an excerpt is its copy; of several that are as long,
    the first in the list is the original.

    Parameters
    ----------
    tracks : iterable of Track
        Of one data set, in the order of its index.
    pairs : iterable of (str, str)
        Names of two tracks that hold one recording, or a part of it.
    """
    tracks, pairs = list(tracks), list(pairs)
    by_name = {track.name: track for track in tracks}
    # Copies of copies are one recording, and their groups one group, whatever the order of pairs.
    recording = _roots(pairs)
    group = _roots((by_name[one].group, by_name[other].group) for one, other in pairs)
    members: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        members[recording.get(track.name, track.name)].append(track)
    original = {root: _longest(copies).name for root, copies in members.items()}
    merged = []
    for track in tracks:
        first = original[recording.get(track.name, track.name)]
        merged.append(
            replace(
                track,
                group=group.get(track.group, track.group),
                copy_of=None if first == track.name else first,
            )
        )
    return tuple(merged)


def _longest(tracks: Sequence[Track]) -> Track:
    """The first of the longest tracks; encodings of one recording are equally long."""
    longest_s = max(track.duration_s for track in tracks)
    return next(track for track in tracks if track.duration_s >= longest_s - _AS_LONG_S)


def _roots(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """One name for all that are joined by pairs, the smallest: union-find."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.get(name, name) != name:
            name = parent[name]
        return name

    for pair in pairs:
        first, second = sorted(map(root, pair))
        parent[second] = parent.setdefault(first, first)
    return {name: root(name) for name in parent}


def same_sound(tracks: Iterable[Track]) -> list[tuple[str, str]]:
    """Pairs of names (first, later) of tracks with the same checksum.

    Parameters
    ----------
    tracks : iterable of Track
        Of one data set, in the order of its index.
    """
    first: dict[str, str] = {}
    same = [(first.setdefault(track.sound, track.name), track.name) for track in tracks]
    return [pair for pair in same if pair[0] != pair[1]]


def distinct(tracks: Iterable[Track]) -> tuple[Track, ...]:
    """Keep one track of each recording, and no recording that has several genres.

    It is the original where that is among them, else the longest copy.

    Parameters
    ----------
    tracks : iterable of Track
        Of one data set, in the order of its index.
    """
    tracks = tuple(tracks)
    # Which of the genres is right cannot be known, so neither is learnt nor measured.
    unclear = {track.name for found in contradictions(tracks) for track in found}
    recordings: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        recordings[track.copy_of or track.name].append(track)
    kept = {
        next((track for track in copies if track.copy_of is None), _longest(copies)).name
        for copies in recordings.values()
    }
    return tuple(track for track in tracks if track.name in kept - unclear)


def contradictions(tracks: Iterable[Track]) -> list[tuple[Track, ...]]:
    """Recordings whose copies have different genres: all tracks of each.

    Parameters
    ----------
    tracks : iterable of Track
        Of one data set, in the order of its index.
    """
    recordings: dict[str, list[Track]] = defaultdict(list)
    for track in tracks:
        recordings[track.copy_of or track.name].append(track)
    found = [tuple(copies) for copies in recordings.values()]
    return [copies for copies in found if len({track.genre for track in copies}) > 1]


def by_written_name(names: Iterable[str]) -> dict[str, list[str]]:
    """Tracks by each way to name them in a list: path, or file name without folder and suffix.

    Parameters
    ----------
    names : iterable of str
        Names of tracks.
    """
    found: dict[str, list[str]] = defaultdict(list)
    names = list(names)
    for name in names:
        found[stem(name)].append(name)
    # A whole path comes last, so it wins over a file name that looks the same.
    return {**found, **{name: [name] for name in names}}


def written_as(written: str, known: Mapping[str, list[str]]) -> list[str]:
    """The tracks that a line of a table means.

    Parameters
    ----------
    written : str
        A path below the data set or the folder above it, or the name of a file alone, with or
        without its ending.
    known : mapping of str to list of str
        From :func:`by_written_name`.
    """
    if written in known:
        return known[written]
    path = written.replace("\\", "/")
    folder, slash, name = path.rpartition("/")
    if not slash:
        return known.get(stem(name), [])
    parts = folder.split("/")
    # From the whole path on: a table of Windows has backslashes in it.
    ends = ("/".join([*parts[i:], name]) for i in range(len(parts)))
    # Never the name alone: of a track that is gone, another folder's would be taken.
    return next((known[end] for end in ends if end in known), [])


def read_artists(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read a table of lines ``clip<TAB>artist`` (or CSV), without clips that have no artist.

    A first line that begins with ``clip``, ``track``, ``file`` … is a heading.

    Parameters
    ----------
    path : path
        The table; commas divide the cells if the first line is a heading with commas.

    Raises
    ------
    DatasetError
        If it cannot be read, or is not such a table.
    """
    try:
        # utf-8-sig: some spreadsheets begin a table with a byte order mark.
        text = Path(path).read_text("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise DatasetError(f"the artists in {path} cannot be read: {error.strerror}") from None
    lines = [line for line in text.split("\n") if line.strip()]
    heading = lines[0].split(",")[0] if lines else ""
    if heading.strip().casefold() in _HEADERS:  # as a spreadsheet writes it
        rows = csv_rows(lines, path)
    else:
        rows = [line.split("\t") for line in lines]
    at = 1
    if rows and rows[0][0].strip().casefold() in _HEADERS:
        # A table of labels has other columns too, and any of them could be the second.
        names = [cell.strip().casefold() for cell in rows.pop(0)]
        at = next((names.index(name) for name in _ARTISTS if name in names), 1)
        if len(names) > 2 and names[at] not in _ARTISTS:
            raise DatasetError(
                f"{path} has no column artist: its first line is {','.join(names)[:80]!r}"
            )
        if at > 1:  # rows of spreadsheets may end early
            rows = [[row[0], row[at] if at < len(row) else ""] for row in rows]
    if not rows or any(len(row) < 2 for row in rows):
        odd = next(("\t".join(row) for row in rows if len(row) < 2), "nothing")
        raise DatasetError(
            f"{path} is not a table of lines clip<TAB>artist, or a CSV whose first line "
            f"is path,artist: {odd!r}"
        )
    return {row[0].strip(): row[1].strip() for row in rows if row[1].strip()}


def write_artists(path: Path, artists: Mapping[str, str]) -> None:
    """Write a table that :func:`read_artists` reads.

    Parameters
    ----------
    path : Path
        Where to; what is there is replaced.
    artists : mapping of str to str
        Artist by clip.
    """
    lines = ["clip\tartist", *(f"{clip}\t{artist}" for clip, artist in artists.items())]
    with writing(path, DatasetError):
        write_atomically(path, "\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))


def artists_of(names: Collection[str], table: Mapping[str, str]) -> dict[str, str]:
    """Artists by track name, for the tracks that a table names.

    Parameters
    ----------
    names : collection of str
        Names of tracks.
    table : mapping of str to str
        From :func:`read_artists`.

    Raises
    ------
    DatasetError
        If a line of the table fits several tracks.
    """
    known = by_written_name(names)
    found: dict[str, str] = {}
    for clip, artist in table.items():
        meant = written_as(clip, known)
        # `song.mp3` and `song.flac` of one folder are one song, twice.
        if len({os.path.splitext(name)[0] for name in meant}) > 1:
            raise DatasetError(
                f"table of artists: {clip!r} fits {len(meant)} files here "
                f"({', '.join(meant[:3])}): write genre/…/file"
            )
        found |= dict.fromkeys(meant, artist)
    return found
