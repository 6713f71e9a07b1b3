"""Looking through the library: its numbers, pages of tracks, albums.

Clients name tracks by id alone; :mod:`tonearm.serve.track` is about one of them.
"""

from __future__ import annotations

import os
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.library import browse, overview
from tonearm.library.places import unread
from tonearm.library.reviews import Review, attach
from tonearm.library.store import Track
from tonearm.serve import schema, track_schema
from tonearm.serve.problems import Json
from tonearm.serve.schema import PREFIX
from tonearm.serve.service import Service, service_of

router = APIRouter(prefix=PREFIX, tags=["library"])
Confidence = Annotated[float, Query(ge=0, le=1, description="Of the most probable genre")]
Sort = Annotated[browse.Sort, Query(description="What the tracks are sorted by")]
Descending = Annotated[bool, Query(description="Whether the largest comes first")]


def filter_of(
    request: Request,
    text: Annotated[str, Query(max_length=200, description="Part of title, artist, path")] = "",
    genre: Annotated[
        str | None, Query(max_length=100, description="By sound, in any spelling; mix; or unknown")
    ] = None,
    min_confidence: Confidence = 0.0,
    max_confidence: Confidence = 1.0,
    tag: Annotated[browse.TagState, Query(description="Who wrote the genre tag")] = "any",
    disagree: Annotated[bool, Query(description="Genre tag and genre by sound differ")] = False,
    review: Annotated[browse.ReviewState, Query(description="How a person reviewed it")] = "any",
    state: Annotated[browse.State, Query(description="Whether it could be read")] = "any",
    artist: Annotated[str, Query(max_length=200, description="The artist's full name")] = "",
    album: Annotated[
        int | None, Query(ge=1, le=schema.LARGEST_ID, description="Id of a track of the album")
    ] = None,
) -> browse.Filter:
    """The filter that a query describes."""
    return browse.Filter(
        text=text,
        genre=genre,
        min_confidence=min_confidence,
        max_confidence=max_confidence,
        tag=tag,
        disagree=disagree,
        review=review,
        state=state,
        artist=artist,
        album=album,
        also=service_of(request).classifier.model.labels,
    )


Wanted = Annotated[browse.Filter, Depends(filter_of)]


@router.get("/library", summary="The library in numbers", response_model=schema.LibraryAnswer)
def library_numbers(request: Request) -> Response:
    """``exists`` is false before the first scan; ``unwritten`` counts reviews not yet in files.

    ``unread`` are the failed ones that are no tracks: links to nowhere, folders without rights.
    """
    service = service_of(request)
    # Asked before opening, which would be an error: the page then offers a scan.
    if not service.library_path.exists():
        values = {"exists": False, "path": str(service.library_path)}
        return Json({"schema": schema.SCHEMA, **values})
    with service.library() as library:
        seen = overview.overview(library).to_dict()
        seen["reviewed"] = browse.reviewed(library)
        # Counted by the filter that the page then shows, so that the number is that of the rows.
        seen["damaged"] = browse.count(library, browse.Filter(state="damaged"))
        seen["unwritten"] = browse.count(library, browse.Filter(review="unwritten"))
        seen["unread"] = [{"path": name, "reason": why} for name, why in unread(library)]
        path = str(library.path)
    return Json({"schema": schema.SCHEMA, "exists": True, "path": path, **seen})


@router.get("/tracks", summary="A page of tracks", response_model=track_schema.TrackPage)
def tracks(
    request: Request,
    wanted: Wanted,
    sort: Sort = "path",
    descending: Descending = False,
    offset: schema.Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1_000, description="How many at most")] = 200,
) -> Response:
    """Filter, sort and leaf through the library."""
    with service_of(request).library() as library:
        order = browse.Order(sort, descending)
        page = browse.page(library, wanted, order=order, offset=offset, limit=limit)
    rows = [row(track, review) for track, review in page.tracks]
    return Json({"schema": schema.SCHEMA, "total": page.total, "offset": offset, "tracks": rows})


@router.get(
    "/track-ids",
    summary="Ids of all tracks that meet a filter",
    response_model=track_schema.TrackIds,
)
def track_ids(
    request: Request, wanted: Wanted, sort: Sort = "path", descending: Descending = False
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
    offset: schema.Offset = 0,
    limit: Annotated[int, Query(ge=1, le=schema.MOST_IDS, description="How many at most")] = 200,
) -> Response:
    """In the order of ``sort=album``; ``first`` is the value of the filter ``album``."""
    with service_of(request).library() as library:
        # All of them, and a page in Python: SQLite has to group the whole library anyway.
        found = browse.albums(library, wanted)
    rows = [vars(album) for album in found[offset : offset + limit]]
    return Json({"schema": schema.SCHEMA, "total": len(found), "albums": rows})


def find(service: Service, number: int) -> tuple[Track, Review | None]:
    """A track by id.

    Parameters
    ----------
    service : Service
        Whose library is meant.
    number : int
        Id of the track.
    """
    with service.library() as library:
        attach(library)
        found = browse.with_reviews(library, [number])
    if not found:
        raise HTTPException(404, f"no track {number} in the library")
    return found[0]


def row(track: Track, review: Review | None) -> dict[str, Any]:
    """A track as one row of a table.

    Parameters
    ----------
    track : Track
        As the library has it.
    review : Review or None
        What a person said of its sound.
    """
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
        "mix": track.mix,
        "second": list(track.probabilities)[1] if len(track.probabilities) > 1 else None,
        "probabilities": track.probabilities,
        "duration_s": track.duration_s,
        "styles": track.styles,
        "warning": track.warning,
        "note": track.note,
        "review": {"verdict": review.verdict.value, "genre": review.genre} if review else None,
        "error": error if track.error_kind else None,
    }
