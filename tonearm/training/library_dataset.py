"""A library as a data set: the genres that people wrote into tags, and stored embeddings.

Must not import torch.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tonearm.data import copies, groups
from tonearm.data.index import Index, Track, genre_of
from tonearm.errors import DatasetError
from tonearm.faults import Faults
from tonearm.genres import key
from tonearm.training.dataset import DataSet, Encoding

# A genre of fewer tracks says little, and libraries have many such words.
FEWEST_TRACKS = 10


def read(path: Path, encoding: Encoding) -> tuple[DataSet, int]:
    """The tracks of a library whose genre a person wrote, and how many are left out.

    Tracks of genres with fewer than `FEWEST_TRACKS` are left out, and so is what Tonearm wrote:
    its labels would agree with themselves.

    Parameters
    ----------
    path : Path
        The library file, for messages.
    encoding : Encoding
        With the library, open.

    Raises
    ------
    DatasetError
        When fewer than two genres remain.
    """
    failed, damaged = Faults(), Faults()
    tracks: list[Track] = []
    spellings: dict[str, str] = {}
    left_out = 0
    for track in encoding.library.tracks():
        if track.error_message:
            failed.add(track.path, track.error_message)
        if track.warning:
            damaged.add(track.path, track.warning)
        tags = track.tags
        if track.key is None or not tags.genres or tags.by_tonearm:
            left_out += 1
            continue
        genres = [genre_of(genre) for genre in tags.genres]
        named = [spellings.setdefault(key(genre), genre) for genre in genres]
        artist = groups.credited(tags.artist, tags.album_artist)
        group = groups.group_of(track.path, artist=artist, album=tags.album)
        length_s = track.duration_s or 0.0
        tracks.append(
            Track(track.path, named[0], group, track.key, length_s, also=tuple(named[1:]))
        )
    counts = Counter(track.genre for track in tracks)
    kept = [track for track in tracks if counts[track.genre] >= FEWEST_TRACKS]
    if len({track.genre for track in kept}) < 2:
        raise DatasetError(
            f"{path} has fewer than two genres of {FEWEST_TRACKS} tracks with tags by a person: "
            "tag more tracks, or audit a folder with one folder per genre"
        )
    stored = {track.name: encoding.get(track.sound) for track in kept}
    found = {name: made for name, made in stored.items() if made is not None}
    pairs = groups.same_sound(kept) + copies.find_by_embeddings(found)
    # Names are whole paths, so the root is their source.
    made = Index(groups.merge_copies(kept, pairs), (), path.anchor or "/")
    return DataSet(path, made, failed=failed, damaged=damaged), left_out + len(tracks) - len(kept)
