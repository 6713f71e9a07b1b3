"""Bytes of a file that a person names, or of a URL, which is believed only with its checksum."""

from __future__ import annotations

import hashlib
import urllib.request
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from tonearm.errors import ModelError

_PIECE = 1 << 20
_PATIENCE_S = 60.0


def is_url(name: str) -> bool:
    """Whether it names something on another machine.

    Parameters
    ----------
    name : str
        What ``tonearm models import`` was given.
    """
    return "://" in name


def read(name: str, *, largest: int, sha256: Collection[str] = ()) -> bytes:
    """The bytes of a file, or of an https URL whose checksum is among those given.

    Parameters
    ----------
    name : str
        Path or URL.
    largest : int
        Bytes at most.
    sha256 : collection of str
        Checksums in hexadecimal; every one that is given must fit some file, so a file on disk is
        checked too where there are any for it.

    Raises
    ------
    ModelError
        When it cannot be read, is too large, or is another file.
    """
    if is_url(name):
        # A checksum from the same page says nothing over a line that anybody may change.
        if urlsplit(name).scheme != "https":
            raise ModelError(f"{name} is not an https address: download the file yourself")
        if not sha256:
            raise ModelError(f"{name} is downloaded only with its checksum: give --sha256")
    try:
        data = _fetched(name, largest) if is_url(name) else _read(Path(name), largest)
    except OSError as error:  # urllib's are of this kind too
        raise ModelError(f"{name} cannot be read: {error.strerror or error}") from None
    if len(data) > largest:
        raise ModelError(f"{name} is larger than {largest >> 20} MB")
    digest = hashlib.sha256(data).hexdigest()
    if is_url(name) and digest not in {each.lower() for each in sha256}:
        raise ModelError(f"{name} is not the file that --sha256 names: its SHA-256 is {digest}")
    return data


def _read(path: Path, largest: int) -> bytes:
    with path.open("rb") as file:
        # One more than allowed shows that it is too large; the rest is never read.
        return file.read(largest + 1)


def _fetched(url: str, largest: int) -> bytes:
    data = bytearray()
    with urllib.request.urlopen(url, timeout=_PATIENCE_S) as answer:  # noqa: S310 - https alone
        # Whatever length the server states, no more than this comes into memory.
        while len(data) <= largest and (piece := answer.read(_PIECE)):
            data += piece
    return bytes(data)
