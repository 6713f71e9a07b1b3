"""A pool for a list of tasks, with outcomes in the order of the list; and for one task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tonearm.workers.messages import Done, Failure, Limits, Progress
from tonearm.workers.pool import Pool
from tonearm.workers.worker import MakeWork

Task = TypeVar("Task")

# Tasks in flight or done and waiting for an earlier one, for each worker.
_AHEAD = 8


@dataclass(frozen=True)
class Outcome(Generic[Task]):
    """A task with what became of it."""

    task: Task
    value: Any | Failure


def in_order(
    tasks: Iterable[Task],
    *,
    make_work: MakeWork,
    jobs: int,
    limits: Limits | None = None,
    fork: bool = False,
    on_progress: Callable[[int, float], None] = lambda _number, _fraction: None,
) -> Iterator[Outcome[Task]]:
    """Work on tasks in processes; outcomes come in the order of the tasks.

    Whoever stops early ends what was begun.

    Parameters
    ----------
    tasks : iterable
        Taken as there is room: at most eight a worker are in flight or wait for an earlier one.
    make_work, jobs, limits, fork
        As for :class:`Pool`.
    on_progress : callable
        Called with a task's place in the order and the fraction that is done, 0 to 1; and with the
        place of the next outcome and its fraction so far twice a second, so that it may raise.

    Raises
    ------
    TonearmError
        When workers cannot start.
    """
    source = enumerate(tasks)
    following = next(source, None)
    if following is None:
        return
    waiting: deque[tuple[int, Task]] = deque()
    finished: dict[int, Any] = {}
    fractions: dict[int, float] = {}
    with Pool(jobs, make_work=make_work, limits=limits, fork=fork) as pool:
        while following or waiting:
            while following and pool.idle and len(waiting) < _AHEAD * jobs:
                pool.submit(*following)
                waiting.append(following)
                following = next(source, None)
            for event in pool.events():
                if isinstance(event.news, Done):
                    finished[event.number] = event.news.value
                elif isinstance(event.news, Progress):
                    fractions[event.number] = event.news.fraction
                    on_progress(event.number, event.news.fraction)
            while waiting and waiting[0][0] in finished:
                number, task = waiting.popleft()
                fractions.pop(number, None)
                yield Outcome(task, finished.pop(number))
            if waiting:
                on_progress(waiting[0][0], fractions.get(waiting[0][0], 0.0))


def run_one(
    pool: Pool, task: object, *, on_progress: Callable[[float], None] = lambda _fraction: None
) -> Any | Failure:  # noqa: ANN401 - whatever the pool's function gives
    """Work on one task by a pool that does nothing else.

    Parameters
    ----------
    pool : Pool
    task : object
    on_progress : callable
        Called with the fraction that is done, at least twice a second; it may raise, and the work
        then ends at once.
    """
    fraction = 0.0
    try:
        while not pool.idle:
            on_progress(fraction)
            list(pool.events())  # nothing but a worker that starts
        pool.submit(0, task)
        while True:
            for event in pool.events():
                if isinstance(event.news, Done):
                    return event.news.value
                if isinstance(event.news, Progress):
                    fraction = event.news.fraction
            on_progress(fraction)
    except BaseException:
        pool.cancel(0)
        raise
