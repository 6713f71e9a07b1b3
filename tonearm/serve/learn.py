"""``learn``: from a person's corrections to a model that the server then uses.

First a job measures what they bring and counts what would change; nothing is written by it. Only to
adopt it writes the model's file, next to the library, and classifies the library again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.errors import LibraryError, writing
from tonearm.model import file as model_file
from tonearm.serve import jobs, scan, schema
from tonearm.serve.problems import Json
from tonearm.serve.review import Id
from tonearm.serve.service import Service, service_of
from tonearm.training.lesson import FEWEST, Lesson, changes

router = APIRouter(prefix=schema.PREFIX, tags=["learn"])
_CHANGES_SHOWN = 40  # pairs of genres, the commonest first; all are counted


class AdoptRequest(BaseModel):
    """Which model: that of a job of ``learn``."""

    model_config = ConfigDict(extra="forbid")
    job: Id


@router.get("/learn", summary="What there is to learn from", response_model=schema.LearnState)
def learn_state(request: Request) -> Response:
    """``proposal`` is the last job of ``learn``, as long as its model can be adopted."""
    service = service_of(request)
    found = 0
    if service.library_path.exists():
        with service.library() as library:
            found = len(Lesson.of(library, service.classifier.model).keys)
    values = {
        "corrections": found,
        "needed": FEWEST,
        "model": service.classifier.model.name,
        "built_in": service.model_path is None,
        "proposal": service.proposed[0].to_dict() if service.proposed else None,
    }
    return Json({"schema": schema.SCHEMA, **values})


@router.post(
    "/learn",
    summary="See what a model would gain from corrections",
    status_code=202,
    response_model=schema.JobAnswer,
)
def learn(request: Request) -> Response:
    """A job; its result has the accuracy before and after, and what would change in the library."""
    service = service_of(request)

    def work(job: jobs.Job) -> dict[str, Any]:
        with service.library() as library:
            lesson = Lesson.of(library, service.classifier.model)
            job.report(0, 1, "measuring the gain on corrections that were held out")
            learnt = lesson.measure()
            model = lesson.taught(learnt)
            changed = changes(library, model, on_progress=job.report)
        # Kept in memory alone until somebody adopts it; the job's number names it.
        service.proposed = (job, model)
        commonest = changed.most_common(_CHANGES_SHOWN)
        return {
            **learnt.to_dict(),
            "model": model.name,
            "caveats": [caveat.text for caveat in lesson.caveats()],
            "changed": changed.total(),
            "changes": [
                {"before": before, "after": after, "count": count}
                for (before, after), count in commonest
            ],
        }

    started = service.jobs.start("learn", "See what a new model would change", work, group="learn")
    return jobs.answer(started, status=202)


@router.post(
    "/learn/adopt",
    summary="Use what was learnt",
    status_code=202,
    response_model=schema.JobAnswer,
)
def adopt(request: Request, wanted: AdoptRequest) -> Response:
    """A job: the model is saved and used from then on, and the library classified by it again."""
    service = service_of(request)
    proposed = service.proposed
    if proposed is None or proposed[0].number != wanted.job:
        raise HTTPException(409, f"job {wanted.job} has no model to adopt: learn again")

    def work(job: jobs.Job) -> dict[str, Any]:
        path = _free_path(service.library_path)
        with writing(path, LibraryError):
            model_file.save(proposed[1], path)
        # Before the scan, which classifies by the model in use.
        service.use(path)
        service.proposed = None
        return {"model_path": str(path), **scan.scan(service, job)}

    return _classify_again(service, "Adopt the new model", work)


@router.post(
    "/learn/revert",
    summary="Use the built-in model again",
    status_code=202,
    response_model=schema.JobAnswer,
)
def revert(request: Request) -> Response:
    """A job that classifies the library again; model files are kept."""
    service = service_of(request)
    if service.model_path is None:
        raise HTTPException(409, "the built-in model is in use already")

    def work(job: jobs.Job) -> dict[str, Any]:
        service.use(None)
        service.proposed = None
        return {"model_path": None, **scan.scan(service, job)}

    return _classify_again(service, "Go back to the built-in model", work)


def _classify_again(service: Service, title: str, work: jobs.Work) -> Response:
    # The group of scans: it is one, and two would wait for each other.
    started = service.jobs.start("adopt", title, work, group="scan")
    return jobs.answer(started, status=202)


def _free_path(library: Path) -> Path:
    """``NAME.learnt-1.tonearm`` next to the library, or the next number: no model is replaced."""
    number = 1
    while True:
        path = library.with_name(f"{library.stem}.learnt-{number}{model_file.SUFFIX}")
        if not path.exists():
            return path
        number += 1
