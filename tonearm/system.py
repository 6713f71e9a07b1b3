"""What the system says: of a file, of the machine. Imports nothing of Tonearm."""

from __future__ import annotations

import os
from typing import NamedTuple


class FileStatus(NamedTuple):
    """What a stat says of a file: by these five a change is noticed.

    The time of the last change of the inode is among them since taggers may set back ``mtime_ns``.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileStatus:
        """From :func:`os.stat`."""
        return cls(
            status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_dev, status.st_ino
        )


def cores() -> int:
    """Processors this process may use, fewer than the machine has in a container or a batch job."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
