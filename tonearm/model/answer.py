"""One file's answer as plain JSON values, the same for command line, library and server."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tonearm.errors import DecodeError
from tonearm.model.classifier import Classifier, Prediction
from tonearm.model.encoder import Embeddings
from tonearm.windows import WindowCount

SCHEMA = 1


@dataclass(frozen=True)
class Answer:
    """What became of one file: either heard and decided, or an error."""

    path: str
    embeddings: Embeddings | None = None
    prediction: Prediction | None = None
    error: DecodeError | None = None
    with_tags: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values: ``warnings`` only when there are some, ``error`` when it failed."""
        if self.embeddings is None or self.prediction is None:
            reason = self.error.reason if self.error else "was not heard"
            kind = self.error.kind if self.error else "unreadable"
            return {
                "schema": SCHEMA,
                "path": self.path,
                "error": {"kind": kind, "message": reason},
            }
        values = {
            "schema": SCHEMA,
            "path": self.path,
            "duration_s": self.embeddings.duration_s,
            **self.prediction.to_dict(),
            "tags": self.embeddings.tags() if self.with_tags else {},
        }
        values["timeline"] = values.pop("timeline")  # last, since it is the longest
        if self.embeddings.warnings:
            values["warnings"] = list(self.embeddings.warnings)
        return values


def answer(
    classifier: Classifier,
    path: str | os.PathLike[str],
    *,
    count: WindowCount | None = None,
    timeline: bool = False,
    tags: bool = False,
    on_progress: Callable[[float], None] | None = None,
) -> Answer:
    """Hear one file and decide on it; a file that cannot be heard is an answer too."""
    name = os.fspath(path)
    try:
        embeddings = classifier.embed(path, count=count, timeline=timeline, on_progress=on_progress)
        prediction = classifier.classify(
            embeddings.values, timeline_of=embeddings if timeline else None
        )
    except DecodeError as error:
        return Answer(name, error=error)
    except OSError as error:  # vanished, or the disk failed, between two reads
        return Answer(name, error=DecodeError(name, "unreadable", error.strerror or str(error)))
    return Answer(name, embeddings, prediction, with_tags=tags)
