"""Folders of a library that are offline, and the messages for paths that somebody names.

A folder is offline when it was scanned and is not there now: a disk that is not mounted, or a
folder that was moved. Its files do not count as missing, and what is known of them is kept. Only
folders are looked at, a few for any number of files.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.faults import Faults
from tonearm.files import find, why_unreadable
from tonearm.library.rows import as_stored, below
from tonearm.library.store import Library

# What the reason of a folder that is there begins with.
UNREADABLE_FOLDER = "folder "
# A condition on a track ``t``: neither missing nor offline; call :func:`note_offline` first.
PRESENT = "NOT t.missing AND t.id NOT IN temp.offline"


def offline_folders(library: Library) -> list[Path]:
    """Folders that were scanned and are not there now; none lies below another.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    places = {root for root in map(Path, library.roots()) if not root.is_dir()}
    places |= {mount for mount in map(Path, library.mounts()) if is_unmounted(mount)}
    return sorted(place for place in places if places.isdisjoint(place.parents))


def is_unmounted(folder: Path) -> bool:
    """Whether a folder that was on a disk of its own is not there, or empty and on its parent's.

    Parameters
    ----------
    folder : Path
        The folder.
    """
    try:
        # By the folders' own devices: on an overlay, files have others than the folder they are in.
        real = Path(os.path.realpath(folder))
        is_mounted = os.stat(real).st_dev != os.stat(real.parent).st_dev
        return not is_mounted and not any(os.scandir(folder))
    except OSError:
        return True


def note_offline(library: Library) -> list[Path]:
    """Let :data:`PRESENT` know which tracks are offline now; gives their folders.

    Parameters
    ----------
    library : Library
        The library, open.
    """
    places = offline_folders(library)
    condition, value = below(places)
    library.write("CREATE TEMP TABLE IF NOT EXISTS offline(id INTEGER PRIMARY KEY)")
    library.write("DELETE FROM temp.offline")
    library.write(
        f"INSERT INTO temp.offline SELECT t.id FROM tracks t WHERE NOT t.missing AND {condition}",  # noqa: S608
        [[value]],
    )
    return places


def count_below(
    library: Library, paths: Iterable[str | os.PathLike[str]], *, missing: bool = True
) -> int:
    """How many tracks the library has at or below paths.

    Parameters
    ----------
    library : Library
        The library, open.
    paths : iterable of path
        Files and folders.
    missing : bool
        Whether those that are missing count too.
    """
    condition, value = below(paths)
    rows = library.rows(
        f"SELECT count(*) FROM tracks t WHERE t.missing <= ? AND {condition}",  # noqa: S608
        [int(missing), value],
    )
    return int(rows[0][0])


def why_absent(
    library: Library, path: Path, *, places: Collection[Path] | None = None
) -> str | None:
    """What to say of a file or folder that is not there; None if it is there.

    Parameters
    ----------
    library : Library
        The library, open.
    path : Path
        As somebody named it, or a folder that was scanned.
    places : collection of Path or None
        What :func:`offline_folders` gave, so that the disks are asked once for many paths.
    """
    whole = Path(os.path.abspath(path))
    places = offline_folders(library) if places is None else places
    reason = None  # an empty mount point is there, and offline
    try:
        os.stat(path)
    except OSError as error:
        reason = why_unreadable(path, error)
        if isinstance(error, PermissionError):
            return reason
    else:
        if whole not in places:
            return None
    count = count_below(library, [path])
    if not count:
        return reason
    forget = f"`tonearm forget {shlex.quote(os.fspath(path))}`"
    its = f"its {count:,} tracks" if count > 1 else "its track"
    # In a folder that is offline, or one of some that are, such as the one where all disks are.
    if any(place in (whole, *whole.parents) or whole in place.parents for place in places):
        kept = f"{its} {'are' if count > 1 else 'is'} kept"
        moved = "if it was moved, run `tonearm scan` on its new place"
        return f"is not there: {kept}. Connect its disk; {moved}; to drop it, {forget}"
    # Anything else was deleted or moved: the next scan finds it, or calls it missing.
    known = "it" if library.track(path) is not None else its
    return f"{reason}; the library keeps {known} until you run {forget}"


def not_usable(library: Library, paths: Sequence[Path], *, absent: bool = False) -> Faults:
    """Of paths that somebody named, those that are offline, not there, or not in the library.

    Parameters
    ----------
    library : Library
        The library, open.
    paths : sequence of Path
        Files and folders.
    absent : bool
        Whether what is offline, or missing, may be named too.
    """
    faults = Faults()
    places = offline_folders(library) if paths else ()
    for path in paths:
        is_known = count_below(library, [path]) > 0
        if absent and is_known:
            continue
        reason = why_absent(library, path, places=places)
        if reason is not None:
            faults.add(path, reason)
        elif not is_known:
            faults.add(path, "is not scanned yet: run `tonearm scan` on it")
    return faults


def unread(
    library: Library, paths: Iterable[str | os.PathLike[str]] | None = None
) -> list[tuple[str, str]]:
    """Links to nowhere and folders without rights that the last scan met, with the reason.

    Parameters
    ----------
    library : Library
        The library, open.
    paths : iterable of path or None
        At or below these; None is the whole library.
    """
    named = None if paths is None else {Path(os.path.abspath(path)) for path in paths}
    noted = library.unread()
    # Where nothing is noted, no disk is asked whether it is there.
    places = set(offline_folders(library)) if noted else set()
    found = []
    for name, reason in noted:
        around = {Path(name), *Path(name).parents}
        # What was named and never was there, a slip, is noted too, for it not to be news again.
        if not os.path.lexists(name):
            continue
        # A disk or a link's target that is back since: only of folders is anything else noted.
        if os.path.exists(name) and not reason.startswith(UNREADABLE_FOLDER):
            continue
        if places.isdisjoint(around) and not (named is not None and named.isdisjoint(around)):
            found.append((name, reason))
    return found


def unscanned(library: Library, folders: Iterable[Path], *, faults: Faults) -> list[Path]:
    """Audio files below folders that the library does not have: new ones, and excluded ones.

    Parameters
    ----------
    library : Library
        The library, open.
    folders : iterable of Path
        Folders that are there.
    faults : Faults
        Takes what cannot be looked at, if the last scan did not name it.
    """
    known = {path for path, _ in library.unread()}
    errors = Faults()
    files = []
    # As the library has them: a folder may be named from where somebody is.
    absolute = map(os.path.abspath, folders)
    for path in find(absolute, suffixes=AUDIO_SUFFIXES, on_error=errors.add_folder):
        if library.known(as_stored(path)) is not None or str(path) in known:
            continue
        if path.exists():
            files.append(path)
        else:
            errors.add(path, why_unreadable(path, FileNotFoundError()))
    faults += [fault for fault in errors if fault.path not in known]
    return files
