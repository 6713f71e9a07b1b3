"""The nearest by sound: cosine between centred square roots of mean embeddings.

Embeddings are probabilities of tags, many near zero. Square roots (Hellinger's distance) keep the
few large ones from deciding alone, and subtracting the library's mean leaves what is special.
On GTZAN's 443 training clips, artists apart, the nearest clip is of the same genre for .693, of the
ten nearest .631 (plain cosine: .659 and .619; dividing by deviations as well: .686 and .617; the
standard error is 2.2 points): ``runs/similarity_measures.py``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tonearm.data import copies
from tonearm.errors import LibraryError
from tonearm.library.places import PRESENT, note_offline
from tonearm.library.store import Library, Track, as_stored
from tonearm.model.encoder import Embeddings
from tonearm.model.file import Model

Float32 = NDArray[np.float32]

_OTHER_GENRE = np.float32(-2)  # below every cosine


@dataclass(frozen=True)
class Probe:
    """A sound to compare with: mean embedding float32 [d], its encoder, its key if known.

    :func:`probe_of` finds that of a file in the library, :meth:`of` makes that of another.

    Parameters
    ----------
    pooled : float32 [d]
        Mean embedding.
    duration_s : float
        Length of the sound.
    encoder : str
        SHA-256 of the encoders.
    key : str or None
        Sound key, so that the sound itself is not found.
    """

    pooled: Float32
    duration_s: float
    encoder: str
    key: str | None = None

    @classmethod
    def of(cls, embeddings: Embeddings, model: Model, *, key: str | None = None) -> Probe:
        """From the embeddings of a sound, which need not be in the library.

        Parameters
        ----------
        embeddings : Embeddings
            Of the sound.
        model : Model
            The model that made them.
        key : str or None
            Key of the sound.

        Examples
        --------
        >>> embeddings = classifier.embed("midnight_walk.mp3")
        >>> Probe.of(embeddings, classifier.model).pooled.shape
        (50,)
        """
        pooled = embeddings.values.mean(axis=0)
        return cls(pooled, embeddings.duration_s, model.encoder_sha256, key)


@dataclass(frozen=True)
class Match:
    """A track and how near it is: 1 the same, 0 nothing in common, negative opposite.

    Parameters
    ----------
    track : Track
        The first of the files that hold the sound.
    similarity : float
        Cosine, -1 to 1.
    """

    track: Track
    similarity: float


def probe_of(
    library: Library, path: str | os.PathLike[str], key: str | None = None
) -> Probe | None:
    """A file that the library has analysed, found by its path or its sound key.

    Parameters
    ----------
    library : Library
        The library, open.
    path : path
        The file.
    key : str or None
        Key of the sound.
    """
    # By key where it is known: a copy at another path has the same.
    column, value = ("s.key", key) if key else ("t.path", as_stored(path))
    sql = (
        "SELECT s.pooled, s.duration_s, m.encoder, s.key FROM sounds s"  # noqa: S608
        " JOIN models m ON m.id = s.model LEFT JOIN tracks t ON t.sound = s.id"
        f" WHERE {column} = ? LIMIT 1"
    )
    rows = library.rows(sql, [value])
    if not rows:
        return None
    pooled, duration_s, encoder, found = rows[0]
    return Probe(np.frombuffer(pooled, dtype=np.float32), duration_s, encoder, found)


def similar(library: Library, probe: Probe, *, count: int, genre: str | None = None) -> list[Match]:
    """The tracks most similar to a sound, nearest first; one of several copies, never itself.

    Parameters
    ----------
    library : Library
        Only sounds that the probe's encoder analysed are compared.
    probe : Probe
        What to be like.
    count : int
        How many at most.
    genre : str or None
        Only tracks of that genre by sound, however far away.

    Raises
    ------
    LibraryError
        When it holds nothing that could be compared.

    Examples
    --------
    >>> from tonearm.library.scan import scan
    >>> with Library("library.sqlite", write=True) as library:
    ...     result = scan(library, ["midnight_walk.mp3", "gravel_and_honey.wav"], jobs=1)
    ...     matches = similar(library, probe_of(library, "midnight_walk.mp3"), count=1)
    >>> os.path.basename(matches[0].track.path)
    'gravel_and_honey.wav'
    """
    note_offline(library)
    rows = library.rows(
        "SELECT s.id, s.duration_s, s.pooled, s.genre FROM sounds s JOIN models m ON m.id = s.model"  # noqa: S608
        " WHERE m.encoder = ? AND s.key IS NOT ?"
        f" AND EXISTS (SELECT 1 FROM tracks t WHERE t.sound = s.id AND {PRESENT})",
        [probe.encoder, probe.key],
    )
    if not rows:
        held, own = library.rows(
            "SELECT count(*), sum(key IS ?) FROM sounds s"  # noqa: S608
            f" WHERE EXISTS (SELECT 1 FROM tracks t WHERE t.sound = s.id AND {PRESENT})",
            [probe.key],
        )[0]
        if held and held == own:  # all there is are copies of it
            return []
        raise LibraryError(f"{library.path} holds nothing to compare: run `tonearm scan FOLDER`")
    numbers, durations, blobs, genres = zip(*rows, strict=True)
    # As one matrix: a hundred thousand means of 50 numbers are 20 MB, and one product compares all.
    pooled = np.frombuffer(b"".join(blobs), dtype=np.float32).reshape(len(rows), -1)  # (n, d)
    lengths_s = np.array([*durations, probe.duration_s])  # (n + 1,)
    # float32 [n + 1, d]; the probe is the last row
    points = np.vstack([pooled, probe.pooled])
    if points.min() >= 0:  # embeddings of imported encoders may be any numbers
        points = np.sqrt(points)
    # The mean is the library's alone, so that a probe does not move what it is compared with.
    centred = points - points[:-1].mean(axis=0)
    # A sound that is the mean itself has no direction: it is like nothing, not an error.
    units = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-6)
    likeness = units[:-1] @ units[-1]  # (n,)
    if genre is not None:
        # The mean stays that of the whole library.
        likeness = np.where([own == genre for own in genres], likeness, _OTHER_GENRE)
    chosen = [len(rows)]  # the probe itself
    # More than asked for, since copies of one recording take places.
    for i in _falling(likeness, at_least=4 * count):
        if likeness[i] == _OTHER_GENRE:  # as are all that follow
            break
        if _is_copy(points, lengths_s, i, chosen):
            continue
        chosen.append(i)
        if len(chosen) > count:
            break
    found = _tracks(library, [numbers[i] for i in chosen[1:]])
    return [
        Match(found[numbers[i]], round(float(likeness[i]), 4))
        for i in chosen[1:]
        if numbers[i] in found
    ]


def _falling(values: Float32, *, at_least: int) -> NDArray[np.int64]:
    """Places of the largest values; all of them only where copies might use up a few."""
    # Sorting 100,000 to show ten is waste; below this size it does not matter.
    if len(values) > 50 * at_least:
        # Ties by place, so that the order does not depend on how the values were partitioned.
        few = np.argpartition(-values, 50 * at_least)[: 50 * at_least]
        return few[np.lexsort((few, -values[few]))]
    return np.argsort(-values, kind="stable")


def _is_copy(points: Float32, lengths_s: NDArray[np.float64], i: int, chosen: list[int]) -> bool:
    """Whether sound ``i`` is one of ``chosen`` in another encoding."""
    as_long = copies.lengths_agree(lengths_s[chosen], lengths_s[i])
    return bool((as_long & copies.embeddings_agree(points[chosen], points[i])).any())


def _tracks(library: Library, sounds: list[int]) -> dict[int, Track]:
    """The first track of each sound."""
    found: dict[int, Track] = {}
    where = "t.sound IN (SELECT value FROM json_each(?))"
    by_id = {track.id: track for track in library.tracks(where=where, values=[json.dumps(sounds)])}
    pairs = library.rows(
        f"SELECT id, sound FROM tracks t WHERE {PRESENT} AND sound IN"  # noqa: S608
        " (SELECT value FROM json_each(?)) ORDER BY path",
        [json.dumps(sounds)],
    )
    for number, sound in pairs:
        if number in by_id:
            found.setdefault(sound, by_id[number])
    return found
