"""What the engine costs: a cluster's scan next to a scan of this machine, on as many cores.

    python -m runs.cluster_objects CLIPS MUSIC/*.mp3 -n 1600 --seconds 60
    python -m runs.cluster_overhead CLIPS [--pairs 3] [--cores 2] [--json OUT]

Pairs of runs, one after the other, so that what else the machine does meets both. Files lie on a
disk. Counted are CPU seconds of all processes of a run, and objects a second, while every worker is
at work: from the moment at which the last of them has done its first part to the one at which the
first has done its last. Of parts that are begun or not finished at these moments, the share of
their time counts. A scan of this machine is counted from its first object to its last.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from tonearm.distributed import scan as cluster_scan

# Moments, and how many objects were done by each.
Marks = tuple[list[float], list[float]]


class Clock:
    """The CPU seconds of this process and all below it, at any moment of a run."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.cpu_s: list[float] = []
        self._seen: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        from ray.thirdparty_files import psutil  # Ray brings its own along

        while not self._stop.wait(0.25):
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    used = process.cpu_times()
                except psutil.Error:  # it has just ended
                    continue
                self._seen[process.pid] = used.user + used.system
            self.times.append(time.monotonic())
            self.cpu_s.append(sum(self._seen.values()))

    def __enter__(self) -> Clock:
        self._thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def result(self, workers: list[Marks]) -> dict[str, float]:
        """Objects a second and CPU milliseconds each, while all workers are at work."""
        begin = max(times[0] for times, _ in workers)
        end = min(times[-1] for times, _ in workers)
        done = sum(np.diff(np.interp([begin, end], *worker))[0] for worker in workers)
        used = np.diff(np.interp([begin, end], self.times, self.cpu_s))[0]
        return {"per second": float(done / (end - begin)), "cpu ms": float(1_000 * used / done)}


class TimedActor(cluster_scan._Actor):
    """A worker that notes in a file when it has done a part."""

    log = Path()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Do a part, and note the time."""
        result = super().__call__(batch)
        (rows,) = result["analysed"]
        (failed,) = result["failed"]
        with (self.log / str(os.getpid())).open("a") as file:
            file.write(f"{time.monotonic()} {rows + failed}\n")
        return result


def marks_of(path: Path) -> Marks:
    """What a worker has noted: when, and how many it had done by then."""
    times, rows = np.loadtxt(path, ndmin=2).T
    return list(times), list(np.cumsum(rows))


def local(clips: Path, folder: Path, cores: int) -> dict[str, float]:
    """A scan of this machine."""
    from tonearm.library.scan import scan
    from tonearm.library.scan_result import Scan
    from tonearm.library.store import Library

    times: list[float] = []
    done: list[float] = []

    def mark(result: Scan) -> None:
        if result.done > (done[-1] if done else 0):
            times.append(time.monotonic())
            done.append(result.done)

    with Clock() as clock, Library(folder / "library.sqlite", write=True) as library:
        scan(library, [clips], jobs=cores, on_progress=mark)
    return clock.result([(times, done)])


def cluster(clips: Path, folder: Path, cores: int) -> dict[str, float]:
    """The same on a cluster of that many cores."""
    import ray

    from tonearm.model import file as model_file

    TimedActor.log = folder / "marks"
    TimedActor.log.mkdir()
    cluster_scan._Actor = TimedActor  # type: ignore[misc]
    ray.init(address="local", num_cpus=cores, include_dashboard=False, log_to_driver=False)
    try:
        with Clock() as clock:
            cluster_scan.scan([str(clips)], str(folder / "out"), model=model_file.load())
        return clock.result([marks_of(path) for path in TimedActor.log.iterdir()])
    finally:
        ray.shutdown()


def main() -> None:
    """Run the pairs and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ways: dict[str, Callable[[Path, Path, int], dict[str, float]]]
    ways = {"local": local, "cluster": cluster}
    pairs: list[dict[str, Any]] = []
    for number in range(given.pairs):
        pair: dict[str, Any] = {}
        # In turns first and second: a load that grows must not favour one of them.
        for name in sorted(ways, reverse=bool(number % 2)):
            with tempfile.TemporaryDirectory() as folder:
                pair[name] = ways[name](given.clips.resolve(), Path(folder), given.cores)
        for what in ("per second", "cpu ms"):
            pair[f"{what}, cluster to local"] = pair["cluster"][what] / pair["local"][what]
        print(json.dumps(pair), flush=True)
        pairs.append(pair)
    found = {"pairs": pairs}
    for what in ("per second", "cpu ms"):
        name = f"{what}, cluster to local"
        found[f"median {name}"] = median(pair[name] for pair in pairs)  # type: ignore[assignment]
        print(f"median {name}: {found[f'median {name}']:.3f}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
