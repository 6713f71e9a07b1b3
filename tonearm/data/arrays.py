"""Data sets that come or go as one file: arrays made elsewhere (.npz), and the original's JSON.

``--from-arrays`` takes a .npz with ``name`` and either ``logmel`` (uint8 [tracks, bands, frames],
with ``genre``) or ``tags`` / ``msd`` (float [windows, 50], ``name`` of each window). ``--json``
writes what ``preprocessing.py`` of the original wrote: MFCCs of each segment, with labels.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm import audio
from tonearm.data import folder, groups, index, prepare
from tonearm.data.feature_store import ARRAY_HOP_SAMPLES, checksum, identity, open_store
from tonearm.data.index import Index, Track
from tonearm.data.splits import SEGMENTS
from tonearm.errors import DatasetError, DecodeError
from tonearm.features import GTZAN_SPEC, Float32, mel_power, mfcc, power_to_db
from tonearm.files import replacing

# 387 frames of 30 s: 12.9 a second. window_frames is that of three seconds.
ARRAY_SPEC = replace(GTZAN_SPEC, hop_samples=ARRAY_HOP_SAMPLES, window_frames=38)
TRACK_S = 30
COEFFICIENTS = 13


def fill(
    npz_path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    encoder_sha256: str = "",
    artists: Mapping[str, str] | None = None,
) -> Index:
    """Fill a prepared folder from arrays; tracks it does not know are added to its index.

    Parameters
    ----------
    npz_path, out : path
    encoder_sha256 : str
        Of the model file whose embeddings ``tags`` are.
    artists : mapping of str to str or None
        Artist by name of the track. It is kept; None takes what was kept before.

    Raises
    ------
    DatasetError
        When the file is no such .npz, one of its arrays holds no numbers, or the store there has
        another front end.
    """
    out = Path(out)
    try:
        with np.load(npz_path, allow_pickle=False) as file:
            values = {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{npz_path}: no .npz that can be read: {error}") from None
    kind = next((key for key in ("logmel", "tags", "msd") if key in values), None)
    if kind is None or "name" not in values or len(values["name"]) != len(values[kind]):
        raise DatasetError(
            f"{npz_path}: holds {sorted(values)}; wanted are name and one of logmel, tags, msd"
        )
    arrays = list(_each(kind, values))
    for name, array, _ in arrays:
        if array.ndim != 2 or not np.isfinite(array).all():
            raise DatasetError(f"{npz_path}: {kind} of {name!r} are no numbers: {array.shape}")
    if kind == "logmel":
        store = open_store(out / prepare.FEATURES, identity(ARRAY_SPEC), create=True)
    else:
        store = prepare.open_windows(out, encoder_sha256, create=True)
    old = index.load(out) if (out / index.FILE_NAME).exists() else Index(())
    tracks = {track.stem: track for track in old.tracks}
    written = dict(zip(map(str, values["name"]), map(str, values.get("genre", ())), strict=False))
    written = {name: written.get(name) or name.split(".")[0] for name, _, _ in arrays}
    genres = folder.genres_of([*old.labels, *written.values()])
    for name, array, duration_s in arrays:
        if name not in tracks:
            group, sound = groups.group_of(name, artist=None), checksum(array.tobytes())
            tracks[name] = Track(name, genres[written[name]], group, sound, duration_s)
        store.put(tracks[name].sound, array)
    made = replace(old, tracks=_grouped(list(tracks.values()), out, artists))
    made.save(out / index.FILE_NAME)
    return made


def _grouped(
    tracks: list[Track], out: Path, artists: Mapping[str, str] | None
) -> tuple[Track, ...]:
    """The tracks with the artists of the table, the one given or the one kept; copies joined."""
    named = prepare.named_artists([track.name for track in tracks], out, artists)
    if artists:
        groups.write_artists(out / prepare.ARTISTS, artists)
    for i, track in enumerate(tracks):
        if track.name in named:
            group = groups.group_of(track.name, artist=named[track.name])
            tracks[i] = replace(track, group=group)
    known = [(track.copy_of, track.name) for track in tracks if track.copy_of]
    return groups.merge_copies(tracks, known + groups.same_sound(tracks))


def _each(
    kind: str, values: Mapping[str, NDArray[Any]]
) -> Iterator[tuple[str, NDArray[Any], float]]:
    """Name, array and length of each track."""
    if kind == "logmel":
        for name, levels in zip(values["name"], values[kind], strict=True):
            array = np.ascontiguousarray(levels.T)  # [bands, frames] -> [frames, bands]
            yield str(name), array, round(len(array) * ARRAY_SPEC.frame_s, 3)
        return
    names = values["name"]
    edges = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1), len(names)]
    for start, stop in pairwise(edges):
        windows = values[kind][start:stop].astype(np.float32)
        yield str(names[start]), windows, float(stop - start)


def segment_mfccs(samples: Float32) -> list[Float32]:
    """MFCCs of each 3 s segment of the first 30 s, as the original computed them.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio at 22,050 Hz.

    Returns
    -------
    list of float32 [130, 13]
        13 coefficients, n_fft 2048, hop 512; a last segment that is too short is left out.
    """
    length = TRACK_S * GTZAN_SPEC.sample_rate_hz // SEGMENTS
    frames = -(-length // GTZAN_SPEC.hop_samples)
    found = []
    for i in range(SEGMENTS):
        power = mel_power(samples[i * length : (i + 1) * length], GTZAN_SPEC)
        if len(power) == frames:
            found.append(mfcc(power_to_db(power, reference=1.0), coefficients=COEFFICIENTS))
    return found


def write_json(
    made: Index,
    path: str | os.PathLike[str],
    *,
    on_done: Callable[[], None] = lambda: None,
) -> list[tuple[str, str]]:
    """Write the original's ``data.json``: ``mapping``, and ``labels`` and ``mfcc`` of segments.

    One track at a time goes to the file, which takes its place at the end.

    Returns
    -------
    list of (str, str)
        Files that could not be read any more, with the reason of each.
    """
    if not made.source:
        raise DatasetError("the data set came as arrays: --json needs its audio")
    labels: list[int] = []
    failed = []
    try:
        with replacing(path, "t") as file:
            file.write(f'{{"mapping": {json.dumps(made.labels)},\n"mfcc": [')
            for track in made.tracks:
                try:
                    sound = audio.decode(Path(made.source) / track.name)
                except DecodeError as error:
                    failed.append((track.name, error.reason))
                    continue
                rate_hz = GTZAN_SPEC.sample_rate_hz
                samples = audio.resample(sound.samples, sound.sample_rate_hz, rate_hz)
                for values in segment_mfccs(samples):
                    file.write(",\n" if labels else "\n")
                    file.write(json.dumps(np.round(values.astype(float), 4).tolist()))
                    labels.append(made.labels.index(track.genre))
                on_done()
            file.write(f'],\n"labels": {json.dumps(labels)}}}\n')
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror}") from None
    return failed
