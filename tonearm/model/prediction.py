"""The result for one track, and the one place that turns probabilities into a genre.

Its JSON object is the same for Python, command line and HTTP; ``prediction.schema.json`` next to
this module publishes it.
NumPy is not imported: the command line loads this module before it knows what it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonearm.errors import SCHEMA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tonearm.model.reasons import Reasons
    from tonearm.timeline.segments import Segment

# Of probabilities and confidence, wherever they are shown, kept or compared with a threshold.
PLACES = 4
SCHEMA_FILE = Path(__file__).with_name("prediction.schema.json")
# Why an answer is unknown or doubtful although nothing is wrong with the file, for people.
NOTES = {
    "silent": "silent: there is nothing to classify",
    "low-rate": "sampled at a lower rate than the model needs, so its genre is doubtful",
    "short": "shorter than the model needs, so its genre is doubtful",
}


def note_of(*, silent: bool, low_rate: bool, duration_s: float, window_s: float) -> str | None:
    """Why an answer is unknown or doubtful although the file is whole, a key of ``NOTES``.

    Parameters
    ----------
    silent : bool
        Whether there is nothing but silence.
    low_rate : bool
        Whether it was sampled at a lower rate than the model's.
    duration_s : float
        Length of the track.
    window_s : float
        Length of a window of the model.
    """
    if silent:
        return "silent"
    if low_rate:
        return "low-rate"
    return "short" if duration_s < window_s else None


@dataclass(frozen=True)
class Prediction:
    """What Tonearm says of one track.

    Parameters
    ----------
    genre : str or None
        The genre; None when the sound is unlike any genre the model knows, or changes genre
        (then ``mix`` is set).
    nearest : str
        The most probable genre, even if ``genre`` is None.
    confidence : float
        Calibrated probability that ``nearest`` is right, given that the track is one of the genres.
    probabilities : dict of str to float
        Each genre's probability, highest first, rounded to four places.
    styles : dict of str to float
        Finer styles, most probable first; empty where the model has none.
    tags : dict of str to float
        Moods, instruments and more, most probable first; empty unless asked for.
    timeline : list of Segment
        Segments of one genre; empty unless asked for.
    mix : dict of str to float or None
        Fraction of the track for each genre, where the music changes genre.
    reasons : Reasons or None
        Which tags, seconds and bands decided; None unless asked for, and for silence.
    path : str or None
        The file; None for audio in memory.
    duration_s : float or None
        Length of the track; None when only embeddings were given.
    warnings : tuple of str
        What was wrong with the file although it could be analysed.
    note : str or None
        Why the answer is unknown or doubtful although the file is whole, a key of ``NOTES``:
        ``silent``, ``low-rate`` for less than the model's sample rate (16 kHz for the built-in
        one), or ``short`` for less than a window of the model (3 s).
    """

    genre: str | None
    nearest: str
    confidence: float
    probabilities: dict[str, float]
    styles: dict[str, float] = field(default_factory=dict)
    tags: dict[str, float] = field(default_factory=dict)
    timeline: list[Segment] = field(default_factory=list)
    mix: dict[str, float] | None = None
    reasons: Reasons | None = None
    path: str | None = None
    duration_s: float | None = None
    warnings: tuple[str, ...] = ()
    note: str | None = None

    @classmethod
    def of(
        cls,
        labels: Sequence[str],
        probabilities: NDArray[np.floating[Any]] | Sequence[float],
        *,
        known: bool,
    ) -> Prediction:
        """Rank probabilities and name the genre.

        Parameters
        ----------
        labels : sequence of str
            The genres.
        probabilities : float [k]
            One for each label, in the same order; of equal ones the first label wins.
        known : bool
            Whether the track is one of the genres at all.

        Examples
        --------
        >>> Prediction.of(["blues", "jazz"], [0.25, 0.75], known=True).genre
        'jazz'
        >>> Prediction.of(["blues", "jazz"], [0.25, 0.75], known=False).nearest
        'jazz'
        """
        # Rounded before anything is compared: a threshold of .8 means the .8 that is shown.
        ranked = rank(labels, probabilities)
        nearest = next(iter(ranked))
        # `nearest` stays for the unknown as well, for those who would rather have a guess.
        return cls(nearest if known else None, nearest, ranked[nearest], ranked)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``tonearm predict --format jsonl`` and of the HTTP API.

        Examples
        --------
        >>> list(Prediction.of(["blues", "jazz"], [0.25, 0.75], known=True).to_dict())
        ... # doctest: +NORMALIZE_WHITESPACE
        ['schema', 'path', 'duration_s', 'genre', 'nearest', 'confidence', 'probabilities',
         'styles', 'tags', 'timeline', 'warnings']
        """
        return {
            "schema": SCHEMA,
            "path": self.path,
            "duration_s": self.duration_s,
            "genre": self.genre,
            "nearest": self.nearest,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
            # Left out rather than null: the key itself says that the track is a mix.
            **({} if self.mix is None else {"mix": dict(self.mix)}),
            "styles": dict(self.styles),
            "tags": dict(self.tags),
            "timeline": [segment._asdict() for segment in self.timeline],
            "warnings": list(self.warnings),
            **({} if self.note is None else {"note": self.note}),
        }


def rank(
    names: Sequence[str], values: NDArray[np.floating[Any]] | Sequence[float]
) -> dict[str, float]:
    """Names with their values, highest first, rounded to four places.

    Parameters
    ----------
    names : sequence of str [n]
        Genres, tags or styles.
    values : sequence of float [n]
        One for each; of equal ones the first name comes first.

    Examples
    --------
    >>> rank(["a", "b"], [0.2, 0.71239])
    {'b': 0.7124, 'a': 0.2}
    """
    # Plain floats: NumPy's float32 does not go into JSON.
    numbers = [float(value) for value in values]
    order = sorted(range(len(numbers)), key=lambda i: -numbers[i])  # stable: ties keep their order
    return {names[i]: round(numbers[i], PLACES) for i in order}
