"""``map``: every track as a point, packed, with what it may be coloured by."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from starlette.responses import Response

from tonearm.genres import MIX
from tonearm.library.filters import prepare
from tonearm.library.overview import known_genres
from tonearm.library.places import PRESENT
from tonearm.library.rows import KIND
from tonearm.library.sound_map import make_map
from tonearm.library.store import Library
from tonearm.serve import schema
from tonearm.serve.problems import Json
from tonearm.serve.service import service_of

router = APIRouter(prefix=schema.PREFIX, tags=["map"])
_FULL = 65_535  # 16 bits a coordinate: finer than any screen, at half of float32


@router.get("/map", summary="Every track as a point, by its sound", response_model=schema.MapAnswer)
def track_map(request: Request) -> Response:
    """Arrays in base64, little-endian, one value for each track.

    ``places`` are uint16 [n, 2]. ``genre``, ``tag`` and ``said`` are uint8: an index into
    ``genres``, where 0 is none.
    """
    service = service_of(request)
    with service.library() as library:
        prepare(library)
        # Placing 100,000 sounds takes two seconds: once for as long as the library stays.
        state = tuple(_state_of(service.library_path))
        kept = service.placed
        if kept is None or kept[0] != state:
            kept = service.placed = (state, make_map(library))
        made = kept[1]
        rows = library.rows(
            f"SELECT t.id, t.sound, {KIND}, t.genres, r.genre FROM tracks t"  # noqa: S608
            " JOIN sounds s ON s.id = t.sound LEFT JOIN reviews r ON r.key = s.key"
            f" WHERE {PRESENT} ORDER BY t.id"
        )
        labels = _labels(library)
    index = {genre: number for number, genre in enumerate(labels, start=1)}
    # By sound a track may also be a mix; tags and reviews name genres of the model.
    sounds = {**index, MIX: index.get(MIX, len(index) + 1)}
    # The map is by sound, rows are by file: a sound of three files is three points at one place.
    where = np.searchsorted(made.sounds, np.array([row[1] for row in rows], np.int64))
    where = np.minimum(where, max(0, len(made.sounds) - 1))
    # Sounds of another encoder have no place on this map.
    placed = [i for i, row in enumerate(rows) if made.sounds[where[i]] == row[1]]

    @cache
    def tagged(text: str) -> int:
        named = set[str]().union(*(known_genres(tag, labels) for tag in json.loads(text)))
        # The first in the model's order, where a tag names several.
        return min((index[genre] for genre in named), default=0)

    def packed(values: NDArray[np.generic]) -> str:
        return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()

    chosen = [rows[i] for i in placed]
    places = np.round(made.places[where[placed]].clip(0, 1) * _FULL).astype("<u2")  # (n, 2)
    values = {
        "total": len(chosen),
        "genres": list(sounds),
        "ids": packed(np.array([row[0] for row in chosen], "<u4")),
        "places": packed(places),
        "genre": packed(np.array([sounds.get(row[2], 0) for row in chosen], np.uint8)),
        "tag": packed(np.array([tagged(row[3]) for row in chosen], np.uint8)),
        "said": packed(np.array([index.get(row[4], 0) for row in chosen], np.uint8)),
    }
    return Json({"schema": schema.SCHEMA, **values})


def _state_of(library: Path) -> Iterator[str]:
    """What changes whenever something is written: size and time of the file and of its log."""
    for path in (library, library.with_name(f"{library.name}-wal")):
        with suppress(OSError):
            status = path.stat()
            yield f"{status.st_size} {status.st_mtime_ns}"


def _labels(library: Library) -> tuple[str, ...]:
    model = library.model()
    return model.labels if model else ()
