"""One track of the library: its file, cover, picture, timeline, reasons, and what sounds like it.

A file is served only if the library has it.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from tonearm.audio import check_file
from tonearm.audio.reader import no_file
from tonearm.errors import DecodeError, LibraryError
from tonearm.files import FileStatus
from tonearm.library.filters import resolve_genres
from tonearm.library.reviews import attach, of_keys
from tonearm.library.similar import probe_of, similar
from tonearm.library.store import Track
from tonearm.model.batch import Options
from tonearm.model.reasons import NO_REASONS, typical_stretch
from tonearm.serve import schema, track_schema
from tonearm.serve.analysis import Report
from tonearm.serve.opened import OpenedFile
from tonearm.serve.problems import Json
from tonearm.serve.schema import PREFIX
from tonearm.serve.service import Emit, Service, service_of
from tonearm.serve.tracks import find, row
from tonearm.tagging.cover import cover_of

# Where mimetypes knows no name, or one that browsers do not play.
_TYPES = {
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mp4": "audio/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".wave": "audio/wav",
    ".webm": "audio/webm",
    ".mka": "audio/webm",
}


router = APIRouter(prefix=PREFIX, tags=["library"])
TrackId = Annotated[int, Path(ge=1, le=schema.LARGEST_ID, description="Id of the track")]
_TYPICAL_S = 15.0  # long enough to know a genre by ear


@router.get("/tracks/{number}", summary="One track", response_model=track_schema.TrackAnswer)
def track(request: Request, number: TrackId) -> Response:
    """A row with its media type, what is wrong with its tags, and its most typical seconds.

    ``typical_s`` is found in the windows that the scan analysed, ``reasons`` in the whole track.
    """
    service = service_of(request)
    found, review = find(service, number)
    more = {
        "tag_error": found.tags.error,
        "type": media_type(found.path),
        "typical_s": typical_seconds(service, found),
    }
    return Json({"schema": schema.SCHEMA, **row(found, review), **more})


@router.get(
    "/tracks/{number}/audio",
    summary="Its file",
    response_class=FileResponse,
    responses={200: schema.AUDIO, 206: schema.AUDIO},
)
def track_audio(request: Request, number: TrackId) -> Response:
    """The file as it is; ranges of bytes are served."""
    found, _ = find(service_of(request), number)
    path = FilePath(found.path)
    # The scan was a while ago: what was a file may be gone, or a pipe that never ends.
    check_file(path)
    kind = media_type(found.path)
    try:
        return OpenedFile(path, media_type=kind, headers={"Cache-Control": "private, no-cache"})
    except OSError as error:  # it went in between
        raise no_file(path, error) from None


@router.get(
    "/tracks/{number}/cover",
    summary="Its cover",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {"schema": schema.BINARY}}, "description": "An image"},
        204: {"description": "There is none"},
        304: {"description": "It has not changed"},
    },
)
def track_cover(
    request: Request,
    number: TrackId,
    most_kb: Annotated[
        int | None, Query(ge=1, le=20_480, description="Answer 204 if the cover is larger")
    ] = None,
) -> Response:
    """The picture in its tags, or an image in its folder; 204 where there is neither."""
    found, _ = find(service_of(request), number)
    # Ten minutes, the absence too, or each row of a list would ask again.
    headers = {"Cache-Control": "private, max-age=600"}
    cover = cover_of(found.path)
    if cover is None or (most_kb and len(cover.data) > 1_024 * most_kb):
        return Response(status_code=204, headers=headers)
    # By content: a cover that was replaced has the same address.
    headers["ETag"] = f'"{sha256(cover.data).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(cover.data, media_type=cover.media_type, headers=headers)


@router.get(
    "/tracks/{number}/timeline",
    summary="Its timeline",
    response_model=track_schema.PredictionAnswer,
)
async def track_timeline(request: Request, number: TrackId) -> Response:
    """The object that ``tonearm predict --timeline --tags --format jsonl`` gives for its file."""
    return Json((await _explained(request, number))["prediction"])


@router.get(
    "/tracks/{number}/reasons",
    summary="Why it has its genre",
    response_model=track_schema.ReasonsAnswer,
)
async def track_reasons(request: Request, number: TrackId) -> Response:
    """What points to the genre of ``timeline`` rather than to the next one.

    Amounts are in log odds: 0.7 doubles the odds of the genre. 409 for a network, which has none,
    and for silence.
    """
    explained = await _explained(request, number)
    reasons = explained["reasons"]
    if explained["prediction"].get("note") == "silent":
        raise HTTPException(409, "the track is silent: there is no genre to explain")
    if reasons is None:
        raise HTTPException(409, NO_REASONS)
    return Json({"schema": schema.SCHEMA, "id": number, **reasons})


@router.get(
    "/tracks/{number}/picture",
    summary="Its spectrogram and waveform",
    response_model=track_schema.PictureAnswer,
)
async def track_picture(request: Request, number: TrackId) -> Response:
    """``levels`` are uint8 [columns, bands] in base64, low bands first; ``peaks`` [columns]."""
    service = service_of(request)
    found, _ = find(service, number)

    def make(report: Report) -> dict[str, Any]:
        return service.analyst.picture(found.path, on_progress=report).to_dict()

    made = await _made(service, request, "picture", found.path, make)
    return Json({"schema": schema.SCHEMA, **made})


@router.get(
    "/similar/{number}", summary="The nearest by sound", response_model=track_schema.SimilarTracks
)
def similar_tracks(
    request: Request,
    number: TrackId,
    count: Annotated[int, Query(ge=1, le=200, description="How many at most")] = 10,
    genre: Annotated[
        str | None, Query(max_length=100, description="Only tracks of this genre by sound")
    ] = None,
) -> Response:
    """Nearest first, copies left out."""
    service = service_of(request)
    found, _ = find(service, number)
    with service.library() as library:
        probe = probe_of(library, found.path, found.key)
        if probe is None:
            raise LibraryError(
                f"{os.path.basename(found.path)} was not analysed, so there is nothing to compare"
            )
        if genre is not None:
            (genre,) = resolve_genres(library, [genre], also=service.classifier.model.labels)
        matches = similar(library, probe, count=count, genre=genre)
        attach(library)
        said = of_keys(library, (match.track.key for match in matches))
    rows = [
        {**row(match.track, said.get(match.track.key or "")), "similarity": match.similarity}
        for match in matches
    ]
    return Json({"schema": schema.SCHEMA, "id": number, "tracks": rows})


def typical_seconds(service: Service, track: Track) -> list[float] | None:
    """Begin and end of its most typical fifteen seconds, of the windows that are kept of it.

    Parameters
    ----------
    service : Service
        Whose library and model are meant.
    track : Track
        Of that library.
    """
    model = service.classifier.model
    # After a change of model the library may name a genre that this one does not have.
    if track.key is None or track.nearest not in model.labels or model.head.kind != "votes":
        return None
    with service.library() as library:
        kept = library.embeddings.get(track.key, model.encoder_sha256)
    # Libraries of before kept no positions of windows.
    if kept is None or kept.starts_s is None:
        return None
    begin_end_s = typical_stretch(
        model.head,
        kept.values,
        kept.starts_s,
        model.labels.index(track.nearest),
        window_s=model.features.window_s,
        duration_s=kept.duration_s,
        length_s=_TYPICAL_S,
    )
    return [*begin_end_s]


def media_type(path: str) -> str:
    """The media type of a file, by its name.

    Parameters
    ----------
    path : str
        Only its ending counts.
    """
    suffix = os.path.splitext(path)[1].lower()
    guess = _TYPES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or ""
    # Never text/html or an image: the file's name must not decide what a browser runs.
    return guess if guess.startswith("audio/") else "application/octet-stream"


async def _explained(request: Request, number: int) -> dict[str, Any]:
    """Prediction and reasons of the whole track, from one analysis for both calls."""
    service = service_of(request)
    found, _ = find(service, number)

    def make(report: Report) -> dict[str, Any]:
        # Everything at once: the page asks for the reasons a moment after the timeline.
        options = Options(timeline=True, tags=True, count=None, reasons=True)
        made = service.analyst.predict(found.path, options, on_progress=report)
        if isinstance(made, DecodeError):
            return {"error": {"kind": made.kind, "reason": made.reason}}
        reasons = made.reasons
        return {"prediction": made.to_dict(), "reasons": reasons and reasons.to_dict()}

    values = await _made(service, request, "explained", found.path, make)
    if "error" in values:
        raise DecodeError(os.path.basename(found.path), **values["error"])
    return values


async def _made(
    service: Service,
    request: Request,
    what: str,
    path: str,
    make: Callable[[Report], dict[str, Any]],
) -> dict[str, Any]:
    """Made on an analysing thread, or remembered while the file stays as it is."""

    def work(emit: Emit, report: Report) -> None:
        check_file(FilePath(path))
        # With size and times in the key, a changed file is analysed again; so it is by a new model.
        model = service.classifier.model.sha256
        key = (what, model, path, *map(str, FileStatus.of(os.stat(path))))
        # Two calls for one track (timeline and reasons) share the analysis.
        emit({"made": service.remembered(key, lambda: make(report))})

    values: dict[str, Any] = (await service.analysed(request, work)).get("made", {})
    return values
