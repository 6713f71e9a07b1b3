"""The pool of processes: a file that crashes, hangs or eats memory costs itself alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest
from support import tasks
from support.waiting import is_running, wait_until

from tonearm.errors import TonearmError
from tonearm.workers import (
    Failure,
    Limits,
    NoCaller,
    Pool,
    attempt,
    in_order,
    run_one,
    start_server,
)
from tonearm.workers import pool as pool_module
from tonearm.workers.processes import waited_s

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and states of Linux")


@pytest.fixture(params=["server", "fork"])
def fork(request: pytest.FixtureRequest) -> bool:
    return request.param == "fork"


def values(given: Iterable, *, jobs: int = 1, make_work=tasks.make_work, **options) -> list:
    with Pool(jobs, make_work=make_work, **options) as pool:
        return [outcome.value for outcome in in_order(pool, given)]


def test_outcomes_come_in_the_order_of_the_tasks(fork: bool) -> None:
    given = [("sleep", 0.3), *[("echo", n) for n in range(30)]]
    with Pool(3, make_work=tasks.make_work, fork=fork) as pool:
        found = list(in_order(pool, given))
    with Pool(1, make_work=tasks.make_work) as pool:
        assert not list(in_order(pool, []))
    assert [outcome.task for outcome in found] == given
    assert found[0].value == "slept"
    assert [outcome.value[0] for outcome in found[1:]] == list(range(30))
    assert os.getpid() not in {outcome.value[1] for outcome in found[1:]}


@linux
def test_a_server_that_was_started_before_forks_the_workers() -> None:
    start_server()
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert server is not None
    (found,) = values([("echo", 1)])
    start_server()  # once is enough
    assert forkserver._forkserver._forkserver_pid == server  # type: ignore[attr-defined]
    with Pool(1, make_work=tasks.make_work) as pool:
        (worker,) = pool._workers
        state = Path(f"/proc/{worker.process.pid}/stat").read_text()
    parent = int(state.rpartition(")")[2].split()[1])
    assert (found[0], parent) == (1, server)


@posix
@pytest.mark.parametrize(
    ("task", "kind", "words"),
    [
        (("crash",), "crash", "made its decoder crash (SIGSEGV)"),
        (("kill",), "crash", "fewer --jobs"),
        (("exit",), "crash", "(exit code 7)"),
        (("sleep", 60), "timeout", "no progress in 1 s"),
        (("creeping", 60), "timeout", "no progress in 1 s"),
        (("raise", ZeroDivisionError("oh")), "internal", "ZeroDivisionError: oh"),
        (("raise", RecursionError("deep")), "internal", "RecursionError: deep"),
        (("raise", OSError(5, "Input/output error")), "unreadable", "Input/output error"),
        (("raise", FileNotFoundError(2, "No such file")), "missing", "disappeared while"),
        (("bad",), "not-audio", "is not audio"),
        (("lambda",), "internal", "report this file"),
    ],
)
def test_a_failure_is_that_of_its_task_alone(
    task: tuple, kind: str, words: str, fork: bool
) -> None:
    around = [("echo", n) for n in range(4)]
    given = [*around, task, *around]
    limits = Limits(time_s=1.0)
    found = values(given, jobs=2, limits=limits, fork=fork)
    failure = found.pop(4)
    assert isinstance(failure, Failure)
    assert failure.kind == kind and words in failure.reason
    assert [value[0] for value in found] == [0, 1, 2, 3] * 2


@linux
def test_memory_is_limited_and_given_back(fork: bool) -> None:
    given = [("hoard", 2**20), ("hoard", 2**31), ("hoard", 2**20)]
    limits = Limits(memory_bytes=2**29)
    found = values(given, limits=limits, fork=fork)
    assert found[0] == found[2] == 2**20
    assert found[1].kind == "memory" and "more memory" in found[1].reason


@posix
def test_a_worker_that_watches_its_memory_ends_and_the_next_goes_on(fork: bool) -> None:
    """What macOS needs, which refuses no memory."""
    given = [("watched", 2**27, 2**20), ("watched", 2**27, 2**28), ("echo", 1)]
    found = values(given, limits=Limits(memory_bytes=0), fork=fork)
    assert found[0] == 2**20
    assert found[1].kind == "memory" and "more memory" in found[1].reason
    assert found[2][0] == 1


def test_a_file_that_advances_may_take_its_time() -> None:
    limits = Limits(time_s=0.7)
    pool = Pool(1, make_work=tasks.make_work, limits=limits)
    with pool:
        seen: list[float] = []
        assert run_one(pool, ("slowly", 10, 0.2), on_progress=seen.append) == "slowly"
    assert seen == sorted(seen) and len(set(seen)) > 4


@pytest.mark.parametrize(("kept_waiting_s", "is_given_up"), [(60.0, False), (0.0, True)])
def test_time_without_a_processor_does_not_count(
    kept_waiting_s: float, is_given_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine, or at a low priority."""
    counted = iter([0.0])  # as the task is given, then as its time is up
    monkeypatch.setattr(pool_module, "waited_s", lambda _: next(counted, kept_waiting_s))
    with Pool(1, make_work=tasks.make_work, limits=Limits(time_s=0.7)) as pool:
        found = run_one(pool, ("sleep", 2.5))
    assert isinstance(found, Failure) == is_given_up


@linux
def test_a_process_that_waits_for_a_processor_is_known_to_wait() -> None:
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        os.sched_setaffinity(busy[0].pid, {min(os.sched_getaffinity(0))})
        for process in busy[1:]:
            os.sched_setaffinity(process.pid, os.sched_getaffinity(busy[0].pid))
        time.sleep(0.5)
        waited = sum(waited_s(process) for process in busy)  # type: ignore[arg-type]
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert waited > 0.2
    assert waited_s(busy[0]) == 0  # type: ignore[arg-type]


@linux
def test_time_does_not_count_while_the_pool_is_stopped(tmp_path: Path) -> None:
    """As after Ctrl-Z: the whole group stops for longer than the limit, and goes on."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from support import tasks\n"
        "from tonearm.workers import Limits, Pool, run_one\n"
        "with Pool(1, make_work=tasks.make_work, limits=Limits(time_s=3.0)) as pool:\n"
        "    print(run_one(pool, ('sleep', 0)), flush=True)\n"
        "    print(run_one(pool, ('sleep', 1.5)), flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, script], env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"slept\n"
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGSTOP)
    time.sleep(3.5)
    os.killpg(process.pid, signal.SIGCONT)
    assert process.communicate(timeout=30)[0] == b"slept\n"


@linux
@pytest.mark.parametrize("start", ["True", "False"])
def test_no_worker_outlives_a_pool_that_is_killed(start: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from support import tasks\n"
        "from tonearm.workers import Pool\n"
        f"pool = Pool(2, make_work=tasks.make_work, fork={start})\n"
        "while not all(worker.idle for worker in pool._workers):\n"
        "    list(pool.events())\n"
        "pool.submit(0, ('sleep', 600))\n"
        "print(*[worker.process.pid for worker in pool._workers], flush=True)\n"
        "list(iter(lambda: list(pool.events()), None))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    workers = process.stdout.readline().split()
    assert len(workers) == 2
    process.kill()
    process.communicate()
    wait_until(lambda: not any(is_running(int(pid)) for pid in workers), within_s=20)


@posix
def test_a_task_that_never_began_is_given_again_once(tmp_path: Path) -> None:
    given = [tasks.DiesOnce(str(tmp_path / "mark"))]
    ((value, _),) = values(given)
    assert value == 5
    given = [tasks.DiesOnce("/no/such/folder/mark")]  # dies each time it is unpacked
    (failure,) = values(given)
    assert failure.kind == "crash"


@linux
def test_a_file_that_meets_the_end_of_the_server_that_forks_is_given_again(tmp_path: Path) -> None:
    given = [("echo", 1), ("kill parent", str(tmp_path / "once"), 1), ("echo", 2)]
    found = values(given)
    assert [found[0][0], found[1], found[2][0]] == [1, 2, 2]
    (failure,) = values([("kill parent", str(tmp_path / "always"), 9)])  # then it is to blame
    assert failure.kind == "crash"


def test_a_start_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, refusals = pool_module.Worker, iter([ConnectionRefusedError(111, "no"), EOFError()])

    def seldom(*given: Any, **options: Any) -> object:
        for error in refusals:
            raise error
        return begin(*given, **options)

    monkeypatch.setattr(pool_module, "Worker", seldom)
    assert values([("echo", 1)])[0][0] == 1


def test_a_pool_that_cannot_replace_a_worker_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    with Pool(2, make_work=tasks.make_work) as pool:
        monkeypatch.setattr(pool, "_start", refuse)
        with pytest.raises(TonearmError, match="none left"):
            list(in_order(pool, [("crash",)]))
        assert pool.jobs == 0


def refuse() -> None:
    raise TonearmError("none left")


def test_workers_that_cannot_start_say_why() -> None:
    with pytest.raises(TonearmError, match="no model here"):
        values([("echo", 1)], make_work=tasks.make_broken)
    with pytest.raises(TonearmError, match=r"end as they start \(exit code 3\)"):
        values([("echo", 1)], make_work=tasks.make_dead, jobs=2)


def test_processes_that_the_system_refuses_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("tonearm.workers.pool.Worker", refused)
    with pytest.raises(TonearmError, match=r"cannot be started \(Resource temporarily"):
        Pool(1, make_work=tasks.make_work)


def test_tasks_are_taken_as_there_is_room() -> None:
    taken: list[int] = []

    def given() -> Iterator[tuple[str, int]]:
        for n in range(100):
            taken.append(n)
            yield "echo", n

    with Pool(1, make_work=tasks.make_work) as pool:
        assert next(in_order(pool, given())).value[0] == 0
        assert len(taken) <= 10, "more than eight a worker ahead"


def test_a_question_is_answered_before_the_work_goes_on() -> None:
    with Pool(1, make_work=tasks.make_work) as pool:
        while not pool.idle:
            list(pool.events())
        pool.submit(3, ("ask", "new?"))
        news: list = []
        while len(news) < 2:
            for event in pool.events():
                assert event.number == 3
                news.append(event.news.value)
                if len(news) == 1:
                    pool.answer(3, "yes")
        assert news == ["new?", "yes"]


def test_whoever_follows_one_task_may_end_it() -> None:
    class GoneError(Exception):
        pass

    def gone(fraction: float) -> None:
        if fraction:
            raise GoneError

    with Pool(1, make_work=tasks.make_work) as pool:
        before = run_one(pool, ("echo", 1))
        with pytest.raises(GoneError):
            run_one(pool, ("slowly", 100, 0.2), on_progress=gone)
        assert run_one(pool, ("echo", 2))[0] == 2
        assert run_one(pool, ("echo", 2))[1] != before[1], "the worker was replaced"


def test_in_this_process_too_an_exception_is_a_failure() -> None:
    def work(task: int, caller: NoCaller) -> float:
        caller.report_progress(0.5)
        return 1 / task

    assert attempt(work, 2) == 0.5
    failure = attempt(work, 0)
    assert isinstance(failure, Failure) and "ZeroDivisionError" in failure.reason
