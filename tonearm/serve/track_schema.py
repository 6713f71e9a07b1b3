"""What the API answers of single tracks, as models: rows, predictions, reasons, pictures.

As in :mod:`tonearm.serve.schema`, answers themselves are plain dicts.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler

from tonearm.model.prediction import SCHEMA_FILE
from tonearm.serve.schema import Answer, Verdict


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
    note: Literal["silent", "low-rate", "short"] | None = Field(
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
