"""A file as FFmpeg opens it, whole or in part, and what is wrong with it before it is decoded."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.audio.reader import no_file, plain
from tonearm.containers.asf import is_encrypted
from tonearm.containers.mp4_atoms import sample_entries
from tonearm.containers.stated_bytes import lacks_index, too_few_bytes
from tonearm.errors import INCOMPLETE, DecodeError
from tonearm.files import as_path

if TYPE_CHECKING:
    import av

# MP4's encrypted sample entries.
_MP4_ENCRYPTED = frozenset({b"drms", b"drmi", b"enca", b"p608"})
# What is in these lies in other files: a song must not be able to have those read.
_LISTS_OF_FILES = frozenset({"concat", "hls", "dash", "imf", "webm_dash_manifest"})

# Samples alone: FFmpeg goes by the name of the file, and guesses the rate.
_WITHOUT_HEADER = frozenset(
    "alaw mulaw vidc s8 s16be s16le s24be s24le s32be s32le u8 u16be u16le u24be u24le u32be u32le "
    "f32be f32le f64be f64le".split()
)
NO_HEADER = "holds samples, without a header that says their rate. Convert it to WAV first"


def open_container(
    path: str | os.PathLike[str], *, span: tuple[int, int] | None = None
) -> av.container.InputContainer:
    """A file, or some of its bytes, as FFmpeg opens it.

    Parameters
    ----------
    path : path
        The file.
    span : (int, int) or None
        Begin and end in bytes; None is the whole file.
    """
    import av

    if span is not None:
        # Replace: tags in another encoding must not keep the sound from being read.
        return av.open(_Span(path, *span), "r", metadata_errors="replace")
    # Absolute, because FFmpeg reads a name like "file:a.mp3" as an address.
    opened = as_path(path)
    address = os.path.abspath(path) if isinstance(opened, Path) else opened.open("rb")
    try:
        container = av.open(address, metadata_errors="replace")
    except TypeError:  # PyAV 19 has no such argument
        container = av.open(address)
    reason = None
    if not _LISTS_OF_FILES.isdisjoint(container.format.name.split(",")):
        reason = "FFmpeg: a list of other files, which Tonearm does not follow"
    elif container.format.name in _WITHOUT_HEADER:
        reason = NO_HEADER
    if reason:
        container.close()
        raise DecodeError(path, "not-audio", reason)
    return container


def open_or_explain(
    path: Path, *, span: tuple[int, int] | None = None
) -> av.container.InputContainer:
    """Open a file, or say why FFmpeg cannot.

    Parameters
    ----------
    path : Path
        The file.
    span : (int, int) or None
        Begin and end in bytes; None is the whole file.

    Raises
    ------
    DecodeError
        With FFmpeg's reason, or a plainer one.
    """
    import av

    try:
        return open_container(path, span=span)
    except (av.FFmpegError, OSError, ValueError) as error:
        # FFmpeg says the same of some damaged files, which may well be read.
        if isinstance(error, PermissionError) and not os.access(path, os.R_OK):
            raise no_file(path, error) from None
        reason = f"FFmpeg: {plain(error, path)}"
        # A file that has gone since keeps the reason that FFmpeg gave.
        with contextlib.suppress(OSError), path.open("rb") as file:
            if lacks_index(file):
                reason = f"lacks its end, where an MP4 keeps the index of its sound. {INCOMPLETE}"
        raise DecodeError(path, "not-audio", reason) from None


def refuse_protected(path: Path, container: av.container.InputContainer) -> None:
    """DecodeError where the sound is encrypted, of which FFmpeg would make noise.

    Parameters
    ----------
    path : Path
        The file.
    container : InputContainer
        The same, open.
    """
    if _is_protected(path, container):
        reason = "is copy-protected (DRM); only an authorised player can decode it"
        raise DecodeError(path, "protected", reason)


def _is_protected(path: Path, container: av.container.InputContainer) -> bool:
    name = container.format.name
    # FFmpeg states the codec below the encryption, so the entries themselves are looked at.
    if "mp4" in name:
        with path.open("rb") as file:
            return not _MP4_ENCRYPTED.isdisjoint(sample_entries(file))
    if "asf" not in name:
        return False
    with path.open("rb") as file:
        return is_encrypted(file)


def missing_bytes(path: Path) -> str | None:
    """Words where there is less sound than stated, of which FFmpeg says nothing.

    Parameters
    ----------
    path : Path
        The file.
    """
    try:
        with path.open("rb") as file:
            return too_few_bytes(file)
    except OSError as error:
        raise no_file(path, error) from None


class _Span(io.RawIOBase):
    """The bytes of a file from ``start`` to ``end`` as a file."""

    def __init__(self, path: str | os.PathLike[str], start: int, end: int) -> None:
        self._file = as_path(path).open("rb")  # FFmpeg closes it
        self._start, self._length = start, end - start
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._length - self._at)
        self._file.seek(self._start + self._at)
        data = self._file.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._length)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()
