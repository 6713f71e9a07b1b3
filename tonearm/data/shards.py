"""A feature store in shards: few large files, for data sets of more tracks than folders like.

Arrays stand one behind another in files of at most :data:`SHARD_BYTES`; ``index.jsonl`` has a line
for each: where it lies, what it is, and its SHA-256, which is compared at the first read. Bytes are
written before their line, so that a kill leaves at most bytes that no line names. One process
writes; any number read.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import DatasetError, writing

Array = NDArray[Any]

FOLDER = "shards"
_INDEX = "index.jsonl"
# Some 600 tracks of 30 s: large for a disk on the network, small to copy again.
SHARD_BYTES = 256 << 20


def no_features(root: Path, sound: str) -> DatasetError:
    """The error of a store that lacks a sound.

    Parameters
    ----------
    root : Path
        Folder of the store.
    sound : str
        Its checksum.
    """
    return DatasetError(f"{root} has no features of sound {sound}: prepare the data set again")


def begin(root: Path) -> None:
    """Make a store that does not exist yet one of shards; any other stays as it is.

    Parameters
    ----------
    root : Path
        Folder of the store.
    """
    if not root.exists():
        (root / FOLDER).mkdir(parents=True)


class Shards:
    """The shards of a store and their index.

    Parameters
    ----------
    root : Path
        Folder of the store.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._places = self._read_index()
        self._checked: set[str] = set()

    def has(self, sound: str) -> bool:
        """Whether the array of a sound is there.

        Parameters
        ----------
        sound : str
            Its checksum.
        """
        return sound in self._places

    def put(self, sound: str, array: Array) -> None:
        """Append an array; DatasetError if the disk is full.

        Parameters
        ----------
        sound : str
            Its checksum.
        array : array
            Of any shape and type; it is kept with both.
        """
        data = np.ascontiguousarray(array)
        folder = self.root / FOLDER
        with writing(folder, DatasetError):
            folder.mkdir(parents=True, exist_ok=True)
            shard = self._shard(folder, data.nbytes)
            with open(shard, "ab") as file:
                offset = file.tell()
                file.write(data.tobytes())
                file.flush()
                # The array is on the disk before the index says so.
                os.fsync(file.fileno())
            place = {
                "sound": sound,
                "shard": shard.name,
                "offset": offset,
                "shape": list(data.shape),
                "dtype": data.dtype.str,
                "sha256": hashlib.sha256(data.tobytes()).hexdigest(),
            }
            with open(folder / _INDEX, "ab") as file:
                # A line of its own, also after one that a kill cut short.
                file.write(b"\n" + json.dumps(place).encode())
        self._places[sound] = place

    def get(self, sound: str) -> Array:
        """The array of a sound, mapped from disk and read-only.

        Parameters
        ----------
        sound : str
            Its checksum.
        """
        place = self._places.get(sound)
        if place is None:
            raise no_features(self.root, sound)
        path = self.root / FOLDER / place["shard"]
        try:
            array = np.memmap(
                path, place["dtype"], "r", offset=place["offset"], shape=tuple(place["shape"])
            )
        except (OSError, ValueError) as error:
            raise DatasetError(
                f"{path} is damaged ({error}): delete the folder and prepare again"
            ) from None
        # Once in each process: an epoch reads all of them again.
        if sound not in self._checked:
            if hashlib.sha256(array.tobytes()).hexdigest() != place["sha256"]:
                raise DatasetError(
                    f"{path} is damaged (sound {sound} has another checksum): delete the folder "
                    "and prepare again"
                )
            self._checked.add(sound)
        return array

    def _shard(self, folder: Path, more: int) -> Path:
        """The last shard, or a new one if it is full."""
        # By the files that are there, since a kill may have come before the line of the index.
        number = max((int(path.stem) for path in folder.glob("*.shard")), default=0)
        last = folder / f"{number:06}.shard"
        if last.exists() and last.stat().st_size + more > SHARD_BYTES:
            return folder / f"{number + 1:06}.shard"
        return last

    def _read_index(self) -> dict[str, dict[str, Any]]:
        path = self.root / FOLDER / _INDEX
        found: dict[str, dict[str, Any]] = {}
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                place = json.loads(line)
                found[place["sound"]] = place
            except (ValueError, KeyError, TypeError):  # empty, or cut short by a kill
                continue
        return found
