"""The feature store: arrays of tracks on disk, keyed by the sound itself and by what made them.

There is one ``.npy`` per track, written whole or not at all, so that a run that is killed at any
moment continues where it stopped. One mapped file for all tracks is read nine times as fast (0.16
against 1.4 ms a window, ``benchmarks/prepare.py``), but cannot be whole at any moment, and data
sets of up to 2 GB are read once and stay in memory (0.11 ms). Each store's ``store.json`` says what
made its arrays; a store made otherwise is rejected. Log-mel arrays are float16 [frames, bands], in
decibels of power itself; `cut` turns them into what the classifier computes from audio.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.data.shards import FOLDER, Shards, no_features
from tonearm.errors import DatasetError, writing
from tonearm.features import DYNAMIC_RANGE_DB, POWER_FLOOR, FeatureSpec, mel_power, to_level
from tonearm.files import write_atomically

Float32 = NDArray[np.float32]
Array = NDArray[Any]

_STORE = "store.json"


def identity(spec: FeatureSpec) -> dict[str, Any]:
    """Everything that arrays of ``spec`` depend on: all but the length of a window."""
    return {"kind": "log-mel", **{k: v for k, v in spec.to_dict().items() if k != "window_frames"}}


def checksum(sound: bytes) -> str:
    """Return the key under which a sound is stored.

    Parameters
    ----------
    sound : bytes
        Samples, or whatever else identifies a sound.
    """
    # 128 bits: no two sounds of any collection meet by chance, and names stay short.
    return hashlib.sha256(sound).hexdigest()[:32]


@dataclass(frozen=True)
class FeatureStore:
    """Arrays by the checksum of their sound; see `open_store`."""

    root: Path
    identity: dict[str, Any]
    shards: Shards | None = None

    def has(self, sound: str) -> bool:
        """Whether the array of a sound is there.

        Parameters
        ----------
        sound : str
            Its checksum.
        """
        return self.shards.has(sound) if self.shards else self._path(sound).exists()

    def put(self, sound: str, array: Array) -> None:
        """Store an array; DatasetError if the disk is full.

        Parameters
        ----------
        sound : str
            Its checksum.
        array : float16 [frames, bands], or uint32 [speeds, frames]
            Its log-mel levels, or its fingerprint.
        """
        if self.shards:
            self.shards.put(sound, array)
            return
        stream = io.BytesIO()
        # Without pickle: a store that somebody shares must not run code.
        np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
        path = self._path(sound)
        with writing(path, DatasetError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, stream.getvalue())

    def get(self, sound: str) -> Array:
        """The array of a sound, mapped from disk and read-only.

        Parameters
        ----------
        sound : str
            Its checksum.
        """
        if self.shards:
            return self.shards.get(sound)
        path = self._path(sound)
        try:
            # Mapped: a window needs 3 s of a track that may be an hour long.
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except FileNotFoundError:
            raise no_features(self.root, sound) from None
        except (OSError, ValueError, EOFError) as error:
            raise DatasetError(
                f"{path} is damaged ({error}): delete it and prepare again"
            ) from None

    def _path(self, sound: str) -> Path:
        # Subfolders, because some file systems slow down with many files in one folder.
        return self.root / sound[:2] / f"{sound}.npy"


def is_store(root: Path) -> bool:
    """Whether a folder is a store, of whatever front end.

    Parameters
    ----------
    root : Path
        The folder.
    """
    return (root / _STORE).is_file()


def open_store(
    root: str | os.PathLike[str], wanted: dict[str, Any] | None = None, *, create: bool = False
) -> FeatureStore:
    """Open a store, or create it.

    Parameters
    ----------
    root : path
        Its folder.
    wanted : dict or None
        The identity it must have; None accepts any.
    create : bool
        Create it if it is missing.

    Raises
    ------
    DatasetError
        If it is missing, or another front end made its arrays.
    """
    root = Path(root)
    file = root / _STORE
    if create and wanted is not None and not file.exists():
        with writing(root, DatasetError):
            root.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(wanted, indent=1, sort_keys=True).encode())
    try:
        found = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise DatasetError(f"{root} has no features: run `tonearm prepare` first") from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file} cannot be read ({error})") from None
    if wanted is not None and found != wanted:
        different = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))
        what = ", ".join(f"{k} {found.get(k)} instead of {wanted.get(k)}" for k in different)
        raise DatasetError(
            f"the features in {root} were made with other settings ({what}): delete them, or "
            "name another --output"
        )
    # A store of many tracks is in shards from its beginning, see `shards.begin`.
    return FeatureStore(root, found, Shards(root) if (root / FOLDER).exists() else None)


def spec_of(store: FeatureStore, *, window_s: float) -> FeatureSpec:
    """The front end of a log-mel store, with windows of at most ``window_s`` seconds.

    Parameters
    ----------
    store : FeatureStore
        A store of log-mel spectrograms.
    window_s : float
        Longest window in seconds.
    """
    if store.identity.get("kind") != "log-mel":
        raise DatasetError(f"{store.root} holds {store.identity.get('kind')}, not log-mel")
    values = {k: v for k, v in store.identity.items() if k != "kind"}
    frame_s = values["hop_samples"] / values["sample_rate_hz"]
    # Rounded down, so that no window is longer than asked.
    return FeatureSpec.from_dict({**values, "window_frames": max(1, int(window_s / frame_s))})


def storable(samples: Float32, spec: FeatureSpec) -> NDArray[np.float16]:
    """Log-mel of a whole track, float16 [frames, bands], from which :func:`cut` takes windows.

    float16 holds -100 dB to within 0.03 dB and takes half the space of float32.

    Parameters
    ----------
    samples : float32 [n]
        Mono audio at ``spec.sample_rate_hz``.
    spec : FeatureSpec
        The front end.
    """
    power = mel_power(samples, spec)
    if spec.scale == "log10":
        return np.asarray(to_level(power, spec), dtype=np.float16)
    # Not relative to the track's maximum: each window becomes relative to its own in `cut`.
    level = 10 * np.log10(np.maximum(power, np.float32(POWER_FLOOR)))
    return np.asarray(level, dtype=np.float16)


def cut(levels: Array, start: int, spec: FeatureSpec) -> Float32:
    """Cut one window as the classifier computes it from audio.

    Parameters
    ----------
    levels : float16 [frames, bands]
        From the store.
    start : int
        First frame. A track shorter than a window is repeated.
    spec : FeatureSpec
        The front end, which says how long a window is.

    Returns
    -------
    float32 [window_frames, bands]
    """
    window_levels = levels[start : start + spec.window_frames]
    if len(window_levels) < spec.window_frames:
        # Repeated, as audio that is shorter than a window is.
        window_levels = np.tile(
            window_levels, (-(-spec.window_frames // max(1, len(window_levels))), 1)
        )
        window_levels = window_levels[: spec.window_frames]
    window: Float32 = window_levels.astype(np.float32)
    if spec.scale == "db":
        # Each window relative to its own maximum, as `features.log_mel` does for audio.
        window -= window.max()
        np.maximum(window, np.float32(-DYNAMIC_RANGE_DB), out=window)
    return window
