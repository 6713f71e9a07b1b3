"""Stores of objects (S3, GCS, HTTP, SFTP, folders): the only module that imports fsspec.

A store is addressed by URI; a URI without a scheme is a path of this machine. A store's passing
faults are tried again here, so that nobody above needs to. ``objects.py`` reads single objects as
files.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar, cast

from tonearm.errors import TonearmError
from tonearm.files import write_atomically

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Value = TypeVar("Value")

# A store that answers "slow down" is asked again after 0.5, 1, 2 and 4 s, give or take a half.
_TRIES = 5
_FIRST_WAIT_S = 0.5
# Stores whose objects appear whole: others get a file under another name, which is renamed.
_WHOLE = frozenset({"S3FileSystem", "GCSFileSystem", "AzureBlobFileSystem", "MemoryFileSystem"})
# What a store says for good: to ask again would only say it again.
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
