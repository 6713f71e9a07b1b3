"""Processes of workers: how they are started, and what their ends mean.

Starting is the delicate part: workers are forked from a small server, compute with one thread, and
do not import the program that started them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from typing import Any

from tonearm.errors import DAMAGED
from tonearm.workers.messages import OUT_OF_MEMORY, Failure, Limits
from tonearm.workers.worker import MakeWork, live, too_large

# One thread a process: as many processes as cores are at work already.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# What a start changes for a moment is this whole process's.
_STARTING = threading.Lock()
# What the server that forks workers imports once for all of them.
_PRELOAD = ["tonearm.library.scan", "tonearm.features"]


@dataclass
class Job:
    """The task that a worker is busy with.

    Parameters
    ----------
    number : int
        Names the task in events.
    task : object
        As it was given.
    deadline_s : float
        When it is given up, by the pool's clock.
    waited_s : float
        How long its worker had waited for a processor when this was last looked at.
    begun, again : bool
        Whether the worker has begun with it; whether it was given a second time.
    advanced_to : float
        How much was done when the deadline was last moved, 0 to 1.
    """

    number: int
    task: Any
    deadline_s: float
    waited_s: float
    begun: bool = False
    again: bool = False
    advanced_to: float = 0.0


class Worker:
    """One process, and its task if it has one.

    Parameters
    ----------
    make_work : callable
        As for :class:`~tonearm.workers.Pool`.
    limits : Limits
        What one file may cost.
    fork : bool
        Fork this process, if that is safe.
    others : iterable of Worker
        Those that run already.
    """

    def __init__(
        self, make_work: MakeWork, limits: Limits, *, fork: bool, others: Iterable[Worker]
    ) -> None:
        method = "fork" if fork and can_fork() else _safe_method()
        context: Any = multiprocessing.get_context(method)  # differs by platform
        if method == "forkserver":
            context.set_forkserver_preload(_PRELOAD)
        # One pipe for each worker, not a shared queue: a worker that dies while it writes would
        # lock or garble a queue for all.
        self.connection, theirs = context.Pipe()
        # A forked process has copies of all our ends of pipes: open there, they would keep its
        # neighbours from noticing that this process is gone.
        open_here = [self.connection, *(other.connection for other in others)]
        inherited = open_here if method == "fork" else []
        self.process: BaseProcess = context.Process(
            target=live, args=(theirs, make_work, limits.memory_bytes, inherited), daemon=True
        )
        with _STARTING, _one_thread(), _without_main(), warnings.catch_warnings():
            # Python 3.12 warns of native threads; NumPy's stop and start again round a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        # The system closes a pipe when its last writer is gone.
        theirs.close()  # so that its death ends the pipe
        self.ready = False
        self.job: Job | None = None

    @property
    def idle(self) -> bool:
        """Whether it waits for a task."""
        return self.ready and self.job is None

    def send(self, value: object) -> None:
        """Send, unless it has died: the next look at its pipe says so.

        Parameters
        ----------
        value : object
            What can be pickled.
        """
        with contextlib.suppress(OSError):
            self.connection.send(value)

    def end(self) -> None:
        """Kill the process, and wait for its end."""
        self.connection.close()
        # Killed, not asked: a decoder that hangs in C gets no signal that Python handles.
        self.process.kill()
        self.process.join()


def can_fork() -> bool:
    """Whether a copy of this process is safe: on Linux, and without other threads."""
    return sys.platform == "linux" and threading.active_count() == 1


def start_server() -> None:
    """Start what workers are forked from, which loads what they need while this process does.

    For a program that is about to make a pool; otherwise its first worker starts the server.
    """
    if _safe_method() == "forkserver":
        from multiprocessing import forkserver  # not on Windows

        forkserver.set_forkserver_preload(_PRELOAD)
        # One that cannot start now is tried again, and named, with the first worker.
        with _STARTING, _one_thread(), _without_main(), contextlib.suppress(OSError, EOFError):
            forkserver.ensure_running()


def _safe_method() -> str:
    """How workers start: forked from a small server where there is one, in milliseconds.

    Never forked from this process, which may hold threads and locks of a host program.
    """
    # spawn, which starts a new Python, is all that Windows offers.
    offered = multiprocessing.get_all_start_methods()
    return "forkserver" if "forkserver" in offered else "spawn"


def failure_of_death(process: BaseProcess) -> Failure:
    """What the death of a worker says of its file.

    Parameters
    ----------
    process : BaseProcess
        The process, which has ended.
    """
    code = exit_code(process)
    if code == OUT_OF_MEMORY:
        return too_large()
    if code == -getattr(signal, "SIGKILL", 9):  # Windows has no such signal, and no such code
        reason = (
            "made the system end its decoder (SIGKILL), probably because memory ran out; "
            "try again with fewer --jobs"
        )
    else:
        reason = f"made its decoder crash ({name_of_exit(code)}). {DAMAGED}"
    return Failure("crash", reason)


def waited_s(process: BaseProcess) -> float:
    """Seconds in which a process could have run and got no processor; 0 where nobody counts them.

    Of its first thread, which decodes. Next to forty busy processes a worker ran 20 s out of 300.

    Parameters
    ----------
    process : BaseProcess
        The process.
    """
    try:
        with open(f"/proc/{process.pid}/schedstat", encoding="ascii") as file:  # Linux
            return int(file.read().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def exit_code(process: BaseProcess) -> int | None:
    """With which code a process ended; None if it has not.

    Parameters
    ----------
    process : BaseProcess
        The process.
    """
    # Its end may come a moment after that of its pipe.
    process.join(1)
    return process.exitcode


def name_of_exit(code: int | None) -> str:
    """``SIGSEGV``, or ``exit code 3``.

    Parameters
    ----------
    code : int or None
        As of :func:`exit_code`.
    """
    if code is not None and code < 0:
        return signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"exit code {code}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """What is started meanwhile computes with one thread: the processes fill the cores."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_main() -> Iterator[None]:
    """What is started meanwhile does not import the program that started it.

    A worker needs only what its function is imported from; a script without the customary
    ``if __name__ == "__main__"`` would run again in each worker.
    """
    main = sys.modules["__main__"]
    kept = {name: vars(main)[name] for name in ("__file__", "__spec__") if name in vars(main)}
    for name in kept:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)
