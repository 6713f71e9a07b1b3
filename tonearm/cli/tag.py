"""``tonearm tag``: the genres of the library's files, shown and written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, library_options
from tonearm.cli.library_options import Form, FormOption, KeepMtime, Location, location
from tonearm.genres import find
from tonearm.tagging.plan import (
    Action,
    By,
    Policy,
    Rules,
    read_names,
)

if TYPE_CHECKING:
    from tonearm.library.proposals import ProposedTags
    from tonearm.library.store import Library
    from tonearm.library.tag_runs import RunResult
    from tonearm.tagging.journal import Journal


def tag(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders. [default: the whole library]")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the genres.")] = False,
    policy: Annotated[
        Policy, typer.Option(help="Only files without a genre, or replace or add.")
    ] = Policy.missing,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Minimum confidence, 0 to 1.")
    ] = 0.6,
    max_genres: Annotated[
        int, typer.Option(min=1, max=2, help="2: also a second genre if it is half as likely.")
    ] = 1,
    by: Annotated[By, typer.Option(help="album: one genre from all its tracks.")] = By.file,
    names: Annotated[
        Path | None, typer.Option("--map", help='TOML with your names: hiphop = "Hip-Hop/Rap".')
    ] = None,
    keep_mtime: KeepMtime = False,
    output_format: FormOption = Form.table,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Propose genres; --write writes them.

    Without --write nothing is changed, and `tonearm undo` takes a run back.
    """
    from tonearm.library.proposals import propose_all
    from tonearm.library.store import Library
    from tonearm.library.tag_runs import open_journal

    rules = Rules(
        policy=policy,
        min_confidence=min_confidence,
        max_genres=max_genres,
        names=read_names(names) if names else {},
    )
    failures: list[tuple[str, str]] = []
    with ExitStack() as stack:
        opened = stack.enter_context(Library(location(library), write=write))
        rules = _spelt(opened, rules)
        journal = stack.enter_context(open_journal(opened.path, opened)) if write else None
        rows = list(propose_all(opened, rules, paths=paths, by=by, failures=failures))
        unscanned = _unscanned(opened, paths, failures) if paths else []
        writes = [row for row in rows if row.proposal.action is Action.write]
        done = _write(opened, journal, writes, keep_mtime) if journal and writes else None
    failures += done.failures if done else []
    if output_format is Form.json:
        _print_json(rows, done, unscanned, failures)
    else:
        _print_table(writes, by)
        _sum_up(rows, rules, done)
    failures += [(path, "not scanned yet: run `tonearm scan` on it") for path in unscanned]
    library_options.close("skipped", failures, interrupted=done is not None and done.interrupted)


def _unscanned(
    library: Library, paths: Sequence[Path], failures: list[tuple[str, str]]
) -> list[str]:
    """Files among those named that the library does not have."""
    from tonearm.audio import AUDIO_SUFFIXES
    from tonearm.files import find
    from tonearm.library.store import as_stored

    def on_error(folder: Path, error: OSError) -> None:
        failures.append((str(folder), f"folder cannot be read: {error.strerror}"))

    found = find(paths, suffixes=AUDIO_SUFFIXES, on_error=on_error)
    return [str(path) for path in found if library.known(as_stored(path)) is None]


def _spelt(library: Library, rules: Rules) -> Rules:
    """The rules with genres as the library has them; a misspelt one would be passed over."""
    model = library.model()
    if model is None:
        return rules
    wrong = sorted(name for name in rules.names if find(name, model.labels) is None)
    if wrong:
        raise typer.BadParameter(
            f"{', '.join(wrong)}: this library's genres are {', '.join(model.labels)}",
            param_hint="--map",
        )
    names = {find(name, model.labels) or name: values for name, values in rules.names.items()}
    return replace(rules, names=names)


def _write(
    library: Library, journal: Journal, rows: Sequence[ProposedTags], keep_mtime: bool
) -> RunResult:
    from tonearm.library.tag_runs import write_all

    with library_options.progress() as show:
        return write_all(
            library,
            journal,
            [row.wanted for row in rows],
            command=library_options.command(),
            keep_mtime=keep_mtime,
            on_progress=show,
        )


def _print_table(rows: Sequence[ProposedTags], by: By) -> None:
    """One line a change; an album's files with the same change are one line."""
    shown: dict[tuple[str, str], int] = {}
    for row in rows:
        name = row.track.path
        if by is By.album:
            name = row.track.tags.album or os.path.dirname(row.track.path) + os.sep
        change = library_options.arrow(row.track.tags.genres, row.proposal.genres)
        line = (console.printable(name), f"{change}  {row.prediction.confidence:.0%}")
        shown[line] = shown.get(line, 0) + 1
    for (name, change), count in shown.items():
        files = f" ({console.counted(count, 'file')})" if by is By.album else ""
        print(f"{name}{files}: {change}")


def _sum_up(rows: Sequence[ProposedTags], rules: Rules, done: RunResult | None) -> None:
    counts = {action: sum(row.proposal.action is action for row in rows) for action in Action}
    if done:
        files = console.counted(counts[Action.write], "file")
        print(f"run {done.run}: {len(done.paths):,} of {files} written")
    else:
        print(f"{console.counted(counts[Action.write], 'file')} to write")
    words = {
        Action.same: "have that genre already",
        Action.kept: "have a genre that a person wrote (see --policy)",
        Action.unsure: f"confidence below {rules.min_confidence:.0%}",
        Action.unknown: "unknown: none of the genres that the model knows",
    }
    for action, text in words.items():
        if counts[action]:
            print(f"  {counts[action]:,} skipped: {text}")
    if not done and counts[Action.write]:
        console.say("nothing has been written yet: add --write (`tonearm undo` takes it back)")


def _print_json(
    rows: Sequence[ProposedTags],
    done: RunResult | None,
    unscanned: Sequence[str],
    failures: Sequence[tuple[str, str]],
) -> None:
    written = set(done.paths) if done else set()
    files = [
        {
            "path": row.track.path,
            "action": row.proposal.action.value,
            "old": row.track.tags.genres,
            "new": row.proposal.genres,
            "confidence": row.prediction.confidence,
            "written": row.track.path in written,
        }
        for row in rows
    ]
    errors = [{"path": path, "message": reason} for path, reason in failures]
    library_options.print_object(
        {
            "run": done.run if done else None,
            "files": files,
            "not_scanned": list(unscanned),
            "errors": errors,
        }
    )
