"""What workers do in the tests of the pool; imported by each worker, so kept light."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from tonearm.errors import DecodeError
from tonearm.workers import Caller
from tonearm.workers.worker import watch_memory


def crash(code: int = signal.SIGSEGV) -> None:
    faulthandler.disable()  # pytest turns it on
    os.kill(os.getpid(), code)


def _work(task: Any, caller: Caller) -> Any:
    what, *values = task if isinstance(task, tuple) else (task,)
    return _TASKS[what](caller, *values)


def _slowly(caller: Caller, steps: int, step_s: float) -> str:
    for i in range(steps):
        time.sleep(step_s)
        caller.report_progress((i + 1) / steps)
    return "slowly"


def _creeping(caller: Caller, seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        caller.report_progress(1e-6)
        time.sleep(0.05)
    return "creeping"


def _sleep(_: Caller, seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def _raise(_: Caller, error: Exception) -> None:
    raise error


def _watched(_: Caller, extra: int, size: int) -> int:
    """Fill so many bytes while the worker watches itself, as on a system without a limit."""
    threading.Thread(target=watch_memory, args=(extra,), daemon=True).start()
    time.sleep(0.3)
    filled = b"\1" * size
    time.sleep(0.5)
    return len(filled)


def _kill_parent(_: Caller, mark: str, times: int) -> int:
    """End this worker and the server that forked it, the first so many times."""
    with open(mark, "a+b") as file:
        file.write(b"x")
        file.flush()
        done = os.path.getsize(mark)
    if done <= times:
        os.kill(os.getppid(), signal.SIGKILL)
        os._exit(0)  # not to wait until the worker sees it
    return done


_TASKS: dict[str, Callable[..., Any]] = {
    "echo": lambda _, value: (value, os.getpid()),
    "sleep": _sleep,
    "crash": lambda _: crash(),
    "kill": lambda _: crash(signal.SIGKILL),
    "exit": lambda _: os._exit(7),
    "hoard": lambda _, size: len(bytearray(size)),
    "watched": _watched,
    "raise": _raise,
    "bad": lambda _: _raise(_, DecodeError("a.mp3", "not-audio", "is not audio")),
    "lambda": lambda _: lambda: None,
    "ask": lambda caller, value: caller.ask(value),
    "slowly": _slowly,
    "creeping": _creeping,
    "parent": lambda _: os.getppid(),
    "kill parent": _kill_parent,
}


def make_work() -> Callable[[Any, Caller], Any]:
    return _work


def make_broken() -> Callable[[Any, Caller], Any]:
    raise ValueError("no model here")


def make_dead() -> Callable[[Any, Caller], Any]:
    os._exit(3)


class DiesOnce:
    """Ends the process that takes it out of the pipe, the first time; the second time it is 5."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack, (self.mark,)


def _unpack(mark: str) -> tuple[str, int]:
    if not os.path.exists(mark):
        open(mark, "w").close()
        os._exit(9)
    return "echo", 5
