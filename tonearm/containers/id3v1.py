"""ID3 version 1 in bytes: the last 128 of a file, whose very last is the number of a genre."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import BinaryIO

from tonearm.containers.edges import V1_BYTES, syncsafe, tag_before
from tonearm.containers.edits import Codec, Content, Edit, RawTag, Role, read_at
from tonearm.containers.mutagen_tags import v1_number


class V1Codec(Codec):
    """The genre byte of ID3v1: a number of its list, 255 for what is not in it."""

    def role(self, item: bytes) -> Role | None:
        """There is nothing else."""
        return "genre"

    def make(self, genres: Sequence[str], guesses: Sequence[str]) -> tuple[bytes, ...]:
        """The first genre's number."""
        return (bytes([v1_number(genres[0]) if genres else 255]),)

    def texts(self, item: bytes) -> list[str]:
        """None: many programs left 0 there, which is Blues."""
        return []


def find_v1(file: BinaryIO) -> bytes:
    """The tag's 128 bytes; empty where there is none.

    Parameters
    ----------
    file : BinaryIO
        The open file.
    """
    size = os.fstat(file.fileno()).st_size
    tag = tag_before(file, size)
    if tag is None or tag.kind != "id3v1":
        return b""
    return read_at(file, tag.start, V1_BYTES)


def v1_tag(data: bytes) -> RawTag:
    """Its genre as the only item.

    Parameters
    ----------
    data : bytes
        The bytes.
    """
    return RawTag("id3v1", V1Codec(), (data[-1:],))


def v1_edit(size: int, content: Content) -> Edit:
    """The edit of the last byte of a file of ``size`` bytes.

    Parameters
    ----------
    size : int
        Length of the file in bytes.
    content : Content
        The new content.
    """
    assert content.items
    return Edit(size - 1, 1, content.items[0])


def as_frames(data: bytes) -> tuple[bytes, ...]:
    """Frames of version 2.4 with the fields of an ID3v1 tag, as mutagen would make them.

    Parameters
    ----------
    data : bytes
        The bytes.
    """
    fields = {b"TIT2": data[3:33], b"TPE1": data[33:63], b"TALB": data[63:93], b"TDRC": data[93:97]}
    comment = data[97:127]
    # ID3v1.1: a zero and a number at the end of the comment are the track.
    track = comment[29] if comment[28] == 0 else 0
    if track:
        fields[b"TRCK"] = str(track).encode()
        comment = comment[:28]
    frames = []
    for name, value in fields.items():
        text = _v1_text(value)
        if text:
            frames.append(_v1_frame(name, text))
    text = _v1_text(comment)
    if text:
        frames.append(_v1_frame(b"COMM", b"engID3v1 Comment\0" + text))
    return tuple(frames)


def _v1_text(value: bytes) -> bytes:
    # Fields are padded to 30 bytes, by NUL as the standard says or by spaces.
    return value.split(b"\0")[0].strip()


def _v1_frame(name: bytes, text: bytes) -> bytes:
    return name + syncsafe(len(text) + 1) + b"\0\0\0" + text  # two flags, then Latin-1 as 0
