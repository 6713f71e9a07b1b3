"""Stand-ins for the encoder in tests of scanning; each worker imports this, so it stays light."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from tonearm.errors import DecodeError
from tonearm.library.store import FileTags
from tonearm.model.encoder import Embeddings


def make_embed(log: str):
    """An encoder that logs what it analyses, and does what the file's name says."""

    def embed(path: str) -> Embeddings:
        name = os.path.basename(path)
        with open(log, "a") as file:
            file.write(name + "\n")
        if "segv" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "memory" in name:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in name:
            time.sleep(60)
        if "slow" in name:
            time.sleep(0.3)
        if "bad" in name:
            raise DecodeError(path, "not-audio", "is not audio")
        if "vanish" in name:  # as on a network disk that goes away, to `name.away`
            os.rename(path, f"{path}.away")
            raise DecodeError(path, "unreadable", "ends in the middle")
        if "locked" in name:
            raise DecodeError(path, "permission-denied", "cannot be read: permission denied")
        if "fault" in name:
            raise ZeroDivisionError("a fault")
        data = Path(path).read_bytes()
        rng = np.random.default_rng(list(data[:8]))
        windows = rng.random((3, 50), dtype=np.float32)
        warnings = ("truncated",) if "torn" in name else ()
        return Embeddings(windows, np.arange(3.0), 9.0, warnings=warnings)

    return embed


def make_nothing():
    os._exit(3)


def no_tags(path: str) -> FileTags:
    return FileTags()
