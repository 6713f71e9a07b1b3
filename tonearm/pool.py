"""Work in threads with results in the order of what came in, few ahead at a time.

Imports nothing of Tonearm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, jobs: int, wait: bool = True
) -> Iterator[tuple[Item, Future[Result]]]:
    """Each item with its future, which is done; whoever stops early drops what was not begun.

    Parameters
    ----------
    work : callable
        What it raises, the future's ``result`` raises.
    items : iterable
        Taken as there is room: at most four a thread are in flight.
    jobs : int
        Threads.
    wait : bool
        Whether whoever stops early waits for what was begun.
    """
    pool = ThreadPoolExecutor(jobs)
    waiting: deque[tuple[Item, Future[Result]]] = deque()

    def oldest() -> tuple[Item, Future[Result]]:
        item, future = waiting.popleft()
        future.exception()  # waits
        return item, future

    try:
        for item in items:
            if len(waiting) >= 4 * jobs:
                yield oldest()
            waiting.append((item, pool.submit(work, item)))
        while waiting:
            yield oldest()
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)
