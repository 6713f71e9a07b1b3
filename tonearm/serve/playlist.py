"""``playlist``: chosen tracks as an M3U8 file."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from tonearm.library import browse
from tonearm.library.playlist import Entry
from tonearm.library.playlist_formats import mixxx
from tonearm.library.reviews import attach
from tonearm.serve import schema
from tonearm.serve.problems import Json
from tonearm.serve.review import Selection
from tonearm.serve.service import service_of

router = APIRouter(prefix=schema.PREFIX, tags=["library"])
_WHOLE = Selection()  # where there is no body


@router.post("/playlist", summary="Tracks as a playlist", response_model=schema.PlaylistAnswer)
def playlist(request: Request, wanted: Selection = _WHOLE) -> Response:
    """An M3U8 in ``text``, with whole paths: it plays from wherever it is saved."""
    service = service_of(request)
    chosen = wanted.numbers(service)
    with service.library() as library:
        attach(library)
        tracks = [track for track, _ in browse.with_reviews(library, chosen)]
    made = mixxx(map(Entry.of, tracks), in_text=True)
    values = {
        "text": made.data.decode(),
        "tracks": len(tracks) - len(made.left_out),
        "left_out": made.left_out.to_dicts(),
    }
    return Json({"schema": schema.SCHEMA, **values})
