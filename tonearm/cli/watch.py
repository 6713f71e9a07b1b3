"""``tonearm scan --watch``: analyse what is new as it comes, and tag it if asked.

The only module that imports watchfiles.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from tonearm.audio import AUDIO_SUFFIXES
from tonearm.cli import console
from tonearm.errors import pip_install

# How long a folder has to be quiet before what changed in it is looked at: copies take a while.
_QUIET_MS = 1_600
_LONGEST_MS = 30_000  # but what goes on and on is looked at from time to time
_RETRY_S = 5.0  # between two looks for a folder that is offline


def watch(folders: Sequence[Path], on_change: Callable[[list[Path]], None]) -> None:
    """Call for the folders in which audio files came, changed or went; ends with Ctrl-C.

    A folder that goes (a disk that is unmounted, a rename) is waited for. At the start, and when a
    folder is back, it is called for the whole folder: files may have come while nobody watched.

    Parameters
    ----------
    folders : sequence of Path
        What to watch.
    on_change : callable
        Called with the files that changed, and with the folders of those that went or came.
    """
    try:
        from watchfiles import watch as changes_of
    except ImportError:
        raise typer.BadParameter(
            f"--watch needs an extra: {pip_install('watch')}", param_hint="--watch"
        ) from None
    offline: set[Path] = set()
    unseen = set(folders)  # to be looked at once they are watched, so that nothing slips through
    while True:
        present = [folder for folder in folders if folder.is_dir()]
        # Said once when it goes: a disk that is off over night would fill a log.
        offline = _report_offline(set(folders) - set(present), offline)
        unseen |= offline
        if not present:
            time.sleep(_RETRY_S)
            continue
        # Looked at every now and then, for folders that come back or go.
        watched = changes_of(
            *present,
            step=_QUIET_MS,
            debounce=_LONGEST_MS,
            rust_timeout=int(_RETRY_S * 1_000),
            yield_on_timeout=True,
            raise_interrupt=True,
            ignore_permission_denied=True,
        )
        try:
            for changes in watched:
                changed = {Path(path) for _, path in changes}
                found = _concerned(changed, present, unseen & set(present))
                unseen -= set(present)
                if found:
                    on_change(found)
                # A folder came or went: begin again with those that are there.
                if [folder for folder in folders if folder.is_dir()] != present:
                    break
        # A folder that went between the look and the watch; the network drops watches too.
        except OSError as error:
            console.say(f"watching again: {console.printable(str(error))}")
            time.sleep(_RETRY_S)


def _report_offline(now: set[Path], before: set[Path]) -> set[Path]:
    for folder in sorted(now - before):
        console.say(f"{console.printable(folder)} is not there; Tonearm waits for it")
    return now


def _concerned(changed: set[Path], folders: Sequence[Path], unseen: set[Path]) -> list[Path]:
    """Files to scan, for what went its folder, and folders that nobody looked at yet."""
    found = set(unseen)
    for path in changed:
        # Tonearm's own copies begin with a dot, and so do those of many programs that sync. But a
        # folder that somebody names may lie in a hidden one.
        above = max((len(f.parts) for f in folders if path.is_relative_to(f)), default=1)
        if any(part.startswith(".") for part in path.parts[above:]):
            continue
        if path.is_dir():
            found.add(path)
        elif path.suffix.lower() in AUDIO_SUFFIXES:
            # What is gone cannot be scanned; its folder tells that it is.
            found.add(path if path.exists() else path.parent)
    return sorted(path for path in found if path.exists())
