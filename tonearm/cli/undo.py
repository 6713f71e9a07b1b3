"""``tonearm undo``: restore the genres that a run replaced."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, library_options
from tonearm.cli.library_options import KeepMtime, Location, location
from tonearm.errors import counted

if TYPE_CHECKING:
    from tonearm.library.tag_runs import RunResult
    from tonearm.tagging.journal import Journal


def undo(
    run: Annotated[
        int | None,
        typer.Argument(
            help="Number of a run in `tonearm history`. [default: the last `tag`]",
            parser=library_options.run_number,
            metavar="RUN",
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Restore all runs, from the last to the first.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be restored.")
    ] = False,
    details: Annotated[
        bool, typer.Option("--details", help="With --dry-run: list every file.")
    ] = False,
    keep_mtime: KeepMtime = False,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Restore the genres that a run replaced.

    An undo is a run too, so it can be undone. With --all, every run of `tag` is undone: what a
    file held before Tonearm wrote into it for the first time comes back.
    """
    from tonearm.errors import NothingToUndoError

    if every and (run is not None or dry_run):
        words = "restores all runs: leave out the number, and --dry-run, which shows one run"
        raise typer.BadParameter(words, param_hint="--all")
    place = location(library)
    if not library_options.has_journal(place):
        return
    try:
        if dry_run:
            _show_plan(place, run, details=details)
        else:
            _restore(place, run, every=every, keep_mtime=keep_mtime)
    except NothingToUndoError as error:
        # No fault: a script may undo without asking first whether there is anything to undo.
        console.say(f"{error}")


def _restore(place: Path, run: int | None, *, every: bool, keep_mtime: bool) -> None:
    from tonearm.library.store import Library
    from tonearm.library.tag_runs import open_journal, undo_run
    from tonearm.tagging.write import CHANGED_SINCE

    # By path: what kept a file from one run keeps it from all before, in other words.
    failures: dict[str, str] = {}
    interrupted = False
    with ExitStack() as stack:
        # The journal alone is enough, should the library be gone.
        opened = stack.enter_context(Library(place, write=True)) if place.exists() else None
        journal = stack.enter_context(open_journal(place, opened))
        left = [each.id for each in journal.runs() if each.is_left] if every else []
        for number in left or [journal.run(run).id]:
            with library_options.progress() as report_progress:
                result = undo_run(
                    opened,
                    journal,
                    number,
                    command=library_options.command(),
                    keep_mtime=keep_mtime,
                    on_progress=report_progress,
                )
            _say_result(result, journal)
            failures = {**dict(result.failures), **failures}
            if interrupted := result.interrupted:
                break
    lasting = all(CHANGED_SINCE in reason for reason in failures.values())
    again = f"`tonearm undo {'--all' if every else result.undoes}` tries again"
    headline = f"skipped ({'what somebody wrote since stays' if lasting else again})"
    library_options.close(headline, list(failures.items()), interrupted=interrupted)


def _say_result(result: RunResult, journal: Journal) -> None:
    """One line on a run that was undone."""
    if result.run is None:
        # Of a number that was typed: the default is a run that changed something.
        changed = any(entry.state == "done" for entry in journal.entries(result.undoes or 0))
        words = f"All files of run {result.undoes} are restored already."
        console.say(words if changed else f"Run {result.undoes} changed no file.")
        return
    files = counted(result.total, "file")
    # One that restored nothing is no run to be undone, and `history` does not list it.
    number = f"run {result.run}: " if result.paths else ""
    print(f"{number}{len(result.paths):,} of {files} of run {result.undoes} restored")


def _show_plan(place: Path, run: int | None, *, details: bool) -> None:
    """Print what an undo would do; nothing is changed."""
    from tonearm.library.store import Library
    from tonearm.library.tag_runs import plan_undo
    from tonearm.tagging.journal import Journal, journal_path

    with ExitStack() as stack:
        opened = stack.enter_context(Library(place)) if place.exists() else None
        journal = stack.enter_context(Journal(journal_path(place)))
        number, files = plan_undo(opened, journal, run)
    restored = sum(file.reason is None for file in files)
    # Thousands of lines hide the few that matter; those stay.
    plain = [file for file in files if file.reason is None and file.exact]
    if len(plain) > library_options.MOST_LINES and not details:
        changes = Counter(library_options.arrow(file.old, file.new) for file in plain)
        for change, count in changes.most_common():
            print(f"{change}, {counted(count, 'file')}")
        files = [file for file in files if file.reason or not file.exact]
    for file in files:
        line = f"{console.printable(file.path)}: {library_options.arrow(file.old, file.new)}"
        if file.reason:
            line += f"  (skipped: {console.printable(file.reason)})"
        elif not file.exact:
            line += "  (only its genre: other tags have changed since)"
        print(line)
    print(f"{counted(restored, 'file')} of run {number} to restore")
    console.say("Nothing has been restored yet: leave out --dry-run to restore.")
