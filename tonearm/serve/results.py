"""The predictions of a job, one per line, on the disk: ten thousand timelines take much memory."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path


class Results:
    """Lines that one thread adds and others read.

    Parameters
    ----------
    path : Path
        A new file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._ends = [0]  # where each line ends, so that a page is one read
        path.touch(exist_ok=False)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, line: bytes) -> None:
        """Keep one more line, which must not hold a line break.

        Parameters
        ----------
        line : bytes
            JSON, without a line break.
        """
        with self._lock, self.path.open("ab") as file:
            file.write(line + b"\n")
            self._ends.append(file.tell())

    def page(self, offset: int, limit: int) -> list[bytes]:
        """Lines ``offset`` to ``offset + limit``, as far as they are there.

        Parameters
        ----------
        offset, limit : int
            Lines to skip, and how many at most.
        """
        with self._lock:
            ends = self._ends[offset : offset + limit + 1]
        if len(ends) < 2:
            return []
        try:
            with self.path.open("rb") as file:
                file.seek(ends[0])
                return file.read(ends[-1] - ends[0]).splitlines()
        except FileNotFoundError:  # the job was forgotten in the meantime
            return []

    def remove(self) -> None:
        """Delete the file."""
        with suppress(OSError):
            self.path.unlink()
