"""``tonearm undo`` and ``history``, and what they share with ``tag``: how a run is shown."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.cli.scan import Location, location

if TYPE_CHECKING:
    from tonearm.library.tag_runs import Done
    from tonearm.tagging.journal import Entry, Run

_OUTPUT_SCHEMA = 1


class Form(StrEnum):
    """How changes are shown."""

    table = "table"
    json = "json"


KeepMtime = Annotated[
    bool, typer.Option("--keep-mtime", help="Keep the files' times; players may not notice.")
]
FormOption = Annotated[Form, typer.Option("--format", "-f")]


def undo(
    run: Annotated[
        int | None, typer.Argument(help="Its number in `history`. [default: the last `tag`]")
    ] = None,
    keep_mtime: KeepMtime = False,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Put the genres back as they were before a run; this can be undone in its turn."""
    from tonearm.library.store import Library
    from tonearm.library.tag_runs import open_journal, put_back

    place = location(library)
    _require_journal(place)
    with ExitStack() as stack:
        opened = stack.enter_context(Library(place, write=True)) if place.exists() else None
        journal = stack.enter_context(open_journal(place, opened))
        show = stack.enter_context(progress())
        done = put_back(
            opened, journal, run, command=command(), keep_mtime=keep_mtime, on_progress=show
        )
    if done.run is None:
        console.say(f"run {done.undoes} changed no file that is not put back already")
        return
    files = console.counted(done.total, "file")
    print(f"run {done.run}: {len(done.paths):,} of {files} of run {done.undoes} put back")
    again = f"left alone (`tonearm undo {done.undoes}` tries again)"
    close(again, done.failures, interrupted=done.interrupted)


def history(
    run: Annotated[int | None, typer.Argument(help="Show the files of this run.")] = None,
    output_format: FormOption = Form.table,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """List the runs that wrote genres, or the files of one."""
    from tonearm.tagging.journal import Journal, journal_path

    place = location(library)
    _require_journal(place)
    with Journal(journal_path(place)) as journal:
        if run is None:
            runs = journal.runs()
            if output_format is Form.json:
                print_object({"runs": [vars(found) for found in runs]})
            else:
                for found in runs:
                    print(_run_line(found))
            return
        number = journal.run(run).id
        entries = journal.entries(number)
    if output_format is Form.json:
        print_object({"run": number, "files": [_entry_object(entry) for entry in entries]})
        return
    for entry in entries:
        note = entry.reason or ("put back" if entry.undone else "")
        line = f"{console.printable(entry.path)}: {arrow(entry.old_genres, entry.new_genres)}"
        if entry.state != "done":
            line = f"{console.printable(entry.path)}: not written"
        print(f"{line}{f'  ({console.printable(note)})' if note else ''}")


def command() -> str:
    """What was typed, by which a run is called in the history."""
    return shlex.join(["tonearm", *sys.argv[1:]])


@contextmanager
def progress() -> Iterator[Callable[[Done], None]]:
    """For a run to tell how far it is: a bar, drawn once the number of files is known."""
    with console.quiet_decoders(), ExitStack() as stack:
        bar: console.Progress | None = None

        def show(done: Done) -> None:
            nonlocal bar
            if bar is None:
                bar = stack.enter_context(console.Progress(done.total, unit="files"))
            else:
                bar.advance(failures=len(done.failures))

        yield show


def close(headline: str, failures: Sequence[tuple[str, str]], *, interrupted: bool) -> None:
    """Name what failed, and leave with the exit code for it."""
    console.report(headline, failures)
    if interrupted:
        console.say("interrupted; what was written until then is in `tonearm history`")
        raise typer.Exit(console.EXIT_INTERRUPTED)
    if failures:
        raise typer.Exit(console.EXIT_FAILED_FILES)


def arrow(old: Iterable[str], new: Iterable[str]) -> str:
    """``Rock → Jazz; Blues``."""
    before, after = ("; ".join(map(console.printable, genres)) or "none" for genres in (old, new))
    return f"{before} → {after}"


def print_object(values: dict[str, object]) -> None:
    """One JSON object on stdout."""
    from tonearm.cli.formats import to_json

    print(to_json({"schema": _OUTPUT_SCHEMA, **values}))


def _require_journal(place: Path) -> None:
    from tonearm.errors import LibraryError
    from tonearm.tagging.journal import journal_path

    if not journal_path(place).exists():
        raise LibraryError(f"no journal at {journal_path(place)}: nothing was written yet")


def _run_line(run: Run) -> str:
    from tonearm.tagging.journal import INTERRUPTED

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started_s))
    notes = [f"{run.done:,} written"]
    notes += [f"{run.failed:,} left alone"] if run.failed else []
    notes += [f"{run.undone:,} put back since"] if run.undone else []
    notes += ["interrupted"] if run.finished_s in {None, INTERRUPTED} else []
    what = f"undo of run {run.undoes}" if run.undoes else console.printable(run.command)
    return f"{run.id:>4}  {when}  {what}: {', '.join(notes)}"


def _entry_object(entry: Entry) -> dict[str, object]:
    return {
        "path": entry.path,
        "state": entry.state,
        "old": entry.old_genres,
        "new": entry.new_genres,
        "undone": entry.undone,
        "reason": entry.reason,
    }
