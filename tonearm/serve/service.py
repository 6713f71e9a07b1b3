"""What the parts of the server share: the model, the library's path, the threads that analyse."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from starlette.exceptions import HTTPException

from tonearm.files import cores
from tonearm.library.store import Library
from tonearm.model.classifier import Classifier
from tonearm.model.file import Model
from tonearm.serve.analysis import Analyst, Report
from tonearm.serve.uploads import Limits, Uploads

# Longest time for one file; a six-hour mix takes some three minutes.
LONGEST_ANALYSIS_S = 1_200.0
if TYPE_CHECKING:
    from tonearm.library.sound_map import Map
    from tonearm.serve.jobs import Job, Jobs

_REMEMBERED = 64
_LOOK_S = 0.5  # between two looks at whether the client is still there

Emit = Callable[[dict[str, Any]], None]
Work = Callable[[Emit, Report], None]


class StoppedError(Exception):
    """The client has gone, or it took too long."""


class Service:
    """One server's state.

    Parameters
    ----------
    library_path : Path
        The library's file, which need not exist yet.
    classifier : Classifier
        The model in use.
    model_path : Path or None
        Its file; None is the built-in model.
    folders : tuple of Path
        Those that were named on the command line, to be scanned.
    limits : Limits
        How much may be sent.
    jobs : Jobs
        Work in the background.
    """

    def __init__(
        self,
        library_path: Path,
        *,
        classifier: Classifier,
        model_path: Path | None,
        folders: tuple[Path, ...],
        limits: Limits,
        jobs: Jobs,
    ) -> None:
        self.library_path, self.classifier, self.model_path = library_path, classifier, model_path
        self.folders = folders
        self.uploads = Uploads(limits)
        self.analyst = Analyst(classifier)
        self.jobs = jobs
        # A model that was learnt and not adopted yet, with the job that made it.
        self.proposed: tuple[Job, Model] | None = None
        # Files that were kept, by their sound: before a scan the library does not know them.
        self.kept: dict[str, str] = {}
        self.keeping = threading.Lock()
        # By it, a page that lost its connection knows whether the server was restarted.
        self.start_id = secrets.token_hex(8)
        self.stopping = threading.Event()  # streams without an end look at it
        self._remembered: OrderedDict[tuple[str, ...], dict[str, Any]] = OrderedDict()
        self._remembering = threading.Lock()
        # The map, and the state of the library that it is of: an older one is never asked again.
        self.placed: tuple[tuple[str, ...], Map] | None = None
        self._desk: ThreadPoolExecutor | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """From the first request to the last."""
        # One thread a core analyses files; requests are answered meanwhile.
        self._desk = ThreadPoolExecutor(cores(), thread_name_prefix="analyse")
        try:
            with self.uploads.opened():
                yield
        finally:
            self._desk.shutdown(wait=True, cancel_futures=True)
            self.analyst.close()

    def use(self, model_path: Path | None) -> None:
        """Classify with another model file from now on; None is the built-in model.

        Parameters
        ----------
        model_path : Path or None
            The other model file.
        """
        # Loaded before anything changes: a model file that is broken leaves the old one in use.
        classifier = Classifier.load(model_path)
        self.analyst.use(classifier)
        self.classifier, self.model_path = classifier, model_path
        with self._remembering:
            # What was remembered was said by the old one.
            self._remembered.clear()
        self.placed = None

    @property
    def desk(self) -> ThreadPoolExecutor:
        """The threads that analyse, one a core, whoever asks."""
        assert self._desk is not None
        return self._desk

    @contextmanager
    def library(self, *, write: bool = False) -> Iterator[Library]:
        """The library, open for one request.

        Parameters
        ----------
        write : bool
            Open it for writing; it is made where it is missing.
        """
        with Library(self.library_path, write=write) as library:
            yield library

    async def analysed(self, request: Request, work: Work) -> dict[str, Any]:
        """All that ``work`` emits, at its end; as for :meth:`analyse`.

        Parameters
        ----------
        request : Request
            Whose client waits.
        work : callable
            What to do.
        """
        values: dict[str, Any] = {}
        try:
            async for part in self.analyse(request, work):
                values |= part
        except StoppedError:
            raise HTTPException(504, "the analysis took too long") from None
        return values

    async def analyse(self, request: Request, work: Work) -> AsyncIterator[dict[str, Any]]:
        """What ``work`` emits on a thread; it is stopped when the client goes or it takes too long.

        ``work`` gets a function to emit values, and one to report its progress, which may raise
        StoppedError.
        """
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        gone = threading.Event()

        def emit(values: dict[str, Any] | None) -> None:
            # asyncio's queue is not made for threads: values go in through the loop.
            loop.call_soon_threadsafe(queue.put_nowait, values)

        def run() -> None:
            begun = time.monotonic()

            def report(fraction: float) -> None:
                if gone.is_set() or time.monotonic() - begun > LONGEST_ANALYSIS_S:
                    raise StoppedError
                emit({"progress": round(fraction, 4)})

            try:
                # The client may have left while this waited for a free thread.
                if not gone.is_set():
                    work(emit, report)
            finally:
                # Whatever happened: the generator waits for an end.
                emit(None)

        async def watch() -> None:
            while not await request.is_disconnected():
                await asyncio.sleep(_LOOK_S)
            gone.set()
            emit(None)

        future = loop.run_in_executor(self.desk, run)
        # Asked on the event loop: the thread that analyses cannot see whether somebody still
        # listens.
        watcher = asyncio.create_task(watch())
        try:
            while (values := await queue.get()) is not None:
                yield values
            # The end may have come from the watcher: then there is no result to wait for.
            if gone.is_set():
                raise StoppedError
            await future  # raises what `work` raised
        finally:
            gone.set()
            watcher.cancel()
            future.cancel()

    def remembered(
        self, key: tuple[str, ...], make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """The values of ``key``, made where they are not among the latest; no error is kept.

        Parameters
        ----------
        key : tuple of str
            All that the values depend on.
        make : callable
            Gives the values; may take seconds.
        """
        with self._remembering:
            if key in self._remembered:
                self._remembered.move_to_end(key)
                return self._remembered[key]
        # Outside the lock: making takes seconds. Two at once make the same; the later is kept.
        values = make()
        # A file may be mended or mounted by the next request.
        if "error" in values:
            return values
        with self._remembering:
            self._remembered[key] = values
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return values


def service_of(request: Request) -> Service:
    """The service of the application that a request came to."""
    service = request.app.state.service
    assert isinstance(service, Service)
    return service
