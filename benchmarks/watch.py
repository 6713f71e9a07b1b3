"""Run a command and write what it took: ``python -S watch.py REPORT CORE TREE COMMAND…``.

A process of its own because Linux counts the memory of the process that starts a command as the
command's: this one holds 10 MB, the benchmark 100. Imports the standard library alone. CORE pins
the command to one processor (-1: none); TREE adds up the memory of all its processes as it runs,
each shared page once (PSS), which takes some milliseconds of every tenth of a second.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

SAMPLE_S = 0.1


def descendants(root: int) -> list[int]:
    """``root`` and every process that comes from it, as far as Linux lists them."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat") as file:
                parent = file.read().rpartition(")")[2].split()[1]  # the name may hold anything
                children.setdefault(int(parent), []).append(int(name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def shared_out_mib(process: int) -> float:
    """Memory of a process, shared pages divided by those who share them; 0 when it is gone."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def main() -> int:
    """Run it; the exit code is the command's."""
    report, core, tree, *command = sys.argv[1:]
    if int(core) >= 0:
        os.sched_setaffinity(0, [int(core)])
    begun = time.perf_counter()
    process = subprocess.Popen(command)
    peaks = [0.0]
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_S):
            peaks.append(sum(map(shared_out_mib, descendants(process.pid))))
            peaks[:] = [max(peaks)]

    watching = threading.Thread(target=sample)
    if seen := bool(int(tree)) and os.path.isdir("/proc"):
        watching.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - begun
    ended.set()
    if seen:
        watching.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is bytes on macOS, KiB elsewhere
    cost = {
        "wall_s": wall_s,
        "peak_mib": usage.ru_maxrss * unit / 2**20,
        "tree_mib": peaks[0] or None,
    }
    with open(report, "w") as file:
        json.dump(cost, file)
    return abs(process.returncode)


if __name__ == "__main__":
    sys.exit(main())
