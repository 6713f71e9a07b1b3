"""Who made a recording, by its file's tags: for grouping data sets, never for judging a genre."""

from __future__ import annotations

import os


def read_artist(path: str | os.PathLike[str]) -> str | None:
    """The first artist in the tags, or None: also for a file whose tags cannot be read."""
    import mutagen

    try:
        tags = mutagen.File(path, easy=True)
        value = tags.get("artist") if tags is not None else None
    except Exception:  # mutagen's parsers raise anything on odd files; a tag is a help, no need
        return None
    return str(value[0]) if value else None
