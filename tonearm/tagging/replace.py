"""Replace a file by an edited copy: made next to it, flushed to the disk, renamed over it.

A file that would lose something by that (a second name by hard link, an owner, rights) is refused.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tonearm.containers.edits import Edit, copy_edited
from tonearm.errors import TagError
from tonearm.files import FileStatus, is_read_only

# How the names of copies begin; nothing else is ever removed.
TEMPORARY_PREFIX = ".tonearm-"
_O_BINARY: int = getattr(os, "O_BINARY", 0)
REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the disk allows no file that large",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "its folder is not writable",
    errno.EPERM: "cannot be replaced (it or its folder is protected)",
    errno.ENOENT: (
        "is not there any more: connect its disk, or `tonearm scan` its new folder, and try again"
    ),
}


@contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn what the system refuses into a TagError with the reason in words.

    Parameters
    ----------
    target : Path
        The file that the error names.
    """
    try:
        yield
    except OSError as error:
        reason = REASONS.get(error.errno or 0) or error.strerror or str(error)
        raise TagError(f"{target}: {reason}") from None


def check(target: Path) -> None:
    """Raise TagError for a file that must not be replaced.

    Parameters
    ----------
    target : Path
        The file.
    """
    status = target.stat()
    if not stat.S_ISREG(status.st_mode):
        raise TagError(f"{target}: is not a file")
    # A rename gives one name a new file, and leaves the others with the old one.
    if status.st_nlink > 1:
        raise TagError(
            f"{target}: has {status.st_nlink} names (hard links); writing would separate them"
        )
    if is_read_only(target):
        # Whose it is, where only its owner could change that.
        other = hasattr(os, "geteuid") and os.geteuid() not in {0, status.st_uid}
        raise TagError(f"{target}: {_owner_words(target, status) if other else 'is read-only'}")


def write_copy(
    target: Path, temporary: Path, edits: Sequence[Edit], *, keep_mtime: bool = False
) -> None:
    """The edited copy, on the disk, with the rights, owner and attributes of the file.

    Parameters
    ----------
    target : Path
        The file.
    temporary : Path
        Its edited copy.
    edits : sequence of Edit
        The edits.
    keep_mtime : bool
        Keep the time of the last change.
    """
    # EXCL: never over a file that is there. 0600 until the rights of the original are known.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _O_BINARY, 0o600)
    with open(descriptor, "wb") as copy, target.open("rb") as source:
        copy_edited(source, copy, edits)
        copy.flush()
        _take_over(target, temporary, source.fileno(), keep_mtime=keep_mtime)
        # Before the rename, or a power cut could leave the name with no data behind it.
        os.fsync(copy.fileno())


def put_in_place(target: Path, temporary: Path, status: FileStatus) -> None:
    """Rename the copy over the file, if that is as it was when it was read.

    Parameters
    ----------
    target : Path
        The file.
    temporary : Path
        Its edited copy.
    status : FileStatus
        The file's size, times and place on the disk.
    """
    # Size, both times, device and inode: the smallest change by others is noticed.
    if FileStatus.of(target.stat()) != status:
        raise TagError(f"{target}: was changed meanwhile by another program; try again")
    os.replace(temporary, target)
    # The change is made now, whatever happens to its flushing.
    with contextlib.suppress(OSError, AttributeError):
        # The rename is an entry of the folder, which is flushed on its own.
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def remove(temporary: Path) -> None:
    """Remove a copy, if it is there.

    Parameters
    ----------
    temporary : Path
        The copy.
    """
    with contextlib.suppress(OSError):
        temporary.unlink()


def _take_over(target: Path, temporary: Path, source: int, *, keep_mtime: bool) -> None:
    """Owner, rights, extended attributes (access lists are among them) and, if asked, times."""
    status = os.fstat(source)
    made = temporary.stat()
    # Only where it differs: most users may not change an owner.
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        try:
            os.chown(temporary, status.st_uid, status.st_gid)
        except OSError:
            raise TagError(f"{target}: {_owner_words(target, status)}") from None
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):  # a file system without any
            for name in os.listxattr(target):
                with contextlib.suppress(OSError):  # the system's own, which it sets itself
                    os.setxattr(temporary, name, os.getxattr(target, name))
    if stat.S_IMODE(made.st_mode) != stat.S_IMODE(status.st_mode):
        os.chmod(temporary, stat.S_IMODE(status.st_mode))
    if keep_mtime:
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))


def foreign_owner(target: Path) -> str | None:
    """The owner that a copy by this user would not keep, in words; None where it keeps its owner.

    Parameters
    ----------
    target : Path
        The file.
    """
    # Root can give the copy to any owner.
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return None
    status, folder = target.stat(), target.parent.stat()
    groups = {os.getegid(), *os.getgroups()}
    # In a setgid folder, new files get the folder's group.
    if folder.st_mode & stat.S_ISGID:
        groups.add(folder.st_gid)
    if status.st_uid == os.geteuid() and status.st_gid in groups:
        return None
    return _owner_words(target, status)


def _owner_words(target: Path, status: os.stat_result) -> str:
    user = f"user {_name(target.owner, status.st_uid)}"
    if os.geteuid() == 0:  # on a network disk that trusts no root
        return f"belongs to {user}, which its disk lets not even root keep: run this as {user}"
    if status.st_uid != os.geteuid():
        return f"belongs to {user}: only that user or root can write it and keep its owner"
    group = _name(target.group, status.st_gid)
    return (
        f"belongs to group {group}, which you are not in: join it, or give the file a group of "
        "yours (chgrp)"
    )


def _name(of: Callable[[], str], number: int) -> str:
    try:
        return of()
    except KeyError:  # as in a container, which has other users
        return str(number)
