"""The life of a worker process, and the running of one task with all that may go wrong.

Runs in a process of its own, except for :func:`attempt`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from tonearm.errors import CHECK_DISK, DAMAGED, DISAPPEARED, DecodeError, ModelError, TonearmError
from tonearm.workers.messages import OUT_OF_MEMORY, Failure, Kind

Task = TypeVar("Task")
Result = TypeVar("Result")
# What a worker does with one task; it may report progress to, and ask, the pool that gave it.
Work = Callable[[Any, "Caller"], Any]
# Called once in each worker: it may load a model that all its files share.
MakeWork = Callable[[], Work]

_PROGRESS_S = 0.1  # between two reports: a file of seconds must not be slowed by talk
_PARENT_POLL_S = 2.0  # so long may a worker outlive its pool
_MEMORY_POLL_S = 0.1  # a decoder fills some hundred megabytes meanwhile


class Caller:
    """A worker's line to the pool that gave it a task.

    Parameters
    ----------
    connection : Connection
        The pipe to the pool.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._next_at = connection, 0.0

    def report_progress(self, fraction: float) -> None:
        """Report how much of the task is done, 0 to 1; called as often as one likes.

        Parameters
        ----------
        fraction : float
            From 0 to 1.
        """
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _PROGRESS_S
            self._connection.send((Kind.PROGRESS, fraction))

    def ask(self, value: object) -> Any:  # noqa: ANN401 - whatever the pool's owner answers
        """Send a question and wait for the answer.

        Parameters
        ----------
        value : object
            Any picklable value.
        """
        self._connection.send((Kind.QUESTION, value))
        return self._connection.recv()


class NoCaller(Caller):
    """Nobody: for a task that runs in this process, whose progress nobody follows."""

    def __init__(self) -> None:
        """Connect to nothing."""

    def report_progress(self, fraction: float) -> None:
        """Drop it."""


def attempt(
    work: Callable[[Task, Caller], Result], task: Task, caller: Caller | None = None
) -> Result | Failure:
    """Work on a task in this process; whatever it raises becomes its failure.

    But for a ModelError, which would meet every task.

    Parameters
    ----------
    work : callable
        Does one task.
    task : object
        What the function gets.
    caller : Caller or None
        Whom to report progress to.
    """
    try:
        return work(task, caller or NoCaller())
    except ModelError:
        raise
    except Exception as error:
        return failure_of(error)


def failure_of(error: Exception) -> Failure:
    """What an exception says of the file that raised it.

    Parameters
    ----------
    error : Exception
        What was raised.
    """
    if isinstance(error, DecodeError):
        return Failure(error.kind, error.reason)
    if isinstance(error, FileNotFoundError):
        return Failure("missing", DISAPPEARED)
    if isinstance(error, OSError):  # the disk failed
        return Failure("unreadable", f"cannot be read: {error.strerror or error}. {CHECK_DISK}")
    if isinstance(error, MemoryError):
        return too_large()
    what = str(error) if isinstance(error, TonearmError) else f"{type(error).__name__}: {error}"
    return Failure("internal", f"made Tonearm fail ({what}); please report this file as a bug")


def too_large() -> Failure:
    """What to say of a file that took more memory than one may."""
    return Failure("memory", f"needs more memory than one file may use. {DAMAGED}")


def live(
    connection: Connection, make_work: MakeWork, memory_bytes: int, inherited: list[Connection]
) -> None:
    """The life of a worker; it ends when the pool, and with it the pipe, is gone.

    Parameters
    ----------
    connection : Connection
        To the pool.
    make_work : callable
        Returns the function that does a task.
    memory_bytes : int
        Limit of the address space; 0 for none.
    inherited : list of Connection
        Ends of pipes that a forked process must close.
    """
    for each in inherited:
        each.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the pool decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the command line's own handler is inherited
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            work = make_work()
        except Exception as error:
            connection.send((Kind.BROKEN, _stated(error)))
            return
        # After the model is loaded: its memory is not the file's fault.
        _limit_memory(memory_bytes)
        connection.send((Kind.READY, None))
        caller = Caller(connection)
        while True:
            task = connection.recv()
            connection.send((Kind.BEGUN, None))
            try:
                value = attempt(work, task, caller)
            except ModelError as error:
                connection.send((Kind.BROKEN, error))
                return
            try:
                connection.send((Kind.DONE, value))
            except OSError:
                raise
            except Exception as error:  # it cannot be pickled
                connection.send((Kind.DONE, failure_of(error)))


def _stated(error: Exception) -> TonearmError:
    if isinstance(error, TonearmError):
        return error
    return TonearmError(f"files cannot be analysed: {error or type(error).__name__}")


def _end_with_parent(parent_pid: int) -> None:
    """End when the process with the pool is gone, even inside a decoder that hangs.

    A forked worker sees another parent then; any other one sees a pipe end, which neighbours that
    were forked later would hold open.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    while os.getppid() == parent_pid and not wait([parent.sentinel], timeout=_PARENT_POLL_S):
        pass
    # Not sys.exit: that ends this thread alone, and not the decoder in the other.
    os._exit(1)


def _limit_memory(extra_bytes: int) -> None:
    """Let this process take so much memory more."""
    if not extra_bytes:
        return
    if sys.platform != "linux":
        threading.Thread(target=watch_memory, args=(extra_bytes,), daemon=True).start()
        return
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = used + extra_bytes
    # A lower limit from outside stays.
    if most == resource.RLIM_INFINITY or limit < most:
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def watch_memory(extra_bytes: int) -> None:
    """End this process once it has taken so much more; at once done where nothing can be measured.

    Parameters
    ----------
    extra_bytes : int
        Resident memory beyond what it holds now.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    unit = 1 if sys.platform == "darwin" else 1_024  # bytes there, kilobytes elsewhere

    def most() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    limit = most() + extra_bytes
    while most() <= limit:
        time.sleep(_MEMORY_POLL_S)
    # As in `_end_with_parent`: the decoder in the other thread has to end too.
    os._exit(OUT_OF_MEMORY)
