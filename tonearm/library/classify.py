"""Classifying embeddings as they are kept: for a scan, for a new model, and on a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tonearm.data.embedding_store import StoredEmbeddings, texture_of
from tonearm.library.store import Library
from tonearm.model.file import Model
from tonearm.model.mix import with_mix
from tonearm.model.prediction import Prediction, note_of

_BATCH = 1_000  # sounds in one transaction; a scan that is stopped goes on with the next batch


def classify_stored(model: Model, kept: StoredEmbeddings) -> Prediction:
    """Name the genre of embeddings as they are kept, so that to do it again gives the same.

    Parameters
    ----------
    model : Model
        A model whose encoder made them.
    kept : StoredEmbeddings
        Of one sound, in half precision.
    """
    windows, head = kept.values, model.head
    output = head.classify(windows, kept.texture, duration_s=kept.duration_s)
    named = Prediction.of(head.labels, output.probabilities, known=output.known)
    if kept.starts_s is not None:
        named = with_mix(
            named,
            head,
            windows,
            starts_s=kept.starts_s,
            duration_s=kept.duration_s,
            window_s=model.features.window_s,
        )
    return replace(
        named,
        styles=model.styles_of(named.genre, windows),
        note=note_of(
            silent=kept.silent,
            low_rate=kept.low_rate,
            duration_s=kept.duration_s,
            window_s=model.features.window_s,
        ),
    )


@dataclass(frozen=True)
class StoredSound:
    """A sound of the library with what is kept of it: its number, its genre, its embeddings.

    Parameters
    ----------
    number : int
        Of the sound in the library.
    genre : str or None
        By the model that classified it last.
    kept : StoredEmbeddings
        In half precision.
    """

    number: int
    genre: str | None
    kept: StoredEmbeddings


def stored_sounds(
    library: Library, encoder: str, *, not_by: int | None = None
) -> Iterator[list[StoredSound]]:
    """Every sound that an encoder analysed, in batches, between which the library may be written.

    Parameters
    ----------
    library : Library
        Open, to read or to write.
    encoder : str
        Checksum of the encoder.
    not_by : int or None
        Number of a model: what it classified is left out, if all of the prediction is kept.
    """
    sql = (
        "SELECT s.id, s.genre, w.windows, w.values_f16, w.starts_f32, s.duration_s, w.texture_f16,"
        " w.texture_windows, w.silent, w.low_rate FROM sounds s JOIN models m ON m.id = s.model"
        " JOIN embeddings w ON w.key = s.key AND w.encoder = m.encoder"
        " WHERE s.id > ? AND (s.model IS NOT ? OR s.mix = '') AND m.encoder = ?"
        " ORDER BY s.id LIMIT ?"
    )
    last = 0
    while rows := library.rows(sql, [last, not_by, encoder, _BATCH]):
        last = rows[-1][0]
        yield [
            StoredSound(
                number,
                genre,
                StoredEmbeddings(
                    values=np.frombuffer(data, dtype=np.float16).reshape(windows, -1),
                    starts_s=None if starts is None else np.frombuffer(starts, dtype=np.float32),
                    duration_s=duration_s,
                    texture=texture_of(*texture),
                    silent=bool(silent),
                    low_rate=bool(low_rate),
                ),
            )
            for number, genre, windows, data, starts, duration_s, *texture, silent, low_rate in rows
        ]
