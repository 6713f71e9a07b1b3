"""``scan``: a scan as a job.

Only folders named on the command line, or scanned before, can be scanned: a client sends no paths.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.files import cores
from tonearm.library import scan as scanning
from tonearm.library.file_analysis import load_embed
from tonearm.library.file_tags import file_tags
from tonearm.library.scan_result import Scan
from tonearm.library.store import Library
from tonearm.serve import jobs, schema
from tonearm.serve.problems import Json
from tonearm.serve.service import Service, service_of

router = APIRouter(prefix=schema.PREFIX, tags=["scan"])
_FAILURES_SHOWN = 100  # all are counted


@router.get(
    "/scan",
    summary="Folders that can be scanned, and the last scan",
    response_model=schema.ScanState,
)
def scan_state(request: Request) -> Response:
    """Folders scanned before, and those named when the server was started."""
    service = service_of(request)
    job = service.jobs.latest("scan")
    values = {"folders": folders(service), "job": job.to_dict() if job else None}
    return Json({"schema": schema.SCHEMA, **values})


class Nothing(BaseModel):
    """A scan takes no parameters: the folders are those that the server knows."""

    model_config = ConfigDict(extra="forbid")


@router.post(
    "/scan", summary="Analyse what is new", status_code=202, response_model=schema.JobAnswer
)
def scan_start(request: Request, asked: Nothing | None = None) -> Response:
    """A job over all folders that the server knows; what is analysed is kept when it is stopped."""
    service = service_of(request)
    if not folders(service):
        words = "no folder to scan: run `tonearm serve FOLDER` or `tonearm scan FOLDER`"
        raise HTTPException(409, words)
    work = partial(scan, service)
    return jobs.answer(service.jobs.start("scan", "Scan", work, group="scan"), status=202)


def folders(service: Service) -> list[str]:
    """Those scanned before and those named on the command line.

    Parameters
    ----------
    service : Service
        Whose library and folders are meant.
    """
    before: list[str] = []
    if service.library_path.exists():
        with service.library() as library:
            before = library.roots()
    named = [str(folder) for folder in service.folders]
    return list(dict.fromkeys([*before, *named]))  # in order, each once


def scan(service: Service, job: jobs.Job) -> dict[str, Any]:
    """Scan all folders with the model that the server uses, as the work of a job.

    Parameters
    ----------
    service : Service
        Whose library, folders and model are meant.
    job : Job
        Gets the progress; may stop the scan.
    """
    result = Scan()

    def on_progress(now: Scan) -> None:
        job.result = _result(now)
        if now.looking:  # how much there is to do is not known yet
            job.report(0, 1, f"found {now.found:,}")
        else:
            job.report(now.done, now.to_do)

    with Library(service.library_path, write=True) as library:
        # So that a later `tonearm scan` goes on with the same model.
        library.keep_model_path(service.model_path)
        scanning.scan(
            library,
            service.folders,
            again=True,
            model=service.classifier.model,
            make_embed=partial(load_embed, service.model_path),
            read_tags=file_tags,
            jobs=max(1, cores() - 1),  # one is left to those who look at the page
            result=result,
            on_progress=on_progress,
        )
    return _result(result)


def _result(scan: Scan) -> dict[str, Any]:
    # Not isinstance: `looking` is a bool, which is an int too.
    counts = {key: value for key, value in vars(scan).items() if type(value) is int}
    failures = scan.failures.to_dicts(_FAILURES_SHOWN)
    return {**counts, "failed": len(scan.failures), "failures": failures}
