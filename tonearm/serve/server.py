"""The server itself: its state, the genres it knows, and pieces of music to try it on."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from tonearm import __version__
from tonearm.audio import AUDIO_SUFFIXES
from tonearm.genres import SPLITTING, find, id3_name, legend
from tonearm.library.reviews import genres_said
from tonearm.serve import schema
from tonearm.serve.problems import Json
from tonearm.serve.service import service_of

router = APIRouter(prefix=schema.PREFIX, tags=["server"])
_EXAMPLES = FilePath(__file__).parents[2] / "examples"
_MOST_OWN = 20  # genres that a person typed; each is a button on the page


@router.get(
    "/health", summary="State, version and model of the server", response_model=schema.Health
)
def health(request: Request) -> Response:
    """``start_id`` changes when the server is started again."""
    service = service_of(request)
    model = service.classifier.model
    values = {
        "version_of_tonearm": __version__,
        "start_id": service.start_id,
        "model": model.name,
        "labels": list(model.labels),
        "scanned": service.library_path.exists(),
    }
    return Json({"schema": schema.SCHEMA, "status": "ok", **values})


@router.get("/genres", summary="Names and colours of genres", response_model=schema.GenresAnswer)
def genres(request: Request) -> Response:
    """In `own`, the commonest of a person's reviews; in `splitting`, what no name may contain."""
    service = service_of(request)
    labels = service.classifier.model.labels
    said: list[str] = []
    if service.library_path.exists():
        with service.library() as library:
            said = genres_said(library)
    own = [genre for genre in said if find(genre, labels) is None][:_MOST_OWN]
    values = {
        "genres": legend(labels),
        "own": [{"genre": genre, "name": id3_name(genre)} for genre in own],
        "splitting": SPLITTING,
    }
    return Json({"schema": schema.SCHEMA, **values})


@router.get("/examples", summary="Pieces to try", response_model=schema.ExamplesAnswer)
def examples() -> Response:
    """Names of files that come with a checkout; none with an installed package."""
    return Json({"schema": schema.SCHEMA, "examples": sorted(example_files())})


@router.get(
    "/examples/{name}",
    summary="A piece to try",
    response_class=FileResponse,
    responses={200: schema.AUDIO, 206: schema.AUDIO},
)
def example(name: Annotated[str, Path(description="As `examples` lists it")]) -> Response:
    """The file as it is."""
    # By the names that exist: a name with ../ in it is just not among them.
    found = example_files().get(name)
    if found is None:
        raise HTTPException(404, f"no example {name!r}")
    return FileResponse(found)


def example_files() -> dict[str, FilePath]:
    """Pieces of music in the folder next to the package, by name."""
    if not _EXAMPLES.is_dir():
        return {}
    return {
        path.name: path for path in _EXAMPLES.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES
    }
