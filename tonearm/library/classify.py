"""Classifying embeddings as they are kept: for a scan, for a new model, and on a cluster."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.model.file import Model
from tonearm.model.mix import with_mix
from tonearm.model.prediction import PLACES, Prediction
from tonearm.model.styles import styles_of


def classify_stored(model: Model, kept: StoredEmbeddings) -> Prediction:
    """Name the genre of embeddings as they are kept, so that to do it again gives the same.

    Parameters
    ----------
    model : Model
        A model whose encoder made them.
    kept : StoredEmbeddings
    """
    windows, head = kept.values, model.head
    output = head.classify(windows, kept.texture)
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
    names = model.embedding_names or ()
    # The head classifies windows; the styles are by the mean over the track.
    means = dict(zip(names, windows.mean(axis=0, dtype=np.float64).tolist(), strict=False))
    rounded = {name: round(mean, PLACES) for name, mean in means.items()}
    return replace(named, styles=styles_of(model.styles, named.genre, rounded))
