"""Whether the disk of a folder is away, so that its files are not gone."""

from __future__ import annotations

import os
from pathlib import Path

from tonearm.files import FileStatus
from tonearm.library.rows import below
from tonearm.library.store import Library


def is_unmounted(library: Library, root: Path) -> bool:
    """Whether a folder that held files of another disk is empty now: a mount point.

    Parameters
    ----------
    library : Library
        The library, open.
    root : Path
        The folder.
    """
    try:
        if not root.is_dir() or any(os.scandir(root)):
            return False
        device = FileStatus.of(root.stat()).device
    except OSError:
        return False  # named when it is walked
    condition, value = below([root])
    held = library.rows(
        f"SELECT t.device FROM tracks t WHERE NOT t.missing AND {condition} LIMIT 1",  # noqa: S608
        [value],
    )
    # An empty folder on the same disk was emptied by somebody.
    return bool(held) and held[0][0] != device
