"""Find files, write them whole or not at all, and notice when they change.

Imports nothing of Tonearm.
"""

from __future__ import annotations

import errno
import io
import mmap
import os
import re
import secrets
import tempfile
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any, BinaryIO, Literal, NamedTuple, cast

# Of a temporary file's name; the rest is for what makes it unique.
_NAME_BYTES = 200
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
# What a write raises without a name where there is no room; EDQUOT is not everywhere.
_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
# Larger files are looked at through a window: a worker may take 4 GiB of addresses.
_MOST_MAPPED = 1 << 30
_WINDOW_BYTES = 1 << 22


def as_path(path: str | os.PathLike[str]) -> Path:
    """The path itself if it knows how to open what it names, else a :class:`pathlib.Path`.

    An object of a store on the network is read through a path of its own kind
    (:mod:`tonearm.distributed.objects`): it has ``open``, ``stat``, ``name`` and ``suffix`` as a
    pathlib.Path has, and nothing else is asked of what is only read.

    Parameters
    ----------
    path : path
        A file or folder.
    """
    return cast("Path", path) if hasattr(path, "open") else Path(path)


class Window:
    """The bytes of a large file, of which a few megabytes are in memory.

    Parameters
    ----------
    file : binary file
        Open; whoever opened it closes it.
    length : int
        Of the file.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._length = file, length
        self._start, self._kept = 0, b""

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, place: slice) -> bytes:
        start, stop, _ = place.indices(self._length)
        if not self._start <= start <= stop <= self._start + len(self._kept):
            self._file.seek(start)
            self._start, self._kept = start, self._file.read(max(stop - start, _WINDOW_BYTES))
        return self._kept[start - self._start : stop - self._start]

    def find(self, wanted: bytes, start: int, end: int) -> int:
        """Where ``wanted`` begins between ``start`` and ``end``; -1 if nowhere."""
        while start < end:
            # A little more, for what lies across the border of two pieces.
            piece = self[start : min(start + _WINDOW_BYTES + len(wanted) - 1, end)]
            if (at := piece.find(wanted)) >= 0:
                return start + at
            start += _WINDOW_BYTES
        return -1


Bytes = mmap.mmap | bytes | Window


@contextmanager
def mapped(file: BinaryIO) -> Iterator[Bytes]:
    """All bytes of an open file: mapped where the system has it, else read from the store.

    Parameters
    ----------
    file : binary file
        Not an empty one, which cannot be mapped.
    """
    length = file.seek(0, os.SEEK_END)
    if length > _MOST_MAPPED:
        yield Window(file, length)
        return
    try:
        number = file.fileno()
    except io.UnsupportedOperation:
        file.seek(0)
        yield file.read()
        return
    with mmap.mmap(number, 0, access=mmap.ACCESS_READ) as data:
        yield data


def find(
    paths: Iterable[str | os.PathLike[str]],
    *,
    suffixes: Collection[str],
    on_error: Callable[[Path, OSError], None],
    exclude: Sequence[str] = (),
    on_mount: Callable[[Path], object] = lambda _: None,
) -> Iterator[Path]:
    """Files of the given suffixes below folders, and every file named outright.

    Folders are walked recursively in the order of their names, and then through symbolic links; one
    reached before, or above the folder that was named (a link that loops), is not entered. A path
    that does not exist is yielded as it is; opening it reports the error. Names that begin with a
    dot are skipped: among them are the ``._song.mp3`` that macOS leaves on foreign disks. So are
    folders that hold a file ``.nomedia``, unless they are named outright.

    Parameters
    ----------
    paths : iterable of path
        Files and folders.
    suffixes : collection of str
        Lower-case suffixes with their dot.
    on_error : callable
        Called with each folder that cannot be read.
    exclude : sequence of str
        Patterns (``*.wav``, ``Podcasts``) of names below the folders, or of whole paths.
    on_mount : callable
        Called with each folder that lies on another disk than the one above it.
    """
    walker = _Walker(suffixes, on_error, exclude, on_mount)
    for path in map(Path, paths):
        if path.is_dir():
            yield from walker.walk(path)
        else:
            yield path
    # Last, so that a folder is met by its own path rather than by that of a link to it.
    while walker.links:
        yield from walker.walk_link(walker.links.popleft())


class _Link(NamedTuple):
    """A link to a folder: where it is, on which device, and the folders above the named one."""

    path: Path
    device: int
    above: frozenset[tuple[int, int]]


class _Walker:
    """Walks through folders, each of them once."""

    def __init__(
        self,
        suffixes: Collection[str],
        on_error: Callable[[Path, OSError], None],
        exclude: Sequence[str],
        on_mount: Callable[[Path], object],
    ) -> None:
        self._suffixes, self._exclude = suffixes, exclude
        self._on_error, self._on_mount = on_error, on_mount
        # Device and inode, because two paths may lead to one folder.
        self._entered: set[tuple[int, int]] = set()
        self.links: deque[_Link] = deque()

    def walk(self, named: Path) -> Iterator[Path]:
        """Audio files in a folder that was named outright."""
        above = list(_above(named))
        device = above[0][0] if above else None
        yield from self._walk(named, device, frozenset(above), named=named)

    def walk_link(self, link: _Link) -> Iterator[Path]:
        """Audio files in a folder that a link leads to."""
        yield from self._walk(link.path, link.device, link.above, named=None)

    def _walk(
        self,
        folder: Path,
        device: int | None,
        above: frozenset[tuple[int, int]],
        *,
        named: Path | None,
    ) -> Iterator[Path]:
        # A stack of its own: recursion would end at Python's limit in a deep tree.
        pending = [(folder, device)]
        while pending:
            folder, device = pending.pop()
            try:
                status = folder.stat()
                identity = (status.st_dev, status.st_ino)
                # A link upwards would take in what lies next to the folder that was named.
                if identity in self._entered or identity in above:
                    continue
                self._entered.add(identity)
                if status.st_dev != device:
                    self._on_mount(folder)
                with os.scandir(folder) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                self._on_error(folder, error)
                continue
            if folder != named and any(entry.name == ".nomedia" for entry in found):
                continue
            folders = []
            for entry in found:
                path = folder / entry.name
                if entry.name.startswith(".") or is_excluded(path, self._exclude):
                    continue
                if not _is_folder(entry):
                    if os.path.splitext(entry.name)[1].lower() in self._suffixes:
                        yield path
                elif entry.is_symlink():
                    self.links.append(_Link(path, status.st_dev, above))
                else:
                    folders.append(path)
            # The stack gives back the last one first.
            pending.extend((below, status.st_dev) for below in reversed(folders))


def _above(folder: Path) -> Iterator[tuple[int, int]]:
    """Device and inode of the folders above one, the nearest first."""
    real, named = (Path(of(folder)).parents for of in (os.path.realpath, os.path.abspath))
    for parent in dict.fromkeys([*real, *named]):
        # A folder may be looked into without rights on all of those above it.
        with suppress(OSError):
            status = parent.stat()
            yield status.st_dev, status.st_ino


def is_excluded(path: Path, patterns: Sequence[str]) -> bool:
    """Whether a name, or the whole path, is like one of the patterns.

    Parameters
    ----------
    path : Path
        A file or folder.
    patterns : sequence of str
        As in a shell: ``*`` and ``?``.
    """
    return any(fnmatch(path.name, pattern) or fnmatch(path, pattern) for pattern in patterns)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that points to itself: opening it reports the error
        return False


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether somebody named a web address in place of a file.

    Parameters
    ----------
    path : path
        As it was named.

    Examples
    --------
    >>> is_url("https://example.org/a.mp3"), is_url(Path("https://a.b")), is_url("C:/a.mp3")
    (True, True, False)
    """
    # pathlib leaves one of two slashes; one letter is a drive.
    return bool(_URL.match(os.fspath(path)))


def why_unreadable(path: str | os.PathLike[str], error: OSError) -> str:
    """What is wrong with a file or folder that cannot be read, in the same words everywhere.

    Parameters
    ----------
    path : path
        A file or folder.
    error : OSError
        What the system said of it.
    """
    if isinstance(error, FileNotFoundError):
        # An object of a store is a path of its own kind, which can be read.
        if isinstance(path, str | Path) and is_url(path):
            return "is a URL: download it, and name the file"
        broken_link = os.path.islink(path)
        return "is a link to a file that does not exist" if broken_link else "does not exist"
    if isinstance(error, PermissionError):
        # A store says more than the system does, for example that there are no credentials.
        said = "" if error.errno else str(error)
        return f"cannot be read: {said or 'permission denied'}"
    if error.errno == errno.ELOOP:
        return "is a link to itself"
    return f"cannot be read: {error.strerror or error}"


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` in the place of ``path``, as :func:`replacing` does."""
    with replacing(path, "b") as file:
        file.write(data)


@contextmanager
def replacing(
    path: str | os.PathLike[str],
    kind: Literal["b", "t"],
    *,
    newline: str | None = None,
    place: Callable[[], Path | None] | None = None,
) -> Iterator[IO[Any]]:
    """An open file of bytes, or of text in UTF-8, that takes the place of ``path`` at the end.

    Whatever happens on the way, ``path`` holds the old content or the new one: that is written next
    to it, flushed to the disk and renamed over. A link is followed. A pipe or ``/dev/null`` cannot
    be replaced and is written to at once.

    Parameters
    ----------
    path : path
        A file or folder.
    kind : 'b' or 't'
        Bytes or text.
    newline : str or None
        As for :func:`open`.
    place : callable
        Asked at the end for the file whose place is taken, if that is not ``path``; with None all
        stays as it was.
    """
    encoding = None if kind == "b" else "utf-8"
    # Renaming over a link would replace the link, not the file it names.
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        with open(path, f"w{kind}", encoding=encoding, newline=newline) as file:
            yield file
        return
    # In the same folder: a rename is atomic only within one file system.
    temporary = path.with_name(_temporary_name(path.name))
    try:
        with open(temporary, f"x{kind}", encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            # Without it a power failure after the rename can leave an empty file under the old
            # name.
            os.fsync(file.fileno())
        into = place() if place else path
        if into:
            os.replace(temporary, os.path.realpath(into))
        else:
            temporary.unlink()
    # Ctrl-C too must not leave the temporary file behind.
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        # The only name that its reader knows; a disk that is full names none.
        if isinstance(error, OSError) and (
            error.filename == str(temporary) or error.errno in _FULL
        ):
            error.filename = str(path)
        raise


def _temporary_name(name: str) -> str:
    """A hidden name for what becomes the file ``name``, within the 255 bytes of file systems."""
    while len(os.fsencode(name)) > _NAME_BYTES:
        # Whole characters, since a name cut between two bytes would not be valid UTF-8.
        name = name[:-1]
    return f".{name}.{os.getpid()}-{secrets.token_hex(4)}.part"


def is_utf8(path: str | os.PathLike[str]) -> bool:
    """Whether a text can hold a name; bytes that are not UTF-8 are surrogates in Python.

    Parameters
    ----------
    path : path
        A file or folder.
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def is_read_only(path: str | os.PathLike[str]) -> bool:
    """Whether a file must not be changed: to replace it, rights on its folder alone would do.

    Parameters
    ----------
    path : path
        An existing file.
    """
    # The mode is asked as well, because root may write to everything.
    return not (os.stat(path).st_mode & 0o222 and os.access(path, os.W_OK))


def refusal(folder: str | os.PathLike[str]) -> str | None:
    """Why nothing can be written into a folder, which need not be there yet; None if it can.

    Parameters
    ----------
    folder : path
        The folder.
    """
    place = Path(os.path.abspath(folder))
    while not place.exists():
        place = place.parent
    try:
        # Trying is the only sure answer: quotas, read-only mounts and ACLs are in no mode.
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        return error.strerror or "cannot be written"


class FileStatus(NamedTuple):
    """What the system says of a file: a change of any of these five means that it has changed.

    The time of the last change of the inode is among them since taggers may set back ``mtime_ns``.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStatus:
        """From :func:`os.stat`.

        Numbers of 2**63 and more (a date after 2262, an inode of some network drives) become
        negative: databases keep 64 bits with a sign, and equal ones stay equal.

        Parameters
        ----------
        status : os.stat_result
            What the system says of a file.
        """
        numbers = (
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_dev,
            status.st_ino,
        )
        return cls(*((number + 2**63) % 2**64 - 2**63 for number in numbers))


def cores() -> int:
    """Processors this process may use, fewer than the machine has in a container or a batch job."""
    if hasattr(os, "sched_getaffinity"):
        # os.cpu_count counts those of the machine, also in a job that was given two.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
