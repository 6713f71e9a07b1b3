"""An object of a store as a file: read by range, in blocks that all readers of the object share.

A decoder opens a file several times, and the sound key, the tags and the windows lie in few places
of it. Whatever opens a :class:`pathlib.Path` in ``audio/`` and ``containers/`` opens this too.
"""

from __future__ import annotations

import io
import logging
import os
import stat
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tonearm.distributed.storage import ask, file_system, is_uri
from tonearm.errors import DecodeError, TonearmError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# Windows of 3 s are 48 KB of MP3, probes of the sound key 4 KB: larger blocks carry more of what
# nobody reads (64 KB: twice the bytes of a song), smaller ones ask more often.
_BLOCK_BYTES = 1 << 14
# Who reads on from block to block is given more at once, up to 1 MB: ranges cost a round trip each.
_MOST_BLOCKS = 64
# Of one object in memory; a recording of two hours is longer.
_KEPT_BYTES = 64 << 20


class ObjectPath:
    """An object of a store, opened and described as a :class:`pathlib.Path` would be.

    Parameters
    ----------
    uri : str
        With its scheme, as in ``s3://bucket/key``.
    size : int or None
        Bytes, where a listing has said so; None asks the store.

    Examples
    --------
    >>> with ObjectPath("s3://music/song.mp3").open("rb") as file:  # doctest: +SKIP
    ...     file.read(3)
    b'ID3'
    """

    def __init__(self, uri: str, *, size: int | None = None) -> None:
        self._uri, self._size = uri, size
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._last_block, self._ahead = -2, 1
        self.failure: OSError | None = None
        self.bytes_read = 0
        self.requests = 0

    def __fspath__(self) -> str:
        """The URI: what names the object in results and messages."""
        return self._uri

    def __str__(self) -> str:
        return self._uri

    @property
    def name(self) -> str:
        """The last part of its name."""
        return PurePosixPath(self._uri).name

    @property
    def suffix(self) -> str:
        """The ending of its name, with the dot."""
        return PurePosixPath(self._uri).suffix

    def stat(self) -> os.stat_result:
        """Its size, as of a regular file.

        Raises
        ------
        OSError
            When it is missing, may not be read, or the store fails.
        """
        described = SimpleNamespace(st_mode=stat.S_IFREG | 0o444, st_size=self.size)
        return cast("os.stat_result", described)

    @property
    def size(self) -> int:
        """Bytes."""
        if self._size is None:
            info = ask(self._uri, lambda store, name: store.info(name))
            if info.get("type") == "directory":
                raise FileNotFoundError(self._uri)
            self._size = int(info["size"] or 0)
        return self._size

    def open(self, _mode: str = "rb", buffering: int = -1) -> io.RawIOBase:
        """A file that reads it, from its beginning.

        Parameters
        ----------
        buffering : int
            Has no meaning here: blocks are kept in any case.
        """
        del buffering
        return _ObjectFile(self)

    def read(self, start: int, stop: int) -> bytes:
        """Bytes ``start`` to ``stop``; fewer at the end.

        Parameters
        ----------
        start, stop : int
            Bytes; ``stop`` may lie beyond the end.
        """
        stop = min(stop, self.size)
        if start >= stop:
            return b""
        first, last = start // _BLOCK_BYTES, (stop - 1) // _BLOCK_BYTES
        self._fetch(first, last)
        held = b"".join(self._blocks[i] for i in range(first, last + 1))
        self._trim()
        return held[start - first * _BLOCK_BYTES : stop - first * _BLOCK_BYTES]

    def _fetch(self, first: int, last: int) -> None:
        """Have blocks ``first`` to ``last`` in memory, by as few ranges as there are gaps."""
        missing = [i for i in range(first, last + 1) if i not in self._blocks]
        while missing:
            begin = end = missing.pop(0)
            while missing and missing[0] == end + 1:
                end = missing.pop(0)
            if begin == self._last_block + 1:  # read on: twice as much as the last time
                self._ahead = min(2 * self._ahead, _MOST_BLOCKS)
                ahead = range(end + 1, begin + self._ahead)
                end = next((i - 1 for i in ahead if i in self._blocks), max(end, ahead.stop - 1))
            else:
                self._ahead = 1
            self._get(begin, end)
            self._last_block = end

    def _get(self, first: int, last: int) -> None:
        begin, end = first * _BLOCK_BYTES, min((last + 1) * _BLOCK_BYTES, self.size)

        def part(store: AbstractFileSystem, name: str) -> bytes:
            data = cast("bytes", store.cat_file(name, start=begin, end=end))
            if len(data) == self.size:  # a web server that knows no ranges sends all each time
                data = data[begin:end]
            if len(data) != end - begin:  # a connection that ended early says nothing of it
                raise OSError(f"only {len(data):,} of {end - begin:,} bytes arrived")
            return data

        try:
            data = ask(self._uri, part)
        except OSError as error:
            self.failure = error
            raise
        self.requests += 1
        self.bytes_read += len(data)
        for i in range(first, last + 1):
            at = (i - first) * _BLOCK_BYTES
            self._blocks[i] = data[at : at + _BLOCK_BYTES]

    def _trim(self) -> None:
        """Forget what was read longest ago, of an object that is too large to keep."""
        while len(self._blocks) * _BLOCK_BYTES > _KEPT_BYTES:
            self._blocks.popitem(last=False)

    def check(self) -> None:
        """Raise what a read has raised: decoders written in C take a failed read for the end."""
        if self.failure is not None:
            raise self.failure

    @contextmanager
    def copied(self) -> Iterator[Path]:
        """A file of the same length and name ending that holds what was read so far, else zeros.

        For code that opens files by name and reads only places that were read before, such as
        the parts of a container that hold tags.
        """
        with tempfile.TemporaryDirectory(prefix="tonearm-") as folder:
            path = Path(folder, f"object{self.suffix}")
            with path.open("wb") as file:
                file.truncate(self.size)  # a hole takes no space on the disk
                for i, data in self._blocks.items():
                    file.seek(i * _BLOCK_BYTES)
                    file.write(data)
            yield path


class _ObjectFile(io.RawIOBase):
    """An object as an open file; any number of them share what was read."""

    def __init__(self, path: ObjectPath) -> None:
        self._path, self._at = path, 0
        self.name = str(path)  # FFmpeg guesses by the ending what the first bytes leave open

    def read(self, size: int | None = -1) -> bytes:
        stop = self._path.size if size is None or size < 0 else self._at + size
        data = self._path.read(self._at, stop)
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - whatever takes bytes
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = (0, self._at, self._path.size if whence == os.SEEK_END else 0)[whence]
        if origin + offset < 0:
            raise OSError("a seek to before the beginning")
        self._at = origin + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def object_path(task: tuple[str, int | None]) -> str | ObjectPath:
    """In a worker: the path of an object and its size, as the decoders open it.

    Parameters
    ----------
    task : (str, int or None)
        URI or path, and bytes where they are known.
    """
    uri, size = task
    if not is_uri(uri):
        return uri
    try:
        file_system(uri)
    except TonearmError as error:
        raise DecodeError(uri, "unreadable", str(error).removeprefix(f"{uri} ")) from None
    except Exception as error:  # a host that is away: the first read asks again, and says why
        logging.getLogger(__name__).debug("%s: %s", uri, error)
    return ObjectPath(uri, size=size)
