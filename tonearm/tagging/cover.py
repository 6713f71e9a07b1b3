"""Covers: the picture in a file's own tags, or the image that lies in its folder.

A cover is a stranger's bytes that a browser will show: what it is called is decided by its first
bytes alone, and nothing but the four formats that every browser shows as a plain picture passes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tonearm.containers.kinds import sniff
from tonearm.containers.mutagen_tags import pictures
from tonearm.errors import TagError

MOST_BYTES = 20 * 2**20
_STEMS = ("cover", "folder", "front")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")
# SVG is not among them: it may hold scripts.
_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass(frozen=True)
class Cover:
    """A picture: its bytes, and the media type that they are."""

    data: bytes
    media_type: str


def cover_of(path: str | os.PathLike[str]) -> Cover | None:
    """The cover of an audio file: from its tags, else from its folder; None where there is none.

    Parameters
    ----------
    path : path
        The audio file.
    """
    return embedded_cover(path) or folder_cover(os.path.dirname(os.path.abspath(path)))


def embedded_cover(path: str | os.PathLike[str]) -> Cover | None:
    """The picture in a file's tags, the front cover before others.

    Parameters
    ----------
    path : path
        The audio file.
    """
    try:
        found = pictures(path, sniff(path))
    except (TagError, OSError):
        return None
    # Stable: of equal kinds the first in the file.
    for _, data in sorted(found, key=lambda picture: not picture[0]):
        if cover := _checked(data):
            return cover
    return None


def folder_cover(folder: str | os.PathLike[str]) -> Cover | None:
    """The image that players show for the files of a folder: cover, folder or front.

    Parameters
    ----------
    folder : path
        The files' own folder; those below are not looked at.
    """
    try:
        with os.scandir(folder) as entries:
            # By lower case: Cover.JPG is common.
            names = {entry.name.lower(): entry for entry in entries if entry.is_file()}
        for stem in _STEMS:
            for suffix in _SUFFIXES:
                entry = names.get(stem + suffix)
                if entry is None or entry.stat().st_size > MOST_BYTES:
                    continue
                if cover := _checked(Path(entry.path).read_bytes()):
                    return cover
    except OSError:
        return None
    return None


def _checked(data: bytes) -> Cover | None:
    if len(data) > MOST_BYTES:
        return None
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Cover(data, "image/webp")
    media_type = next((kind for begins, kind in _BEGINNINGS if data.startswith(begins)), None)
    return Cover(data, media_type) if media_type else None
