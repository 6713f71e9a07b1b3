"""Predictions of many files as a job: of tracks by id or filter, or of a file that was sent.

A job keeps its predictions until three hundred others have ended; they are read page by page.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.errors import DecodeError, counted
from tonearm.files import cores
from tonearm.library import browse
from tonearm.library.reviews import attach
from tonearm.model.batch import Options
from tonearm.model.prediction import Prediction
from tonearm.serve import jobs, schema, track_schema
from tonearm.serve.problems import Json, to_bytes
from tonearm.serve.results import Results
from tonearm.serve.review import Selection
from tonearm.serve.service import Service, StoppedError, service_of

router = APIRouter(prefix=schema.PREFIX, tags=["listen"])
MOST_TRACKS = 10_000
_MOST_JOBS = 256  # as many as uploads at once

Result = Prediction | DecodeError


@dataclass(frozen=True)
class File:
    """One file of a job: where it is, the track that it is, and how its result is shown."""

    path: str
    track: int | None = None
    shown: Callable[[Result], Result] = lambda found: found


class PredictRequest(Selection):
    """Which tracks, and what is asked of each, as of ``/predict``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filter": {"genre": "jazz"}, "timeline": True}]}
    )
    timeline: bool = False
    tags: bool = False
    windows: Annotated[int | None, Field(ge=1, le=999_999)] = None


@router.post(
    "/predict/tracks",
    summary="Analyse tracks of the library again, in the background",
    status_code=202,
    response_model=schema.JobAnswer,
)
def predict_tracks(request: Request, wanted: PredictRequest) -> Response:
    """A job; ``/jobs/{number}/predictions`` has its predictions. The library does not change.

    The result of the job counts ``predicted`` and ``failed``, and names in ``skipped`` the ids that
    the library does not have.
    """
    service = service_of(request)
    numbers = wanted.numbers(service)
    # Their results lie on the server's disk until three hundred other jobs have ended.
    if len(numbers) > MOST_TRACKS:
        words = f"{len(numbers):,} tracks: {MOST_TRACKS:,} at most; a scan analyses a library"
        raise HTTPException(422, words)
    with service.library() as library:
        attach(library)
        found = [track for track, _ in browse.with_reviews(library, numbers)]
    files = [File(track.path, track.id) for track in found]
    known = {track.id for track in found}
    skipped = [number for number in numbers if number not in known]
    options = Options(timeline=wanted.timeline, tags=wanted.tags, count=wanted.windows)
    title = f"Analyse {counted(len(files), 'track')}"
    return jobs.answer(start(service, title, files, options, skipped=skipped), status=202)


@router.get(
    "/jobs/{number}/predictions",
    summary="Predictions of a job",
    response_model=track_schema.PredictionPage,
)
def predictions(
    request: Request,
    number: jobs.JobId,
    offset: schema.Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1_000, description="How many at most")] = 200,
) -> Response:
    """In the order of the request, as far as the job has come."""
    kept = service_of(request).jobs.get(number).predictions
    if kept is None:
        raise HTTPException(409, f"job {number} makes no predictions")
    rows = [json.loads(line) for line in kept.page(offset, limit)]
    values = {"total": len(kept), "offset": offset, "predictions": rows}
    return Json({"schema": schema.SCHEMA, **values})


def start(
    service: Service,
    title: str,
    files: Sequence[File],
    options: Options,
    *,
    skipped: Sequence[int] = (),
    after: Callable[[], None] = lambda: None,
) -> jobs.Job:
    """Begin to predict files as a job.

    Parameters
    ----------
    service : Service
        Whose threads analyse.
    title : str
        What the job is called.
    files : sequence of File
        In the order of their predictions.
    options : Options
        What is asked of each.
    skipped : sequence of int
        Ids that were asked for, but are no tracks: part of the result.
    after : callable
        Called at the end, whatever that is.

    Raises
    ------
    HTTPException
        503 when too many such jobs run; then ``after`` is the caller's.
    """
    if service.jobs.running("predict") >= _MOST_JOBS:
        words = f"{_MOST_JOBS} prediction jobs are running: try again in a moment"
        raise HTTPException(503, words, headers={"Retry-After": "2"})

    def work(job: jobs.Job) -> dict[str, Any]:
        try:
            # Shared with the job, which may be stopped between two files.
            job.result = {"predicted": 0, "failed": 0, "skipped": [*skipped]}
            return _predict(service, job, files, options)
        except StoppedError:
            raise jobs.JobStopped from None
        finally:
            after()

    return service.jobs.start("predict", title, work, group=None)


def _predict(
    service: Service, job: jobs.Job, files: Sequence[File], options: Options
) -> dict[str, Any]:
    """Keep the result of each file in order; as many are under way as there are cores."""
    assert service.uploads.folder is not None
    kept = Results(service.uploads.folder / f"predictions-{job.number}.jsonl")
    job.predictions = kept
    counts = job.result
    job.report(0, len(files))

    # The pool asks at least twice a second, so a stopped job ends in the middle of a file.
    def look(_: float) -> None:
        if job.cancelled:
            raise StoppedError

    def one(file: File) -> Result:
        look(0)  # it may have waited long for a free thread
        return service.analyst.predict(file.path, options, on_progress=look)

    under_way: deque[Future[Result]] = deque()
    try:
        for i, file in enumerate(files):
            # No more than that wait in the queue: single files of other clients get their turn in
            # between.
            while len(under_way) < cores() and i + len(under_way) < len(files):
                under_way.append(service.desk.submit(one, files[i + len(under_way)]))
            found = under_way.popleft().result()
            counts["failed" if isinstance(found, DecodeError) else "predicted"] += 1
            kept.add(to_bytes({"track": file.track, "prediction": file.shown(found).to_dict()}))
            job.report(i + 1, len(files))
    finally:
        for future in under_way:
            future.cancel()
    return counts
