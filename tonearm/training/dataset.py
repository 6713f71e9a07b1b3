"""A data set as training and evaluation see it: an index, and embeddings in the store.

It is a folder of music, or one that ``tonearm prepare`` made. A folder of music needs no
preparation: its index is made of its listing and of what the embedding store knows of its files.
Where it was prepared before, the artists given then and the copies found by fingerprint count as
well. Must not import torch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from tonearm.data import copies, folder, groups, index, labels, prepare
from tonearm.data.embedding_store import AnalysedFile, StoredEmbeddings
from tonearm.data.folder import Listing
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError
from tonearm.faults import Fault, Faults
from tonearm.library.store import Library
from tonearm.model.classifier import Classifier
from tonearm.model.file import Model
from tonearm.training.analysis import Analysis, OnDone, analyse, load_embed

_STILL = 1e-3  # the store's half precision is 2.5e-4


@dataclass(frozen=True)
class Encoding:
    """How embeddings are had: the store, the model, and how many files at once.

    Parameters
    ----------
    library : Library
        Holds the embedding store; open for writing.
    model : Model
        Whose encoder is meant.
    model_path : Path or None
        Its file, for the worker processes; None is the built-in model.
    jobs : int
    on_start, on_done : callable
        Called with the number of files to analyse, then after each of them.
    """

    library: Library
    model: Model
    model_path: Path | None = None
    jobs: int = 1
    on_start: Callable[[int], None] = lambda _: None
    on_done: OnDone = lambda _done, _failed: None

    def get(self, key: str) -> StoredEmbeddings | None:
        """What is in the store of a sound.

        Parameters
        ----------
        key : str
            Sound key.
        """
        return self.library.embeddings.get(key, self.model.encoder_sha256)

    def analyse(self, paths: Mapping[str, Path]) -> Analysis:
        """Make sure that the store has the embeddings of these files.

        Parameters
        ----------
        paths : mapping of str to Path
            Files by the names of their tracks.
        """
        return analyse(
            self.library,
            paths,
            encoder=self.model.encoder_sha256,
            make_embed=partial(load_embed, self.model_path),
            jobs=self.jobs,
            on_start=self.on_start,
            on_done=self.on_done,
        )


@dataclass(frozen=True)
class DataSet:
    """The tracks of a folder.

    Parameters
    ----------
    folder : Path
        As it was named.
    index : Index
    prepared : Path or None
        The prepared folder, where there is one; it may hold log-mel features.
    failed, damaged : Faults
        Files that are not in the index, and files that are though they are damaged.
    listing : Listing or None
        Of a folder of music.
    named : int
        How many artists come from the table that `tonearm prepare` was given.
    """

    folder: Path
    index: Index
    prepared: Path | None = None
    failed: Faults = field(default_factory=Faults)
    damaged: Faults = field(default_factory=Faults)
    listing: Listing | None = None
    named: int = 0

    def path_of(self, track: Track) -> Path:
        """Where the file of a track lies.

        Parameters
        ----------
        track : Track
            A track of this data set.
        """
        return Path(self.index.source) / track.name

    def place_of(self, name: str) -> str:
        """Where the file of a track lies, or the track's name where it came as an array.

        Parameters
        ----------
        name : str
            Name of a track.
        """
        source = self.index.source
        return os.path.join(source, name) if source else name


def read(data: Path, encoding: Encoding) -> DataSet:
    """The data set in a folder; the files of a folder of music are analysed for it.

    Parameters
    ----------
    data : Path
        A folder of music, or a prepared folder.
    encoding : Encoding
        How embeddings are had.

    Raises
    ------
    DatasetError
        When there is none, or no file of it can be read.
    """
    if is_prepared(data):
        root = prepared_root(data)
        made = index.load(root)
        return DataSet(root, made, root)  # what failed then was reported then
    listing = _listing(data)
    # Resolved: the library keeps absolute paths, and a link to the folder must find the same ones.
    root = data.resolve()
    found = encoding.analyse({name: root / name for name in listing.names})
    if not found.files:
        raise prepare.none_read(data, found.failed)
    # The table of artists that `prepare` was given counts here too.
    named = prepare.named_artists(tuple(found.files), prepare.prepared_path(root), None)
    embeddings = _stored(found.files, encoding)
    silent = _silent(embeddings, encoding.model)
    # Silence of two genres would teach that they are the same.
    useless = {name for name, _ in silent}
    files = {name: file for name, file in found.files.items() if name not in useless}
    if not files:
        raise DatasetError(f"all {len(silent)} files in {data} are silent")
    # Damaged files stay: what is left of them is music all the same.
    made, damaged = _index(root, listing, files, embeddings, encoding, named)
    prepared = prepare.prepared_path(data)
    return DataSet(
        data,
        made,
        prepared if (prepared / index.FILE_NAME).exists() else None,
        # Sorted, since workers end in any order and two runs shall say the same.
        Faults(sorted([*listing.failed, *found.failed, *silent])),
        damaged,
        listing,
        len(named),
    )


def outline(data: Path) -> Index:
    """Names and genres of a data set without opening a file; no groups, sounds or lengths.

    Parameters
    ----------
    data : Path
        A folder of music, or a prepared folder.

    Raises
    ------
    DatasetError
        If it is not a folder of music, or its preparation was interrupted.
    """
    if is_prepared(data):
        return index.load(prepared_root(data))
    # A journal without an index: `prepare` was killed on its way.
    if (data / prepare.JOURNAL).exists():
        raise DatasetError(f"{data} was not prepared completely: run `tonearm prepare` again")
    listing = _listing(data)
    # Genres and names are enough to refuse early; its name stands for the rest.
    tracks = [
        Track(name, listing.genre(name), name, name, 0.0, also=listing.also(name))
        for name in listing.names
    ]
    return Index(tuple(tracks), source=str(data))


def _listing(data: Path) -> Listing:
    """The files of a folder of music, with the labels that `tonearm prepare` was given for it."""
    out = prepare.prepared_path(data)
    return folder.look(data, out=out, labels=labels.kept(out))


def is_prepared(data: Path) -> bool:
    """Whether a path is a prepared folder, or the index in one.

    Parameters
    ----------
    data : Path
        A folder.
    """
    return (data.name == index.FILE_NAME and data.is_file()) or (data / index.FILE_NAME).exists()


def prepared_root(data: Path) -> Path:
    """The prepared folder itself, also where the index in it is named.

    Parameters
    ----------
    data : Path
        Of which :func:`is_prepared` is true.
    """
    return data.parent if data.name == index.FILE_NAME else data


def _stored(found: Mapping[str, AnalysedFile], encoding: Encoding) -> dict[str, StoredEmbeddings]:
    """The embeddings of files that were analysed, by their names."""
    embeddings = {}
    for name, file in found.items():
        made = encoding.get(file.key)
        assert made is not None
        embeddings[name] = made
    return embeddings


def _silent(embeddings: Mapping[str, StoredEmbeddings], model: Model) -> Faults:
    """Tracks of silence; also those of which an earlier version did not keep that."""
    found = Faults(Fault(name, prepare.SILENT) for name, made in embeddings.items() if made.silent)
    # Their embeddings are those of digital silence, in all windows. The encoder is asked about
    # silence only where windows are as equal as silence makes them.
    still = {
        name: made
        for name, made in embeddings.items()
        if not made.silent and np.ptp(made.values, axis=0).max() <= _STILL
    }
    if still:
        spec = model.features
        nothing = np.zeros(round(spec.window_s * spec.sample_rate_hz) + 1, dtype=np.float32)
        silence = Classifier(model).embed(nothing, spec.sample_rate_hz, count=1).values[0]
        found += [
            Fault(name, prepare.SILENT)
            for name, made in still.items()
            if np.abs(made.values[0] - silence).max() <= _STILL
        ]
    return found


def _index(
    root: Path,
    listing: Listing,
    found: Mapping[str, AnalysedFile],
    embeddings: Mapping[str, StoredEmbeddings],
    encoding: Encoding,
    named: Mapping[str, str],
) -> tuple[Index, Faults]:
    """The index of a folder of music that was analysed, and the files that are damaged."""
    files, damaged = {}, Faults()
    for name, file in found.items():
        made = embeddings[name]
        files[name] = prepare.FileRecord(file.key, made.duration_s, file.artist)
        if made.warning:
            damaged.add(name, made.warning)
    tracks = prepare.tracks_of(listing, files, named)
    # Fingerprints need the whole audio, so those of an earlier preparation are used.
    pairs = groups.same_sound(tracks) + _prepared_copies(root, tracks)
    # A network's embeddings are its answers, which different songs of a genre may share.
    if encoding.model.embedding_names != encoding.model.labels:
        pairs += copies.find_by_embeddings({name: embeddings[name] for name in found})
    return Index(groups.merge_copies(tracks, pairs), (), str(root)), damaged


def _prepared_copies(root: Path, tracks: list[Track]) -> list[tuple[str, str]]:
    """Pairs of names that ``tonearm prepare`` found to be copies of each other."""
    path = prepare.prepared_path(root) / index.FILE_NAME
    if not path.exists():
        return []
    before = index.load(path).by_name()
    # Reversed, so that the first track of a sound stands for it.
    here = {track.sound: track.name for track in reversed(tracks)}
    pairs = [
        (track.sound, before[track.copy_of].sound) for track in before.values() if track.copy_of
    ]
    return [
        (here[one], here[other])
        for one, other in pairs
        # The folder may have lost files since; a pair of which one is left is no pair.
        if one != other and one in here and other in here
    ]


def embed(
    data: DataSet, tracks: tuple[Track, ...], encoding: Encoding
) -> tuple[dict[str, StoredEmbeddings], Faults]:
    """Embeddings of tracks by their name, analysed now where the store has none; what failed.

    Parameters
    ----------
    data : DataSet
        Where their files lie.
    tracks : tuple of Track
        Those wanted.
    encoding : Encoding
        How embeddings are had.
    """
    found = {track.name: encoding.get(track.sound) for track in tracks}
    missing = [track for track in tracks if found[track.name] is None]
    failed = Faults()
    if missing and data.index.source:
        paths = {track.name: data.path_of(track) for track in missing}
        analysed = encoding.analyse(paths)
        failed = Faults(analysed.failed)
        for track in missing:
            if track.name not in analysed.files:
                continue
            # The file may have changed since: its embeddings would be of another sound.
            if analysed.files[track.name].key == track.sound:
                found[track.name] = encoding.get(track.sound)
            else:
                failed.add(track.name, "has changed since it was prepared: prepare it again")
    elif missing:
        reason = "is an array without a file, and the embedding store does not hold it"
        failed = Faults(Fault(track.name, reason) for track in missing)
    return {name: made for name, made in found.items() if made is not None}, failed


def refuse_none(data: DataSet, found: Collection[str], failed: Sequence[Fault]) -> None:
    """Raise DatasetError where every track failed, with the reason of the first.

    Parameters
    ----------
    data : DataSet
        Where their files lie.
    found : collection of str
        Tracks with embeddings.
    failed : sequence of (name, reason)
        Those without.
    """
    if not found and failed:
        name, reason = failed[0]
        raise DatasetError(
            f"none of the tracks could be analysed, e.g. {data.place_of(name)}: {reason}"
        )
