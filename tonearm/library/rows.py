"""How the library's values become rows and back: paths, tags, predictions, tracks.

SQL calls some of these functions for each row. Opens nothing itself.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tonearm.genres import MIX, UNKNOWN, id3_name
from tonearm.library.records import FileTags, Track
from tonearm.model.prediction import Prediction, rank
from tonearm.tagging.plan import lacking

# What `track_of` reads, in its order.
TRACK_COLUMNS = (
    "t.id, t.path, t.missing, t.size, t.mtime_ns, s.key, s.duration_s, t.title, t.artist, t.album,"
    " t.album_artist, t.genres, t.by_tonearm, t.tag_error, s.genre, s.nearest, s.confidence,"
    " s.mix, s.probabilities, m.labels, s.warning, t.error_kind, t.error_message, s.styles,"
    " t.device, t.inode, s.note"
)
# The genre by sound in SQL, of an analysed track: one of the model's, "mix" or "unknown".
KIND = f"coalesce(s.genre, CASE WHEN s.mix > '' THEN '{MIX}' ELSE '{UNKNOWN}' END)"
# Tracks that are, or lie below, one of the paths whose bounds are given; any number of paths.
BELOW = (
    # Two bounds, not LIKE: they can use the index on paths, and no byte is a wildcard.
    "t.id IN (SELECT x.id FROM json_each(?) CROSS JOIN tracks x"
    " WHERE x.path >= unhexed(json_extract(value, '$[0]'))"
    " AND x.path < unhexed(json_extract(value, '$[1]')))"
)


def as_stored(path: str | os.PathLike[str]) -> bytes:
    """A path as the library keeps it: absolute, in the bytes of the file system.

    Parameters
    ----------
    path : path
        As the file system has it.
    """
    return os.fsencode(os.path.abspath(path))


def folded(*values: str | bytes | None) -> str | None:
    """Texts and paths as one, for comparing and sorting: without case, accents in one spelling.

    Called for each row of a search, so it is kept short.
    """
    texts = [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for value in values
        if value is not None
    ]
    if not texts:
        return None
    text = "\n".join(texts).casefold()
    # macOS stores an accent as a character of its own; a person types one.
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def below(paths: Iterable[str | os.PathLike[str]]) -> tuple[str, str]:
    """The condition that a track ``t`` lies at or below one of the paths, and its value.

    Parameters
    ----------
    paths : iterable of path
        Files and folders.
    """
    return BELOW, bounds_of(paths)


def bounds_of(paths: Iterable[str | os.PathLike[str]]) -> str:
    """For each path where its own name and the names below it begin and end, as JSON.

    Parameters
    ----------
    paths : iterable of path
        Files and folders.
    """
    bounds = []
    for path in map(as_stored, paths):
        inside = path.rstrip(os.fsencode(os.sep)) + os.fsencode(os.sep)
        # Both ends in hexadecimal: JSON cannot hold the bytes of every name. The path itself is the
        # first that is not below it, so a zero behind it ends the range of one.
        bounds.append((path.hex(), path.hex() + "00"))
        # What lies inside begins with the path and a slash, and ends before the next character:
        # `/a` must not take in `/ab`.
        bounds.append((inside.hex(), (inside[:-1] + bytes([inside[-1] + 1])).hex()))
    return json.dumps(bounds)


def stored_prediction(prediction: Prediction, labels: Sequence[str]) -> tuple[Any, ...]:
    """Genre, nearest, confidence, mix, float32 [k] in the order of the labels, styles, note.

    Parameters
    ----------
    prediction : Prediction
        What a model says of a sound.
    labels : sequence of str
        The genres of that model, in order.
    """
    probabilities = np.array([prediction.probabilities[name] for name in labels], np.float32)
    styles = json.dumps(prediction.styles, ensure_ascii=False)
    numbers = probabilities.tobytes()
    mix = None if prediction.mix is None else json.dumps(prediction.mix, ensure_ascii=False)
    named = prediction.genre, prediction.nearest, prediction.confidence, mix
    return *named, numbers, styles, prediction.note


@lru_cache(maxsize=1_000)
def genre_tag(genre: str) -> str:
    """The tags of a file that has this genre alone, as they are stored.

    Parameters
    ----------
    genre : str
        As the model or a person names it.
    """
    return json.dumps([id3_name(genre)])


def lacks_genre(stored: str, genre: str) -> bool:
    """Whether the tags of a file, as they are stored, do not name a genre in any spelling.

    Parameters
    ----------
    stored : str
        The tags.
    genre : str
        As the model or a person names it.
    """
    return bool(lacking(json.loads(stored), [genre]))


def stored_tags(tags: FileTags) -> tuple[Any, ...]:
    """Title, artist, album, album artist, genres as JSON, whether by Tonearm, and the error.

    Parameters
    ----------
    tags : FileTags
        The tags as they were read.
    """
    words = (tags.title, tags.artist, tags.album, tags.album_artist, tags.error)
    # Tags of foreign programs hold halves of surrogate pairs at times, which SQLite refuses.
    title, artist, album, album_artist, error = (
        word and word.encode("utf-8", "replace").decode() for word in words
    )
    genres = json.dumps(tags.genres)
    return title, artist, album, album_artist, genres, int(tags.by_tonearm), error


def track_of(row: tuple[Any, ...]) -> Track:
    """The track that a row of ``TRACK_COLUMNS`` describes.

    Parameters
    ----------
    row : tuple
        The columns, in that order.
    """
    (number, path, missing, size, mtime_ns, key, duration_s, title, artist, album) = row[:10]
    (album_artist, genres, by_tonearm, tag_error, genre, nearest, confidence, mix) = row[10:18]
    (probabilities, labels, warning, error_kind, error_message, styles) = row[18:24]
    (device, inode, note) = row[24:]
    ranked: dict[str, float] = {}
    if labels is not None:
        # By the labels of the model that classified it, which may have other genres than the one in
        # use.
        ranked = rank(json.loads(labels), np.frombuffer(probabilities, dtype=np.float32))
    return Track(
        id=number,
        path=os.fsdecode(path),
        missing=bool(missing),
        size=size,
        mtime_ns=mtime_ns,
        key=key,
        duration_s=duration_s,
        tags=FileTags(
            title,
            artist,
            album,
            album_artist,
            tuple(json.loads(genres)),
            bool(by_tonearm),
            tag_error,
        ),
        genre=genre,
        nearest=nearest,
        confidence=confidence,
        probabilities=ranked,
        warning=warning,
        error_kind=error_kind,
        error_message=error_message,
        styles=json.loads(styles) if styles else {},
        mix=json.loads(mix) if mix else None,
        device=device,
        inode=inode,
        note=note,
    )
