"""Processes measured in turn, so that a ratio holds on a machine whose speed drifts."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Command = Sequence[str | os.PathLike[str]]

WATCH = Path(__file__).with_name("watch.py")
# What numerical libraries read, each its own.
_ONE_THREAD = """
    OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS NUMBA_NUM_THREADS
    TF_NUM_INTRAOP_THREADS TF_NUM_INTEROP_THREADS
""".split()
# Settings of this shell that would slow one side: no bytecode kept, an older processor's kernels.
_LEFT_OUT = """
    PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
""".split()
CAN_PIN = hasattr(os, "sched_setaffinity")


@dataclass(frozen=True)
class Cost:
    """What one run of a command took, and what it printed.

    ``peak_mib`` is that of the largest process, ``tree_mib`` of all of them together, if that was
    asked for and the system can measure it.
    """

    wall_s: float
    peak_mib: float
    tree_mib: float | None = None
    printed: str = ""


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of pairs, and the smallest and largest of them."""

    median: float
    low: float
    high: float
    runs: int


def run(command: Command, *, one_core: bool = False, tree: bool = False) -> Cost:
    """Run a command to its end.

    Parameters
    ----------
    command : Command
    one_core : bool
        On one processor, with numerical libraries limited to one thread.
    tree : bool
        Measure the memory of all its processes together.

    Raises
    ------
    RuntimeError
        If it fails: the time of a failed run has no meaning.
    """
    core = max(os.sched_getaffinity(0)) if one_core and CAN_PIN else -1
    words = [os.fspath(word) for word in command]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "cost.json"
        watched = [sys.executable, "-S", str(WATCH), str(report), str(core), str(int(tree)), *words]
        ended = subprocess.run(
            watched,
            capture_output=True,
            text=True,
            check=False,
            env=environment(one_thread=one_core),
        )
        if ended.returncode:
            said = ended.stderr.strip() or ended.stdout.strip()
            raise RuntimeError(f"{' '.join(words[:3])} …: {said[-500:]}")
        return Cost(**json.loads(report.read_text()), printed=ended.stdout)


def environment(*, one_thread: bool) -> dict[str, str]:
    """The environment that every side runs in."""
    kept = {name: value for name, value in os.environ.items() if name not in _LEFT_OUT}
    return kept | dict.fromkeys(_ONE_THREAD, "1") if one_thread else kept


def in_turn(ours: Callable[[], T], other: Callable[[], T], *, runs: int) -> list[tuple[T, T]]:
    """Both sides in turn: ours, the other, ours, the other, and so on."""
    return [(ours(), other()) for _ in range(runs)]


def steady(less_s: float, more_s: float, *, more: int) -> float:
    """Seconds for one of what there was ``more`` of, starting left out.

    Raises
    ------
    RuntimeError
        When the longer run was the shorter: so small a difference is the machine's.
    """
    if more_s <= less_s:
        raise RuntimeError(f"{more} more took no longer ({more_s:.1f} s, {less_s:.1f} s)")
    return (more_s - less_s) / more


def ratio(pairs: Iterable[tuple[float, float]]) -> Ratio:
    """How many times as much the second of each pair is as the first."""
    each = [other / ours for ours, other in pairs]
    return Ratio(statistics.median(each), min(each), max(each), len(each))


def medians(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Median of the first of each pair, and of the second."""
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
