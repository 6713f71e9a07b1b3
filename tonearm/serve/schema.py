"""What the API answers, as models: ``/openapi.json`` shows them, and tests hold answers to them.

Answers are made as plain dicts, since building models of 100,000 rows would cost seconds.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler

from tonearm.genres import SPLITTING
from tonearm.model.prediction import SCHEMA_FILE

SCHEMA = 2
PREFIX = "/api/v1"
LARGEST_ID = 2**63 - 1
MOST_IDS = 100_000
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="How many to skip")]

BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
# Of a file that is served as it is, whole or in part.
AUDIO: dict[str, Any] = {
    "description": "The file",
    "content": {"application/octet-stream": {"schema": BINARY}, "audio/*": {"schema": BINARY}},
}

# Players split genres at some characters, so a single genre must not contain them.
_SPLITTERS = rf"{re.escape(SPLITTING)}\x00-\x1f"
GENRE = rf"^[^\s{_SPLITTERS}]([^{_SPLITTERS}]*[^\s{_SPLITTERS}])?$"
WINDOWS = "^([1-9][0-9]{0,5}|all)$"
# What a pattern says, for people.
PATTERNS = {
    GENRE: f"must not hold any of {' '.join(SPLITTING)}, nor begin or end with a space",
    WINDOWS: "must be a whole number from 1 to 999999, or all",
}

Verdict = Literal["accept", "change", "reject"]


class Answer(BaseModel):
    """What every answer holds."""

    model_config = ConfigDict(extra="forbid")
    version: int = Field(alias="schema", description="Version of the JSON", examples=[SCHEMA])


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:tonearm:problem:unreadable"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(description="For people")
    kind: str = Field(description="For programs", examples=["unreadable"])


class FileError(BaseModel):
    """Why a file could not be read."""

    kind: str = Field(examples=["not-audio"])
    message: str


class ReviewRow(BaseModel):
    """What a person said of a track."""

    verdict: Verdict
    genre: str | None = Field(description="The genre it was given; null if it was only rejected")


class TrackRow(BaseModel):
    """One row of the library."""

    model_config = ConfigDict(extra="forbid")
    id: int
    name: str = Field(description="File name", examples=["midnight_walk.mp3"])
    path: str
    folder: str = Field(description="Name of its folder")
    title: str | None
    artist: str | None
    album: str | None
    album_artist: str | None
    genres: list[str] = Field(description="The file's genre tag", examples=[["Jazz"]])
    by_tonearm: bool = Field(description="Whether Tonearm wrote that tag")
    genre: str | None = Field(
        description="By sound; null when unknown, or a mix", examples=["jazz"]
    )
    nearest: str | None
    confidence: float | None
    mix: dict[str, float] | None = Field(
        description="Fraction of the track for each genre, where the music changes genre"
    )
    second: str | None = Field(description="The second most probable genre")
    probabilities: dict[str, float]
    styles: dict[str, float] = Field(description="Finer styles, most probable first")
    duration_s: float | None
    review: ReviewRow | None
    warning: str | None = Field(description="What is damaged")
    note: Literal["silent", "short"] | None = Field(
        description="Why the genre is unknown or doubtful although the file is whole"
    )
    error: FileError | None


class TrackPage(Answer):
    """A page of tracks."""

    total: int
    offset: int
    tracks: list[TrackRow]


class TrackIds(Answer):
    """Ids in the order of the pages."""

    ids: list[int]


class TrackAnswer(TrackRow):
    """One track in full."""

    version: int = Field(alias="schema")
    tag_error: str | None
    type: str = Field(description="Media type", examples=["audio/mpeg"])
    typical_s: list[float] | None = Field(description="Begin and end of its most typical seconds")


class TagReason(BaseModel):
    """A tag that points to the genre, or to the other one."""

    tag: str = Field(examples=["saxophone"])
    amount: float = Field(description="Log odds; below 0 it points to the other genre")


class WindowReason(BaseModel):
    """Seconds that point to the genre."""

    start_s: float
    end_s: float
    amount: float


class BandReason(BaseModel):
    """A part of the spectrum, by how its movement points to the genre."""

    low_hz: float
    high_hz: float
    amount: float


class Reasons(BaseModel):
    """Why a track was given its genre, rather than the next one."""

    genre: str
    against: str
    tags: list[TagReason]
    windows: list[WindowReason]
    bands: list[BandReason]
    typical_s: list[float]


class ReasonsAnswer(Reasons, Answer):
    """Why a track of the library was given its genre."""

    id: int


class SimilarRow(TrackRow):
    """A track with its similarity to another."""

    similarity: float = Field(description="1 the same, 0 nothing in common")


class SimilarTracks(Answer):
    """The nearest by sound."""

    id: int
    tracks: list[SimilarRow]


class PredictionAnswer(BaseModel):
    """What ``tonearm predict --format jsonl`` writes as a line, by the published schema."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: object, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema that is published, so that there is one; :func:`publish` brings its parts."""
        published = _published()
        return {name: published[name] for name in ("title", "description", "oneOf")}


def publish(schemas: dict[str, Any]) -> None:
    """Add the parts of the published schema of predictions to those of a description.

    Parameters
    ----------
    schemas : dict
        The schemas of ``/openapi.json`` by name.
    """
    for name, part in _published()["$defs"].items():
        schemas[_part_name(name)] = part


def _part_name(name: str) -> str:
    # Such a name is a class in clients that are made from the description.
    return name.capitalize() if name == "prediction" else f"Predicted{name.capitalize()}"


def _published() -> dict[str, Any]:
    text = SCHEMA_FILE.read_text(encoding="utf-8")
    # References within a file of its own mean nothing in a larger one.
    text = re.sub(
        r'"#/\$defs/(\w+)"', lambda found: f'"#/components/schemas/{_part_name(found[1])}"', text
    )
    published: dict[str, Any] = json.loads(text)
    return published


class PredictionRow(BaseModel):
    """The prediction of one file of a job."""

    track: int | None = Field(description="Its id, for a track of the library")
    prediction: PredictionAnswer


class PredictionPage(Answer):
    """Predictions of a job, as far as it is."""

    total: int
    offset: int
    predictions: list[PredictionRow]


class PictureAnswer(Answer):
    """A spectrogram and a waveform, in base64."""

    duration_s: float
    columns: int
    bands: int
    levels: str = Field(description="uint8 [columns, bands], low bands first")
    peaks: str = Field(description="uint8 [columns], 255 for full scale")


class AlbumRow(BaseModel):
    """An album, or a folder where tags name none."""

    first: int = Field(description="Id of one of its tracks: the filter `album` for all of them")
    title: str
    artist: str | None
    tracks: int
    genre: str | None = Field(description="The most common by sound")
    agree: int = Field(description="Tracks of that genre")


class AlbumPage(Answer):
    """Albums of the tracks that meet a filter."""

    total: int
    albums: list[AlbumRow]


class UnreadRow(BaseModel):
    """What could not be read and is no track."""

    path: str
    reason: str


class LibraryAnswer(Answer):
    """The library in numbers; before the first scan only ``exists`` and ``path``."""

    exists: bool
    path: str
    tracks: int | None = None
    analysed: int | None = None
    failed: int | None = None
    missing: int | None = Field(None, description="Files that are not in their folder any more")
    links: int | None = Field(None, description="Of the tracks, how many are links to others")
    offline: int | None = Field(None, description="Tracks in folders that are not there now")
    offline_folders: list[str] | None = None
    damaged: int | None = None
    duration_s: float | None = None
    genres: dict[str, int] | None = None
    confidence: list[int] | None = Field(None, description="Tracks in each tenth of confidence")
    untagged: int | None = None
    tagged_by_tonearm: int | None = None
    disagreeing: int | None = None
    copies: int | None = Field(None, description="Tracks with the sound of another file")
    untaggable: int | None = Field(None, description="Tracks whose tags cannot be read or written")
    errors: dict[str, int] | None = None
    model: str | None = None
    unwritten: int | None = None
    unread: list[UnreadRow] | None = Field(
        None, description="Of the failed ones, links and folders, which are no tracks"
    )
    reviewed: dict[str, int] | None = None


class ReviewAnswer(Answer):
    """What became of reviews."""

    step: int | None = Field(description="What an undo reverts; null if nothing changed")
    reviewed: list[int]
    skipped: list[int] = Field(
        description="Tracks that cannot be read; for accept, also tracks of unknown genre"
    )


class ReviewUndone(Answer):
    """A step of reviews that was undone."""

    step: int
    tracks: int
    left: int = Field(description="Steps that can still be undone")


class ChangeRow(BaseModel):
    """A file whose genre tag would change."""

    id: int
    name: str
    title: str | None
    artist: str | None
    old: list[str]
    new: list[str]


class ChangeGroup(BaseModel):
    """Files with the same change."""

    old: list[str]
    new: list[str]
    count: int
    replaces: bool = Field(description="Whether a person's genre would be lost")


class PlanAnswer(Answer):
    """What writing would change."""

    policy: Literal["missing", "add", "replace"]
    total: int
    reviewed: int = Field(description="Files, of those asked for, that a person gave a genre")
    counts: dict[str, int] = Field(description="Files that each policy would change")
    replaced: int = Field(description="Files that would lose a person's genre")
    groups: list[ChangeGroup]
    changes: list[ChangeRow] = Field(description="The first 500")


class RunRow(BaseModel):
    """A run of writing."""

    id: int
    started_s: float
    finished_s: float | None
    command: str
    undoes: int | None
    done: int
    failed: int
    undone: int
    undone_by: list[int] = []


class History(Answer):
    """Runs, the latest first."""

    total: int = Field(description="Of all runs, also those of other pages of this list")
    runs: list[RunRow]
    next: int | None = Field(description="The run that an undo without a number restores")


class JobRow(BaseModel):
    """A piece of work in the background."""

    model_config = ConfigDict(extra="forbid")
    id: int
    kind: Literal["scan", "write", "undo", "review", "learn", "adopt", "predict"]
    title: str
    state: Literal["running", "done", "stopped", "failed"]
    done: int
    total: int
    left_s: float | None
    started_s: float
    message: str
    result: dict[str, Any]


class JobAnswer(Answer):
    """One job."""

    job: JobRow


class JobList(Answer):
    """Jobs, the latest first."""

    jobs: list[JobRow]


class LearnState(Answer):
    """What there is to learn from."""

    corrections: int = Field(description="Sounds to which a person gave a genre")
    needed: int = Field(description="How many are needed to measure their gain")
    model: str
    built_in: bool = Field(description="Whether the built-in model is in use")
    proposal: JobRow | None = Field(description="A job of `learn` whose model can be adopted")


class KeptAnswer(Answer):
    """Where a file of the library is."""

    path: str
    kept: bool = Field(description="False where the library had its sound already")


class ScanState(Answer):
    """Folders that can be scanned, and the last scan."""

    folders: list[str]
    job: JobRow | None


class OwnGenre(BaseModel):
    """A genre that a person named, and the model does not know."""

    genre: str = Field(examples=["trip-hop"])
    name: str = Field(examples=["Trip-Hop"])


class GenreRow(BaseModel):
    """A genre that the model knows."""

    genre: str = Field(examples=["hiphop"])
    name: str = Field(examples=["Hip-Hop"])
    colour: str = Field(examples=["#e69f00"])


class GenresAnswer(Answer):
    """All genres, and the characters that no name may contain."""

    genres: list[GenreRow]
    own: list[OwnGenre] = Field(description="Of reviews, the commonest first")
    splitting: str


class Health(Answer):
    """State of the server."""

    status: Literal["ok"]
    version_of_tonearm: str
    start_id: str = Field(description="Changes when the server is started again")
    model: str
    labels: list[str]
    scanned: bool = Field(description="Whether there is a library")


class ExamplesAnswer(Answer):
    """Pieces to try."""

    examples: list[str] = Field(examples=[["midnight_walk.mp3"]])


class MapAnswer(Answer):
    """Points of all tracks; arrays in base64, little-endian."""

    total: int
    genres: list[str] = Field(description="Genres by number, from 1; 0 is none of them")
    ids: str = Field(description="uint32 [n]")
    places: str = Field(description="uint16 [n, 2]")
    genre: str = Field(description="uint8 [n], by sound")
    tag: str = Field(description="uint8 [n], by the file's tag")
    said: str = Field(description="uint8 [n], by a person's review")


class LeftOut(BaseModel):
    """A file that an answer cannot hold, and why."""

    path: str
    message: str


class PlaylistAnswer(Answer):
    """A playlist."""

    text: str = Field(description="The file")
    tracks: int = Field(description="Those that the file names")
    left_out: list[LeftOut] = []
