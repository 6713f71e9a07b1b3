"""What a pool and its workers say to each other, and what one file may cost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from tonearm.errors import DecodeKind

# With this code a worker ends that took more memory than it may, where the system cannot refuse it.
OUT_OF_MEMORY = 77


class Kind(IntEnum):
    """What a message of a worker is about; its value is the second of the pair that is sent."""

    READY = 0
    BROKEN = 1  # no task can be done: the error
    BEGUN = 2
    PROGRESS = 3
    QUESTION = 4
    DONE = 5


@dataclass(frozen=True)
class Limits:
    """What one file may cost.

    Parameters
    ----------
    time_s : float
        A file that has not advanced by a twentieth within so many seconds is given up. Only
        seconds in which this process runs count: not while the machine sleeps or after Ctrl-Z, nor
        (on Linux) while other processes keep the worker from running.
    memory_bytes : int
        What a worker may take on top of what it needs to start; 0 for no limit. Linux refuses
        more address space. macOS has no such limit: a worker there looks at its own size several
        times a second, and ends. Windows has no limit.
    """

    time_s: float = 300.0  # a six-hour mix takes some three minutes in all
    memory_bytes: int = 4 * 2**30  # 4 GiB


@dataclass(frozen=True)
class Failure:
    """Why a file was not analysed: a word for programs, and a phrase for people.

    Parameters
    ----------
    kind : DecodeKind
        A stable word, as in :class:`~tonearm.errors.DecodeError`.
    reason : str
        What was wrong and what to do; without the path.
    """

    kind: DecodeKind
    reason: str


@dataclass(frozen=True)
class Progress:
    """How much of a file is done, 0 to 1."""

    fraction: float


@dataclass(frozen=True)
class Question:
    """What a worker asks before it goes on; see :meth:`Pool.answer`."""

    value: Any


@dataclass(frozen=True)
class Done:
    """What a worker's function returned for a task, or why it did not."""

    value: Any | Failure


@dataclass(frozen=True)
class Event:
    """News of the task of that number."""

    number: int
    news: Progress | Question | Done
