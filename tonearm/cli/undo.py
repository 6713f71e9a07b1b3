"""``tonearm undo``: restore the genres that a run replaced."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from tonearm.cli import console, library_options
from tonearm.cli.library_options import KeepMtime, Location, location


def undo(
    run: Annotated[
        int | None, typer.Argument(help="Number in `tonearm history`. [default: the last `tag`]")
    ] = None,
    keep_mtime: KeepMtime = False,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Restore the genres that a run replaced.

    An undo is a run too, so it can be undone.
    """
    from tonearm.library.store import Library
    from tonearm.library.tag_runs import open_journal, undo_run

    place = location(library)
    library_options.require_journal(place)
    with ExitStack() as stack:
        opened = stack.enter_context(Library(place, write=True)) if place.exists() else None
        journal = stack.enter_context(open_journal(place, opened))
        report_progress = stack.enter_context(library_options.progress())
        result = undo_run(
            opened,
            journal,
            run,
            command=library_options.command(),
            keep_mtime=keep_mtime,
            on_progress=report_progress,
        )
    if result.run is None:
        console.say(f"run {result.undoes} changed no file that is not restored already")
        return
    files = console.counted(result.total, "file")
    print(f"run {result.run}: {len(result.paths):,} of {files} of run {result.undoes} restored")
    headline = f"skipped (`tonearm undo {result.undoes}` tries again)"
    library_options.close(headline, result.failures, interrupted=result.interrupted)
