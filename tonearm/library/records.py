"""What the library keeps, as values: files, tags, models, tracks.

Imports nothing that reads or writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tonearm.files import FileStatus
from tonearm.model.prediction import Prediction


@dataclass(frozen=True)
class FileTags:
    """The tags of a file that the library keeps; ``error`` says why they could not be read."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genres: tuple[str, ...] = ()
    by_tonearm: bool = False
    error: str | None = None


@dataclass(frozen=True)
class ModelRecord:
    """The model that analysed and classified: a model file without its weights."""

    sha256: str
    name: str
    encoder: str
    labels: tuple[str, ...]
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class Track:
    """One file of the library with its tags and what it sounds like.

    ``genre`` is None for an unknown sound, and ``nearest`` too where the file could not be analysed
    (then ``error_kind`` is set). ``probabilities`` are sorted, highest first.

    Examples
    --------
    >>> from tonearm.library.store import Library
    >>> with Library("library.sqlite", write=True) as library:
    ...     for track in library.tracks():
    ...         if track.prediction is not None and track.prediction.genre is None:
    ...             print(track.path, "is unknown")
    """

    id: int
    path: str
    missing: bool
    size: int
    mtime_ns: int
    key: str | None
    duration_s: float | None
    tags: FileTags
    genre: str | None
    nearest: str | None
    confidence: float | None
    probabilities: dict[str, float]
    warning: str | None
    error_kind: str | None
    error_message: str | None
    styles: dict[str, float] = field(default_factory=dict)
    device: int = 0
    inode: int = 0

    @property
    def prediction(self) -> Prediction | None:
        """The prediction that the last scan made; None where the file could not be analysed."""
        if self.nearest is None or self.confidence is None:
            return None
        return Prediction(
            genre=self.genre,
            nearest=self.nearest,
            confidence=self.confidence,
            probabilities=self.probabilities,
            styles=self.styles,
            path=self.path,
            duration_s=self.duration_s,
            warnings=(self.warning,) if self.warning else (),
        )


@dataclass(frozen=True)
class Known:
    """What the library knows of a path before looking into the file."""

    id: int
    status: FileStatus
    failed: bool
    encoder: str | None
