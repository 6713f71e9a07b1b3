"""Preparing a data set on a cluster: workers decode and analyse, this process writes.

The folder of music must be one that every node sees. What workers do with a file is
:mod:`tonearm.data.prepare`'s own function; its journal makes a run that was killed go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tonearm.distributed import engine
from tonearm.workers import MakeWork, Outcome, Pool, run_one

# Names in a task: some seconds of work, and arrays of a few megabytes on their way back.
_NAMES = 8


def outcomes(
    make_work: MakeWork, names: Sequence[str], *, address: str | None = None
) -> Iterator[Outcome[str]]:
    """What workers of a cluster make of names, in whichever order they get done.

    Parameters
    ----------
    make_work : callable
        Called in each worker; gives the function of a name.
    names : sequence of str
        Tracks, as paths below the data set.
    address : str or None
        The cluster, as :func:`ray.init` has it.

    Raises
    ------
    TonearmError
        When there is no cluster, or it gives up.
    """
    engine.require()
    if not names:
        return
    with engine.cluster(address):
        blocks = np.array_split(np.arange(len(names)), -(-len(names) // _NAMES))
        for row in engine.rows(_Actor, blocks, make_work, list(names)):
            yield row["outcome"]


class _Actor:
    """What Ray makes on each core: a process that prepares files, and may crash of one."""

    def __init__(self, make_work: MakeWork, names: list[str]) -> None:
        self._names, self._pool = names, Pool(1, make_work=make_work)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (i,) = batch["data"].tolist()
        column = np.empty(1, dtype=object)  # of one object, which NumPy must not look into
        column[0] = Outcome(self._names[i], run_one(self._pool, self._names[i]))
        return {"outcome": column}
