"""Whole processes measured in turn, so that a ratio holds on a machine whose speed drifts."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one run of a process took."""

    wall_s: float
    peak_mib: float


@dataclass(frozen=True)
class Comparison:
    """Medians of two commands run in turn, and the median of their ratios pair by pair."""

    name: str
    ours: Cost
    other: Cost
    wall_ratio: float
    memory_ratio: float
    runs: int


def run(command: Sequence[str]) -> Cost:
    """Run a command to its end; its output is thrown away.

    Raises
    ------
    RuntimeError
        When it fails: a failed run has no time worth telling.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=one_thread_libraries()
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {errors.decode(errors='replace')[-500:]}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is bytes on macOS, KiB elsewhere
    return Cost(wall_s, usage.ru_maxrss * unit / 2**20)


def one_thread_libraries() -> dict[str, str]:
    """The environment, with numerical libraries held to one thread each for all sides."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def compare(name: str, ours: Sequence[str], other: Sequence[str], *, runs: int = 5) -> Comparison:
    """Run both once unmeasured, then in turn ``runs`` times."""
    run(ours), run(other)
    pairs = [(run(ours), run(other)) for _ in range(runs)]

    def median(side: int, field: str) -> float:
        return statistics.median(getattr(pair[side], field) for pair in pairs)

    return Comparison(
        name,
        ours=Cost(median(0, "wall_s"), median(0, "peak_mib")),
        other=Cost(median(1, "wall_s"), median(1, "peak_mib")),
        wall_ratio=statistics.median(b.wall_s / a.wall_s for a, b in pairs),
        memory_ratio=statistics.median(b.peak_mib / a.peak_mib for a, b in pairs),
        runs=runs,
    )
