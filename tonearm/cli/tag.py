"""``tonearm tag``: propose genres for the library's files, and write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, library_options
from tonearm.cli.library_options import Form, FormOption, Location, existing
from tonearm.errors import GenreError
from tonearm.faults import Fault, Faults
from tonearm.genres import find, key
from tonearm.tagging.plan import (
    ALBUM_CONFIDENCE,
    FILE_CONFIDENCE,
    PLACEHOLDERS,
    Action,
    By,
    Policy,
    Rules,
    read_names,
)

if TYPE_CHECKING:
    from tonearm.library.store import Library
    from tonearm.library.tag_plan import PlannedFile, TagPlan
    from tonearm.library.tag_runs import RunResult
    from tonearm.tagging.journal import Journal


def tag(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(readable=False, help="Files and folders. [default: the whole library]"),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the genres.")] = False,
    policy: Annotated[
        Policy, typer.Option(help="Fill in missing genres, replace genres, or add.")
    ] = Policy.missing,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Minimum confidence, 0 to 1.",
            show_default=f"{ALBUM_CONFIDENCE} for an album, {FILE_CONFIDENCE} for a single file",
        ),
    ] = None,
    max_genres: Annotated[
        int, typer.Option(min=1, max=2, help="With 2, also write a likely second guess.")
    ] = 1,
    styles: Annotated[
        bool, typer.Option("--styles", help="Also write styles, such as Hard Rock.")
    ] = False,
    by: Annotated[By, typer.Option(help="One genre per album, or one per file.")] = By.album,
    genre: Annotated[
        list[str] | None,
        typer.Option("--genre", "-g", help="Write only this genre; may be repeated."),
    ] = None,
    not_genre: Annotated[
        list[str] | None,
        typer.Option("--not-genre", help="Never write this genre; may be repeated."),
    ] = None,
    names: Annotated[
        Path | None, typer.Option("--map", help='TOML file of names: hiphop = "Hip-Hop/Rap".')
    ] = None,
    placeholders: Annotated[
        list[str] | None,
        typer.Option(
            "--placeholder",
            help="A tag value that is not a genre.",
            show_default=", ".join(PLACEHOLDERS),
            hidden=True,
        ),
    ] = None,
    joint: Annotated[
        str | None,
        typer.Option("--join", help="Join several genres by this, such as '; '.", hidden=True),
    ] = None,
    keep_mtime: Annotated[
        bool,
        typer.Option(
            "--keep-mtime", help="Keep file times; players may miss the change.", hidden=True
        ),
    ] = False,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Also write into damaged files.", hidden=True)
    ] = False,
    details: Annotated[
        bool, typer.Option("--details", help="List every file, also those skipped.")
    ] = False,
    output_format: FormOption = Form.table,
    library: Location = None,
    verbose: console.Verbose = False,
) -> None:
    """Propose genres; --write writes them.

    Changes nothing without --write; `tonearm undo` restores what a run replaced. Where the tags
    name an album, all of its tracks get one genre together: that is right far more often than a
    genre for each file.

    Four more options are meant for the settings file: --damaged, --join, --keep-mtime and
    --placeholder. `tonearm settings` names the file and shows them.
    """
    from tonearm.library.store import Library
    from tonearm.library.tag_plan import plan_tags
    from tonearm.library.tag_runs import open_journal

    with ExitStack() as stack:
        # Without --write only to be read, so that a plan can be made while a scan writes.
        opened = stack.enter_context(Library(existing(library), write=write))
        rules = Rules(
            policy=policy,
            min_confidence=min_confidence,
            max_genres=max_genres,
            names=_names(opened, names),
            only=frozenset(_labels(opened, genre or (), "--genre")),
            never=frozenset(_labels(opened, not_genre or (), "--not-genre")),
            # As keys, so that "n/a", "N/A" and "n.a." are one placeholder.
            placeholders=frozenset(map(key, placeholders or PLACEHOLDERS)),
            joint=joint,
            styles=styles,
            damaged=damaged,
        )
        journal = stack.enter_context(open_journal(opened.path, opened)) if write else None
        plan = plan_tags(opened, rules, paths=paths, by=by)
        library_options.say_if_empty(opened)
        # What the paths name and the plan does not have is said too: nothing is passed over in
        # silence.
        failures, unscanned = _not_planned(opened, paths or ())
        writes = plan.with_action(Action.write)
        # Those that cannot be written come along, for the history to name them.
        refused = plan.with_action(Action.refused)
        result = None
        if journal and writes:
            result = _write(opened, journal, [*writes, *refused], keep_mtime)
    # What can never be written is shown where it stands; cron must not fail on it every day.
    expected = {file.track.path for file in refused if not file.changed}
    if result:
        failures += [fault for fault in result.failures if fault.path not in expected]
    elif write:
        failures += [Fault(file.track.path, file.reason or "") for file in refused if file.changed]
    if output_format is Form.json:
        _print_json(plan, result, failures)
    else:
        from tonearm.cli.tag_views import show_plan

        show_plan(plan, rules, result, unscanned, details=details)
        console.report(
            console.DAMAGED_ARE,
            [(file.track.path, file.track.warning) for file in writes if file.track.warning],
        )
    library_options.close("skipped", failures, interrupted=bool(result and result.interrupted))


def _names(library: Library, path: Path | None) -> dict[str, tuple[str, ...]]:
    """A map with genres as the library's model spells them."""
    if path is None:
        return {}
    read = read_names(path)
    labels = _labels(library, read, "--map")
    # Hip-Hop and hiphop are one: the later line would win in silence.
    if twice := {name for name in labels if labels.count(name) > 1}:
        raise typer.BadParameter(
            f"{console.printable(path)} has several lines for {', '.join(sorted(twice))}: leave "
            "one of them",
            param_hint="--map",
        )
    return dict(zip(labels, read.values(), strict=True))


def _labels(library: Library, genres: Iterable[str], option: str) -> list[str]:
    """Genres in the model's spelling; a misspelt one would silently match nothing."""
    model = library.model()
    genres = list(genres)
    if model is None:
        return genres
    found = {genre: find(genre, model.labels) for genre in genres}
    for genre, label in found.items():
        if label is None:
            words = console.printable(str(GenreError(genre, model.labels)))
            raise typer.BadParameter(words, param_hint=option)
    return [label or genre for genre, label in found.items()]


def _not_planned(library: Library, paths: Sequence[Path]) -> tuple[Faults, list[Path]]:
    """Of what is named: what is not there or was never scanned, and files that are new in it."""
    from tonearm.library.places import not_usable, unscanned

    faults = not_usable(library, paths)
    named = {fault.path for fault in faults}
    folders = [path for path in paths if path.is_dir() and str(path) not in named]
    return faults, unscanned(library, folders, faults=faults)


def _write(
    library: Library, journal: Journal, files: Sequence[PlannedFile], keep_mtime: bool
) -> RunResult:
    from tonearm.library.tag_runs import write_all

    with library_options.progress() as report_progress:
        return write_all(
            library,
            journal,
            [file.wanted for file in files],
            command=library_options.command(),
            keep_mtime=keep_mtime,
            on_progress=report_progress,
        )


def _print_json(
    plan: TagPlan, result: RunResult | None, failures: Sequence[tuple[str, str]]
) -> None:
    written = set(result.paths) if result else set()
    files = [
        {
            "path": file.track.path,
            "action": file.proposal.action.value,
            "old": file.track.tags.genres,
            "new": file.proposal.genres,
            "lost": file.lost,
            "confidence": round(file.prediction.confidence, 4) if file.prediction else None,
            "album": file.album,
            "written": file.track.path in written,
            "reason": file.reason,
            "damage": file.track.warning,
        }
        for file in plan.files
    ]
    refused = [(f.track.path, f.reason or "") for f in plan.with_action(Action.refused)]
    # A dict, so that a file with two reasons has one row; the last one is of the writing.
    errors = dict([*plan.unreadable, *plan.untaggable, *refused, *failures])
    library_options.print_object(
        {
            "run": result.run if result else None,
            "files": files,
            "offline": plan.offline.to_dicts(),
            "errors": [{"path": path, "message": reason} for path, reason in errors.items()],
        }
    )
