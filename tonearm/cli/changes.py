"""``tonearm undo`` and ``history``, and what they share with ``tag``: runs over files."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tonearm.cli import console
from tonearm.cli.library import Location, location
from tonearm.kept_tags import file_tags

if TYPE_CHECKING:
    from tonearm.library.store import Library
    from tonearm.tagging.journal import Entry, Journal, Run

T = TypeVar("T")

_OUTPUT_SCHEMA = 1


class Form(StrEnum):
    """How changes are shown."""

    table = "table"
    json = "json"


KeepMtime = Annotated[
    bool, typer.Option("--keep-mtime", help="Keep the files' times; players may not notice.")
]
FormOption = Annotated[Form, typer.Option("--format", "-f")]


@dataclass
class Done:
    """What a run did."""

    run: int
    paths: list[str] = field(default_factory=list)
    interrupted: bool = False


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
    from tonearm.tagging.journal import Journal, beside
    from tonearm.tagging.safe import take_back

    place = location(library)
    _require_journal(place)
    failures: list[tuple[str, str]] = []
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(beside(place), write=True))
        opened = stack.enter_context(Library(place, write=True)) if place.exists() else None
        refresh(opened, journal.recovered)
        undone = journal.run(run)
        entries = [
            entry
            for entry in reversed(journal.entries(undone.id))
            if entry.state == "done" and not entry.undone
        ]
        if not entries:
            console.say(f"run {undone.id} changed no file that is not put back already")
            return

        def change(entry: Entry, number: int) -> None:
            take_back(entry, journal=journal, run=number, keep_mtime=keep_mtime)

        done = run_all(
            opened,
            journal,
            [(entry.path, entry) for entry in entries],
            change,
            failures,
            undoes=undone.id,
        )
    print(
        f"run {done.run}: {len(done.paths):,} of {len(entries):,} files of run {undone.id} put back"
    )
    close("were left as they are", failures, interrupted=done.interrupted)


def history(
    run: Annotated[int | None, typer.Argument(help="Show the files of this run.")] = None,
    output_format: FormOption = Form.table,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """List the runs that wrote genres, or the files of one."""
    from tonearm.tagging.journal import Journal, beside

    place = location(library)
    _require_journal(place)
    with Journal(beside(place)) as journal:
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


def run_all(
    library: Library | None,
    journal: Journal,
    work: Sequence[tuple[str, T]],
    change: Callable[[T, int], object],
    failures: list[tuple[str, str]],
    *,
    undoes: int | None = None,
) -> Done:
    """Change file after file, each on its own: one that fails is named and passed over."""
    from tonearm.errors import TagError

    done = Done(journal.start(shlex.join(["tonearm", *sys.argv[1:]]), undoes=undoes))
    with console.quiet_decoders(), console.Progress(len(work), unit="files") as progress:
        try:
            for path, item in work:
                try:
                    change(item, done.run)
                    done.paths.append(path)
                    refresh(library, [path])
                except TagError as error:
                    failures.append((path, str(error).removeprefix(f"{path}: ")))
                progress.advance(failures=len(failures))
            journal.finish(done.run)
        except KeyboardInterrupt:
            journal.recover()
            done.interrupted = True
    return done


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


def refresh(library: Library | None, paths: Iterable[str]) -> None:
    """Tell the library what was written, or the next scan would read the files again."""
    for path in paths:
        if library and Path(path).exists():
            library.update_file(path, file_tags(path))


def _require_journal(place: Path) -> None:
    from tonearm.errors import LibraryError
    from tonearm.tagging.journal import beside

    if not beside(place).exists():
        raise LibraryError(f"no journal at {beside(place)}: nothing was written yet")


def _run_line(run: Run) -> str:
    from tonearm.tagging.journal import INTERRUPTED

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started_s))
    notes = [f"{run.done:,} written"]
    notes += [f"{run.failed:,} left as they are"] if run.failed else []
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
