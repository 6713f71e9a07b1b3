"""Threads with results in order: few ahead, errors where they belong, nothing begun in vain."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tonearm.pool import in_order


def test_results_come_in_the_order_of_the_items() -> None:
    second_done = threading.Event()

    def slow_first(n: int) -> int:
        if n == 0:
            assert second_done.wait(20), "the second item is done before the first"
        elif n == 1:
            second_done.set()
        return n * n

    found = [(n, future.result()) for n, future in in_order(slow_first, range(20), jobs=3)]
    assert found == [(n, n * n) for n in range(20)]
    assert not list(in_order(slow_first, [], jobs=3))


def test_an_error_is_that_of_its_item_and_ends_nothing() -> None:
    done = dict(in_order(lambda n: 1 // n, [1, 0, 1], jobs=1))
    assert done[1].result() == 1
    with pytest.raises(ZeroDivisionError):
        done[0].result()


def test_items_are_taken_as_there_is_room_and_dropped_when_nobody_wants_them() -> None:
    taken, begun, go = [], [], threading.Event()

    def items() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    def work(n: int) -> None:
        begun.append(n)
        if n:
            go.wait(10)

    results = in_order(work, items(), jobs=1)
    assert next(results)[0] == 0
    assert len(taken) <= 5, "more than four a thread ahead"
    threading.Timer(0.3, go.set).start()
    results.close()
    assert begun in ([0], [0, 1])
