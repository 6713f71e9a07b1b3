"""What the API answers, as models: ``/openapi.json`` shows them, and tests hold answers to them.

Answers are made as plain dicts, since building models of 100,000 rows would cost seconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from tonearm.genres import SPLITTING

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
