"""A pool for a list of tasks, with outcomes in the order of the list; and for one task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tonearm.workers.messages import Done, Failure, Progress
from tonearm.workers.pool import Pool

Task = TypeVar("Task")

# Tasks in flight or done and waiting for an earlier one, for each worker.
# More would keep workers busy behind one slow file, and cost memory: outcomes hold arrays.
_AHEAD = 8


@dataclass(frozen=True)
class Outcome(Generic[Task]):
    """A task with what became of it."""

    task: Task
    value: Any | Failure


def in_order(
    pool: Pool,
    tasks: Iterable[Task],
    *,
    on_progress: Callable[[int, float], None] = lambda _number, _fraction: None,
) -> Iterator[Outcome[Task]]:
    """Work on tasks in processes; outcomes come in the order of the tasks.

    Parameters
    ----------
    pool : Pool
        It works on nothing else, now or later.
    tasks : iterable
        Taken as there is room: at most eight a worker are in flight or wait for an earlier one.
    on_progress : callable
        Called with a task's place in the order and the fraction that is done, 0 to 1; and twice a
        second with the place of the next outcome and its fraction so far, so that it may raise.

    Raises
    ------
    TonearmError
        When workers cannot start.

    Examples
    --------
    >>> with Pool(2, make_work=partial(make_lengths, "flac")) as pool:  # doctest: +SKIP
    ...     for outcome in in_order(pool, paths):
    ...         print(outcome.task, outcome.value)
    """
    source = enumerate(tasks)
    following = next(source, None)
    waiting: deque[tuple[int, Task]] = deque()
    finished: dict[int, Any] = {}
    fractions: dict[int, float] = {}
    while following or waiting:
        while following and pool.idle and len(waiting) < _AHEAD * pool.jobs:
            pool.submit(*following)
            waiting.append(following)
            following = next(source, None)
        for event in pool.events():
            if isinstance(event.news, Done):
                finished[event.number] = event.news.value
            elif isinstance(event.news, Progress):
                fractions[event.number] = event.news.fraction
                on_progress(event.number, event.news.fraction)
        if not following and len(finished) == len(waiting):
            pool.dismiss()  # they end while the last outcomes are used
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
        The pool.
    task : object
        What the function gets.
    on_progress : callable
        Called with the fraction that is done, at least twice a second; it may raise, and the work
        then ends at once.
    """
    fraction = 0.0
    try:
        # A worker starts in its own time; meanwhile Ctrl-C and a client that left must be noticed.
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
    # Also KeyboardInterrupt: a worker must not go on with a task that nobody waits for.
    except BaseException:
        pool.cancel(0)
        raise
