"""Research data sets that exist only as arrays: from a .npz to a prepared folder.

    python -m runs.arrays NPZ -o PREPARED [--artists TABLE] [--library FILE]

The .npz holds ``name`` and either ``logmel`` (uint8 [tracks, bands, frames], with ``genre``), for
networks, or ``tags`` / ``msd`` (float [windows, 50], ``name`` of each window), for heads: these
embeddings go to the embedding store of a library file, by default PREPARED/library.sqlite, for
`tonearm train PREPARED --library FILE`.
"""

from __future__ import annotations

import argparse
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs import array_copies
from tonearm.data import folder, groups, index, prepare
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.data.feature_store import checksum, identity, open_store
from tonearm.data.index import Index, Track
from tonearm.errors import DatasetError
from tonearm.features import DYNAMIC_RANGE_DB, GTZAN_SPEC
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.training import custom_genres
from tonearm.training.head_fit import Tracks

# 387 frames of 30 s, 12.9 a second: every 3.34th frame of GTZAN_SPEC, so that one hop is
# 512 x 1293 / 387.5 samples. window_frames is that of three seconds.
ARRAY_SPEC = replace(GTZAN_SPEC, hop_samples=1_708, window_frames=38)
LIBRARY = "library.sqlite"


def fill(
    npz_path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    encoder_sha256: str = "",
    artists: Mapping[str, str] | None = None,
    library: str | os.PathLike[str] | None = None,
) -> Index:
    """Fill a prepared folder from arrays; tracks it does not know are added to its index.

    Parameters
    ----------
    npz_path, out : path
    encoder_sha256 : str
        Of the model file whose embeddings ``tags`` are.
    artists : mapping of str to str or None
        Artist by name of the track. It is kept; None takes what was kept before.
    library : path or None
        Library file that the embeddings go to; None is ``library.sqlite`` in ``out``.

    Raises
    ------
    DatasetError
        If the file is not such an .npz, one of its arrays does not hold numbers, or the store
        there has another front end.
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
            raise DatasetError(f"{npz_path}: {kind} of {name!r} are not numbers: {array.shape}")
    if kind == "logmel":
        store = open_store(out / prepare.FEATURES, identity(ARRAY_SPEC), create=True)
    old = index.load(out) if (out / index.FILE_NAME).exists() else Index(())
    tracks = {track.stem: track for track in old.tracks}
    written = dict(zip(map(str, values["name"]), map(str, values.get("genre", ())), strict=False))
    written = {name: written.get(name) or name.split(".")[0] for name, _, _ in arrays}
    genres = folder.genres_of([*old.labels, *written.values()])
    for name, array, duration_s in arrays:
        if name not in tracks:
            group, sound = groups.group_of(name, artist=None), checksum(array.tobytes())
            tracks[name] = Track(name, genres[written[name]], group, sound, duration_s)
        if kind == "logmel":
            store.put(tracks[name].sound, _decibels(array))
    if kind != "logmel":
        with Library(library or out / LIBRARY, write=True) as opened, opened.transaction():
            for name, array, duration_s in arrays:
                starts_s = np.arange(len(array), dtype=np.float32)
                made_of = StoredEmbeddings(array.astype(np.float16), starts_s, duration_s)
                opened.embeddings.put(tracks[name].sound, encoder_sha256, made_of)
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
    pairs = known + groups.same_sound(tracks)
    if (out / prepare.FEATURES).exists():
        store = open_store(out / prepare.FEATURES)
        levels = {t.name: store.get(t.sound) for t in tracks if store.has(t.sound)}
        pairs += array_copies.find(levels, frame_s=ARRAY_SPEC.frame_s)
    return groups.merge_copies(tracks, pairs)


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


def _decibels(levels: NDArray[np.uint8]) -> NDArray[np.float16]:
    """Levels 0-255 as decibels from 0 to 80, which float16 holds exactly."""
    return np.asarray(levels * (DYNAMIC_RANGE_DB / 256), dtype=np.float16)


def tracks(prepared: str | os.PathLike[str], encoder_sha256: str) -> Tracks:
    """The distinct tracks of a folder that `fill` made from tags, with their embeddings."""
    made = index.load(prepared)
    with Library(Path(prepared) / LIBRARY) as library:
        kept = {
            track.name: library.embeddings.get(track.sound, encoder_sha256) for track in made.tracks
        }
    embeddings = {name: each.values for name, each in kept.items() if each is not None}
    return custom_genres.embedded_tracks(made, embeddings).once().tracks


def main() -> None:
    """Fill a prepared folder from one .npz."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("npz", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--artists", type=Path, help="table clip<TAB>artist")
    parser.add_argument("--library", type=Path)
    parser.add_argument("--model", type=Path, help="whose encoder made the tags")
    options = parser.parse_args()
    made = fill(
        options.npz,
        options.output,
        encoder_sha256=model_file.load(options.model).encoder_sha256,
        artists=groups.read_artists(options.artists) if options.artists else None,
        library=options.library,
    )
    print(f"{len(made.tracks)} tracks, {len(made.labels)} genres in {options.output}")


if __name__ == "__main__":
    main()
