"""``playlist``: chosen tracks as an M3U8 file."""

from __future__ import annotations

import os

from fastapi import APIRouter, Request
from starlette.responses import Response

from tonearm.library import browse
from tonearm.library.playlist import Entry, m3u8
from tonearm.library.reviews import attach
from tonearm.serve import schema
from tonearm.serve.problems import Json
from tonearm.serve.review import Selection
from tonearm.serve.service import service_of

router = APIRouter(prefix=schema.PREFIX, tags=["library"])


@router.post("/playlist", summary="Tracks as a playlist", response_model=schema.PlaylistAnswer)
def playlist(request: Request, wanted: Selection) -> Response:
    """An M3U8 in ``text`` whose paths are relative to ``folder``, the first one scanned."""
    service = service_of(request)
    chosen = wanted.numbers(service)
    with service.library() as library:
        attach(library)
        tracks = [track for track, _ in browse.with_reviews(library, chosen)]
        # Where the music lies: paths in the list are short from there.
        folder = next(iter(library.roots()), os.sep)
    made = m3u8(map(Entry.of, tracks), folder)
    # JSON is text: a name that is not UTF-8 cannot be held here as it can in a file.
    text = made.data.decode("utf-8", "replace")
    values = {"text": text, "folder": folder, "tracks": len(tracks) - len(made.left_out)}
    return Json({"schema": schema.SCHEMA, **values})
