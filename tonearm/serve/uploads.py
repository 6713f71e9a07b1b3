"""Files that a client sends: streamed to the disk, limited, and removed whatever happens.

Each lies under a name of the server's own in a folder of this process; the client's name is kept
as words alone. The folder goes when the server ends, and one that was killed leaves its folder to
be removed by the next.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.serve.schema import BINARY

# What it warns of is the client's concern, and answered there.
logging.getLogger("python_multipart").addHandler(logging.NullHandler())

_FIELD = "file"
# What a form may hold besides its file.
_FORM_BYTES = 2**16
_FOLDER = re.compile(r"tonearm-serve-(\d+)-")


# How ``/openapi.json`` describes what :meth:`Uploads.receive` takes.
FILE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": ["file"], "properties": {"file": BINARY}}
            },
            "audio/*": {"schema": BINARY},
            "application/octet-stream": {"schema": BINARY},
        },
    },
}


@dataclass(frozen=True)
class Limits:
    """What a client may send."""

    bytes_each: int = 2 * 2**30  # three hours of CD sound, uncompressed
    at_once: int = 256  # with those whose sender has gone and who are not yet known to have
    idle_s: float = 30.0  # between two pieces: a stalled connection
    total_s: float = 1_800.0  # half an hour for 2 GB: 1.2 MB/s


@dataclass(frozen=True)
class Upload:
    """A file that arrived: where it lies, and what the client calls it.

    Parameters
    ----------
    path : Path
        In the server's own folder.
    name : str
        Without folders.
    """

    path: Path
    name: str

    def remove(self) -> None:
        """Delete it; it may be gone already."""
        with suppress(OSError):
            self.path.unlink()


class Uploads:
    """The folder of uploads and their limits.

    Parameters
    ----------
    limits : Limits
        Largest file, and how many at once.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.folder: Path | None = None
        self._now = 0

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Make the folder, and remove it with all that is in it."""
        _remove_abandoned()
        self.folder = Path(tempfile.mkdtemp(prefix=f"tonearm-serve-{os.getpid()}-"))
        try:
            yield
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def receive(self, request: Request, name: str | None = None) -> Upload:
        """The one file of a multipart form, or the body itself; nothing stays of one cut off.

        Parameters
        ----------
        request : Request
        name : str or None
            What the client calls a body that is the file itself.

        Raises
        ------
        HTTPException
            If it is neither, is too large or slow, or too many arrive at once.
        """
        if self._now >= self.limits.at_once:
            words = f"{self.limits.at_once} files are arriving already: try again in a moment"
            raise HTTPException(503, words, headers={"Retry-After": "2"})
        # Refused by its own word before a byte is read; `_stream` counts all others.
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self.limits.bytes_each + _FORM_BYTES:
            raise self._too_large()
        # No lock: requests are received on the one event loop.
        self._now += 1
        try:
            return await self._receive(request, name)
        finally:
            self._now -= 1

    async def _receive(self, request: Request, name: str | None) -> Upload:
        assert self.folder is not None
        # Never by the client's name, which may hold anything.
        path = self.folder / secrets.token_hex(12)
        try:
            with open(path, "xb") as file:
                body = _body_of(file, request.headers.get("content-type", ""), name)
                await asyncio.wait_for(self._stream(request, body), self.limits.total_s)
            upload = Upload(path.with_suffix(_suffix(body.name)), body.name)
            # Only now is the name known, which may come after the data of other parts.
            path.rename(upload.path)
            return upload
        # Also a cancelled request: nothing must stay on the disk.
        except BaseException as error:
            with suppress(OSError):
                path.unlink()
            if isinstance(error, TimeoutError):
                raise HTTPException(408, "the file arrived too slowly") from None
            if isinstance(error, ClientDisconnect):
                raise HTTPException(400, "the file did not arrive completely") from None
            if isinstance(error, OSError):
                words = f"the file cannot be kept here: {error.strerror}"
                raise HTTPException(507, words) from None
            if isinstance(error, FormParserError):
                raise HTTPException(400, f"the form is malformed: {error}") from None
            raise

    async def _stream(self, request: Request, body: _Form | _Plain) -> None:
        chunks, received = request.stream().__aiter__(), 0
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), self.limits.idle_s)
            except StopAsyncIteration:
                break
            received += len(chunk)
            if received > self.limits.bytes_each + _FORM_BYTES:
                raise self._too_large()
            if chunk:
                body.write(chunk)
        body.finish()

    def _too_large(self) -> HTTPException:
        most = self.limits.bytes_each / 2**20
        return HTTPException(413, f"larger than {most:,.0f} MB: use `tonearm predict` for it")


def _body_of(file: BinaryIO, content_type: str, name: str | None) -> _Form | _Plain:
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data" and b"boundary" in options:
        return _Form(file, options[b"boundary"])
    # Not every type: a page elsewhere may send text and forms without asking first, but not these.
    if kind == b"application/octet-stream" or kind.startswith((b"audio/", b"video/")):
        return _Plain(file, name)
    words = f"send a form (multipart/form-data) with a part {_FIELD!r}, or the file as audio/*"
    raise HTTPException(415, words)


def _own_name(name: str) -> str:
    """What a client calls a file: the last part of it alone."""
    # Either slash: some clients send whole paths of Windows.
    return re.split(r"[/\\]", name)[-1][-255:] or "upload"


def _suffix(name: str) -> str:
    """The name's ending, if it is one of audio."""
    suffix = os.path.splitext(name)[1].lower()
    # No other ending: the name is the client's, and only decoders look at the ending.
    return suffix if suffix in AUDIO_SUFFIXES else ""


class _Plain:
    """A body that is the file itself."""

    def __init__(self, file: BinaryIO, name: str | None) -> None:
        self.name = _own_name(name or "")
        self._file, self._written = file, 0

    def write(self, data: bytes) -> None:
        """Keep the next piece."""
        self._written += self._file.write(data)

    def finish(self) -> None:
        """Check that there was anything."""
        if not self._written:
            raise HTTPException(422, "the body is empty: send the file in it")


class _Form:
    """A multipart form read as it comes: the part named ``file`` goes to the disk."""

    def __init__(self, file: BinaryIO, boundary: bytes) -> None:
        self.name = ""
        self._file, self._found, self._inside, self._ended = file, False, False, False
        self._header, self._value = b"", b""
        self._disposition = b""
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_field,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_end": self._on_end,
            },
        )

    def write(self, data: bytes) -> None:
        """Read the next piece."""
        self.parser.write(data)

    def finish(self) -> None:
        """Check that the form came to its end, with the file in it."""
        self.parser.finalize()
        if not self._ended:
            raise HTTPException(400, "the form is cut short")
        if not self._found:
            raise HTTPException(422, f"a form without a file in a part named {_FIELD!r}")

    def _begin(self) -> None:
        # Parts of other names are read and dropped.
        self._disposition, self._inside = b"", False
        self._header, self._value = b"", b""

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        # A header may come in pieces.
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header, self._value = b"", b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if options.get(b"name") != _FIELD.encode():
            return
        if self._found:
            raise HTTPException(422, "one file at a time, please")
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        self.name = _own_name(name)
        self._found = self._inside = True

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._inside:
            self._file.write(data[start:end])

    def _on_end(self) -> None:
        self._ended = True


def _remove_abandoned() -> None:
    """Folders of servers that were killed."""
    # At the start of the next server, since one that was killed could not do it itself.
    for folder in Path(tempfile.gettempdir()).glob("tonearm-serve-*"):
        match = _FOLDER.match(folder.name)
        if match and not _is_alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        # Windows has no harmless signal 0, so folders are left there.
        return True
    try:
        # Signal 0 is not sent: it only asks whether there is such a process.
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # Another user's: it lives.
    except OSError:
        return True
    return True
