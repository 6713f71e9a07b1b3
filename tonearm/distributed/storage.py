"""Objects of a store (S3, GCS, HTTP, SFTP, folders): the only module that imports fsspec.

A store is addressed by URI; a URI without a scheme is a path of this machine. Objects are read by
range, in blocks that all readers of the object share: a decoder opens a file several times, and
the sound key, the tags and the windows lie in few places of it. A store's passing faults are
tried again here, so that nobody above needs to.
"""

from __future__ import annotations

import io
import os
import random
import secrets
import stat
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tonearm.errors import DecodeError, TonearmError
from tonearm.files import write_atomically

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Value = TypeVar("Value")

# Windows of 3 s are 48 KB of MP3, probes of the sound key 4 KB: larger blocks carry more of what
# nobody reads (64 KB: twice the bytes of a song), smaller ones ask more often.
_BLOCK_BYTES = 1 << 14
# Who reads on from block to block is given more at once, up to 1 MB: ranges cost a round trip each.
_MOST_BLOCKS = 64
# Of one object in memory; a recording of two hours is longer.
_KEPT_BYTES = 64 << 20
# A store that answers "slow down" is asked again after 0.5, 1, 2 and 4 s, give or take a half.
_TRIES = 5
_FIRST_WAIT_S = 0.5
# What a store says for good: to ask again would only say it again.
# Stores whose objects appear whole: others get a file under another name, which is renamed.
_WHOLE = frozenset({"S3FileSystem", "GCSFileSystem", "AzureBlobFileSystem", "MemoryFileSystem"})
_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def is_uri(path: str) -> bool:
    """Whether a path has a scheme: ``s3://bucket/key``, not ``C:/song.mp3``.

    Parameters
    ----------
    path : str
        A path or a URI.
    """
    return "://" in path


def file_system(uri: str) -> tuple[AbstractFileSystem, str]:
    """The store of a URI, and the name that the object has in it.

    Parameters
    ----------
    uri : str
        Of an object or a prefix; a path is of this machine's disks.

    Raises
    ------
    TonearmError
        When the scheme is unknown, or its package is not installed.
    """
    import fsspec

    # Patience is in one place, `patiently`: times five in s3fs and five in botocore, a store that
    # is away would cost minutes an object.
    once = {"config_kwargs": {"retries": {"max_attempts": 0}}} if uri.startswith("s3") else {}
    try:
        found: tuple[AbstractFileSystem, str] = fsspec.core.url_to_fs(uri, **once)
    except ValueError as error:
        raise TonearmError(f"{uri} names a store that is not known ({error})") from None
    except ImportError as error:
        raise TonearmError(f"{uri} needs another package: {error}") from None
    if once:
        found[0].retries = 1
    return found


def patiently(ask: Callable[[], Value]) -> Value:
    """Ask a store, and ask again where the fault may pass: throttling, a lost connection.

    Parameters
    ----------
    ask : callable
        Asks the store; called again where it says to wait.

    Raises
    ------
    OSError
        What the store said last; FileNotFoundError and PermissionError at once.
    """
    for trial in range(_TRIES):
        try:
            return ask()
        except Exception as error:
            told = _as_os_error(error)
            if isinstance(told, _FINAL) or trial == _TRIES - 1:
                raise told from error
        # At random, or all workers that were refused together would come back together.
        time.sleep(_FIRST_WAIT_S * 2**trial * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("unreachable")


def _as_os_error(error: Exception) -> OSError:
    """What a store's own library raised, as an error that the rest of the program knows."""
    if isinstance(error, OSError):
        return error
    name, words = type(error).__name__, " ".join(str(error).split())
    # botocore, gcsfs and the like share no base class; what they mean is in the name.
    if "Credential" in name or "Token" in name or "Auth" in name:
        return PermissionError(f"no credentials for the store ({words or name})")
    return OSError(f"the store failed ({name}: {words})")


class ObjectPath:
    """An object of a store, opened and described as a :class:`pathlib.Path` would be.

    Parameters
    ----------
    uri : str
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
        self._store: tuple[AbstractFileSystem, str] | None = None
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
            store, name = self._opened()
            info = patiently(lambda: store.info(name))
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
        store, name = self._opened()
        begin, end = first * _BLOCK_BYTES, min((last + 1) * _BLOCK_BYTES, self.size)

        def ask() -> bytes:
            data = cast("bytes", store.cat_file(name, start=begin, end=end))
            if len(data) == self.size:  # a web server that knows no ranges sends all each time
                data = data[begin:end]
            if len(data) != end - begin:  # a connection that ended early says nothing of it
                raise OSError(f"{len(data):,} of {end - begin:,} bytes came")
            return data

        try:
            data = patiently(ask)
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

    def _opened(self) -> tuple[AbstractFileSystem, str]:
        if self._store is None:
            self._store = file_system(self._uri)
        return self._store

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
    return ObjectPath(uri, size=size)


def find(uri: str, *, suffixes: Collection[str]) -> Iterator[tuple[str, int | None]]:
    """Objects below a prefix, or files below a folder, with their sizes; an object is itself.

    Names that begin with a dot are skipped, as on a disk.

    Parameters
    ----------
    uri : str
        A prefix, a folder or an object.
    suffixes : collection of str
        Lower-case endings with their dot.

    Raises
    ------
    OSError
        When the store cannot be listed, or nothing is there.
    """
    store, name = file_system(uri)
    info = patiently(lambda: store.info(name))
    if info["type"] != "directory":
        yield uri, info.get("size")
        return
    # Folder by folder: a bucket as one list may not fit into memory.
    pending = [name]
    while pending:
        folder = pending.pop()
        entries = patiently(partial(store.ls, folder, detail=True, refresh=True))
        below = []
        for entry in sorted(entries, key=lambda entry: str(entry["name"])):
            own = PurePosixPath(entry["name"]).name
            if own.startswith(".") or entry["name"].rstrip("/") == folder.rstrip("/"):
                continue
            if entry["type"] == "directory":
                below.append(entry["name"])
            elif PurePosixPath(own).suffix.lower() in suffixes:
                yield address(store, entry["name"]), entry.get("size")
        pending.extend(reversed(below))


def address(store: AbstractFileSystem, name: str) -> str:
    """URI of an object in a store; a plain path on this machine.

    Parameters
    ----------
    store : AbstractFileSystem
        The store.
    name : str
        As the store names it.
    """
    return name if _is_local(store) else str(store.unstrip_protocol(name))


def _is_local(store: AbstractFileSystem) -> bool:
    return type(store).__name__ == "LocalFileSystem"


def names(uri: str) -> list[str]:
    """Names of all objects below a folder, relative to it; none where it does not exist.

    Parameters
    ----------
    uri : str
        A prefix or a folder.
    """
    store, folder = file_system(uri)

    def ask() -> list[str]:
        try:
            return list(store.find(folder, refresh=True))
        except FileNotFoundError:
            return []

    start = len(folder.rstrip("/")) + 1
    return [name[start:] for name in patiently(ask)]


def read(uri: str) -> bytes:
    """All bytes of an object.

    Parameters
    ----------
    uri : str
        An object.
    """
    store, name = file_system(uri)
    return patiently(lambda: cast("bytes", store.cat_file(name)))


def write(uri: str, data: bytes) -> None:
    """Write an object whole or not at all, and replace what has its name.

    Parameters
    ----------
    uri : str
        An object; what is there is replaced.
    data : bytes
        All of it.
    """
    store, name = file_system(uri)
    if _is_local(store):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(name, data)
        return

    def ask() -> None:
        # Stores of objects show an object once all of it is there.
        if type(store).__name__ in _WHOLE:
            store.pipe_file(name, data)
            return
        temporary = f"{name}.{secrets.token_hex(4)}.part"
        store.makedirs(name.rpartition("/")[0], exist_ok=True)
        store.pipe_file(temporary, data)
        store.mv(temporary, name)

    patiently(ask)


def joined(folder: str, name: str) -> str:
    """URI of an object in a folder.

    Parameters
    ----------
    folder : str
        A prefix or a folder.
    name : str
        What lies in it.
    """
    return f"{folder.rstrip('/')}/{name}"
