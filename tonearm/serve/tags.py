"""``tags``: writing reviewed genres into files, and taking that back, as jobs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.genres import id3_name
from tonearm.library.tag_runs import RunResult, Wanted, open_journal, undo_run, write_all
from tonearm.library.unwritten import Unwritten, count_named, unwritten
from tonearm.serve import jobs, schema
from tonearm.serve.problems import Json
from tonearm.serve.review import Id, Selection
from tonearm.serve.service import service_of
from tonearm.tagging import journal as journals
from tonearm.tagging.journal_records import next_to_undo
from tonearm.tagging.plan import Rules, lacking, lost, of_a_person

router = APIRouter(prefix=schema.PREFIX, tags=["tags"])
_CHANGES_SHOWN = 500  # of a plan, on the page; the counts are of all
_FAILURES_SHOWN = 100  # the job counts all
Policy = Literal["missing", "add", "replace"]


class PlanRequest(Selection):
    """Which tracks, and what becomes of genres by a person, as of ``tonearm tag --policy``."""

    policy: Policy = "missing"


class GroupName(BaseModel):
    """A change: the genres before and after it."""

    model_config = ConfigDict(extra="forbid")
    old: list[str]
    new: list[str]


class WriteRequest(PlanRequest):
    """What to write; with ``groups`` only these changes."""

    groups: list[GroupName] | None = None


class UndoRequest(BaseModel):
    """Which run of writing; without a number the last."""

    model_config = ConfigDict(extra="forbid")
    run: Id | None = None


@dataclass(frozen=True)
class Change:
    """A file whose genre shall become another."""

    file: Unwritten
    genres: tuple[str, ...]

    @property
    def group(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The genres before and after."""
        return self.file.genres, self.genres

    @property
    def replaces(self) -> bool:
        """Whether a genre that a person wrote would go."""
        old = self.file.genres
        return bool(lost(old, self.genres, old if self.file.by_tonearm else (), Rules()))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "id": self.file.id,
            "name": os.path.basename(self.file.path),
            "title": self.file.title,
            "artist": self.file.artist,
            "old": list(self.file.genres),
            "new": list(self.genres),
        }


_WHOLE = PlanRequest()  # where there is no body


@router.post("/tags/plan", summary="What writing would change", response_model=schema.PlanAnswer)
def plan(request: Request, wanted: PlanRequest = _WHOLE) -> Response:
    """Files whose genre is not the reviewed one, grouped by change."""
    service = service_of(request)
    ids = wanted.chosen(service)
    with service.library() as library:
        files = [*unwritten(library, ids)]
        reviewed = count_named(library, ids)
    # All three, so that the page shows what another policy would do before it is chosen.
    by_policy = {policy: _changes(files, policy) for policy in get_args(Policy)}
    changes = by_policy[wanted.policy]
    counts = Counter(change.group for change in changes)
    replacing = Counter(change.group for change in changes if change.replaces)
    groups = [
        {"old": [*old], "new": [*new], "count": count, "replaces": bool(replacing[old, new])}
        for (old, new), count in counts.most_common()
    ]
    values = {
        "policy": wanted.policy,
        "total": len(changes),
        "reviewed": reviewed,
        "counts": {policy: len(found) for policy, found in by_policy.items()},
        "replaced": replacing.total(),
        "groups": groups,
        "changes": [change.to_dict() for change in changes[:_CHANGES_SHOWN]],
    }
    return Json({"schema": schema.SCHEMA, **values})


@router.post(
    "/tags/write",
    summary="Write reviewed genres into the files",
    status_code=202,
    response_model=schema.JobAnswer,
)
def write(request: Request, wanted: WriteRequest) -> Response:
    """A job; a file that cannot be written without harm is named and skipped.

    If it is stopped, the next call continues: what is written needs no change.
    """
    service = service_of(request)
    chosen = None
    if wanted.groups is not None:
        chosen = {(tuple(group.old), tuple(group.new)) for group in wanted.groups}
    # 409 where there is none, as of the plan: the job would make an empty one.
    with service.library():
        pass

    def work(job: jobs.Job) -> dict[str, Any]:
        # Chosen again when the job runs: files may have changed since the plan was shown.
        ids = wanted.chosen(service)
        with service.library(write=True) as library:
            changes = [
                change
                for change in _changes(unwritten(library, ids), wanted.policy)
                if chosen is None or change.group in chosen
            ]
            # A genre that a person accepted is a person's, no guess to be replaced later.
            items = [Wanted(change.file.path, change.genres) for change in changes]
            with open_journal(service.library_path, library) as journal:
                done = write_all(
                    library, journal, items, command="page: write", on_progress=_reporter(job)
                )
        return _result(done)

    return jobs.answer(service.jobs.start("write", "Write genres", work, group="tags"), status=202)


@router.post(
    "/tags/undo",
    summary="Undo a run of writing",
    status_code=202,
    response_model=schema.JobAnswer,
)
def undo(request: Request, wanted: UndoRequest) -> Response:
    """Genre fields become what they were; a file that was changed since is named and skipped."""
    service = service_of(request)
    place = journals.journal_path(service.library_path)
    if not place.exists():
        raise HTTPException(409, "nothing was written yet")
    # Asked before the job starts, so that a wrong number is an error of the request.
    with journals.Journal(place) as journal:
        run = journal.run(wanted.run)

    def work(job: jobs.Job) -> dict[str, Any]:
        with (
            service.library(write=True) as library,
            open_journal(service.library_path, library) as journal,
        ):
            done = undo_run(
                library, journal, run.id, command="page: undo", on_progress=_reporter(job)
            )
        return _result(done)

    return jobs.answer(service.jobs.start("undo", "Undo writing", work, group="tags"), status=202)


@router.get(
    "/tags/history", summary="Runs of writing, the latest first", response_model=schema.History
)
def history(
    request: Request,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """From the page and from the command line; `next` is what an undo without a run restores."""
    place = journals.journal_path(service_of(request).library_path)
    if not place.exists():
        return Json({"schema": schema.SCHEMA, "total": 0, "runs": [], "next": None})
    with journals.Journal(place) as journal:
        runs = journal.runs()
    # Of all runs: which one comes next does not depend on the page that is asked for.
    coming = next_to_undo(runs)
    values = {
        "total": len(runs),
        "runs": [vars(run) for run in runs[offset : offset + limit]],
        "next": coming.id if coming else None,
    }
    return Json({"schema": schema.SCHEMA, **values})


def changed_genres(old: Sequence[str], new: str, policy: str, *, by_tonearm: bool) -> list[str]:
    """The genres that a file shall have: ``old`` where it stays as it is.

    Parameters
    ----------
    old : sequence of str
        The genres in the file.
    new : str
        The reviewed genre, as it is written.
    policy : str
        ``missing``, ``add`` or ``replace``.
    by_tonearm : bool
        Whether Tonearm wrote the old ones.
    """
    person = [*of_a_person(old, old if by_tonearm else (), Rules().placeholders)]
    if not person or policy == "replace":
        return [new]
    # Something by a person is there, so nothing is missing.
    return [*old] if policy == "missing" else [*person, *lacking(person, [new])]


def _changes(files: Iterable[Unwritten], policy: str) -> list[Change]:
    changes = []
    for file in files:
        name = id3_name(file.said)
        genres = changed_genres(file.genres, name, policy, by_tonearm=file.by_tonearm)
        if tuple(genres) != file.genres:
            changes.append(Change(file, tuple(genres)))
    return changes


def _reporter(job: jobs.Job) -> Callable[[RunResult], None]:
    def on_progress(done: RunResult) -> None:
        job.result = _result(done)
        job.report(len(done.paths) + len(done.failures), done.total)

    return on_progress


def _result(done: RunResult) -> dict[str, Any]:
    failed = [
        {"name": os.path.basename(path), "reason": reason}
        for path, reason in done.failures[:_FAILURES_SHOWN]
    ]
    return {
        "run": done.run,
        "changed": len(done.paths),
        "failed": failed,
        "failures": len(done.failures),
    }
