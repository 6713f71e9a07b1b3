"""A scan on a cluster: from manifests to a folder of Parquet, by Ray Data.

Parts of the manifest go to a pool of actors that grows with the cluster. Ray gives a part again
when its node is lost; a part that is written is never analysed again, whoever asks. So this
process may be killed and started again: it lists what is there and goes on with the rest.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from tonearm.distributed import storage
from tonearm.distributed.manifest import write_slices
from tonearm.distributed.output import Output, Settings, parts_of
from tonearm.distributed.parts import AskTries, Job, PartAnalyser, PartResult, Tries
from tonearm.errors import ModelError, TonearmError
from tonearm.library.file_analysis import MakeEmbed
from tonearm.model.file import Model
from tonearm.workers import Limits

# Rows in a part: what is lost at most when a worker ends, against the number of files.
_PART_ROWS = ((100_000, 64), (10_000_000, 256))
_MOST_PART_ROWS = 1_024
# A task of the engine costs some milliseconds and memory here; parts share one beyond that.
_MOST_TASKS = 20_000
# Actors at most; the cluster has fewer.
_MOST_WORKERS = 10_000
_READERS = 16
_NAMED = 20


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
    failures, damaged : list of (path, reason)
        The first twenty of each.
    """

    found: int = 0
    unchanged: int = 0
    failed_before: int = 0
    analysed: int = 0
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)

    @property
    def to_do(self) -> int:
        """Paths that had no row, or are tried again."""
        return self.found - self.unchanged

    @property
    def done(self) -> int:
        """Of ``to_do``."""
        return self.analysed + self.failed

    def add(self, part: PartResult) -> None:
        """Count a part."""
        self.analysed += part.analysed
        self.failed += part.failed
        for kept, new in ((self.failures, part.failures), (self.damaged, part.damaged)):
            kept.extend(new[: _NAMED - len(kept)])


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
    _require()
    result = result or ClusterScan()
    folder = Output(output)
    settings, pending = _prepare(folder, inputs, model, retry=retry, result=result)
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
    with _cluster(address):
        for part in _analysed(job, pending):
            result.add(part)
            on_progress(result)
    return result


def _prepare(
    folder: Output, inputs: Sequence[str], model: Model, *, retry: bool, result: ClusterScan
) -> tuple[Settings, list[int]]:
    """Bring the manifest up to date; gives how the scan goes and which parts are to be done."""
    try:
        settings = folder.settings()
        if settings is not None and settings.model != model.sha256:
            raise TonearmError(
                f"{folder.uri}: holds rows of the model {settings.model_name} "
                f"({settings.model[:12]}); name another --output, or that model with --model"
            )
        slices, there = folder.contents()
        rows = write_slices(folder, inputs, slices)
        if settings is None:
            settings = Settings(model.sha256, model.name, part_rows(sum(rows)))
            folder.put_settings(settings)
    except OSError as error:
        raise TonearmError(f"cannot be read or written: {_words(error)}") from error
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
        result.unchanged -= result.failed_before
        result.failed_before = 0
    return settings, sorted(pending)


def part_rows(rows: int) -> int:
    """Rows in a part of an archive of so many.

    Parameters
    ----------
    rows : int
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

    with ThreadPoolExecutor(_READERS) as threads:
        return dict(zip(parts, threads.map(count, parts), strict=True))


def _analysed(job: Job, pending: Sequence[int]) -> Iterator[PartResult]:
    """Work on parts on the cluster, in whichever order they get done."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False  # stderr has one of our own
    context.print_on_execution_start = False
    numbers = np.array(pending, dtype=np.int64)
    # Kept by the cluster: a lost worker must not forget over which object it ended.
    tries = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries).remote()
    # Blocks of this process, not of a task of the engine: that would wait for a core, and all
    # cores have an actor.
    tasks = ray.data.from_numpy(np.array_split(numbers, min(len(numbers), _MOST_TASKS)))
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cores = max(1, int(resources.get("CPU", 1)))
    # In a list, so that each actor fetches it itself: as an argument it could not be had again by
    # an actor that starts anew elsewhere.
    shared = [ray.put(job)]
    parts = tasks.map_batches(
        _Actor,
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(
            min_size=min(cores, len(numbers)), max_size=max(cores, _MOST_WORKERS)
        ),
        fn_constructor_args=(shared, tries),
    )
    try:
        for row in parts.iter_rows():
            yield PartResult.of_row(row)
    except ray.exceptions.RayError as error:
        raise _cause(error) from error


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


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """A connection to a cluster, or a new one of this machine's cores."""
    # Ray reports the use of a cluster to its makers unless it is told not to.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    import ray.data  # configures its log, which is quieted then

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if ray.is_initialized():  # a program that has its own connection keeps it
        yield
        return
    try:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = address or "this machine"
        raise TonearmError(f"no Ray cluster at {where}: {_words(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _cause(error: BaseException) -> TonearmError:
    """What a worker raised, out of the wrappings of the engine."""
    cause: BaseException | None = error
    while cause is not None:
        inner = getattr(cause, "cause", None) or cause.__cause__
        if isinstance(cause, ModelError | TonearmError):
            return cause
        if isinstance(cause, OSError) and not isinstance(inner, OSError):
            return TonearmError(f"the output cannot be read or written: {_words(cause)}")
        cause = inner if inner is not cause else None
    return TonearmError(f"the cluster gave up: {_words(error)}")


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _require() -> None:
    for name in ("ray", "pyarrow", "fsspec"):
        if find_spec(name) is None:
            raise TonearmError(f"a cluster needs {name}: pip install 'tonearm[ray]'")
