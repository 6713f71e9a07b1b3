"""Tonearm hears the genre of music: ``Classifier.load().predict("song.mp3").genre``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tonearm import errors
    from tonearm.errors import DecodeError, ModelError, TonearmError
    from tonearm.model.classifier import Classifier
    from tonearm.model.encoder import Embeddings
    from tonearm.model.prediction import Prediction

__version__ = "0.1.0"
__all__ = [
    "Classifier",
    "DecodeError",
    "Embeddings",
    "ModelError",
    "Prediction",
    "TonearmError",
    "__version__",
    "errors",
]

_PLACES = {
    "Classifier": "tonearm.model.classifier",
    "DecodeError": "tonearm.errors",
    "Embeddings": "tonearm.model.encoder",
    "ModelError": "tonearm.errors",
    "Prediction": "tonearm.model.prediction",
    "TonearmError": "tonearm.errors",
}


def __getattr__(name: str) -> object:
    """Import a name at its first use, so that ``import tonearm`` stays quick."""
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    if name == "errors":  # the others of its errors are named by it: tonearm.errors.TagError
        return import_module("tonearm.errors")
    raise AttributeError(f"module 'tonearm' has no attribute {name!r}")


def __dir__() -> list[str]:
    """All public names, also those not imported yet."""
    return sorted({*globals(), *__all__})
