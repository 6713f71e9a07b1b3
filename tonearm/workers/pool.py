"""A pool of worker processes: gives out tasks, ends what hangs, replaces what died.

A pool belongs to one thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from multiprocessing.connection import wait

from tonearm.errors import DAMAGED, TonearmError
from tonearm.workers.messages import (
    Done,
    Event,
    Failure,
    Kind,
    Limits,
    Progress,
    Question,
)
from tonearm.workers.processes import (
    Job,
    Worker,
    exit_code,
    failure_of_death,
    name_of_exit,
    waited_s,
)
from tonearm.workers.worker import MakeWork, failure_of

_POLL_S = 0.5  # longest wait for news; time limits are looked at as often
# A longer pause between two looks was a sleeping machine or Ctrl-Z, and counts as this much.
_LONGEST_TICK_S = 2.0
# A worker that was kept from running for longer is not slow: the machine is busy.
_LEAST_WAIT_S = 0.5
# Within the time limit a file has to advance by this much: a mix of ten hours has no other limit.
_LEAST_ADVANCE = 0.05
# A worker that dies before its first file says something about the machine, not about a file.
_START_DEATHS = 3
# The server that forks workers may be killed as one starts: the next try starts another server.
_START_TRIES, _START_PAUSE_S = 4, 0.1
# What multiprocessing states of a process when the server that would know its end is gone.
_SERVER_DIED = 255


class Pool:
    """Worker processes; each takes a task when idle.

    Parameters
    ----------
    jobs : int
        How many.
    make_work : callable
        Called in each worker; gives the function ``work(task, caller)`` that it runs. Importable
        by name, as are tasks and results, since they are sent between processes.
    limits : Limits
        What one file may cost.
    fork : bool
        Start workers as copies of this process where that is safe: in milliseconds, with all that
        is loaded. Only for a program without other threads, such as a command.

    Raises
    ------
    TonearmError
        From :meth:`events`, when workers cannot start, or the model cannot be used.
    """

    def __init__(
        self, jobs: int, *, make_work: MakeWork, limits: Limits | None = None, fork: bool = False
    ) -> None:
        self._make_work, self._limits, self._fork = make_work, limits or Limits(), fork
        self._start_deaths, self._now_s, self._looked_at = 0, 0.0, time.monotonic()
        self._workers: list[Worker] = []
        try:
            for _ in range(jobs):
                self._workers.append(self._start())
        # Also Ctrl-C in between: no process may be left behind.
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def dismiss(self) -> None:
        """Let all workers end: there is nothing more to do."""
        for worker in self._workers:
            worker.process.kill()

    def close(self) -> None:
        """End all workers, whatever they are at, and wait for that."""
        for worker in self._workers:
            worker.end()
        self._workers = []

    @property
    def jobs(self) -> int:
        """How many workers there are."""
        return len(self._workers)

    @property
    def idle(self) -> bool:
        """Whether a worker waits for a task."""
        return any(worker.idle for worker in self._workers)

    def submit(self, number: int, task: object) -> None:
        """Give a task to an idle worker; ``number`` names it in events.

        Parameters
        ----------
        number : int
            Number of the task.
        task : object
            Any picklable value.
        """
        worker = next(worker for worker in self._workers if worker.idle)
        # Deadlines are on the pool's own clock, which leaves out the time in which the machine
        # slept.
        deadline_s = self._tick() + self._limits.time_s
        worker.job = Job(number, task, deadline_s, waited_s(worker.process))
        worker.send(task)

    def answer(self, number: int, value: object) -> None:
        """Answer the question of the task of that number; it goes on with that.

        Parameters
        ----------
        number : int
            Number of the task.
        value : object
            Any picklable value.
        """
        for worker in self._workers:
            if worker.job and worker.job.number == number:
                worker.send(value)

    def cancel(self, number: int) -> None:
        """End the worker that is busy with the task of that number, and start another.

        Parameters
        ----------
        number : int
            Number of the task.
        """
        for i, worker in enumerate(self._workers):
            if worker.job and worker.job.number == number:
                self._replace(i)

    def events(self) -> Iterator[Event]:
        """What has happened by now; nothing if that is nothing for half a second."""
        ready = set(wait([worker.connection for worker in self._workers], timeout=_POLL_S))
        now_s = self._tick()
        for i, worker in enumerate(list(self._workers)):
            job = worker.job
            if self._workers[i] is not worker:  # the receiver of the last event cancelled it
                continue
            news = self._receive(i) if worker.connection in ready else None
            # Not for a question or a result: a file that just got done is done.
            if news is None or isinstance(news, Progress):
                news = self._give_up(i, now_s) or news
            if job and news:
                yield Event(job.number, news)

    def _receive(self, i: int) -> Progress | Question | Done | None:
        """Take one message of a worker, or note that it died."""
        worker = self._workers[i]
        job = worker.job
        try:
            # Unpickles what the worker sent, so it can raise anything.
            kind, value = worker.connection.recv()
        except (EOFError, OSError):
            return self._bury(i)
        except Exception as error:  # a result that cannot be put together again
            self._replace(i)
            return Done(failure_of(error))
        if kind == Kind.BROKEN:
            raise value
        if kind == Kind.READY:
            worker.ready, self._start_deaths = True, 0
        elif kind == Kind.BEGUN and job:
            job.begun = True
        elif kind == Kind.PROGRESS and job:
            # In steps: what creeps by less would never be given up.
            if value >= job.advanced_to + _LEAST_ADVANCE:
                job.advanced_to, job.deadline_s = value, self._now_s + self._limits.time_s
            return Progress(value)
        elif kind == Kind.QUESTION:
            return Question(value)
        elif kind == Kind.DONE:
            worker.job = None
            if isinstance(value, Failure) and value.kind == "memory":
                self._replace(i)  # whatever it holds is given back
            return Done(value)
        return None

    def _give_up(self, i: int, now_s: float) -> Done | None:
        """End a worker whose task takes too long, unless others kept it from running."""
        job = self._workers[i].job
        if job is None or now_s <= job.deadline_s:
            return None
        before_s, job.waited_s = job.waited_s, waited_s(self._workers[i].process)
        if job.waited_s - before_s > _LEAST_WAIT_S:
            job.deadline_s += job.waited_s - before_s
            return None
        self._replace(i)
        return Done(Failure("timeout", _too_slow(self._limits)))

    def _bury(self, i: int) -> Done | None:
        """Replace a dead worker; its task failed, or is given again where it is not to blame."""
        worker = self._workers[i]
        job = worker.job
        # A worker says BEGUN before it touches the file: one that died earlier was killed for
        # another reason.
        innocent = job and (not job.begun or exit_code(worker.process) == _SERVER_DIED)
        self._replace(i)
        # A task whose worker dies for the second time is to blame, whatever it looks like.
        if job is None or job.again or not innocent:
            return Done(failure_of_death(worker.process)) if job else None
        job.again, job.deadline_s, job.waited_s = True, self._now_s + self._limits.time_s, 0.0
        # The new worker is not ready yet, but its pipe keeps the task until it is.
        self._workers[i].job = job
        self._workers[i].send(job.task)
        return None

    def _start(self) -> Worker:
        for tries_left in reversed(range(_START_TRIES)):
            try:
                return Worker(self._make_work, self._limits, fork=self._fork, others=self._workers)
            except (OSError, EOFError) as error:  # too many processes, or no server to fork them
                if tries_left:
                    time.sleep(_START_PAUSE_S)
                    continue
                reason = getattr(error, "strerror", None) or type(error).__name__
                words = f"the processes that analyse files cannot be started ({reason})"
                raise TonearmError(f"{words}: try fewer --jobs") from error
        raise AssertionError  # the last try returns or raises

    def _replace(self, i: int) -> None:
        """A new process in the place of a dead or stuck one; without one the pool is closed."""
        try:
            self._restart(i)
        except TonearmError:
            self.close()  # not left with a worker whose pipe is closed: nothing could wait for it
            raise

    def _restart(self, i: int) -> None:
        worker = self._workers[i]
        worker.end()
        if not worker.ready:
            self._start_deaths += 1
            if self._start_deaths >= _START_DEATHS:
                ended = name_of_exit(exit_code(worker.process))
                words = f"the processes that analyse files end as they start ({ended})"
                raise TonearmError(f"{words}: is there enough memory?")
        self._workers[i] = self._start()

    def _tick(self) -> float:
        """Seconds for which this process has run since the pool was made, roughly."""
        # Monotonic: the wall clock jumps when it is set.
        before, self._looked_at = self._looked_at, time.monotonic()
        self._now_s += min(self._looked_at - before, _LONGEST_TICK_S)
        return self._now_s


def _too_slow(limits: Limits) -> str:
    return f"was given up: its decoder made no progress in {limits.time_s:.0f} s. {DAMAGED}"
