"""From a folder of music, or arrays made elsewhere, to a prepared folder: index and stores.

A prepared folder holds ``index.jsonl``, ``features/`` (log-mel), ``windows/`` (embeddings),
``fingerprints/``, ``artists.tsv`` if such a table was given, and ``journal.jsonl``: what is known
of each file so far, a line each, by path, size and time of change. A run that was killed reads it
and goes on. The index is written last, so that a folder with an index is whole. Must not import
torch or print.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tonearm import audio
from tonearm.data import copies, groups, index
from tonearm.data.feature_store import (
    FeatureStore,
    checksum,
    embedding_identity,
    identity,
    open_store,
    storable,
)
from tonearm.data.folder import Listing, look
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError, DecodeError
from tonearm.features import FeatureSpec
from tonearm.model.classifier import Classifier
from tonearm.model.encoder import SHORTEST_S
from tonearm.pool import in_order

FEATURES, WINDOWS, FINGERPRINTS, JOURNAL = "features", "windows", "fingerprints", "journal.jsonl"
ARTISTS = "artists.tsv"
_FINGERPRINT_IDENTITY = {"kind": "fingerprints", "version": 1}
_BROKEN_IN_GTZAN = "jazz.00054"

OnDone = Callable[[int, int], None]  # files so far, failures so far


@dataclass(frozen=True)
class Prepared:
    """What `prepare_folder` made of a folder.

    Parameters
    ----------
    index : Index
    damaged : tuple of (str, str)
        Files that are in the index though something is wrong with them, and what.
    renamed : dict of str to str
        Folders whose name was taken for another genre's: one of the ten, or the same in another
        spelling.
    empty : tuple of str
        Folders without a file.
    named : int
        Tracks whose artist the table names.
    """

    index: Index
    damaged: tuple[tuple[str, str], ...]
    renamed: Mapping[str, str]
    empty: tuple[str, ...]
    named: int


def prepare_folder(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    spec: FeatureSpec,
    artists: Mapping[str, str] | None = None,
    artist_of: Callable[[Path], str | None] = lambda _: None,
    jobs: int = 1,
    on_start: Callable[[int], None] = lambda _: None,
    on_done: OnDone = lambda _done, _failed: None,
) -> Prepared:
    """Index a folder of music (one folder a genre) and fill the feature store.

    Parameters
    ----------
    folder, out : path
        The music, and where the prepared folder goes.
    spec : FeatureSpec
        Front end of the stored log-mel.
    artists : mapping of str to str or None
        Artist by path, or by file name without suffix; goes before what ``artist_of`` says. It
        is kept; None takes what was kept before.
    artist_of : callable
        Artist of a file, e.g. from its tags.
    jobs : int
        Files at once. Threads: decoding and transforming hold no lock of Python. Two took 0.69
        of the time of one, two processes 0.87 with their start (60 clips, mean of three rounds).
    on_start, on_done : callable
        Told the number of files, then of each file done.

    Raises
    ------
    DatasetError
        When there is nothing to prepare, or the disk is full.
    """
    folder, out = Path(folder).resolve(), Path(out)
    listing = look(folder, out=out)
    failed = list(listing.failed)
    named = named_artists(listing.names, out, artists)
    store = open_store(out / FEATURES, identity(spec), create=True)
    prints = open_store(out / FINGERPRINTS, _FINGERPRINT_IDENTITY, create=True)
    if artists:
        groups.write_artists(out / ARTISTS, artists)
    on_start(len(listing.names))
    damaged, records = [], {}
    with _Journal(out / JOURNAL) as journal:

        def work(name: str) -> dict[str, Any]:
            known = journal.get(name, folder / name)
            if known and store.has(known["sound"]) and prints.has(known["sound"]):
                return known
            record = _prepare_file(folder / name, store, prints, spec)
            record["artist"] = artist_of(folder / name)
            journal.add(name, folder / name, record)
            return record

        for done, (name, future) in enumerate(in_order(work, listing.names, jobs=jobs), 1):
            try:
                records[name] = future.result()
            except DecodeError as error:
                failed.append((name, _reason(name, error)))
            else:
                if records[name]["warning"]:
                    damaged.append((name, records[name]["warning"]))
            on_done(done, len(failed))
    if not records:
        raise DatasetError(f"{folder}: none of its {len(listing.names)} files can be read")
    tracks = _merge(_tracks(listing, records, named), prints)
    made = Index(tracks, tuple(sorted(failed)), str(folder))
    made.save(out / index.FILE_NAME)
    return Prepared(made, tuple(damaged), listing.renamed, listing.empty, len(named))


def named_artists(
    names: Sequence[str], out: Path, artists: Mapping[str, str] | None
) -> dict[str, str]:
    """Artist of each track that the table names: the one given, or the one that ``out`` keeps.

    Raises
    ------
    DatasetError
        When it names none of them, or one name of it is several tracks.
    """
    kept = out / ARTISTS
    if artists is None:
        artists = groups.read_artists(kept) if kept.exists() else {}
        which = str(kept)
    else:
        which = "the table of artists"
    named = groups.artists_of(names, artists)
    if artists and not named:
        raise DatasetError(f"{which}: names none of the {len(names)} tracks, not {names[0]!r}")
    return named


def _prepare_file(
    path: Path, store: FeatureStore, prints: FeatureStore, spec: FeatureSpec
) -> dict[str, Any]:
    """Decode a file, keep its features and fingerprint; what is known of it, as JSON values."""
    sound = audio.decode(path)
    if sound.duration_s < SHORTEST_S:
        raise DecodeError(path, "too-short", f"is too short: {sound.duration_s:.3g} s")
    # 16 bits: a lossless copy in another container is the same sound.
    whole = np.round(np.clip(sound.samples, -1, 1) * 32_767).astype("<i2")
    key = checksum(f"{sound.sample_rate_hz}".encode() + whole.tobytes())
    if not store.has(key):
        rate_hz = spec.sample_rate_hz
        samples = audio.resample(sound.samples, sound.sample_rate_hz, rate_hz)
        store.put(key, storable(samples, spec))
    if not prints.has(key):
        prints.put(key, copies.fingerprint(sound.samples, sound.sample_rate_hz))
    return {
        "sound": key,
        "duration_s": round(sound.duration_s, 3),
        "warning": sound.warning,
    }


def _tracks(
    listing: Listing, records: Mapping[str, Mapping[str, Any]], named: Mapping[str, str]
) -> list[Track]:
    return [
        Track(
            name,
            listing.genre(name),
            groups.group_of(name, artist=named.get(name) or record["artist"]),
            record["sound"],
            record["duration_s"],
        )
        for name, record in records.items()
    ]


def _merge(tracks: list[Track], prints: FeatureStore) -> tuple[Track, ...]:
    """The tracks with copies marked: of the same checksum, or of the same fingerprint."""
    first = {track.sound: track.name for track in reversed(tracks)}
    codes = {name: np.asarray(prints.get(sound)) for sound, name in first.items()}
    pairs = groups.same_sound(tracks) + copies.find(codes)
    return groups.merge_copies(groups.join_folders(tracks), pairs)


def _reason(name: str, error: DecodeError) -> str:
    if index.stem(name) == _BROKEN_IN_GTZAN:
        return f"{error.reason} (known to be broken in the common release of GTZAN)"
    return error.reason


class _Journal:
    """What is known of files, a JSON line each, appended as it comes; a torn last line is lost."""

    def __init__(self, path: Path) -> None:
        self._known: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        if path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    row = json.loads(line)
                    self._known[row["name"]] = row
                except (ValueError, KeyError, TypeError):
                    continue
        self._path = path

    def __enter__(self) -> _Journal:
        self._file = open(self._path, "ab")  # closed by __exit__
        self._file.write(b"\n")  # after a torn line
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def get(self, name: str, path: Path) -> dict[str, Any] | None:
        row = self._known.get(name)
        return row["record"] if row and row["stamp"] == _stamp(path) else None

    def add(self, name: str, path: Path, record: dict[str, Any]) -> None:
        row = {"name": name, "stamp": _stamp(path), "record": record}
        try:
            with self._lock:
                self._file.write(json.dumps(row).encode() + b"\n")
                self._file.flush()
        except OSError as error:
            raise DatasetError(f"{self._path}: cannot be written: {error.strerror}") from None


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def add_embeddings(
    out: str | os.PathLike[str],
    classifier: Classifier,
    *,
    jobs: int = 1,
    on_start: Callable[[int], None] = lambda _: None,
    on_done: OnDone = lambda _done, _failed: None,
) -> list[tuple[str, str]]:
    """Hear every track of a prepared folder; those heard before, or without audio, are skipped.

    Always as many windows as the model file hears at most: when to stop is for a head to say, and
    what is kept here is for any head.

    Returns
    -------
    list of (str, str)
        Files that could not be heard, with the reason of each.

    Raises
    ------
    DatasetError
        When nothing was heard, now or before; or the disk is full.
    """
    out = Path(out)
    made = index.load(out)
    store = open_windows(out, classifier.model.encoder_sha256, create=True)
    missing = [track for track in made.tracks if made.source and not store.has(track.sound)]
    on_start(len(missing))
    failed: list[tuple[str, str]] = []
    count = classifier.model.windows_per_track

    def work(track: Track) -> None:
        embeddings = classifier.embed(Path(made.source) / track.name, count=count)
        store.put(track.sound, embeddings.values)

    for done, (track, future) in enumerate(in_order(work, missing, jobs=jobs), 1):
        try:
            future.result()
        except DecodeError as error:
            failed.append((track.name, error.reason))
        on_done(done, len(failed))
    if failed and len(failed) == len(made.tracks):
        name, reason = failed[0]
        path = Path(made.source) / name
        raise DatasetError(f"none of {len(failed)} tracks could be heard, e.g. {path}: {reason}")
    return failed


def open_windows(
    out: str | os.PathLike[str], encoder_sha256: str, *, create: bool = False
) -> FeatureStore:
    """The store of embeddings of one encoder: each has a folder of its own."""
    root = Path(out) / WINDOWS / encoder_sha256[:12]
    return open_store(root, embedding_identity(encoder_sha256), create=create)
