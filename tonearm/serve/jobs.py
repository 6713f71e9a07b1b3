"""Long work in the background: its progress, its end, and how to stop it.

A job outlives the request that started it, so a page that is loaded again finds it as it is.
Routes start jobs (a scan, writing tags, an undo, reviews of many tracks); this module keeps them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from tonearm.errors import TonearmError
from tonearm.serve import schema
from tonearm.serve.problems import Json, to_bytes
from tonearm.serve.results import Results
from tonearm.serve.service import Service, service_of

_TICK_S = 0.25  # between two looks of the page's stream at the jobs
_KEPT = 50  # ended jobs that are still shown
_LONGEST_WAIT_S = 20.0  # for each job, when the server ends
_KEPT_PREDICTIONS = 300  # ended jobs of predictions, which a client may come for later
_LOGGER = logging.getLogger("tonearm.serve")

# Without a type: generated clients know either whole texts or single events, but not both.
_EVENTS = {
    "description": "Server-sent events: `event: hello`, `jobs` or `bye`, each with `data`, as JSON",
}

router = APIRouter(prefix=schema.PREFIX, tags=["jobs"])
JobId = Annotated[int, Path(ge=1, le=schema.LARGEST_ID, description="Id of the job")]


class JobStopped(KeyboardInterrupt):
    """Somebody stopped the job; the work in progress ends as it does at Ctrl-C."""


class JobState(StrEnum):
    """How a job is."""

    running = "running"
    done = "done"
    stopped = "stopped"
    failed = "failed"


class Job:
    """One piece of work; the thread that does it reports here, and requests read it.

    Parameters
    ----------
    number : int
        Its id.
    kind : str
        For programs: ``scan``, ``write``, ``undo``, ``review``, ``learn``, ``adopt``, ``predict``.
    title : str
        For people.
    """

    def __init__(self, number: int, kind: str, title: str) -> None:
        self.number, self.kind, self.title = number, kind, title
        self.state = JobState.running
        self.done, self.total = 0, 0
        self.message = ""
        self.result: dict[str, Any] = {}
        self.predictions: Results | None = None
        self._begun = time.monotonic()
        self._started_s = time.time()
        self._cancel = threading.Event()

    def report(self, done: int, total: int, message: str = "") -> None:
        """Say how far it is.

        Parameters
        ----------
        done, total : int
            Files, or other units of the work.
        message : str
            For people, next to the bar.

        Raises
        ------
        JobStopped
            When the job is to stop.
        """
        self.done, self.total, self.message = done, total, message
        # A job that has just done its last file is done, not stopped.
        if self._cancel.is_set() and done < total:
            raise JobStopped

    def cancel(self) -> None:
        """Let it stop at its next report."""
        self._cancel.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to stop."""
        return self._cancel.is_set()

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        left_s = None
        # Simple proportion: files of one library take similar times.
        if self.state is JobState.running and 0 < self.done < self.total:
            passed_s = time.monotonic() - self._begun
            left_s = round(passed_s / self.done * (self.total - self.done), 1)
        return {
            "id": self.number,
            "kind": self.kind,
            "title": self.title,
            "state": self.state.value,
            "done": self.done,
            "total": self.total,
            "left_s": left_s,
            "started_s": round(self._started_s, 3),
            "message": self.message,
            "result": self.result,
        }


Work = Callable[[Job], dict[str, Any]]


class Jobs:
    """All jobs of a server; of each group one runs at a time."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._threads: dict[int, tuple[str | None, threading.Thread]] = {}
        self._lock = threading.Lock()
        self._last = 0
        self._encoded, self._encoded_at = b"", -_TICK_S

    def start(self, kind: str, title: str, work: Work, *, group: str | None) -> Job:
        """Begin ``work`` on a thread of its own; without a group next to all others.

        Parameters
        ----------
        kind : str
            As of :class:`Job`.
        title : str
            What people are shown.
        work : callable
            Gets the job, and gives its result.
        group : str or None
            Of each group one job runs at a time; None is no group.

        Raises
        ------
        HTTPException
            409 when a job of the same group runs.
        """
        with self._lock:
            for number, (other, thread) in self._threads.items():
                if group is not None and other == group and thread.is_alive():
                    running = self._jobs[number].title
                    raise HTTPException(409, f"“{running}” is running: wait for it, or stop it")
            self._last += 1
            job = Job(self._last, kind, title)
            self._jobs[job.number] = job
            self._drop_old()
            self._encoded_at = -_TICK_S  # a stream that is opened now shows it
            # Daemon: a job that hangs must not keep the server from ending.
            thread = threading.Thread(target=_run, args=(job, work), daemon=True)
            self._threads[job.number] = (group, thread)
            thread.start()
        return job

    def _drop_old(self) -> None:
        """Forget what ended long ago; jobs that run are kept, however many were started since."""
        for are_predictions, most in ((False, _KEPT), (True, _KEPT_PREDICTIONS)):
            ended = [
                job
                for job in self._jobs.values()
                if (job.kind == "predict") is are_predictions and job.state is not JobState.running
            ]
            for job in ended[:-most]:
                del self._jobs[job.number], self._threads[job.number]
                if job.predictions:
                    job.predictions.remove()

    def running(self, kind: str) -> int:
        """How many jobs of a kind run.

        Parameters
        ----------
        kind : str
            As of :class:`Job`.
        """
        jobs = [*self._jobs.values()]
        return sum(job.kind == kind and job.state is JobState.running for job in jobs)

    def get(self, number: int) -> Job:
        """A job by its id.

        Parameters
        ----------
        number : int
            Its id.
        """
        job = self._jobs.get(number)
        if job is None:
            raise HTTPException(404, f"no job {number}: it ended long ago, or never existed")
        return job

    def latest(self, kind: str) -> Job | None:
        """The last job of a kind.

        Parameters
        ----------
        kind : str
            As of :class:`Job`.
        """
        # A copy of the list: other threads start jobs meanwhile.
        return next((job for job in reversed([*self._jobs.values()]) if job.kind == kind), None)

    def all(self) -> list[dict[str, Any]]:
        """The latest first: those that run, and the last fifty that ended."""
        shown, ended = [], 0
        for job in reversed([*self._jobs.values()]):
            ended += job.state is not JobState.running
            if job.state is JobState.running or ended <= _KEPT:
                shown.append(job.to_dict())
        return shown

    def encoded(self) -> bytes:
        """All jobs as JSON, made twice a tick at most: a thousand streams look at the same."""
        now = time.monotonic()
        if now - self._encoded_at >= _TICK_S / 2:
            self._encoded, self._encoded_at = to_bytes({"jobs": self.all()}), now
        return self._encoded

    def stop(self) -> None:
        """Cancel all, and wait for them: the server ends."""
        # Cancel all first, then wait: they end side by side.
        for job in [*self._jobs.values()]:
            job.cancel()
        for _, thread in [*self._threads.values()]:
            thread.join(_LONGEST_WAIT_S)


def _run(job: Job, work: Work) -> None:
    try:
        job.result = work(job)
        job.state = JobState.stopped if job.cancelled and job.done < job.total else JobState.done
    except JobStopped:
        job.state = JobState.stopped
    except TonearmError as error:
        job.message, job.state = str(error), JobState.failed
    # A full disk, most often, which is no fault of Tonearm.
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        job.message, job.state = f"{where}{error.strerror or error}", JobState.failed
    # A fault costs the job, not the server; the page shows it, the log has the traceback.
    except Exception as error:
        _LOGGER.exception("a job failed")
        job.message = f"a fault of Tonearm: {type(error).__name__}: {error}"
        job.state = JobState.failed


@router.get("/jobs", summary="Running and ended jobs", response_model=schema.JobList)
def jobs(request: Request) -> Response:
    """The latest first; at most 50 of those that ended."""
    return Json({"schema": schema.SCHEMA, "jobs": service_of(request).jobs.all()})


@router.get("/jobs/{number}", summary="One job", response_model=schema.JobAnswer)
def job(request: Request, number: JobId) -> Response:
    """How far it is, and its result once it has ended."""
    return answer(service_of(request).jobs.get(number))


@router.delete("/jobs/{number}", summary="Stop a job", response_model=schema.JobAnswer)
def cancel(request: Request, number: JobId) -> Response:
    """It ends after the file in progress; what was done so far is kept."""
    found = service_of(request).jobs.get(number)
    found.cancel()
    return answer(found)


@router.get(
    "/events",
    summary="Progress of all jobs as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {"description": "Events", "content": {"text/event-stream": {"schema": _EVENTS}}},
    },
)
def events(request: Request) -> Response:
    """``hello`` with the ``id`` of this start of the server, then ``jobs`` whenever they change."""
    return StreamingResponse(_events(service_of(request)), media_type="text/event-stream")


def answer(job: Job, status: int = 200) -> Json:
    """A job as an answer; 202 for one that was just started.

    Parameters
    ----------
    job : Job
        As it is now.
    status : int
        Of HTTP.
    """
    return Json({"schema": schema.SCHEMA, "job": job.to_dict()}, status_code=status)


async def _events(service: Service) -> AsyncIterator[bytes]:
    yield b"event: hello\ndata: %s\n\n" % to_bytes({"id": service.start_id})
    last = b""
    while not service.stopping.is_set():
        now = service.jobs.encoded()
        # A comment at least, so that a client that has gone is noticed.
        yield b"event: jobs\ndata: %s\n\n" % now if now != last else b":\n\n"
        last = now
        await asyncio.sleep(_TICK_S)
    yield b"event: bye\ndata: {}\n\n"
