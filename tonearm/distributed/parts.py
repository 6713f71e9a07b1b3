"""In a worker of the cluster: one part of the manifest, from objects to rows.

A worker of the cluster has a pool of processes of its own, as a scan has, so that an object that
crashes a decoder costs itself alone. What ends the whole worker (a machine out of memory, say) is
found by counting: a part that was begun before is worked on with a note of what is being read,
and an object that was being read each time its worker ended is given up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tonearm.containers.kinds import sniff
from tonearm.containers.mutagen_tags import load
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.distributed.manifest import Item, items_of
from tonearm.distributed.objects import ObjectPath, object_path
from tonearm.distributed.output import Output, place_of
from tonearm.errors import DAMAGED, TagError
from tonearm.library.classify import classify_stored
from tonearm.library.file_analysis import (
    Embed,
    Looked,
    MakeEmbed,
    analyse,
    embed_of,
    make_work,
)
from tonearm.library.file_tags import file_tags
from tonearm.library.records import FileTags
from tonearm.library.scan import model_of
from tonearm.library.table import TableRow, as_text, schema_of, to_table
from tonearm.model.classifier import FilePath
from tonearm.model.file import Model
from tonearm.workers import Failure, Limits, Pool

if TYPE_CHECKING:
    import pyarrow as pa

# Of the failures of a part, and of a scan, that are named; all of them are rows.
NAMED = 20


@dataclass(frozen=True)
class Job:
    """What every worker needs to know.

    Parameters
    ----------
    output : str
        URI of the folder to fill.
    model : Model
    part_rows : int
        Rows in a part.
    objects_at_once : int
        Processes of each worker: more than one hides the time that a store takes to answer.
    retry : bool
        Whether rows with an error of a part that is there are tried again.
    tries : int
        How often a worker may end over an object before it is given up.
    limits : Limits
        What one object may cost.
    make_embed : callable or None
        As for :func:`tonearm.library.scan.scan`; None makes it of the model.
    """

    output: str
    model: Model
    part_rows: int
    objects_at_once: int = 1
    retry: bool = False
    tries: int = 3
    limits: Limits = field(default_factory=Limits)
    make_embed: MakeEmbed | None = None


@dataclass(frozen=True)
class PartResult:
    """What became of a part; :meth:`to_batch` makes it a row for the engine.

    Parameters
    ----------
    part : int
    analysed, failed : int
        Rows made now.
    failures, damaged : list of (path, reason)
        The first few.
    damaged_count : int
        Of ``analysed``.
    """

    part: int
    analysed: int = 0
    failed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    damaged_count: int = 0

    def to_batch(self) -> dict[str, list[Any]]:
        """A column for each number; the names as JSON."""
        named = json.dumps([self.failures[:NAMED], self.damaged[:NAMED]])
        return {
            "part": [self.part],
            "analysed": [self.analysed],
            "failed": [self.failed],
            "damaged": [self.damaged_count],
            "named": [named],
        }

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> PartResult:
        """What :meth:`to_batch` was made of.

        Parameters
        ----------
        row : dict
            One row of the engine's table.
        """
        failures, damaged = (list(map(tuple, each)) for each in json.loads(row["named"]))
        counts = (int(row[name]) for name in ("part", "analysed", "failed", "damaged"))
        part, analysed, failed, count = counts
        return cls(part, analysed, failed, failures, damaged, count)


class Tries:
    """How often each part was begun, and what was being read when its worker ended."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()
        # Objects are read several at once, so that each of a few may have ended the worker.
        self._reading: dict[int, set[int]] = {}
        self._ended: dict[int, Counter[int]] = {}

    def begin(self, part: int) -> dict[int, int] | None:
        """Note that a part is begun; None for the first time.

        After that: how often the worker ended while it read each row.

        Parameters
        ----------
        part : int
            Number of the part.
        """
        # Counted when a part begins, since a worker that ends by force reports nothing.
        self._begun[part] += 1
        if self._begun[part] == 1:
            return None
        self._ended.setdefault(part, Counter()).update(self._reading.pop(part, ()))
        return dict(self._ended[part])

    def read(self, part: int, row: int) -> None:
        """Note that a row is being read.

        Parameters
        ----------
        part, row : int
            The part, and the row of it.
        """
        self._reading.setdefault(part, set()).add(row)

    def got(self, part: int, row: int) -> None:
        """Note that it is no more.

        Parameters
        ----------
        part, row : int
            The part, and the row of it.
        """
        self._reading.get(part, set()).discard(row)

    def end(self, part: int) -> None:
        """Forget a part that is done.

        Parameters
        ----------
        part : int
            Number of the part.
        """
        self._begun.pop(part, None)
        self._reading.pop(part, None)
        self._ended.pop(part, None)


class AskTries(Protocol):
    """A line to the :class:`Tries` of the whole scan."""

    def __call__(self, name: str, *values: int) -> Any:  # noqa: ANN401 - as of the method
        """Call the method of that name and wait for its answer."""
        ...


class PartAnalyser:
    """Analyses parts one after another; the model is loaded once.

    Parameters
    ----------
    job : Job
        What every worker needs to know.
    tries : callable
        Calls a method of the one :class:`Tries`.
    """

    def __init__(self, job: Job, tries: AskTries) -> None:
        self._job, self._tries = job, tries
        self._output = Output(job.output)
        # One schema for all parts, so that any program can read them as one table.
        self._schema = schema_of([model_of(job.model)])
        make_embed = job.make_embed or partial(embed_of, job.model)
        self._pool = Pool(
            job.objects_at_once,
            make_work=partial(make_work, partial(_checked, make_embed), object_tags, object_path),
            limits=job.limits,
        )
        # Parts come mostly in order, so the last slice of the manifest serves many of them.
        self._slice: tuple[int, pa.Table] | None = None

    def analyse(self, part: int) -> PartResult:
        """Analyse a part and write it, unless it is there.

        Parameters
        ----------
        part : int
            Number of the part.
        """
        # The engine gives a part again if its worker was lost after the last byte was written.
        before = self._output.read_part(part)
        if before is not None and not self._job.retry:
            return PartResult(part)
        wanted = self._items(part)
        kept: pa.Table | None = None
        if before is not None:
            kept, wanted = _without_errors(before, wanted)
        # A retry of a part without errors.
        if not wanted:
            return PartResult(part)
        rows = _Rows(self._job.model, wanted)
        self._analyse(part, rows)
        table = to_table(rows.rows, self._schema)
        self._output.put_part(part, table if kept is None else _joined(kept, table))
        # After the part is written, never before: a worker lost in between must find its tries
        # counted.
        self._tries("end", part)
        return rows.result(part)

    def close(self) -> None:
        """End the processes."""
        self._pool.close()

    def _analyse(self, part: int, rows: _Rows) -> None:
        ended = self._tries("begin", part)
        if ended is None:
            analyse(self._pool, rows.tasks(), rows)
            return
        for row, times in ended.items():
            # It was being read each time, so it is to blame; an object that was read by chance once
            # is not.
            if times >= self._job.tries:
                rows.give_up(row, times)
        # One after another, so that a note names the one that ended the worker.
        for number, task in rows.tasks():
            self._tries("read", part, number)
            analyse(self._pool, iter([(number, task)]), rows)
            self._tries("got", part, number)

    def _items(self, part: int) -> list[Item]:
        number, first = place_of(part, part_rows=self._job.part_rows)
        if self._slice is None or self._slice[0] != number:
            self._slice = (number, self._output.read_slice(number))
        return items_of(self._slice[1].slice(first, self._job.part_rows))


class _Rows:
    """The rows of a part, as its objects are done."""

    def __init__(self, model: Model, items: list[Item]) -> None:
        self._model, self._items = model, items
        self._looked: dict[int, Looked] = {}
        self._rows: dict[int, TableRow] = {}
        for number, item in enumerate(items):
            # A line of the manifest that names nothing is a row with an error, not a lost line.
            if item.fault is not None:
                self.take_in(number, Failure("missing", item.fault))

    @property
    def rows(self) -> list[TableRow]:
        """In the order of the manifest."""
        return [self._rows[number] for number in sorted(self._rows)]

    def tasks(self) -> Iterator[tuple[int, tuple[str, int | None]]]:
        """What is to be analysed: number, path and size, of each row that is not made yet."""
        for number, item in enumerate(self._items):
            if number not in self._rows:
                yield number, (item.path, item.size)

    def give_up(self, number: int, times: int) -> None:
        """Make a row of an object that is not tried again."""
        reason = f"made its worker crash {times} times. {DAMAGED}"
        self.take_in(number, Failure("crash", reason))

    def is_new(self, number: int, looked: Looked) -> bool:
        """Analyse every object: whether another part holds the same sound nobody here knows."""
        self._looked[number] = looked
        return True

    def take_in(self, number: int, outcome: StoredEmbeddings | Failure | None) -> None:
        """Make what became of an object its row."""
        assert outcome is not None
        item, looked = self._items[number], self._looked.pop(number, None)
        row = TableRow(
            path=item.path,
            size=looked.size if looked else item.size,
            tags=looked.tags if looked else FileTags(),
        )
        if isinstance(outcome, Failure):
            # Without its key, as in a library: a later scan must not take the sound for known.
            row = replace(row, error=(outcome.kind, outcome.reason))
        else:
            predicted = classify_stored(self._model, outcome)
            row = replace(
                row,
                key=looked.key if looked else None,
                model=self._model.sha256,
                embeddings=outcome,
                prediction=predicted,
            )
        self._rows[number] = row

    def result(self, part: int) -> PartResult:
        """Counts, and the first failures."""
        failures = [(row.path, row.error[1]) for row in self.rows if row.error]
        damaged = [
            (row.path, row.embeddings.warning)
            for row in self.rows
            if row.embeddings and row.embeddings.warning
        ]
        analysed = len(self._rows) - len(failures)
        return PartResult(part, analysed, len(failures), failures, damaged, len(damaged))


def _checked(make_embed: MakeEmbed) -> Embed:
    """In a process of a worker: an encoder that does not take a failed read for an end."""
    embed = make_embed()

    def checked(path: FilePath) -> Any:  # noqa: ANN401 - as of embed
        try:
            made = embed(path)
        finally:
            if isinstance(path, ObjectPath):
                # A reader of audio may take a failed read for the end of the file, and give a wrong
                # genre.
                path.check()
        return made

    return checked


def object_tags(path: str | ObjectPath) -> FileTags:
    """The tags of a file or an object, as a library keeps them.

    Parameters
    ----------
    path : str or ObjectPath
        A file, or an object of a store.
    """
    if not isinstance(path, ObjectPath):
        return file_tags(path)
    # Mutagen reads through the container; the copy then holds what it came by, which is all that
    # the other readers of tags look at. Readers of lists of 50 fields need a real file.
    with suppress(TagError, OSError):
        load(path, sniff(path))
    with path.copied() as copy:
        tags = file_tags(str(copy))
        return replace(tags, error=tags.error and tags.error.replace(str(copy), str(path)))


def _without_errors(before: pa.Table, wanted: list[Item]) -> tuple[pa.Table, list[Item]]:
    """Rows of a part that stay, and what is to be tried again."""
    # What was analysed stays as it is, bytes of its embeddings included.
    good = np.array([kind is None for kind in before.column("error_kind").to_pylist()])
    kept = before.filter(good)
    paths = set(kept.column("path").to_pylist())
    return kept, [item for item in wanted if as_text(item.path) not in paths]


def _joined(kept: pa.Table, table: pa.Table) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables([kept, table])
