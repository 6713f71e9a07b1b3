"""``tonearm history``: the runs that wrote genres."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, library_options
from tonearm.cli.library_options import Form, FormOption, Location, arrow, location

if TYPE_CHECKING:
    from tonearm.tagging.journal_records import Entry, Run


def history(
    run: Annotated[int | None, typer.Argument(help="List the files of this run.")] = None,
    output_format: FormOption = Form.table,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """List the runs that wrote genres."""
    from tonearm.tagging.journal import Journal, journal_path

    place = location(library)
    library_options.require_journal(place)
    with Journal(journal_path(place)) as journal:
        if run is None:
            runs = journal.runs()
            if output_format is Form.json:
                library_options.print_object({"runs": [vars(found) for found in runs]})
            else:
                for found in runs:
                    print(_run_line(found))
            return
        number = journal.run(run).id
        entries = journal.entries(number)
    if output_format is Form.json:
        library_options.print_object(
            {"run": number, "files": [_entry_object(entry) for entry in entries]}
        )
        return
    for entry in entries:
        note = entry.reason or ("restored" if entry.undone else "")
        line = f"{console.printable(entry.path)}: {arrow(entry.old_genres, entry.new_genres)}"
        if entry.state != "done":
            line = f"{console.printable(entry.path)}: not written"
        print(f"{line}{f'  ({console.printable(note)})' if note else ''}")


def _run_line(run: Run) -> str:
    from tonearm.tagging.journal_records import INTERRUPTED

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started_s))
    notes = [f"{run.done:,} written"]
    notes += [f"{run.failed:,} skipped"] if run.failed else []
    notes += [f"{run.undone:,} restored since"] if run.undone else []
    # None: it runs now, or was killed and nothing has settled it yet.
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
