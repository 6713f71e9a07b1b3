"""``tonearm history``: the runs that wrote genres."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, library_options
from tonearm.cli.library_options import Form, FormOption, Location, arrow, location
from tonearm.errors import counted

if TYPE_CHECKING:
    from tonearm.tagging.journal_records import Entry, Run


def history(
    run: Annotated[
        int | None,
        typer.Argument(
            help="List the files of this run.", parser=library_options.run_number, metavar="RUN"
        ),
    ] = None,
    output_format: FormOption = Form.table,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """List the runs that wrote genres.

    Shows how many files each run changed, and which later run undid it.
    """
    from tonearm.tagging.journal import Journal, journal_path

    place = location(library)
    if not library_options.has_journal(place):
        if output_format is Form.json:
            library_options.print_object({"runs": []})
        return
    with Journal(journal_path(place)) as journal:
        if run is None:
            runs = journal.runs()
            if output_format is Form.json:
                library_options.print_object({"runs": [vars(found) for found in runs]})
            else:
                _show(runs)
            return
        # Asked first: a number that is not there is one plain error, not an empty list.
        number = journal.run(run).id
        entries = journal.entries(number)
    if output_format is Form.json:
        library_options.print_object(
            {"run": number, "files": [_entry_object(entry) for entry in entries]}
        )
        return
    for entry in entries:
        note = entry.reason or ("undone since" if entry.undone else "")
        line = f"{console.printable(entry.path)}: {arrow(entry.old_genres, entry.new_genres)}"
        if entry.state != "done":
            line = f"{console.printable(entry.path)}: not written"
        print(f"{line}{f'  ({console.printable(note)})' if note else ''}")


def _show(runs: Sequence[Run]) -> None:
    """A line each, but for runs that ended without a change: every file of theirs is as it was."""
    # One that has no end yet may still change a file.
    changed = [run for run in runs if run.done or run.finished_s is None]
    for run in changed:
        print(_run_line(run, runs))
    if not runs:
        console.say("No genre has been written yet.")
    elif len(changed) < len(runs):
        numbers = ", ".join(str(run.id) for run in runs if run not in changed)
        console.say(f"not listed, since they changed no file: run {numbers}")


def _run_line(run: Run, runs: Sequence[Run]) -> str:
    """One line: when, what was done to how many files, and what became of that since."""
    from tonearm.tagging.journal_records import INTERRUPTED

    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.started_s))
    first = _undone(run, runs)
    undoes = len(first)  # 0 of a tag, 1 of its undo, 2 of the undo of that, and so on
    notes = [f"{counted(run.done, 'file')} {'restored' if undoes % 2 else 'tagged'}"]
    if undoes > 1:
        notes[0] += f" again as in run {first[1].id}"
    notes += [f"{run.failed:,} skipped"] if run.failed else []
    notes += _since(run, runs)
    # None: it runs now, or was killed and nothing has settled it yet.
    notes += ["interrupted"] if run.finished_s in {None, INTERRUPTED} else []
    what = f"undo of run {run.undoes}" if run.undoes else console.printable(run.command)
    return f"{run.id:>4}  {when}  {what}: {', '.join(notes)}"


def _undone(run: Run, runs: Sequence[Run]) -> list[Run]:
    """The run that it undoes, the one that this undoes, and so on, to the ``tag`` at the end."""
    numbers = {each.id: each for each in runs}
    found: list[Run] = []
    # Numbers rise, so a damaged journal cannot lead round in a circle.
    while run.undoes is not None and run.undoes < run.id and run.undoes in numbers:
        run = numbers[run.undoes]
        found.append(run)
    return found


def _since(run: Run, runs: Sequence[Run]) -> list[str]:
    """What later runs made of it: its files hold what it wrote, or what stood there before."""
    if run.undone:
        some = "" if run.undone == run.done else f"{run.undone:,} of them "
        return [f"{some}undone by run {', '.join(map(str, run.undone_by))}"]
    undo = next((each for each in runs if each.undoes == run.id and each.done), None)
    # Undone in turn, or nothing of it would count again.
    return [f"undone by run {undo.id}, restored by run {_last(undo, runs)}"] if undo else []


def _last(run: Run, runs: Sequence[Run]) -> int:
    """The last run of those that undo it, undo that one, and so on."""
    while found := [each for each in runs if each.undoes == run.id and each.done]:
        run = found[0]
    return run.id


def _entry_object(entry: Entry) -> dict[str, object]:
    return {
        "path": entry.path,
        "state": entry.state,
        "old": entry.old_genres,
        "new": entry.new_genres,
        "undone": entry.undone,
        "reason": entry.reason,
    }
