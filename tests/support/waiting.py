"""Waiting for a condition instead of for a while, and which processes still run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], object], *, within_s: float = 60.0) -> None:
    """Return as soon as the condition holds; fail after ``within_s`` seconds."""
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, f"not within {within_s:g} s"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a process of Linux runs; one that ended and was not waited for does not."""
    return _stat(str(pid))[:1] not in ([], ["Z"])


def running_in_group(group: int) -> list[int]:
    """Processes that run in a process group; without ``/proc``, its number if there are any."""
    if not Path("/proc").is_dir():
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return []
        return [group]
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        stat = _stat(name)  # state, parent, group, …
        if stat and stat[0] != "Z" and stat[2] == str(group):
            found.append(int(name))
    return found


def _stat(pid: str) -> list[str]:
    try:
        # The program's name, in brackets, may contain anything.
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
