"""Walking through folders: which files are new or changed, and which are missing.

A file of the same size and times as before costs its stat and no more. The lists of a walk may be
long, so they live in temporary tables of SQLite, which go to the disk when they must.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.errors import counted
from tonearm.files import find, is_excluded, why_unreadable
from tonearm.library.file_analysis import Looked
from tonearm.library.places import UNREADABLE_FOLDER, count_below, offline_folders, why_absent
from tonearm.library.rows import below
from tonearm.library.scan_result import Scan
from tonearm.library.store import FileStatus, Known, Library, as_stored

_BATCH = 1_000  # rows a query, so that a list of any length needs little memory
_REPORT_S = 0.2  # between two reports: a walk meets thousands of files a second


@dataclass(frozen=True)
class ListedFile:
    """A file on its way: its row in the list of the walk, and what the first look gave.

    Parameters
    ----------
    path : bytes
        As the library keeps it.
    status : FileStatus
        When it was listed.
    looked : Looked or None
        None before the first look.
    """

    path: bytes
    status: FileStatus
    looked: Looked | None = None


class Walk:
    """One walk of a scan.

    Parameters
    ----------
    library : Library
        Open for writing.
    encoder : str
        Checksum of the encoder: what another one analysed counts as new.
    result : Scan
        Counts what is found.
    on_progress : callable
        Called now and then; may raise to stop.
    """

    def __init__(
        self, library: Library, encoder: str, result: Scan, on_progress: Callable[[], None]
    ) -> None:
        self._library, self._encoder, self._result = library, encoder, result
        self._on_progress, self._report_at = on_progress, 0.0
        # What is not there, and folders that cannot be read: with the reason if it is a fault.
        self._unread: dict[Path, str | None] = {}
        self._offline: list[Path] = []
        # A library that stays open may be scanned twice, and its temporary tables stay too.
        library.write("DROP TABLE IF EXISTS temp.walked")
        library.write("DROP TABLE IF EXISTS temp.to_do")
        library.write("CREATE TEMP TABLE walked(path BLOB PRIMARY KEY) WITHOUT ROWID")
        library.write(
            "CREATE TEMP TABLE to_do(number INTEGER PRIMARY KEY, path BLOB, size, mtime_ns,"
            " ctime_ns, device, inode)"
        )

    def walk(
        self, named: list[Path], *, again: bool, retry: bool, exclude: Sequence[str] = ()
    ) -> None:
        """List what is new or changed.

        Parameters
        ----------
        named : list of path
            Files and folders, absolute.
        again : bool
            Look as well at all that was scanned before.
        retry : bool
            List files too that failed and have not changed since.
        exclude : sequence of str
            Patterns of what to skip.
        """
        roots = [*named, *map(Path, self._library.roots())] if again else named
        self._note_offline(roots)
        roots = [root for root in roots if root not in self._unread]
        mounts: list[Path] = []

        def on_error(folder: Path, error: OSError) -> None:
            self._unread[folder] = f"{UNREADABLE_FOLDER}{why_unreadable(folder, error)}"

        def look(path: Path) -> None:
            if reason := self._meet(path, retry=retry):
                self._unread[path] = reason

        for path in find(
            roots,
            suffixes=AUDIO_SUFFIXES,
            on_error=on_error,
            exclude=exclude,
            on_mount=mounts.append,
        ):
            look(path)
        for path in self._library.strays() if again else ():
            # Files that were named once by themselves are met here, where `find` does not exclude
            # them.
            if is_excluded(path, exclude):
                continue
            if os.path.lexists(path):
                look(path)
            else:  # it was not named this time, so it is not a failure
                self._unread[path] = None
        self._report_unread(named, again=again, retry=retry)
        self._library.write(
            "INSERT OR IGNORE INTO mounts VALUES (?)", ([as_stored(mount)] for mount in mounts)
        )
        # Only what could be read: a mistyped folder would be looked for ever after.
        read = (root for root in named if root.is_dir() and root not in self._unread)
        self._library.write(
            "INSERT OR IGNORE INTO roots VALUES (?)", ([as_stored(root)] for root in read)
        )
        # Files that were kept here once, by the thousand, are looked at as strays.
        self._library.write("DELETE FROM roots WHERE path IN (SELECT path FROM tracks)")

    def _note_offline(self, roots: list[Path]) -> None:
        """Note which folders are offline: their files are not missing; nobody need walk them."""
        places = offline_folders(self._library)
        known = tuple(places)
        for root in roots:
            # A folder below one that is offline is offline with it.
            if not root.is_dir() and root not in places and self._holds_below(root):
                places.append(root)
        for place in places:
            if place in roots or not set(roots).isdisjoint(place.parents):
                self._offline.append(place)
                self._unread[place] = why_absent(self._library, place, places=known)

    def _holds_below(self, folder: Path) -> bool:
        """Whether the library has files in a folder, and not the path itself as a file."""
        return (
            self._library.known(as_stored(folder)) is None
            and count_below(self._library, [folder]) > 0
        )

    def _report_unread(self, named: list[Path], *, again: bool, retry: bool) -> None:
        """Name what could not be looked at, if that is new: a link to nowhere stays one for years.

        What was named itself is always told: it may be mistyped.
        """
        before = {Path(path): reason for path, reason in self._library.unread()}
        now = {path: reason for path, reason in self._unread.items() if reason is not None}
        for path, reason in now.items():
            if before.get(path) == reason and not retry and path not in named:
                # The files of a folder that is offline are counted as such.
                self._result.failed_before += path not in self._offline
            else:
                self._result.failures.add(path, reason)
        # What lies on an offline disk is not settled: it would be news when the disk is back.
        inside = {
            path
            for path in before
            if (again or not {path, *path.parents}.isdisjoint(named))
            and self._unread.keys().isdisjoint(path.parents)
        }
        with self._library.transaction():
            # Bytes: names need not be UTF-8.
            self._library.write(
                "DELETE FROM unread WHERE path = ?", ([os.fsencode(path)] for path in inside)
            )
            self._library.write(
                "INSERT OR REPLACE INTO unread VALUES (?, ?)",
                ([os.fsencode(path), reason] for path, reason in now.items()),
            )

    def _meet(self, path: Path, *, retry: bool) -> str | None:
        """Look at a file from outside; gives the reason if that cannot be done."""
        stored = as_stored(path)
        if self._library.rows("SELECT 1 FROM temp.walked WHERE path = ?", [stored]):
            return None  # named twice
        self._result.found += 1
        if time.monotonic() > self._report_at:
            self._on_progress()
            self._report_at = time.monotonic() + _REPORT_S
        try:
            status = os.stat(path)
        except OSError as error:
            self._result.found -= 1  # a link to nowhere is no file, nor is a slip
            return why_unreadable(path, error)
        self._library.write("INSERT INTO temp.walked VALUES (?)", [[stored]])
        now = FileStatus.of(status)
        known = self._library.known(stored)
        # The inode and ctime count too: a file that was replaced may keep its size and mtime.
        if known is not None and known.status == now and self._is_settled(path, known, retry):
            self._result.unchanged += 1
            self._result.failed_before += known.error_kind is not None
            return None
        self._library.write(
            "INSERT INTO temp.to_do(path, size, mtime_ns, ctime_ns, device, inode)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [(stored, *now)],
        )
        self._result.to_do += 1
        return None

    def _is_settled(self, path: Path, known: Known, retry: bool) -> bool:
        # What another encoder analysed is analysed again: its numbers mean something else.
        if known.error_kind is None:
            return known.encoder == self._encoder
        # The file was well: its disk was away for a moment, or another user ran the scan.
        if known.error_kind in {"missing", "permission-denied"}:
            return not (retry or os.access(path, os.R_OK))
        return not retry

    def to_do(self) -> Iterator[tuple[int, ListedFile]]:
        """The listed files with their numbers, in the order of the walk."""
        last = 0
        sql = "SELECT * FROM temp.to_do WHERE number > ? ORDER BY number LIMIT ?"
        # By number, not OFFSET, which would read again all rows before.
        while rows := self._library.rows(sql, [last, _BATCH]):
            for last, path, *status in rows:
                yield last, ListedFile(path, FileStatus(*status))

    def finish(self, named: list[Path], *, again: bool) -> None:
        """Note which files are missing, and drop sounds that no file holds any more.

        Parameters
        ----------
        named : list of path
            As for :meth:`walk`: files elsewhere are left as they are, unless ``again``.
        again : bool
            Whether everything was looked at.
        """
        with self._library.transaction():
            self._library.write(
                "UPDATE tracks SET missing = 0 WHERE missing AND path IN"
                " (SELECT path FROM temp.walked)"
            )
            not_met = self._library.tracks(
                None if again else named, where="t.path NOT IN (SELECT path FROM temp.walked)"
            )
            missing = [track for track in not_met if self._is_missing(Path(track.path))]
            self._library.write(
                "UPDATE tracks SET missing = 1 WHERE id = ?", ([track.id] for track in missing)
            )
            # A missing file still holds its sound: back again, it is recognised.
            self._library.drop_unused()
        self._drop_empty_roots()
        self._count_absent(named, again=again, missing=[track.path for track in missing])

    def _drop_empty_roots(self) -> None:
        """Folders that are offline and hold nothing any more: their files were met elsewhere."""
        for place in [place for place in self._offline if not count_below(self._library, [place])]:
            self._offline.remove(place)
            self._library.forget([place])
            path = os.fspath(place)
            self._result.failures[:] = [f for f in self._result.failures if f.path != path]

    def _count_absent(self, named: list[Path], *, again: bool, missing: list[str]) -> None:
        """Count what is missing or offline, whether that is news or not."""
        roots = [*named, *map(Path, self._library.roots())] if again else named
        condition, value = below(roots)
        everywhere = "1" if again else condition
        count = self._library.rows(
            f"SELECT count(*) FROM tracks t WHERE t.missing AND {everywhere}",  # noqa: S608
            [] if again else [value],
        )[0][0]
        self._result.missing = len(missing)
        self._result.missing_before = count - len(missing)
        self._result.offline = count_below(self._library, self._offline, missing=False)
        for root in dict.fromkeys(roots):
            inside = os.path.join(root, "")
            count = sum(path.startswith(inside) for path in missing)
            if count and root.is_dir() and not any(os.scandir(root)):
                files = counted(count, "file is", "files are")
                self._result.emptied.add(
                    root,
                    f"is empty now, so {files} missing. If its disk is not connected, connect it "
                    "and scan again",
                )

    def _is_missing(self, path: Path) -> bool:
        """Whether a file that was not met was removed.

        It may also be on a disk that is not mounted: where what was named, a folder, or a link's
        end is not there, files are not called missing.
        """
        # Below a folder that could not be read nothing was seen, which is no proof that nothing is
        # there.
        if not self._unread.keys().isdisjoint(path.parents):
            return False
        if path not in self._unread:
            return True
        try:
            os.lstat(path)
        except FileNotFoundError:
            # Without its folder, a disk may be off; only a file missing from its own folder
            # is missing.
            return path.parent.is_dir()
        except OSError:
            return False
        return False
