"""``tonearm forget``: drop folders and files from the library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Location, existing
from tonearm.errors import counted
from tonearm.faults import Faults


def forget(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(readable=False, help="Folders and files, even if they are missing."),
    ] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="All files that were missing at the last scan.")
    ] = False,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Drop folders from the library.

    No music file is changed. `tonearm undo` still works, even on files that moved, once
    `tonearm scan` has found them in their new place.
    """
    from tonearm.library.places import count_below
    from tonearm.library.store import Library

    # Neither or both is refused: where rows are dropped, nothing may be guessed.
    if bool(paths) == missing:
        raise typer.BadParameter("name folders or files, or use --missing", param_hint="PATHS")
    faults = Faults()
    with Library(existing(library), write=True) as opened:
        before = set(opened.roots())
        for path in paths or ():
            if not count_below(opened, [path]) and os.path.abspath(path) not in before:
                faults.add(path, "the library holds nothing at or below it")
        count = opened.forget(None if missing else paths)
        roots = {Path(root) for root in opened.roots()}
    print(f"{counted(count, 'file')} forgotten")
    for path in paths or ():
        if path.exists() and not roots.isdisjoint(Path(os.path.abspath(path)).parents):
            # Its files are there, and so is the folder above, which every scan looks through.
            words = "the next scan adds it again, unless it is excluded (--exclude, or .nomedia)"
            console.say(f"{console.printable(path)} lies in a folder that is scanned: {words}")
    console.close("not known", faults)
