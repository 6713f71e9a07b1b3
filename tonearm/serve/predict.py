"""``/api/v1/predict``: one file in, the line of ``tonearm predict --format jsonl`` out."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tonearm.errors import DecodeError
from tonearm.library.file_tags import file_tags
from tonearm.model.batch import Options
from tonearm.model.prediction import Prediction
from tonearm.serve import jobs, predict_jobs
from tonearm.serve.analysis import Report
from tonearm.serve.problems import Json, problem, to_bytes
from tonearm.serve.schema import PREFIX, WINDOWS, JobAnswer
from tonearm.serve.service import Emit, Service, StoppedError, Work, service_of
from tonearm.serve.track_schema import PredictionAnswer
from tonearm.serve.uploads import FILE_BODY, Upload
from tonearm.tagging.cover import embedded_cover
from tonearm.windows import WindowCount

PATH = f"{PREFIX}/predict"
LINES = "application/x-ndjson"

_LARGEST_COVER_BYTES = 2 * 2**20  # as base64 in a line; larger ones are not worth their wait

router = APIRouter(tags=["listen"])


@router.post(
    PATH,
    openapi_extra=FILE_BODY,
    summary="Analyse one file",
    response_model=PredictionAnswer,
    responses={
        200: {"content": {LINES: {"schema": {"type": "string"}}}},
        202: {"model": JobAnswer, "description": "With `background`: a job"},
    },
)
async def predict(
    request: Request,
    timeline: Annotated[bool, Query(description="Analyse all of it, and add its timeline")] = False,
    tags: Annotated[bool, Query(description="Add moods and instruments")] = False,
    windows: Annotated[
        str | None,
        Query(pattern=WINDOWS, description="Windows to analyse, or all"),
    ] = None,
    reasons: Annotated[bool, Query(description="Add `reasons`: what points to the genre")] = False,
    draw: Annotated[bool, Query(description="Add `picture`: spectrogram and waveform")] = False,
    quick: Annotated[
        bool, Query(description="Of lines, first `quick` (a few windows) and `about` (tags)")
    ] = False,
    name: Annotated[
        str | None, Query(max_length=255, description="The file's name, if the body is the file")
    ] = None,
    background: Annotated[bool, Query(description="Answer 202 with a job at once")] = False,
) -> Response:
    """The same object as ``tonearm predict --format jsonl``; `path` is the file's name alone.

    The file is a part of a form, or the body itself (``audio/*``, ``application/octet-stream``).
    With ``Accept: application/x-ndjson`` the answer is lines: ``{"progress": 0.4}`` as it goes,
    ``{"answer": ...}``, then, if asked for, ``{"reasons": ...}`` and
    ``{"picture": ...}``. A file that cannot be read gives a problem of kind ``unreadable`` with the
    command line's ``error``; in lines, an answer with ``error``.
    """
    service = service_of(request)
    count = cast("WindowCount | None", int(windows) if windows and windows != "all" else windows)
    # Before any thread is taken: a slow sender must not keep a core from those who wait.
    upload = await service.uploads.receive(request, name)
    if background:
        options = Options(count=count, timeline=timeline, tags=tags)
        return _in_background(service, upload, options)

    def work(emit: Emit, report: Report) -> None:
        # A few windows first: the page shows something early, and the whole follows.
        if quick:
            # None stops as soon as the head is confident.
            few = Options(count=None, timeline=False, tags=False)
            first = service.analyst.predict(upload.path, few, on_progress=report)
            if isinstance(first, Prediction):
                emit({"quick": _without_place(first, upload).to_dict()})
                emit({"about": _about(upload)})
        options = Options(count=count, timeline=timeline, tags=tags, reasons=reasons)
        found = service.analyst.predict(upload.path, options, on_progress=report)
        emit({"answer": _without_place(found, upload).to_dict()})
        if reasons and isinstance(found, Prediction):
            emit({"reasons": found.reasons and found.reasons.to_dict()})
        if draw and isinstance(found, Prediction):
            try:
                drawn = service.analyst.picture(upload.path, on_progress=report)
                emit({"picture": drawn.to_dict()})
            except DecodeError:  # analysed in part, but damaged beyond
                emit({"picture": None})

    if LINES in request.headers.get("accept", ""):
        return _Lines(_lines(service, request, work), upload)
    try:
        return await _whole(service, request, work)
    finally:
        upload.remove()


def _in_background(service: Service, upload: Upload, options: Options) -> Response:
    """A job of one file; the upload goes with its end."""
    file = predict_jobs.File(str(upload.path), shown=lambda found: _without_place(found, upload))
    title = f"Analyse {upload.name}"
    try:
        job = predict_jobs.start(service, title, [file], options, after=upload.remove)
    except HTTPException:
        upload.remove()
        raise
    return jobs.answer(job, status=202)


class _Lines(StreamingResponse):
    """Lines of JSON; the upload goes with the answer, however that ends."""

    def __init__(self, lines: AsyncIterator[bytes], upload: Upload) -> None:
        # nginx would gather the lines and send them at the end, and progress would be none.
        super().__init__(lines, media_type=LINES, headers={"X-Accel-Buffering": "no"})
        self._upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Here and not in the lines: a generator that nobody began to read runs no `finally`.
            self._upload.remove()


async def _lines(service: Service, request: Request, work: Work) -> AsyncIterator[bytes]:
    try:
        async for values in service.analyse(request, work):
            yield to_bytes(values) + b"\n"
    except StoppedError:
        # The status has gone out with the first line, so the problem has to be one of the lines.
        yield to_bytes({"problem": "took too long"}) + b"\n"


async def _whole(service: Service, request: Request, work: Work) -> Response:
    made = await service.analysed(request, work)
    values = made.get("answer", {})
    # As a problem and as the command line's own object: clients may read either.
    if "error" in values:
        words = f"{values['path']} {values['error']['message']}"
        return problem(422, "unreadable", words, **values)
    return Json({**values, **{name: made[name] for name in ("reasons", "picture") if name in made}})


def _about(upload: Upload) -> dict[str, Any]:
    """What its tags say."""
    tags = file_tags(str(upload.path))
    cover = embedded_cover(upload.path)
    shown = None
    if cover and len(cover.data) <= _LARGEST_COVER_BYTES:
        shown = f"data:{cover.media_type};base64,{base64.b64encode(cover.data).decode()}"
    return {
        "title": tags.title,
        "artist": tags.artist,
        "genres": list(tags.genres),
        "cover": shown,
    }


def _without_place(found: Prediction | DecodeError, upload: Upload) -> Prediction | DecodeError:
    """The result under the upload's own name: where the server keeps it stays private."""
    if isinstance(found, Prediction):
        return replace(found, path=upload.name)
    # Decoders quote the path in what they say.
    reason = found.reason.replace(str(upload.path), upload.name)
    return DecodeError(upload.name, found.kind, reason)
