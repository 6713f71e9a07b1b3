"""``/api/scan``: a scan in the background, its progress as server-sent events.

Only folders named on the command line, or scanned before, can be scanned: a client sends no paths.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from tonearm.errors import TonearmError
from tonearm.files import cores
from tonearm.library import scan as scanning
from tonearm.library.file_tags import file_tags
from tonearm.library.scan_result import Scan
from tonearm.library.store import Library
from tonearm.serve.problems import Json, to_bytes
from tonearm.serve.service import Service
from tonearm.serve.tracks import SCHEMA

router = APIRouter(prefix="/api", tags=["scan"])
_TICK_S = 0.25
_FAILURES_SHOWN = 100


class _StoppedError(Exception):
    """Somebody stopped the scan."""


class Scanner:
    """One scan at a time, on a thread of its own; its state is read as it goes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._result: Scan | None = None
        self._outcome: dict[str, Any] = {}

    def folders(self) -> list[str]:
        """Those scanned before and those named on the command line."""
        before: list[str] = []
        if self._service.library_path.exists():
            with self._service.library() as library:
                before = library.roots()
        named = [str(folder) for folder in self._service.folders]
        return list(dict.fromkeys([*before, *named]))

    def start(self) -> None:
        """Begin, in the background."""
        if not self.folders():
            words = "no folder to scan: run `tonearm serve FOLDER` or `tonearm scan FOLDER`"
            raise HTTPException(409, words)
        with self._lock:
            if self.running:
                raise HTTPException(409, "a scan is running")
            self._stop.clear()
            self._result, self._outcome = Scan(), {}
            self._thread = threading.Thread(target=self._scan, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop it; what was analysed is kept."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=20)

    @property
    def running(self) -> bool:
        """Whether a scan is going on."""
        return self._thread is not None and self._thread.is_alive()

    def state(self) -> dict[str, Any]:
        """How far it is."""
        running, result = self.running, self._result
        values: dict[str, Any] = {"schema": SCHEMA, "running": running}
        if result is not None:
            values |= {key: value for key, value in vars(result).items() if isinstance(value, int)}
            values["failures"] = [
                {"path": path, "message": message}
                for path, message in result.failures[:_FAILURES_SHOWN]
            ]
        return {**values, **({} if running else self._outcome)}

    def _scan(self) -> None:
        def on_progress(_: Scan) -> None:
            if self._stop.is_set():
                raise _StoppedError

        service = self._service
        try:
            with Library(service.library_path, write=True) as library:
                library.keep_model_path(service.model_path)
                scanning.scan(
                    library,
                    self._service.folders,
                    again=True,
                    model=service.classifier.model,
                    make_embed=partial(scanning.load_embed, service.model_path),
                    read_tags=file_tags,
                    jobs=max(1, cores() - 1),  # one is left to those who look at the page
                    result=self._result,
                    on_progress=on_progress,
                )
        except _StoppedError:
            self._outcome = {"stopped": True}
        except TonearmError as error:
            self._outcome = {"error": str(error)}
        except Exception as error:
            self._outcome = {"error": f"a fault of Tonearm: {type(error).__name__}: {error}"}


@router.get("/scan", summary="How far the scan is, and which folders there are")
def scan_state(request: Request) -> Response:
    """Of the scan that runs, or of the last."""
    scanner = _scanner(request)
    return Json({**scanner.state(), "folders": scanner.folders()})


@router.post("/scan", summary="Analyse what is new", status_code=202)
def scan_start(request: Request) -> Response:
    """Scan the folders that the server knows; progress is at ``/api/scan/events``."""
    scanner = _scanner(request)
    scanner.start()
    return Json(scanner.state(), status_code=202)


@router.delete("/scan", summary="Stop the scan")
def scan_stop(request: Request) -> Response:
    """What was analysed until then is kept."""
    scanner = _scanner(request)
    scanner.stop()
    return Json(scanner.state())


@router.get("/scan/events", summary="Progress as server-sent events")
def scan_events(request: Request) -> Response:
    """Events ``progress`` while a scan runs, then one ``end``."""
    events = _events(_scanner(request))
    return StreamingResponse(events, media_type="text/event-stream")


async def _events(scanner: Scanner) -> AsyncIterator[bytes]:
    last = b""
    while scanner.running:
        now = to_bytes(scanner.state())
        # A comment at least, so that a client that has gone is noticed.
        yield b"event: progress\ndata: %s\n\n" % now if now != last else b":\n\n"
        last = now
        await asyncio.sleep(_TICK_S)
    yield b"event: end\ndata: %s\n\n" % to_bytes(scanner.state())


def _scanner(request: Request) -> Scanner:
    scanner = request.app.state.scanner
    assert isinstance(scanner, Scanner)
    return scanner
