"""Memory while a million rows of a manifest pass through a cluster whose analysis is mocked.

    python -m runs.cluster_rows [--rows 1000000] [--json OUT]

Everything is real but the decoding and the network: manifest, slices, parts, Ray, Parquet. The
resident memory of the driver and of the largest worker is noted each second.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tonearm.data.embedding_store import StoredEmbeddings
    from tonearm.library.file_analysis import Keeper
    from tonearm.model.file import Model
    from tonearm.model.prediction import Prediction
    from tonearm.workers import Pool


class Watcher(threading.Thread):
    """Notes the memory of this process and of the largest worker, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, int, float, float]] = []
        self.done = 0

    def run(self) -> None:
        """Note, until the process ends."""
        from ray.thirdparty_files import psutil  # Ray brings its own along

        begun = time.monotonic()
        while True:
            workers = [0]
            for process in psutil.process_iter(["name", "cmdline"]):
                words = " ".join(process.info["cmdline"] or ())
                if "MapWorker" in words or "MapBatches" in words:
                    workers.append(process.memory_info().rss)
            own = psutil.Process().memory_info().rss
            at = round(time.monotonic() - begun, 1)
            self.samples.append((at, self.done, own / 1e6, max(workers) / 1e6))
            time.sleep(1)


class MockedActor:
    """A worker whose objects all sound alike, and take no time."""

    def __init__(self, shared: list[object], tries: object) -> None:
        from tonearm.data.embedding_store import StoredEmbeddings
        from tonearm.distributed import parts, scan
        from tonearm.library.classify import classify_stored

        mocked: Any = parts

        values = np.full((2, 50), 0.1, np.float16)
        made = StoredEmbeddings(values, np.float32([0, 3]), 6.0)
        predicted: list[Prediction] = []

        def classify(model: Model, kept: StoredEmbeddings) -> Prediction:
            if not predicted:
                predicted.append(classify_stored(model, kept))
            return predicted[0]

        def analyse(_pool: Pool, tasks: Iterator[tuple[int, Any]], keeper: Keeper) -> None:
            for number, _task in tasks:
                keeper.take_in(number, made)

        mocked.analyse, mocked.classify_stored = analyse, classify
        self._actor = scan._Actor(shared, tries)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """As the actor that it stands for."""
        return self._actor(batch)


def main() -> None:
    """Write a manifest, scan it, print the memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import pyarrow as pa
    from pyarrow import parquet

    from tonearm.distributed import scan
    from tonearm.model import file as model_file

    mocked: Any = scan
    mocked._Actor = MockedActor
    watcher = Watcher()
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder, "manifest.parquet")
        names = pa.array([f"s3://archive/music/{i:09}.mp3" for i in range(given.rows)])
        parquet.write_table(pa.table({"path": names}), manifest, row_group_size=65_536)
        del names
        watcher.start()

        def note(result: scan.ClusterScan) -> None:
            watcher.done = result.done

        begun = time.monotonic()
        result = scan.scan(
            [str(manifest)],
            f"{folder}/out",
            model=model_file.load(),
            address="local",
            on_progress=note,
        )
        seconds = time.monotonic() - begun
    found: dict[str, Any] = {"rows": result.analysed, "seconds": round(seconds), "memory_mb": {}}
    last = watcher.samples[-1]
    for fraction in (0.1, 0.25, 0.5, 0.75, 1.0):
        there = (each for each in watcher.samples if each[1] >= fraction * given.rows)
        _, _, driver, worker = next(there, last)
        found["memory_mb"][f"{fraction:.0%}"] = {
            "driver": round(driver),
            "largest worker": round(worker),
        }
    print(json.dumps(found, indent=1))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    sys.exit(result.analysed != given.rows)


if __name__ == "__main__":
    main()
