"""A scan on a cluster: from manifests to a folder of Parquet, by Ray Data.

Parts of the manifest go to a pool of actors that grows with the cluster. Ray gives a part again
when its node is lost; a part that is written is never analysed again, whoever asks. So this
process may be killed and started again: it lists what is there and goes on with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tonearm.distributed import engine, storage
from tonearm.distributed.manifest import write_slices
from tonearm.distributed.output import Output, Settings, parts_of
from tonearm.distributed.parts import (
    NAMED,
    AskTries,
    Job,
    PartAnalyser,
    PartResult,
    Tries,
)
from tonearm.errors import TonearmError
from tonearm.library.file_analysis import MakeEmbed
from tonearm.model.file import Model
from tonearm.workers import Limits

# Rows in a part: what is lost at most when a worker ends, against the number of files.
_PART_ROWS = ((100_000, 64), (10_000_000, 256))
_MOST_PART_ROWS = 1_024
# A task of the engine costs some milliseconds and memory here; parts share one beyond that.
_MOST_TASKS = 20_000
_READERS = 16


@dataclass
class ClusterScan:
    """What a scan of a cluster did so far.

    Parameters
    ----------
    found : int
        Paths in the manifest.
    unchanged : int
        Of these, with a row before this run; ``failed_before`` of them with an error.
    analysed, failed : int
        Rows made in this run.
    by_others : int
        Rows that another scan into the same output made meanwhile.
    failures, damaged : list of (path, reason)
        The first twenty of each.
    damaged_count : int
        Of ``analysed``.
    """

    found: int = 0
    unchanged: int = 0
    failed_before: int = 0
    analysed: int = 0
    failed: int = 0
    by_others: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    damaged_count: int = 0

    @property
    def to_do(self) -> int:
        """Paths that had no row, or are tried again."""
        return self.found - self.unchanged

    @property
    def done(self) -> int:
        """Of ``to_do``."""
        return self.analysed + self.failed

    def add(self, part: PartResult) -> None:
        """Count a part.

        Parameters
        ----------
        part : PartResult
            What came of it.
        """
        self.analysed += part.analysed
        self.failed += part.failed
        self.damaged_count += part.damaged_count
        for kept, new in ((self.failures, part.failures), (self.damaged, part.damaged)):
            kept.extend(new[: NAMED - len(kept)])


def scan(
    inputs: Sequence[str],
    output: str,
    *,
    model: Model,
    address: str | None = None,
    objects_at_once: int | None = None,
    retry: bool = False,
    limits: Limits | None = None,
    make_embed: MakeEmbed | None = None,
    result: ClusterScan | None = None,
    on_progress: Callable[[ClusterScan], None] = lambda _: None,
) -> ClusterScan:
    """Analyse all that manifests and prefixes name, on a cluster, into a folder of Parquet.

    Parameters
    ----------
    inputs : sequence of str
        URIs or paths of manifests, prefixes, folders and objects.
    output : str
        URI or path of the folder; one that holds a part of this scan is completed.
    model : Model
        Its encoder analyses, its head classifies.
    address : str or None
        The cluster, as :func:`ray.init` has it; None is one that runs on this machine, or a new one
        of this machine's cores.
    objects_at_once : int or None
        For each core; None is one on disks and two on stores, which take time to answer.
    retry : bool
        Also try again what has failed.
    limits : Limits or None
        What one object may cost.
    make_embed : callable or None
        As for :func:`tonearm.library.scan.scan`.
    result : ClusterScan or None
        Filled as the scan goes, for a caller who is interrupted.
    on_progress : callable
        Called after each part; may raise to stop.

    Raises
    ------
    TonearmError
        When an input cannot be read, the output cannot be written or belongs to another model, or
        there is no cluster.
    """
    engine.require()
    result = result or ClusterScan()
    folder = Output(output)
    settings, pending, is_new = _prepare(folder, inputs, model, retry=retry, result=result)
    on_progress(result)
    if not pending:
        return result
    job = Job(
        output,
        model,
        settings.part_rows,
        objects_at_once or (2 if any(map(storage.is_uri, inputs)) else 1),
        retry=retry,
        limits=limits or Limits(),
        make_embed=make_embed,
    )
    try:
        with engine.cluster(address):
            for part in _analysed(job, pending):
                result.add(part)
                on_progress(result)
            # What was to do, and had a row when its turn came.
            result.by_others = result.to_do - result.done
    except engine.NoClusterError:
        # What a scan has begun that could not start: of one that goes on, parts are there.
        if is_new:
            folder.forget()
        raise
    return result


def _prepare(
    folder: Output, inputs: Sequence[str], model: Model, *, retry: bool, result: ClusterScan
) -> tuple[Settings, list[int], bool]:
    """Bring the manifest up to date; how the scan goes, which parts are to do, if it is new."""
    try:
        settings = folder.settings()
        is_new = settings is None
        if settings is not None and settings.model != model.sha256:
            raise TonearmError(
                f"{folder.uri} holds rows of another model, {settings.model_name} "
                f"({settings.model[:12]}); name another --output, or use that model with --model"
            )
        slices, there = folder.contents()
        # Slices that are there stay: what was found since is appended, so that parts keep their
        # places.
        rows = write_slices(folder, inputs, slices)
        if settings is None:
            # Kept, since the number of rows decides it and may grow: parts of two sizes would
            # overlap.
            settings = Settings(model.sha256, model.name, part_rows(sum(rows)))
            folder.put_settings(settings)
    except OSError as error:
        words = engine.words_of(error)
        raise TonearmError(f"{folder.uri} cannot be read or written: {words}") from error
    parts = parts_of(rows, part_rows=settings.part_rows)
    failed = _failed_rows(folder, there)
    result.found = sum(rows)
    done = set(there)
    lengths = dict(zip(parts, _lengths(rows, settings.part_rows), strict=True))
    result.unchanged = sum(lengths[part] for part in there)
    result.failed_before = sum(failed.values())
    pending = [part for part in parts if part not in done]
    if retry:
        pending += [part for part, count in failed.items() if count]
        # Tried again, they are neither unchanged nor failures of before.
        result.unchanged -= result.failed_before
        result.failed_before = 0
    return settings, sorted(pending), is_new


def part_rows(rows: int) -> int:
    """Rows in a part of an archive of so many.

    Parameters
    ----------
    rows : int
        Objects of the archive.
    """
    return next((size for below, size in _PART_ROWS if rows < below), _MOST_PART_ROWS)


def _lengths(slices: Sequence[int], part_rows: int) -> Iterator[int]:
    """Rows in each part, in the order of :func:`parts_of`."""
    for rows in slices:
        for first in range(0, rows, part_rows):
            yield min(part_rows, rows - first)


def _failed_rows(folder: Output, parts: Sequence[int]) -> dict[int, int]:
    """How many rows with an error each part holds."""

    def count(part: int) -> int:
        table = folder.read_part(part, ["error_kind"])
        return 0 if table is None else len(table) - table.column(0).null_count

    # Requests to a store wait far more than they compute.
    with ThreadPoolExecutor(_READERS) as threads:
        return dict(zip(parts, threads.map(count, parts), strict=True))


def _analysed(job: Job, pending: Sequence[int]) -> Iterator[PartResult]:
    """Work on parts on the cluster, in whichever order they get done."""
    import ray

    numbers = np.array(pending, dtype=np.int64)
    # Kept by the cluster: a lost worker must not forget over which object it ended.
    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()
    # In a list, so that each actor fetches it itself: as an argument it could not be had again by
    # an actor that starts again elsewhere.
    shared = [ray.put(job)]
    # Neighbours together: they share a slice of the manifest, which a worker then reads once.
    blocks = np.array_split(numbers, min(len(numbers), _MOST_TASKS))
    yield from map(PartResult.of_row, engine.rows(_Actor, blocks, shared, tries))


class _Actor:
    """What Ray makes on each core: a PartAnalyser."""

    def __init__(self, shared: list[Any], tries: Any) -> None:  # noqa: ANN401 - handles of Ray
        import ray

        self._analyser = PartAnalyser(ray.get(shared[0]), _line_to(tries))

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        (part,) = batch["data"].tolist()
        return self._analyser.analyse(int(part)).to_batch()


def _line_to(tries: Any) -> AskTries:  # noqa: ANN401 - a handle of Ray
    import ray

    def ask(name: str, *values: int) -> Any:  # noqa: ANN401
        return ray.get(getattr(tries, name).remote(*values))

    return ask
