"""``/api/review`` and ``/api/tags``: reviews of tracks, and writing them into files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.genres import LONGEST_NAME, SPLITTING, find, id3_name
from tonearm.library import browse
from tonearm.library.reviews import Review, Reviews, Verdict, attach, reviews_path
from tonearm.library.store import Library, Track
from tonearm.library.tag_runs import Wanted, open_journal, undo_run, write_all
from tonearm.serve.problems import Json
from tonearm.serve.service import Service, service_of
from tonearm.serve.tracks import MOST_IDS, SCHEMA
from tonearm.tagging import journal as journals

router = APIRouter(prefix="/api", tags=["review"])
_Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
_Ids = Annotated[list[_Id], Field(max_length=MOST_IDS)]
# Players split genres at these characters, so a single genre must not contain them.
_SPLITTERS = rf"{re.escape(SPLITTING)}\x00-\x1f"
_Genre = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=rf"^[^\s{_SPLITTERS}]([^{_SPLITTERS}]*[^\s{_SPLITTERS}])?$",
    ),
]


class ReviewRequest(BaseModel):
    """A review of tracks: ``clear`` takes it back; ``change`` names the genre."""

    ids: _Ids
    verdict: Literal["accept", "change", "reject", "clear"]
    genre: _Genre | None = None


class WriteRequest(BaseModel):
    """Which tracks; without ids all that were reviewed."""

    ids: _Ids | None = None


class UndoRequest(BaseModel):
    """Which run of writing; without a number the last."""

    run: _Id | None = None


@dataclass(frozen=True)
class _Change:
    """A file whose genre shall become another."""

    track: Track
    genres: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.track.id,
            "name": os.path.basename(self.track.path),
            "title": self.track.tags.title,
            "artist": self.track.tags.artist,
            "old": list(self.track.tags.genres),
            "new": list(self.genres),
        }


@router.post("/review", summary="Accept, change or reject")
def review(request: Request, said: ReviewRequest) -> Response:
    """Keep a review; files stay as they are until ``/api/tags/write``.

    Files that could not be read are skipped; `accept` skips those of an unknown genre too.
    ``unwritten`` counts files whose tag is not the reviewed genre.
    """
    if (said.verdict == "change") != (said.genre is not None):
        raise HTTPException(422, "genre: to be named with the verdict 'change', and with no other")
    service = service_of(request)
    with service.library() as library:
        attach(library)
        found = [track for track, _ in browse.with_reviews(library, said.ids)]
    # A known genre by its own name, however it was typed: so it can be learnt from.
    genre = said.genre and (find(said.genre, service.classifier.model.labels) or said.genre)
    accepts = said.verdict == "accept"
    embeddings = [track for track in found if track.key and (track.genre or not accepts)]
    with Reviews(reviews_path(service.library_path)) as reviews:
        if said.verdict == "clear":
            reviews.drop(track.key for track in embeddings if track.key)
        else:
            verdict = Verdict(said.verdict)
            reviews.put(_review(track, verdict, genre) for track in embeddings)
    with service.library() as library:
        unwritten = len(browse.unwritten(library))
    reviewed = [track.id for track in embeddings]
    done = set(reviewed)
    skipped = [track.id for track in found if track.id not in done]
    values = {"reviewed": reviewed, "skipped": skipped, "unwritten": unwritten}
    return Json({"schema": SCHEMA, **values})


@router.post("/tags/plan", summary="The difference before writing")
def plan(request: Request, wanted: WriteRequest) -> Response:
    """Files whose genre is not what was accepted for them."""
    with service_of(request).library() as library:
        changes = _changes(library, wanted.ids)
    return Json({"schema": SCHEMA, "changes": [change.to_dict() for change in changes]})


@router.post("/tags/write", summary="Write accepted genres into the files")
def write(request: Request, wanted: WriteRequest) -> Response:
    """Each file on its own: one that cannot be written without harm is named and skipped."""
    service = service_of(request)
    with _alone(service), service.library(write=True) as library:
        changes = _changes(library, wanted.ids)
        if not changes:
            return Json({"schema": SCHEMA, "run": None, "written": [], "failed": []})
        # A genre that a person accepted is a person's, no guess to be replaced later.
        wanted_genres = [Wanted(item.track.path, item.genres) for item in changes]
        with open_journal(service.library_path, library) as journal:
            done = write_all(library, journal, wanted_genres, command="page: write")
    ids = {item.track.path: item.track.id for item in changes}
    written = [ids[path] for path in done.paths]
    failed = [_failure(ids[path], path, reason) for path, reason in done.failures]
    return Json({"schema": SCHEMA, "run": done.run, "written": written, "failed": failed})


@router.post("/tags/undo", summary="Take a run of writing back")
def undo(request: Request, wanted: UndoRequest) -> Response:
    """Genre fields become what they were; a file that was changed since is named and skipped."""
    service = service_of(request)
    place = journals.journal_path(service.library_path)
    if not place.exists():
        raise HTTPException(409, "nothing was written yet")
    with (
        _alone(service),
        service.library(write=True) as library,
        open_journal(service.library_path, library) as journal,
    ):
        done = undo_run(library, journal, wanted.run, command="page: undo")
    undone = [os.path.basename(path) for path in done.paths]
    failed = [_failure(None, path, reason) for path, reason in done.failures]
    return Json({"schema": SCHEMA, "run": done.run, "undone": undone, "failed": failed})


@router.get("/tags/history", summary="Runs of writing, the latest first")
def history(request: Request) -> Response:
    """From the page and from the command line; `next` is what an undo without a run takes back."""
    place = journals.journal_path(service_of(request).library_path)
    if not place.exists():
        return Json({"schema": SCHEMA, "runs": [], "next": None})
    with journals.Journal(place) as journal:
        runs = journal.runs()
    coming = journals.next_to_undo(runs)
    values = {"runs": [vars(run) for run in runs[:100]], "next": coming.id if coming else None}
    return Json({"schema": SCHEMA, **values})


def _review(track: Track, verdict: Verdict, genre: str | None) -> Review:
    assert track.key is not None
    if verdict is Verdict.accept:
        genre = track.genre
    return Review(track.key, verdict, genre if verdict is not Verdict.reject else None)


def _changes(library: Library, ids: Sequence[int] | None) -> list[_Change]:
    found = browse.with_reviews(library, browse.unwritten(library, ids))
    return [
        _Change(track, (id3_name(review.genre),))
        for track, review in found
        if review is not None and review.genre is not None
    ]


def _failure(number: int | None, path: str, reason: str) -> dict[str, Any]:
    return {"id": number, "name": os.path.basename(path), "reason": reason}


@contextmanager
def _alone(service: Service) -> Iterator[None]:
    if not service.writing.acquire(blocking=False):
        raise HTTPException(409, "tags are being written just now: wait for the end")
    try:
        yield
    finally:
        service.writing.release()
