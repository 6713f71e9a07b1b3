"""Tonearm hears the genre of music: ``Classifier.load().predict("song.mp3").genre``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonearm.model.classifier import Classifier, Prediction
    from tonearm.model.encoder import Embeddings

__version__ = "0.1.0"
__all__ = ["Classifier", "Embeddings", "Prediction", "__version__"]


def __getattr__(name: str) -> object:
    """Import the classifier at its first use, so that ``import tonearm`` stays quick."""
    if name in __all__:
        from tonearm.model import classifier

        return getattr(classifier, name)
    raise AttributeError(f"module 'tonearm' has no attribute {name!r}")
