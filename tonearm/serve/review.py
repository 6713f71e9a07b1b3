"""``review``: what a person says of tracks, kept and undone; no file is touched here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tonearm.genres import LONGEST_NAME, find, is_reserved
from tonearm.library import browse
from tonearm.library.reviews import Review, Reviews, Verdict, attach, reviews_path
from tonearm.library.store import Track
from tonearm.serve import jobs, schema
from tonearm.serve.problems import Json
from tonearm.serve.service import Service, service_of
from tonearm.tagging.plan import Rules, of_a_person

router = APIRouter(prefix=schema.PREFIX, tags=["review"])
Id = Annotated[int, Field(ge=1, le=schema.LARGEST_ID)]
Ids = Annotated[list[Id], Field(max_length=schema.MOST_IDS)]
_BATCH = 2_000  # tracks between two reports
_Genre = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=schema.GENRE,
    ),
]
_Said = Literal["accept", "change", "reject", "clear"]
_WORDS = {"accept": "Accept", "change": "Change", "reject": "Reject", "clear": "Clear"}


class TrackFilter(BaseModel):
    """The same conditions as ``/tracks`` takes."""

    model_config = ConfigDict(extra="forbid")
    text: Annotated[str, Field(max_length=200)] = ""
    genre: Annotated[str | None, Field(max_length=100)] = None
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0
    max_confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    tag: browse.TagState = "any"
    disagree: bool = False
    review: browse.ReviewState = "any"
    state: browse.State = "any"
    artist: Annotated[str, Field(max_length=200)] = ""
    album: Id | None = None


class Selection(BaseModel):
    """Tracks by id, or all that meet a filter; neither means the whole library."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"filter": {"genre": "jazz"}}]}
    )
    ids: Ids | None = None
    filter: TrackFilter | None = None

    def chosen(self, service: Service) -> list[int] | None:
        """Ids; None is the whole library.

        Parameters
        ----------
        service : Service
            Whose library is meant.
        """
        if self.ids is not None:
            return self.ids
        if self.filter is None:
            return None
        with service.library() as library:
            wanted = browse.Filter(**self.filter.model_dump(), also=service.classifier.model.labels)
            return browse.numbers(library, wanted)

    def numbers(self, service: Service) -> list[int]:
        """Ids, those of the whole library too.

        Parameters
        ----------
        service : Service
            Whose library is meant.
        """
        ids = self.chosen(service)
        if ids is not None:
            return ids
        with service.library() as library:
            return browse.numbers(library, browse.Filter())


class ReviewRequest(BaseModel):
    """A review of tracks: ``clear`` removes it; ``change`` names the genre."""

    model_config = ConfigDict(extra="forbid")
    ids: Ids
    verdict: _Said
    genre: _Genre | None = None


class ReviewAllRequest(Selection):
    """A review of many tracks; those reviewed before are left out unless ``reviewed_too``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"verdict": "accept", "filter": {"genre": "jazz"}}]}
    )
    verdict: _Said
    genre: _Genre | None = None
    reviewed_too: bool = False


class ReviewUndoRequest(BaseModel):
    """Which step; without a number the last."""

    model_config = ConfigDict(extra="forbid")
    step: Id | None = None


_LAST = ReviewUndoRequest()  # where there is no body


@router.post(
    "/review", summary="Accept, change or reject tracks", response_model=schema.ReviewAnswer
)
def review(request: Request, said: ReviewRequest) -> Response:
    """Keep a review; files stay as they are until ``tags/write``.

    Files that could not be read are skipped; ``accept`` skips those of an unknown genre too.
    """
    service = service_of(request)
    _require_genre(said.verdict, said.genre, service.classifier.model.labels)
    reviewed, skipped, step = keep(service, said.ids, said.verdict, said.genre)
    values = {"step": step, "reviewed": reviewed, "skipped": skipped}
    return Json({"schema": schema.SCHEMA, **values})


@router.post(
    "/review/all",
    summary="Review many tracks, in the background",
    status_code=202,
    response_model=schema.JobAnswer,
)
def review_all(request: Request, said: ReviewAllRequest) -> Response:
    """A job whose result counts ``reviewed``, ``skipped`` and ``left_out``; one step to undo."""
    service = service_of(request)
    _require_genre(said.verdict, said.genre, service.classifier.model.labels)

    def work(job: jobs.Job) -> dict[str, Any]:
        ids, left_out = _open_ids(service, said)
        counts: dict[str, Any] = {
            "step": None,
            "reviewed": 0,
            "skipped": 0,
            "left_out": left_out,
        }
        # Shared with the job, which may be stopped between two batches.
        job.result = counts
        job.report(0, len(ids))
        for at in range(0, len(ids), _BATCH):
            part = ids[at : at + _BATCH]
            # All batches are one step, so one undo takes all back.
            done, skipped, step = keep(service, part, said.verdict, said.genre, step=counts["step"])
            counts["step"] = step
            counts["reviewed"] += len(done)
            counts["skipped"] += len(skipped)
            job.report(at + len(part), len(ids))
        return counts

    title = f"{_WORDS[said.verdict]} many tracks"
    return jobs.answer(service.jobs.start("review", title, work, group="review"), status=202)


@router.post(
    "/review/undo", summary="Undo the last step of reviews", response_model=schema.ReviewUndone
)
def review_undo(request: Request, wanted: ReviewUndoRequest = _LAST) -> Response:
    """All tracks of the step get back the review that they had before it."""
    service = service_of(request)
    path = reviews_path(service.library_path)
    undone = None
    # Opening would make the file; a look must leave nothing behind.
    if path.exists():
        with Reviews(path) as reviews:
            undone = reviews.undo(wanted.step)
    if undone is None:
        raise HTTPException(409, "no review is left to undo")
    values = {"step": undone.step, "tracks": undone.sounds, "left": undone.left}
    return Json({"schema": schema.SCHEMA, **values})


def keep(
    service: Service,
    ids: Sequence[int],
    verdict: _Said,
    genre: str | None,
    *,
    step: int | None = None,
) -> tuple[list[int], list[int], int | None]:
    """Keep one review of tracks; gives ids that were reviewed, that were skipped, and the step.

    Parameters
    ----------
    service : Service
        Whose library and model are meant.
    ids : sequence of int
        Tracks; those that the library does not have are ignored.
    verdict : str
        ``accept``, ``change``, ``reject`` or ``clear``.
    genre : str or None
        With ``change`` alone, in any spelling.
    step : int or None
        A step of :func:`keep` that these belong to; None is a new one.
    """
    with service.library() as library:
        attach(library)
        found = [track for track, _ in browse.with_reviews(library, ids)]
    # A known genre by its own name, however it was typed: so it can be learnt from.
    genre = genre and (find(genre, service.classifier.model.labels) or genre)
    accepts = verdict == "accept"
    # Reviews are by sound key, so a file that was never analysed can have none.
    known = [track for track in found if track.key and (track.genre or not accepts)]
    if known:
        with Reviews(reviews_path(service.library_path)) as reviews:
            if verdict == "clear":
                step = reviews.drop((track.key for track in known if track.key), step=step)
            else:
                made = (_review(track, Verdict(verdict), genre) for track in known)
                step = reviews.put(made, step=step)
    reviewed = [track.id for track in known]
    done = set(reviewed)
    return reviewed, [track.id for track in found if track.id not in done], step


def _open_ids(service: Service, said: ReviewAllRequest) -> tuple[list[int], int]:
    """Tracks that a batch is about, and how many were reviewed before and are left out."""
    ids = said.numbers(service)
    # To clear only makes sense for what was reviewed.
    if said.reviewed_too or said.verdict == "clear":
        return ids, 0
    with service.library() as library:
        before = set(browse.numbers(library, browse.Filter(review="some")))
    left = [number for number in ids if number not in before]
    return left, len(ids) - len(left)


def _require_genre(verdict: _Said, genre: str | None, labels: Sequence[str]) -> None:
    if (verdict == "change") != (genre is not None):
        raise HTTPException(422, "genre: to be named with the verdict 'change', and with no other")
    # Written into a file, it would count as a missing genre, and be replaced by a guess.
    if genre is None or find(genre, labels):
        return
    if is_reserved(genre) or not of_a_person([genre], (), Rules().placeholders):
        raise HTTPException(422, f"genre: “{genre}” names no genre: reject the track instead")


def _review(track: Track, verdict: Verdict, genre: str | None) -> Review:
    assert track.key is not None
    if verdict is Verdict.accept:
        genre = track.genre
    return Review(track.key, verdict, genre if verdict is not Verdict.reject else None)
