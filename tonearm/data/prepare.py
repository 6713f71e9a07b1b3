"""From a folder of music to a prepared folder: index, log-mel features and fingerprints.

A prepared folder holds ``index.jsonl``, ``features/`` (log-mel), ``fingerprints/``, ``artists.tsv``
and ``labels.csv`` if such tables were given, and ``journal.jsonl``: what is known of each file so
far, a line each, by path, size and time of change. A run that was killed reads it and continues.
The index is written last, so that a folder with an index is whole. Embeddings are not here but in
the embedding store.
Must not import torch or print.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio
from tonearm.containers.sound_key import sound_key
from tonearm.data import copies, feature_store, groups, index, shards
from tonearm.data import labels as tables
from tonearm.data.feature_store import FeatureStore, checksum, identity, open_store, storable
from tonearm.data.folder import Listing, look
from tonearm.data.index import Index, Track
from tonearm.data.labels import Label, Labels
from tonearm.errors import DatasetError, DecodeError, would_lose, writing
from tonearm.faults import Fault, Faults
from tonearm.features import GTZAN_SPEC, FeatureSpec
from tonearm.model.encoder import SHORTEST_S
from tonearm.model.track import SILENT_PEAK
from tonearm.workers import Caller, Failure, MakeWork, Outcome, Pool, Work, in_order

FEATURES, FINGERPRINTS, JOURNAL = "features", "fingerprints", "journal.jsonl"
ARTISTS = "artists.tsv"
_FINGERPRINT_IDENTITY = {"kind": "fingerprints", "version": 3}  # 3: at three speeds
SILENT = "is silent, so it has no genre"

OnDone = Callable[[int, int], None]  # files so far, failures so far
Outcomes = Callable[[MakeWork, Sequence[str]], Iterator[Outcome[str]]]


@dataclass(frozen=True)
class Prepared:
    """What `prepare_folder` made of a folder.

    Parameters
    ----------
    index : Index
    damaged : tuple of Fault
        Files that are in the index although they are damaged, with the reason of each.
    listing : Listing
        The files of the folder, and how their folders or a table label them.
    named : int
        Tracks whose artist the table of artists names.
    """

    index: Index
    damaged: tuple[Fault, ...]
    listing: Listing
    named: int


def no_artist(_: Path) -> str | None:
    """The artist of a file is not asked for."""
    return None


def prepare_folder(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    spec: FeatureSpec | None,
    artists: Mapping[str, str] | None = None,
    labels: Labels | None = None,
    artist_of: Callable[[Path], str | None] = no_artist,
    jobs: int = 1,
    outcomes: Outcomes | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_done: OnDone = lambda _done, _failed: None,
) -> Prepared:
    """Index a folder of music (one folder a genre) and fill the feature store.

    Parameters
    ----------
    folder, out : path
        The music, and where the prepared folder goes.
    spec : FeatureSpec or None
        Front end of the stored log-mel; None stores none, for who wants fingerprints alone.
    artists : mapping of str to str or None
        Artist by path, or by file name without suffix; preferred to what ``artist_of`` says. It
        is kept; None uses the table that was kept before.
    labels : mapping of str to Label, or None
        Genres, artists, albums of files (`labels.read`). They are kept; None uses those that were
        kept before.
    artist_of : callable
        Artist of a file, e.g. from its tags; importable by name.
    jobs : int
        Files at once, in worker processes.
    outcomes : callable or None
        What works on the files instead, such as a cluster; the features then go into shards.
    on_start, on_done : callable
        Called with the number of files, then after each file.

    Raises
    ------
    DatasetError
        When there is nothing to prepare, the disk is full, or files of other programs would be
        replaced.
    """
    folder, out = Path(folder).resolve(), Path(out)
    _refuse_other(out, [ARTISTS] * bool(artists) + [tables.KEPT] * bool(labels))
    listing = look(folder, out=out, labels=tables.kept(out) if labels is None else labels)
    failed = Faults(listing.failed)
    named = named_artists(listing.names, out, artists)
    _make_folder(out, folder)
    if outcomes is not None and spec:
        shards.begin(out / FEATURES)
    store = open_store(out / FEATURES, identity(spec), create=True) if spec else None
    prints = open_store(out / FINGERPRINTS, _FINGERPRINT_IDENTITY, create=True)
    if artists:
        groups.write_artists(out / ARTISTS, artists)
    if labels:
        tables.write(labels, out / tables.KEPT)
    on_start(len(listing.names))
    records: dict[str, dict[str, Any]] = {}
    make_work = partial(_make_work, folder, store, prints, spec, artist_of)
    with _Journal(out / JOURNAL) as journal:
        for name in listing.names:
            known = journal.get(name, folder / name)
            # Known alone is not enough: somebody may have deleted a part of the stores.
            has_features = store is None or (known is not None and store.has(known["key"]))
            if known and has_features and prints.has(known["key"]):
                records[name] = known
        new = [name for name in listing.names if name not in records]
        on_done(len(records), len(failed))
        for outcome in (outcomes or partial(_here, jobs=jobs))(make_work, new):
            name, made = outcome.task, outcome.value
            if isinstance(made, Failure):
                failed.add(name, made.reason)
            else:
                # Stores first, then the journal: a kill between them costs this file alone.
                made.keep(store, prints)
                journal.add(name, folder / name, made.record)
                records[name] = made.record
            on_done(len(records) + len(failed) - len(listing.failed), len(failed))
    # In the order of names, so that a resumed run writes the same index.
    records = {name: records[name] for name in listing.names if name in records}
    damaged = [Fault(name, row["warning"]) for name, row in records.items() if row["warning"]]
    if not records:
        raise none_read(folder, failed)
    files = {
        name: FileRecord(record["key"], record["duration_s"], record["artist"], record["samples"])
        for name, record in records.items()
    }
    tracks = _merge(tracks_of(listing, files, named), files, prints)
    made = Index(tracks, tuple(sorted(failed)), str(folder))
    made.save(out / index.FILE_NAME)  # last: a folder with an index is whole
    return Prepared(made, tuple(damaged), listing, len(named))


def none_read(folder: Path, failed: Sequence[Fault]) -> DatasetError:
    """The error of a folder of which no file can be read, with the reason of the first.

    Parameters
    ----------
    folder : Path
        The folder.
    failed : sequence of Fault
        Its files; one at least.
    """
    name, reason = failed[0]
    return DatasetError(f"none of the files in {folder} can be read, e.g. {name}: {reason}")


def _refuse_other(out: Path, given: Sequence[str]) -> None:
    """Refuse a folder that is no prepared one but has files of the names that are written."""
    # The stores are made before anything else.
    if feature_store.is_store(out / FINGERPRINTS):
        return
    for name in (*given, JOURNAL, index.FILE_NAME, FINGERPRINTS, FEATURES):
        if (out / name).exists() and not feature_store.is_store(out / name):
            raise would_lose(out, f"a {name} that `tonearm prepare` did not make")


def _make_folder(out: Path, folder: Path) -> None:
    """Make the prepared folder; music that lies where one may only read can have it elsewhere."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise DatasetError(
            f"{out} cannot be written: {error.strerror}. Prepared elsewhere (`tonearm prepare "
            f"{folder} -o PREPARED`), the folder can be named as PREPARED in every command"
        ) from error


def _here(make_work: MakeWork, names: Sequence[str], *, jobs: int) -> Iterator[Outcome[str]]:
    """What processes of this machine make of names."""
    with Pool(min(jobs, len(names)), make_work=make_work) as pool:
        yield from in_order(pool, names)


def prepared_path(folder: str | os.PathLike[str]) -> Path:
    """Where the prepared folder of a folder of music goes by default: next to it.

    Parameters
    ----------
    folder : path
        The music.

    Raises
    ------
    DatasetError
        For the root of the file system, which has nothing next to it.
    """
    folder = Path(folder)
    # Resolved only where it must be: a link to the music keeps its name.
    folder = folder.resolve() if ".." in folder.parts else folder.absolute()
    if not folder.name:
        raise DatasetError(f"{folder} has no folder next to it: use `tonearm prepare --output`")
    return folder.with_name(f"{folder.name}.prepared")


def front_end(out: Path) -> FeatureSpec:
    """The front end of the features that a prepared folder has, or is to have.

    Parameters
    ----------
    out : Path
        The prepared folder.
    """
    features = out / FEATURES
    if not features.exists():
        return GTZAN_SPEC
    return feature_store.spec_of(open_store(features), window_s=GTZAN_SPEC.window_s)


def named_artists(
    names: Sequence[str], out: Path, artists: Mapping[str, str] | None
) -> dict[str, str]:
    """Artist of each track that a table names: the one given, or the one kept in ``out``.

    Parameters
    ----------
    names : sequence of str
        Names of tracks.
    artists : mapping of str to str, or None
        Artist by clip.
    out : Path
        The prepared folder.

    Raises
    ------
    DatasetError
        When it names none of them, or a name in it is that of several tracks.
    """
    kept = out / ARTISTS
    if artists is None:
        artists = groups.read_artists(kept) if kept.exists() else {}
        which = str(kept)
    else:
        which = "the table of artists"
    named = groups.artists_of(names, artists)
    if artists and not named:
        raise DatasetError(f"{which} names none of the tracks, such as {names[0]!r}")
    return named


@dataclass(frozen=True)
class _PreparedFile:
    """What a worker made of a file; None is what the stores have.

    Workers write nothing: one that is ended leaves no unfinished file.
    """

    record: dict[str, Any]
    features: NDArray[np.float16] | None
    fingerprint: NDArray[Any] | None

    def keep(self, store: FeatureStore | None, prints: FeatureStore) -> None:
        if store is not None and self.features is not None:
            store.put(self.record["key"], self.features)
        if self.fingerprint is not None:
            prints.put(self.record["key"], self.fingerprint)


def _make_work(
    folder: Path,
    store: FeatureStore | None,
    prints: FeatureStore,
    spec: FeatureSpec | None,
    artist_of: Callable[[Path], str | None],
) -> Work:
    """In a worker: the function that prepares the file of a name."""

    def work(name: str, _: Caller) -> _PreparedFile:
        made = _prepare_file(folder / name, store, prints, spec)
        made.record["artist"] = artist_of(folder / name)
        return made

    return work


def _prepare_file(
    path: Path, store: FeatureStore | None, prints: FeatureStore, spec: FeatureSpec | None
) -> _PreparedFile:
    """Decode a file; what is known of it is kept as JSON values."""
    sound = audio.decode(path)
    if sound.duration_s < SHORTEST_S:
        raise DecodeError(path, "too-short", f"is too short: {sound.duration_s:.3g} s")
    # Else it would be learnt as music of its folder's genre.
    if np.abs(sound.samples).max(initial=0) <= SILENT_PEAK:
        raise DecodeError(path, "unreadable", SILENT)
    # 16 bits: a lossless copy in another container has the same samples.
    whole = np.round(np.clip(sound.samples, -1, 1) * 32_767).astype("<i2")
    # With the rate: the same samples at another rate are another sound.
    samples = checksum(f"{sound.sample_rate_hz}".encode() + whole.tobytes())
    key = sound_key(path)
    features = fingerprint = None
    if store is not None and spec is not None and not store.has(key):
        resampled = audio.resample(sound.samples, sound.sample_rate_hz, spec.sample_rate_hz)
        features = storable(resampled, spec)
    if not prints.has(key):
        fingerprint = copies.fingerprint(sound.samples, sound.sample_rate_hz)
    record = {
        "key": key,
        "samples": samples,
        "duration_s": round(sound.duration_s, 3),  # milliseconds
        "warning": sound.warning,
    }
    return _PreparedFile(record, features, fingerprint)


@dataclass(frozen=True)
class FileRecord:
    """What is known of one file.

    Parameters
    ----------
    key : str
        Its sound key.
    duration_s : float
    artist : str or None
        As its tags name it.
    samples : str or None
        Checksum of the decoded audio, where it was decoded.
    """

    key: str
    duration_s: float
    artist: str | None
    samples: str | None = None


def tracks_of(
    listing: Listing, files: Mapping[str, FileRecord], named: Mapping[str, str]
) -> list[Track]:
    """The tracks of a folder of music with their groups; copies are not marked yet.

    Parameters
    ----------
    listing : Listing
        The files of the folder and their genres.
    files : mapping of str to FileRecord
        By name; files that failed are not in it.
    named : mapping of str to str
        Artists by name, preferred to those of the tags.
    """
    tracks = []
    for name, file in files.items():
        label = listing.labels.get(name, Label())
        artist = named.get(name) or label.artist or file.artist
        group = groups.group_of(listing.below(name), artist=artist, album=label.album)
        genre, also = listing.genre(name), listing.also(name)
        tracks.append(Track(name, genre, group, file.key, file.duration_s, also=also))
    return groups.join_folders(tracks)


def _merge(
    tracks: list[Track], files: Mapping[str, FileRecord], prints: FeatureStore
) -> tuple[Track, ...]:
    """The tracks with copies marked: same sound key, same samples, or same fingerprint."""
    # The first of each sound: later ones are its copies anyway.
    first = {track.sound: track.name for track in reversed(tracks)}
    codes = {name: np.asarray(prints.get(sound)) for sound, name in first.items()}
    by_samples = [replace(track, sound=files[track.name].samples or "") for track in tracks]
    pairs = groups.same_sound(tracks) + groups.same_sound(by_samples) + copies.find(codes)
    return groups.merge_copies(tracks, pairs)


class _Journal:
    """What is known of files, one JSON line each, appended as they are done.

    A last line that a kill cut short is ignored.
    """

    def __init__(self, path: Path) -> None:
        self._known: dict[str, dict[str, Any]] = {}
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
        if row is None or row["stamp"] != _stamp(path) or "key" not in row["record"]:
            return None
        record: dict[str, Any] = row["record"]
        return record

    def add(self, name: str, path: Path, record: dict[str, Any]) -> None:
        row = {"name": name, "stamp": _stamp(path), "record": record}
        with writing(self._path, DatasetError):
            self._file.write(json.dumps(row).encode() + b"\n")
            # Flushed, so that a kill loses the file in flight at most.
            self._file.flush()


def _stamp(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
