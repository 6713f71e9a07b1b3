"""The web application: its parts put together."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from tonearm import __version__
from tonearm.errors import TonearmError
from tonearm.model.classifier import Classifier
from tonearm.serve import (
    jobs,
    keep,
    learn,
    playlist,
    predict,
    predict_jobs,
    review,
    scan,
    server,
    sound_map,
    strict,
    tags,
    track,
    tracks,
)
from tonearm.serve.compress import Compress
from tonearm.serve.guard import Guard
from tonearm.serve.problems import add_handlers
from tonearm.serve.service import Service
from tonearm.serve.uploads import Limits

# In the order in which the description shows them.
_PARTS = (
    predict,
    predict_jobs,
    tracks,
    track,
    review,
    tags,
    scan,
    keep,
    learn,
    sound_map,
    playlist,
    jobs,
    server,
)
_STATIC = Path(__file__).parent / "static"


def create_app(
    library_path: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    token: str | None = None,
    *,
    folders: Sequence[Path] = (),
    names: Collection[str] = (),
    any_address: bool = False,
    origins: Collection[str] = (),
    limits: Limits | None = None,
) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    library_path : path
        The library's file, which need not exist yet.
    model : path or None
        A model file; None is the one that comes with the package.
    token : str or None
        What every request must bring; None asks for nothing, for this machine alone.
    folders : sequence of path
        Folders that the page may scan, besides those scanned before.
    names, any_address
        Hosts to answer for, as of :class:`tonearm.serve.guard.Guard`.
    origins : collection of str
        Other sites whose pages may use the API.
    limits : Limits or None
        Of uploads.

    Raises
    ------
    TonearmError
        When the token is empty: every request would bring it.
    """
    # None asks for nothing on purpose; "" is a variable that somebody left empty.
    if token == "":
        raise TonearmError("an empty token lets everybody in: name a longer one, or none")
    model_path = Path(model) if model is not None else None
    service = Service(
        Path(library_path),
        classifier=Classifier.load(model_path),
        model_path=model_path,
        # Absolute, since a server lives on while its shell may go elsewhere.
        folders=tuple(Path(os.path.abspath(folder)) for folder in folders),
        limits=limits or Limits(),
        jobs=jobs.Jobs(),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with service.running():
            yield
            # Streams first: they have no end of their own, and would keep the server.
            service.stopping.set()
            service.jobs.stop()

    app = FastAPI(
        title="Tonearm",
        version=__version__,
        description="Hears the genre of music. `schema` is the version of the JSON. Errors are "
        "problem details (RFC 9457), with a stable word for programs in `kind`.",
        lifespan=lifespan,
        docs_url=None,  # both load scripts from elsewhere; /docs is a page of Tonearm's own
        redoc_url=None,
        openapi_url="/openapi.json",
        # Clients that are made from the description name their functions by it.
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.service = service
    add_handlers(app)
    for part in _PARTS:
        # A mistyped filter would be ignored, and the whole library be reviewed instead of a genre.
        app.include_router(part.router, dependencies=[Depends(strict.known_parameters)])
    _add_pages(app)
    strict.describe(app)
    # The last one added is the outermost: the guard sees every request first.
    app.add_middleware(Compress)
    app.add_middleware(
        Guard,
        token=token,
        names=names,
        any_address=any_address,
        origins=origins,
        upload_paths={predict.PATH, keep.PATH},
    )
    return app


def _add_pages(app: FastAPI) -> None:
    """The page, the description of the API for people, and the files of both."""

    @app.get("/", include_in_schema=False)
    def index(request: Request) -> Response:
        # Asked for again each time: an old page with a new API would fail in odd ways.
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        return FileResponse(_STATIC / "docs.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
