"""Looking through the library: its numbers, pages of tracks, and one track whole.

Clients name tracks by id alone; a file is served only if the library has it.
"""

from __future__ import annotations

import mimetypes
import os
from collections.abc import Callable
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from tonearm.audio import check_file
from tonearm.errors import LibraryError
from tonearm.files import FileStatus
from tonearm.genres import UNKNOWN
from tonearm.genres import find as known_genre
from tonearm.library import browse, overview
from tonearm.library.reviews import Review, attach, of_keys
from tonearm.library.similar import probe_of, similar
from tonearm.library.store import Track
from tonearm.model.batch import Options
from tonearm.serve import schema
from tonearm.serve.problems import Json, problem
from tonearm.serve.schema import PREFIX
from tonearm.serve.service import Emit, Report, Service, StoppedError, service_of

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

_LARGEST_COVER_BYTES = 20 * 2**20

router = APIRouter(prefix=PREFIX, tags=["library"])
TrackId = Annotated[int, Path(ge=1, le=schema.LARGEST_ID)]


def filter_of(
    request: Request,
    text: Annotated[str, Query(max_length=200, description="Part of title, artist, path")] = "",
    genre: Annotated[
        str | None, Query(max_length=100, description="By sound, in any spelling; or unknown")
    ] = None,
    min_confidence: Annotated[float, Query(ge=0, le=1)] = 0.0,
    max_confidence: Annotated[float, Query(ge=0, le=1)] = 1.0,
    tag: Annotated[browse.TagState, Query(description="Whose genre the file's tag holds")] = "any",
    disagree: Annotated[bool, Query(description="The tag names another genre")] = False,
    review: browse.ReviewState = "any",
    state: Annotated[browse.State, Query(description="Could it be read?")] = "any",
    artist: Annotated[str, Query(max_length=200)] = "",
    album: Annotated[
        int | None, Query(ge=1, le=schema.LARGEST_ID, description="Id of a track of the album")
    ] = None,
) -> browse.Filter:
    """The filter that a query describes."""
    labels = service_of(request).classifier.model.labels
    return browse.Filter(
        text=_clean(text),
        # A genre that the model does not know finds nothing; it is no error.
        genre=genre and (known_genre(genre, (*labels, UNKNOWN)) or genre),
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        tag=tag,
        disagree=disagree,
        review=review,
        state=state,
        artist=_clean(artist),
        album=album,
    )


def _clean(text: str) -> str:
    """A text that SQLite takes."""
    # Lone surrogates cannot be encoded, and a NUL ends a text in SQLite's functions.
    return text.encode("utf-8", "replace").decode().replace("\0", "")


Wanted = Annotated[browse.Filter, Depends(filter_of)]


@router.get("/library", summary="The library in numbers", response_model=schema.LibraryAnswer)
def library_numbers(request: Request) -> Response:
    """``exists`` is false before the first scan; ``unwritten`` as in ``review``."""
    service = service_of(request)
    if not service.library_path.exists():
        values = {"exists": False, "path": str(service.library_path)}
        return Json({"schema": schema.SCHEMA, **values})
    with service.library() as library:
        seen = overview.overview(library).to_dict()
        seen["unwritten"] = browse.count_unwritten(library)
        seen["reviewed"] = browse.reviewed(library)
        seen["damaged"] = browse.count(library, browse.Filter(state="damaged"))
        path = str(library.path)
    return Json({"schema": schema.SCHEMA, "exists": True, "path": path, **seen})


@router.get("/tracks", summary="A page of tracks", response_model=schema.TrackPage)
def tracks(
    request: Request,
    wanted: Wanted,
    sort: browse.Sort = "path",
    descending: bool = False,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> Response:
    """Filter, sort and leaf through the library."""
    with service_of(request).library() as library:
        order = browse.Order(sort, descending)
        page = browse.page(library, wanted, order=order, offset=offset, limit=limit)
    rows = [row(track, review) for track, review in page.tracks]
    return Json({"schema": schema.SCHEMA, "total": page.total, "offset": offset, "tracks": rows})


@router.get(
    "/track-ids", summary="Ids of all tracks that meet a filter", response_model=schema.TrackIds
)
def track_ids(
    request: Request, wanted: Wanted, sort: browse.Sort = "path", descending: bool = False
) -> Response:
    """In the order of the pages."""
    with service_of(request).library() as library:
        order = browse.Order(sort, descending)
        ids = browse.numbers(library, wanted, order=order)
    return Json({"schema": schema.SCHEMA, "ids": ids})


@router.get("/albums", summary="Albums that meet a filter", response_model=schema.AlbumPage)
def albums(
    request: Request,
    wanted: Wanted,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=schema.MOST_IDS)] = 200,
) -> Response:
    """In the order of ``sort=album``; ``first`` is the value of the filter ``album``."""
    with service_of(request).library() as library:
        found = browse.albums(library, wanted)
    rows = [vars(album) for album in found[offset : offset + limit]]
    return Json({"schema": schema.SCHEMA, "total": len(found), "albums": rows})


@router.get("/tracks/{number}", summary="One track", response_model=schema.TrackAnswer)
def track(request: Request, number: TrackId) -> Response:
    """A row with its media type, and what is wrong with its tags, if anything is."""
    found, review = find(service_of(request), number)
    more = {"tag_error": found.tags.error, "type": media_type(found.path)}
    return Json({"schema": schema.SCHEMA, **row(found, review), **more})


@router.get("/tracks/{number}/audio", summary="Its file", response_class=FileResponse)
def track_audio(request: Request, number: TrackId) -> Response:
    """The file as it is; ranges of bytes are served."""
    found, _ = find(service_of(request), number)
    path = FilePath(found.path)
    # The scan was a while ago: what was a file may be gone, or a pipe that never ends.
    check_file(path)
    kind = media_type(found.path)
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "private, no-cache"})


@router.get(
    "/tracks/{number}/cover",
    summary="Its album's cover",
    response_class=FileResponse,
    responses={204: {"description": "There is none"}},
)
def track_cover(request: Request, number: TrackId) -> Response:
    """An image in its folder named cover, folder or front; 204 where there is none."""
    found, _ = find(service_of(request), number)
    path = cover_of(os.path.dirname(found.path))
    if path is None:
        # Ten minutes, the absence too, or each row of a list would ask again.
        return Response(status_code=204, headers={"Cache-Control": "private, max-age=600"})
    return FileResponse(path, headers={"Cache-Control": "private, max-age=600"})


@router.get(
    "/tracks/{number}/timeline", summary="Its timeline", response_model=schema.PredictionAnswer
)
async def track_timeline(request: Request, number: TrackId) -> Response:
    """The line of ``tonearm predict --timeline --format jsonl`` on its file."""
    service = service_of(request)
    found, _ = find(service, number)

    def make(report: Report) -> dict[str, Any]:
        options = Options(timeline=True, tags=True, count=None)
        return service.analyst.predict(found.path, options, on_progress=report).to_dict()

    values = await _made(service, request, "timeline", found.path, make)
    if "error" in values:
        words = f"{os.path.basename(values['path'])}: {values['error']['message']}"
        return problem(422, "unreadable", words, **values)
    return Json(values)


@router.get(
    "/tracks/{number}/picture",
    summary="Its spectrogram and waveform",
    response_model=schema.PictureAnswer,
)
async def track_picture(request: Request, number: TrackId) -> Response:
    """``levels`` are uint8 [columns, bands] in base64, low bands first; ``peaks`` [columns]."""
    service = service_of(request)
    found, _ = find(service, number)

    def make(report: Report) -> dict[str, Any]:
        return service.analyst.picture(found.path, on_progress=report).to_dict()

    return Json(await _made(service, request, "picture", found.path, make))


@router.get(
    "/similar/{number}", summary="The nearest by sound", response_model=schema.SimilarTracks
)
def similar_tracks(
    request: Request, number: TrackId, count: Annotated[int, Query(ge=1, le=200)] = 10
) -> Response:
    """Nearest first, copies left out."""
    service = service_of(request)
    found, _ = find(service, number)
    with service.library() as library:
        probe = probe_of(library, found.path, found.key)
        if probe is None:
            raise LibraryError(
                f"{os.path.basename(found.path)}: was not analysed, so there is nothing to compare"
            )
        matches = similar(library, probe, count=count)
        attach(library)
        said = of_keys(library, (match.track.key for match in matches))
    rows = [
        {**row(match.track, said.get(match.track.key or "")), "similarity": match.similarity}
        for match in matches
    ]
    return Json({"schema": schema.SCHEMA, "id": number, "tracks": rows})


def find(service: Service, number: int) -> tuple[Track, Review | None]:
    """A track by id."""
    with service.library() as library:
        attach(library)
        found = browse.with_reviews(library, [number])
    if not found:
        raise HTTPException(404, f"no track {number} in the library")
    return found[0]


def row(track: Track, review: Review | None) -> dict[str, Any]:
    """A track as one row of a table."""
    error = {"kind": track.error_kind, "message": track.error_message}
    return {
        "id": track.id,
        "name": os.path.basename(track.path),
        "path": track.path,
        "folder": os.path.basename(os.path.dirname(track.path)),
        "title": track.tags.title,
        "artist": track.tags.artist,
        "album": track.tags.album,
        "album_artist": track.tags.album_artist,
        "genres": list(track.tags.genres),
        "by_tonearm": track.tags.by_tonearm,
        "genre": track.genre,
        "nearest": track.nearest,
        "confidence": track.confidence,
        "second": list(track.probabilities)[1] if len(track.probabilities) > 1 else None,
        "probabilities": track.probabilities,
        "duration_s": track.duration_s,
        "warning": track.warning,
        "review": {"verdict": review.verdict.value, "genre": review.genre} if review else None,
        "error": error if track.error_kind else None,
    }


def cover_of(folder: str) -> str | None:
    """The image that players show for the files of a folder."""
    try:
        with os.scandir(folder) as entries:
            # By lower case: Cover.JPG is common.
            names = {entry.name.lower(): entry for entry in entries if entry.is_file()}
    except OSError:
        return None
    for stem in ("cover", "folder", "front"):
        for suffix in (".jpg", ".jpeg", ".png", ".webp"):
            entry = names.get(stem + suffix)
            if entry is not None and entry.stat().st_size <= _LARGEST_COVER_BYTES:
                return entry.path
    return None


def media_type(path: str) -> str:
    """The media type of a file, by its name."""
    suffix = os.path.splitext(path)[1].lower()
    guess = _TYPES.get(suffix) or mimetypes.guess_type(f"x{suffix}")[0] or ""
    # Never text/html or an image: the file's name must not decide what a browser runs.
    return guess if guess.startswith("audio/") else "application/octet-stream"


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
        # With size and times in the key, a changed file is analysed again.
        key = (what, path, *map(str, FileStatus.of(os.stat(path))))
        emit({"made": service.remembered(key, lambda: make(report))})

    values: dict[str, Any] = {}
    try:
        async for part in service.analyse(request, work):
            values = part.get("made", values)
    except StoppedError:
        raise HTTPException(504, "the analysis took too long") from None
    return values
