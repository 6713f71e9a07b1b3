"""What the library keeps, as values: files, tags, models, tracks.

Imports nothing that reads or writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tonearm.files import FileStatus
from tonearm.model.prediction import Prediction


@dataclass(frozen=True)
class FileTags:
    """The tags of a file that the library keeps; ``error`` says why they could not be read.

    Parameters
    ----------
    title, artist, album, album_artist : str or None
        As the tags have them; None where they say nothing.
    genres : tuple of str
        The genre tag, value by value.
    by_tonearm : bool
        Whether Tonearm wrote all of these genres.
    error : str or None
        Why the tags could not be read.
    """

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    album_artist: str | None = None
    genres: tuple[str, ...] = ()
    by_tonearm: bool = False
    error: str | None = None


@dataclass(frozen=True)
class ModelRecord:
    """The model that analysed and classified: a model file without its weights.

    Parameters
    ----------
    sha256 : str
        Of the model file.
    name : str
        What the model calls itself.
    encoder : str
        SHA-256 of the encoders: only embeddings of the same ones can be compared.
    labels : tuple of str [k]
        Genres, in the order of the probabilities.
    names : tuple of str [d] or None
        What the numbers of an embedding mean.
    """

    sha256: str
    name: str
    encoder: str
    labels: tuple[str, ...]
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class Track:
    """One file of the library with its tags and what it sounds like.

    ``genre`` is None for an unknown sound and for a mix, and ``nearest`` too where the file could
    not be analysed (then ``error_kind`` is set). ``probabilities`` are sorted, highest first.

    Parameters
    ----------
    id : int
        Its number, which stays when the file moves or changes.
    path : str
        Absolute; bytes that are not UTF-8 are surrogates, as in all of Python.
    missing : bool
        Whether the file was missing at the last scan.
    size, mtime_ns : int
        Bytes, and time of the last change, when it was read.
    key : str or None
        Sound key; None where the file could not be analysed.
    duration_s : float or None
        Length of the sound.
    tags : FileTags
        What the file says of itself.
    genre, nearest : str or None
        By sound: the genre, and the most probable one even where that is unknown.
    confidence : float or None
        Probability of ``nearest``.
    probabilities : dict of str to float
        Of each genre of the model that classified it.
    warning : str or None
        What is damaged.
    error_kind, error_message : str or None
        Why it could not be analysed: for programs, and for people.
    styles : dict of str to float
        Finer styles, most probable first.
    mix : dict of str to float or None
        Fraction of the track for each genre, where the music changes genre.
    device, inode : int
        Which file it is, whatever its names: links have both in common.
    note : str or None
        Why the genre is unknown or doubtful although the file is whole: ``silent``, ``low-rate`` or
        ``short``.

    Examples
    --------
    >>> from tonearm.library.store import Library
    >>> with Library("library.sqlite", write=True) as library:
    ...     for track in library.tracks():
    ...         if track.prediction is not None and track.prediction.mix is not None:
    ...             print(track.path, "is a mix")
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
    mix: dict[str, float] | None = None
    device: int = 0
    inode: int = 0
    note: str | None = None

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
            mix=self.mix,
            path=self.path,
            duration_s=self.duration_s,
            warnings=(self.warning,) if self.warning else (),
            note=self.note,
        )


@dataclass(frozen=True)
class Known:
    """What the library knows of a path before looking into the file.

    Parameters
    ----------
    id : int
        Number of the track.
    status : FileStatus
        Size and times when it was read.
    error_kind : str or None
        Why it could not be analysed then, as in :class:`~tonearm.errors.DecodeError`.
    encoder : str or None
        SHA-256 of the encoders that analysed it.
    model : str or None
        SHA-256 of the model file that classified it.
    """

    id: int
    status: FileStatus
    error_kind: str | None
    encoder: str | None
    model: str | None
