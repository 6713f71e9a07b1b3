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
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tonearm.errors import TonearmError
from tonearm.files import write_atomically

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Value = TypeVar("Value")

# A store that answers "slow down" is asked again after 0.5, 1, 2 and 4 s, give or take a half.
_TRIES = 5
_FIRST_WAIT_S = 0.5
# Stores whose objects appear whole: others get a file under another name, which is renamed.
_WHOLE = frozenset({"s3", "gs", "abfs", "memory"})
# Stores whose URI begins with a host and goes on with a path, in which ? and # are letters.
_HOSTS = ("sftp", "ssh")
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
    scheme, _, rest = uri.partition("://")
    host, slash, path = rest.partition("/") if scheme in _HOSTS else ("", "", "")
    whole = f"{scheme}://{host}/" if host else uri
    try:
        store, name = fsspec.core.url_to_fs(whole, **once)
        if host and not store.client.get_transport().is_active():
            # fsspec would hand out a connection that was cut for ever.
            type(store).clear_instance_cache()
            store, name = fsspec.core.url_to_fs(whole)
    except ValueError as error:
        raise TonearmError(f"{uri} names an unknown kind of storage ({error})") from None
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or error.name or scheme
        raise TonearmError(f"{uri} needs {package}: pip install {package}") from None
    if once:
        store.retries = 1
    return store, slash + path if host else name


def ask(uri: str, question: Callable[[AbstractFileSystem, str], Value]) -> Value:
    """Ask the store of a URI, as patiently as :func:`patiently`, over a new connection if need be.

    Parameters
    ----------
    uri : str
        Of an object or a prefix.
    question : callable
        Gets the store and the name that the object has in it.
    """
    return patiently(lambda: question(*file_system(uri)))


def patiently(question: Callable[[], Value]) -> Value:
    """Ask a store, and ask again where the fault may pass: throttling, a lost connection.

    Parameters
    ----------
    question : callable
        Asks the store; called again where it says to wait.

    Raises
    ------
    OSError
        What the store said last; FileNotFoundError and PermissionError at once.
    """
    for trial in range(_TRIES):
        try:
            return question()
        except TonearmError:  # a store that is not known will not be in a second
            raise
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
    info = ask(uri, lambda store, name: store.info(name))
    if info["type"] != "directory":
        yield uri, info.get("size")
        return
    # Folder by folder: a bucket as one list may not fit into memory.
    name = file_system(uri)[1]
    pending = [name]
    while pending:
        folder = pending.pop()
        below = []
        for entry in sorted(_entries(uri, folder), key=lambda entry: str(entry["name"])):
            own = PurePosixPath(entry["name"]).name
            if own.startswith(".") or entry["name"].rstrip("/") == folder.rstrip("/"):
                continue
            if entry["type"] == "directory":
                below.append(entry["name"])
            elif PurePosixPath(own).suffix.lower() in suffixes:
                # The size of a link is not that of the file.
                size = None if entry["type"] == "link" else entry.get("size")
                yield _address(uri, name, entry["name"]), size
        pending.extend(reversed(below))


def _entries(uri: str, folder: str) -> list[dict[str, Any]]:
    """What lies in a folder of the store of a URI, as it is now."""

    def list_it(store: AbstractFileSystem, _: str) -> list[dict[str, Any]]:
        # Not every store knows ls(refresh=True); and what is kept of a large bucket takes memory.
        store.invalidate_cache()
        return list(store.ls(folder, detail=True))

    return ask(uri, list_it)


def _address(uri: str, name: str, other: str) -> str:
    """URI of another object in the store of a URI; a plain path on this machine.

    Both names are the store's own. Of some, such as sftp, they lack the host.
    """
    store, _ = file_system(uri)
    if _is_local(store):
        return other
    trimmed = uri.rstrip("/"), name.rstrip("/")
    if trimmed[0].endswith(trimmed[1]):
        return trimmed[0].removesuffix(trimmed[1]) + other
    return str(store.unstrip_protocol(other))


def _schemes(store: AbstractFileSystem) -> tuple[str, ...]:
    """What its URIs begin with; its class may be one of several."""
    return (store.protocol,) if isinstance(store.protocol, str) else tuple(store.protocol)


def _is_local(store: AbstractFileSystem) -> bool:
    return "file" in _schemes(store)


def names(uri: str) -> list[str]:
    """Names of all objects below a folder, relative to it; none where it does not exist.

    Parameters
    ----------
    uri : str
        A prefix or a folder.
    """

    def list_all(store: AbstractFileSystem, folder: str) -> list[str]:
        store.invalidate_cache()
        start = len(folder.rstrip("/")) + 1
        try:
            return [name[start:] for name in store.find(folder)]
        except FileNotFoundError:
            return []

    return ask(uri, list_all)


def read(uri: str) -> bytes:
    """All bytes of an object.

    Parameters
    ----------
    uri : str
        An object.
    """
    return ask(uri, lambda store, name: cast("bytes", store.cat_file(name)))


def write(uri: str, data: bytes) -> None:
    """Write an object whole or not at all, and replace what has its name.

    Parameters
    ----------
    uri : str
        An object; what is there is replaced.
    data : bytes
        All of it.
    """

    def put(store: AbstractFileSystem, name: str) -> None:
        if _is_local(store):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(name, data)
            return
        # Stores of objects show an object once all of it is there.
        if not _WHOLE.isdisjoint(_schemes(store)):
            store.pipe_file(name, data)
            return
        temporary = f"{name}.{secrets.token_hex(4)}.part"
        store.makedirs(name.rpartition("/")[0], exist_ok=True)
        store.pipe_file(temporary, data)
        store.mv(temporary, name)

    ask(uri, put)


def remove(uri: str) -> None:
    """Remove an object.

    Parameters
    ----------
    uri : str
        An object.
    """
    ask(uri, lambda store, name: store.rm_file(name))


def remove_empty(uri: str) -> None:
    """Remove a folder of this machine if nothing is in it; stores of objects have no folders.

    Parameters
    ----------
    uri : str
        A folder or a prefix.
    """
    store, name = file_system(uri)
    if _is_local(store):
        with suppress(OSError):
            Path(name).rmdir()


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
