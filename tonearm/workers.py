"""A pool of processes that hear one file each, and may die of it.

Decoders are C; on a damaged file one may crash, and the system may kill a process for its memory.
Each worker is known to be at one file, so that its death costs that file and no other. A worker
first looks at a file (sound key, tags), then waits to be told whether to hear it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tonearm.audio import check_file
from tonearm.containers.sound_key import sound_key
from tonearm.errors import DecodeError, LibraryError

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

    from numpy.typing import NDArray

    from tonearm.library.store import FileTags
    from tonearm.model.encoder import Embeddings

Embed = Callable[[str], "Embeddings"]
# Called once in each worker: it may load a model that all its files share.
MakeEmbed = Callable[[], Embed]
ReadTags = Callable[[str], "FileTags"]

TIMEOUT_S = 300.0
_POLL_S = 0.5
# A worker that dies before its first file says something about the machine, not about a file.
_START_DEATHS = 3
# One thread a process: as many processes as cores are at work already.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Looked:
    """What a first look at a file gave: its key and its tags."""

    key: str
    tags: FileTags


@dataclass(frozen=True)
class Sound:
    """What was heard, rounded as it is kept: windows float16 [n, d]."""

    windows: NDArray[np.float16]
    starts_s: NDArray[np.float32]
    duration_s: float
    warning: str | None


@dataclass(frozen=True)
class Failure:
    """Why a file was not heard: a word for programs, and words for people."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Report:
    """Word from the worker that is at the file of that number."""

    number: int
    outcome: Looked | Sound | Failure


class _Worker:
    """One process and the file it is at."""

    def __init__(self, make_embed: MakeEmbed, read_tags: ReadTags) -> None:
        context = _context()
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=_work, args=(theirs, make_embed, read_tags), daemon=True
        )
        with _one_thread():
            self.process.start()
        theirs.close()  # so that its death ends the pipe
        self.ready = False
        self.number: int | None = None
        self.deadline = float("inf")

    @property
    def idle(self) -> bool:
        return self.ready and self.number is None

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()


class Pool:
    """Workers; each takes a file when idle.

    Parameters
    ----------
    jobs : int
        How many.
    make_listen, read_tags : callable
        What a worker does; both are importable by name, since they are sent to it.
    timeout_s : float
        A worker that is at one file for longer is ended.
    """

    def __init__(
        self,
        jobs: int,
        *,
        make_embed: MakeEmbed,
        read_tags: ReadTags,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._make_embed, self._read_tags, self._timeout_s = make_embed, read_tags, timeout_s
        self._start_deaths = 0
        self._workers = [self._start() for _ in range(jobs)]

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    @property
    def idle(self) -> bool:
        """Whether a worker waits for a file."""
        return any(worker.idle for worker in self._workers)

    def submit(self, number: int, path: str) -> None:
        """Give a file to an idle worker; ``number`` names it in reports."""
        worker = next(worker for worker in self._workers if worker.idle)
        worker.number = number
        worker.deadline = time.monotonic() + self._timeout_s
        # If it died while it waited, reports() finds the pipe closed, and names a wrong culprit: a
        # death between two files is the system's doing, and the file is retried on demand.
        with contextlib.suppress(OSError):
            worker.connection.send(path)

    def tell(self, number: int, *, hear: bool) -> None:
        """Answer a look: go on and hear the file, or leave it and be idle."""
        worker = next(worker for worker in self._workers if worker.number == number)
        if not hear:
            worker.number, worker.deadline = None, float("inf")
        with contextlib.suppress(OSError):  # its death is noticed by reports()
            worker.connection.send(hear)

    def reports(self) -> Iterator[Report]:
        """What workers have to say now; nothing if that is nothing for half a second."""
        ready = set(wait([worker.connection for worker in self._workers], timeout=_POLL_S))
        for i, worker in enumerate(self._workers):
            if worker.connection in ready:
                try:
                    outcome = worker.connection.recv()
                except (EOFError, OSError):
                    outcome = Failure("crash", f"its decoder {_how_it_ended(worker.process)}")
                    self._replace(i)
            elif time.monotonic() > worker.deadline:
                reason = f"took longer than {self._timeout_s:.0f} s; its decoder was stopped"
                outcome = Failure("timeout", reason)
                self._replace(i)
            else:
                continue
            number = worker.number
            if outcome is None:
                worker.ready, self._start_deaths = True, 0
            elif number is not None:
                if not isinstance(outcome, Looked):
                    worker.number, worker.deadline = None, float("inf")
                yield Report(number, outcome)

    def _start(self) -> _Worker:
        return _Worker(self._make_embed, self._read_tags)

    def _replace(self, i: int) -> None:
        """A new process in the place of a dead or stuck one."""
        worker = self._workers[i]
        worker.end()
        if not worker.ready:
            self._start_deaths += 1
            if self._start_deaths >= _START_DEATHS:
                words = _how_it_ended(worker.process)
                raise LibraryError(f"the processes that hear files end as they start: one {words}")
        self._workers[i] = self._start()


def _context() -> ForkServerContext | SpawnContext:
    """How workers are started: forked from a small server where there is one, in milliseconds.

    Never forked from this process, which may hold threads and locks of a host program.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tonearm.library.scan", "tonearm.features"])
    return context


def _work(connection: Connection, make_embed: MakeEmbed, read_tags: ReadTags) -> None:
    """The life of a worker; it ends when the scan, and with it the pipe, is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the scan decides
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        embed = make_embed()
        connection.send(None)  # ready
        while True:
            path = connection.recv()
            outcome = _attempt(path, lambda path: Looked(_checked_key(path), read_tags(path)))
            connection.send(outcome)
            if isinstance(outcome, Looked) and connection.recv():
                connection.send(_attempt(path, lambda path: _rounded(path, embed(path))))


def _attempt(path: str, step: Callable[[str], Looked | Sound]) -> Looked | Sound | Failure:
    try:
        return step(path)
    except DecodeError as error:
        return Failure(error.kind, error.reason)
    except OSError as error:  # vanished, or the disk failed
        return Failure("unreadable", error.strerror or str(error))
    except MemoryError:
        return Failure("memory", "needs more memory than there is")
    except Exception as error:  # a fault of this program: one file's price as well, with its words
        return Failure("internal", f"{type(error).__name__}: {error}")


def _checked_key(path: str) -> str:
    check_file(Path(path))
    return sound_key(path)


def _rounded(path: str, embeddings: Embeddings) -> Sound:
    windows = embeddings.values.astype(np.float16)
    if not np.isfinite(windows).all():
        raise DecodeError(path, "unreadable", "the model answers to it with what is no number")
    return Sound(
        windows=windows,
        starts_s=embeddings.starts_s.astype(np.float32),
        duration_s=embeddings.duration_s,
        warning="; ".join(embeddings.warnings) or None,
    )


def _how_it_ended(process: BaseProcess) -> str:
    """``crashed (SIGSEGV)`` and the like."""
    process.join(1)
    code = process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"was killed, likely for its memory ({name})" if -code == 9 else f"crashed ({name})"
    return f"ended by itself (exit code {code})"


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
