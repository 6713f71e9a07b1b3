"""The rules every peer is measured by: ``python PEER.py setup|predict|many|mel|decode|train …``.

A peer is a script that calls :func:`main` with what it can do. It runs in an environment of its
own, so this file imports the standard library alone, and a peer imports its libraries inside its
functions, after the clock of a whole process has started.

- ``setup`` makes what it needs (a model with the right shape), once;
- ``predict FILE`` prints its answer;
- ``many FILE…`` loads once, answers to the first unmeasured, and prints the seconds of the others;
- ``mel SAMPLES.npy``, ``decode FILE`` do one part of the work, several times over;
- ``train ARRAYS.npz EPOCHS`` prints the seconds of each epoch.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

# In the peer's environment: what `setup` made lies next to its packages.
STATE = Path(sys.prefix) / "made"
GENRES = "blues classical country disco hiphop jazz metal pop reggae rock".split()
REPEATS = 3

# From a file to its genre or tags; a part of the work, ready to be repeated.
Predict = Callable[[str], object]
Work = Callable[[], object]


def one_thread() -> bool:
    """Whether this run is to compute with a single thread, for libraries with their own setting."""
    return os.environ.get("OMP_NUM_THREADS") == "1"


def seconds(work: Work) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main(
    *,
    setup: Callable[[], None] = lambda: None,
    load: Callable[[], Predict] | None = None,
    parts: dict[str, Callable[[str], Work]] | None = None,
    train: Callable[[str, int], list[float]] | None = None,
) -> None:
    """Do what the command line says.

    Parameters
    ----------
    setup : callable
    load : callable
        Loads what predicting needs, and gives the function that predicts.
    parts : dict
        ``mel`` and ``decode``: from a path to the work that is to be repeated.
    train : callable
        From arrays and a number of epochs to the seconds of each.
    """
    command, *words = sys.argv[1:]
    if command == "setup":
        STATE.mkdir(exist_ok=True)
        setup()
    elif command == "predict" and load:
        print(load()(words[0]))
    elif command == "many" and load:
        predict = load()
        predict(words[0])
        _print([seconds(partial(predict, path)) for path in words[1:]])
    elif command == "train" and train:
        _print(train(words[0], int(words[1])))
    elif parts and command in parts:
        work = parts[command](words[0])
        work()
        _print([seconds(work) for _ in range(REPEATS)])
    else:
        sys.exit(f"{sys.argv[0]} has no {command}")


def _print(values: list[float]) -> None:
    """As the last line: libraries print too."""
    print(f"\n{json.dumps(values)}")
