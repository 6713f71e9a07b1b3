"""Vorbis comments in bytes, as FLAC and all of Ogg keep them; their lengths are little-endian.

Follows xiph.org's documents on comments.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from tonearm.containers.edits import RESAVE, NamedCodec, damaged, decoded

VENDOR = b"Tonearm"
# FLAC's number for a block of comments, which FLAC in Ogg has too.
COMMENT_BLOCK = 4


class CommentCodec(NamedCodec):
    """``NAME=value`` in UTF-8; a name may come several times, its case does not matter."""

    genre_name = "GENRE"

    def name_of(self, item: bytes) -> str:
        """Before the first equals sign."""
        return item.split(b"=", 1)[0].lower().decode("latin-1")

    def item(self, name: str, text: str) -> bytes:
        """A comment."""
        return f"{name}={text}".encode()

    def texts(self, item: bytes) -> list[str]:
        """The value."""
        return [decoded(item.split(b"=", 1)[1])] if b"=" in item else []


@dataclass(frozen=True)
class Comments:
    """The comments of a stream, and what stands around them."""

    vendor: bytes
    items: tuple[bytes, ...]
    rest: bytes  # Vorbis' framing bit, Opus' binary part, padding

    @classmethod
    def parse(cls, data: bytes, path: str | os.PathLike[str]) -> Comments:
        """From the bytes of a block or packet, behind what it begins with.

        Parameters
        ----------
        data : bytes
            The bytes.
        path : path
            The file, for the error.

        Raises
        ------
        TagError
            When lengths do not add up.
        """
        parts: list[bytes] = []
        count, position = 1, 0
        # The vendor comes first, then the count, then so many comments.
        while len(parts) <= count:
            end = position + 4 + int.from_bytes(data[position : position + 4], "little")
            if end > len(data) or len(data) < position + 4:
                raise damaged(path, "the sizes of its Vorbis comments do not add up", RESAVE)
            parts.append(data[position + 4 : end])
            position = end
            if len(parts) == 1:
                count = int.from_bytes(data[position : position + 4], "little")
                position += 4
        return cls(parts[0], tuple(parts[1:]), data[position:])

    def build(self, items: Sequence[bytes]) -> bytes:
        """The bytes with other comments.

        Parameters
        ----------
        items : sequence of bytes
            The comments.
        """
        parts = [_sized(self.vendor), struct.pack("<I", len(items)), *map(_sized, items)]
        return b"".join(parts) + self.rest


def _sized(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data
