"""What the engine costs: a cluster's scan next to a scan of this machine, on as many cores.

    python -m runs.cluster_objects CLIPS MUSIC/*.mp3 -n 300 --seconds 60
    python -m runs.cluster_overhead CLIPS [--pairs 3] [--cores 2] [--json OUT]

Pairs of runs, one after the other, so that what else the machine does meets both. Files lie on a
disk. Counted are CPU seconds of all processes of a run, and objects a second between the first and
the last that was done, without the start of processes.
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


class Clock:
    """When objects were done, and the CPU seconds of this process and all below it."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, int, float]] = []
        self._seen: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def mark(self, done: int) -> None:
        """So many are done by now."""
        if not self.marks or done > self.marks[-1][1]:
            self.marks.append((time.monotonic(), done, sum(self._seen.values())))

    def _sample(self) -> None:
        from ray.thirdparty_files import psutil  # Ray brings its own along

        while not self._stop.wait(0.25):
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    used = process.cpu_times()
                except psutil.Error:  # it has just ended
                    continue
                self._seen[process.pid] = used.user + used.system

    def __enter__(self) -> Clock:
        self._thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def result(self) -> dict[str, float]:
        """Objects a second and CPU milliseconds each, from the first mark to the last."""
        (t0, n0, c0), (t1, n1, c1) = self.marks[0], self.marks[-1]
        return {"per second": (n1 - n0) / (t1 - t0), "cpu ms": 1_000 * (c1 - c0) / (n1 - n0)}


def local(clips: Path, folder: Path, cores: int) -> dict[str, float]:
    """A scan of this machine."""
    from tonearm.library.scan import scan
    from tonearm.library.store import Library

    with Clock() as clock, Library(folder / "library.sqlite", write=True) as library:
        scan(library, [clips], jobs=cores, on_progress=lambda result: clock.mark(result.done))
    return clock.result()


def cluster(clips: Path, folder: Path, cores: int) -> dict[str, float]:
    """The same on a cluster of that many cores."""
    import ray

    from tonearm.distributed.scan import scan
    from tonearm.model import file as model_file

    ray.init(address="local", num_cpus=cores, include_dashboard=False, log_to_driver=False)
    try:
        with Clock() as clock:
            scan(
                [str(clips)],
                str(folder / "out"),
                model=model_file.load(),
                on_progress=lambda result: clock.mark(result.done) if result.done else None,
            )
        return clock.result()
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
