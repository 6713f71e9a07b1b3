"""``tonearm scan``: fill a library with analysed tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tonearm.cli import console
from tonearm.cli.cluster import Engine, Options, scan_on_cluster
from tonearm.cli.library_options import (
    Form,
    FormOption,
    Location,
    ModelOption,
    chosen_model,
    location,
    path,
    print_object,
)
from tonearm.cli.progress_bar import Counting
from tonearm.errors import TonearmError, counted
from tonearm.files import cores
from tonearm.library.file_tags import file_tags

if TYPE_CHECKING:
    from tonearm.library.scan_result import Scan


# More new files than this are summed while a folder is watched.
_FEW = 40


@dataclass(frozen=True)
class _Options:
    """How to scan, the same for each time while folders are watched."""

    library: Path
    model: Path | None
    jobs: int
    retry: bool
    exclude: tuple[str, ...]
    form: Form
    quiet: bool


def scan(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Files and folders; with --on also URIs and manifests.",
            show_default="everything scanned before",
            parser=path,
        ),
    ] = None,
    library: Location = None,
    jobs: console.Jobs = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Also retry failed files that have not changed.")
    ] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", help="Skip names such as '*.wav'; may be repeated."),
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running, and analyse new files as they come.")
    ] = False,
    tag: Annotated[
        bool, typer.Option("--tag", help="With --watch: write genres into new files.")
    ] = False,
    on: Annotated[
        Engine | None,
        typer.Option(
            "--on",
            help="Scan on a cluster (see docs/scale.md). RAY_ADDRESS or --address names it.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="With --on: folder or URI for the Parquet files."),
    ] = None,
    # Hidden, since it goes with --on alone, and Ray's RAY_ADDRESS says the same.
    address: Annotated[
        str | None, typer.Option("--address", hidden=True, help="With --on: the cluster.")
    ] = None,
    model: ModelOption = None,
    output_format: FormOption = Form.table,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing unless something is new.")
    ] = False,
    device: console.Device = "auto",
    verbose: console.Verbose = False,
) -> None:
    """Analyse new music and add it to the library.

    Nothing is analysed twice: a file that was moved or tagged is recognised by its sound. Folders
    with a file `.nomedia` in them are skipped.
    """
    if tag and not watch:
        raise typer.BadParameter("needs --watch", param_hint="--tag")
    if on is not None:
        if watch or exclude:
            raise typer.BadParameter(
                "cannot be combined with --on", param_hint="--watch or --exclude"
            )
        cluster = Options(output, address, model, jobs, retry, output_format, quiet)
        scan_on_cluster(paths or (), cluster)
        return
    if output is not None or address is not None:
        raise typer.BadParameter("needs --on ray", param_hint="--output or --address")
    options = _Options(
        library=location(library),
        model=model,
        jobs=jobs or cores(),
        retry=retry,
        exclude=tuple(exclude or ()),
        form=output_format,
        quiet=quiet,
    )
    named = [Path(path) for path in paths or ()]
    if not named and not options.library.exists():  # before one is made
        raise typer.BadParameter("name folders to scan", param_hint="PATHS")
    result, interrupted = _scan(options, named)
    if watch and not interrupted:

        def write(new: list[str]) -> None:
            if tag and new:
                _tag(context, options.library, new)

        # What came while nobody watched, such as before a restart, counts as new.
        write(result.new)
        _watch(replace(options, quiet=True), named, write)
        return
    words = "Interrupted. What was analysed is kept; the next scan continues from there."
    faults = bool(result.failures or result.damaged)
    console.leave(faults=faults, interrupted=words if interrupted else None)


def _scan(options: _Options, paths: Sequence[Path]) -> tuple[Scan, bool]:
    """Scan once and report; gives also whether Ctrl-C ended it."""
    from tonearm.workers import start_server

    if cores() > 1:
        # .3 s less to wait; where there is nothing new, another core works for it. What it prints
        # later goes where stderr leads now.
        with console.quiet_decoders():
            start_server()
    from tonearm.library import scan as scanning
    from tonearm.library.file_analysis import load_embed
    from tonearm.library.scan_result import Scan
    from tonearm.library.store import Library
    from tonearm.model import file as model_file

    result = Scan()
    interrupted = False
    with ExitStack() as stack:
        opened = stack.enter_context(Library(options.library, write=True))
        # Neither named nor scanned before: nothing to do is a mistake, not a success.
        if not (paths or opened.roots() or next(opened.strays(), None)):
            raise typer.BadParameter("name folders to scan", param_hint="PATHS")
        model = chosen_model(opened, options.model)
        loaded = model_file.load(model)
        # Once the model could be loaded: a wrong path must not be kept for the next scan.
        opened.keep_model_path(model)
        counting = stack.enter_context(Counting("files"))
        try:
            scanning.scan(
                opened,
                paths,
                again=not paths,
                model=loaded,
                make_embed=partial(load_embed, model),
                read_tags=file_tags,
                jobs=options.jobs,
                retry=options.retry,
                exclude=options.exclude,
                result=result,
                on_progress=partial(_show, counting),
            )
        # What was analysed is committed; the summary still follows.
        except KeyboardInterrupt:
            interrupted = True
    _report(result, options)
    return result, interrupted


def _report(result: Scan, options: _Options) -> None:
    news = result.analysed + result.recognised + result.missing + result.reclassified
    if options.form is Form.json:
        # `new` is for the watching: a first scan has all files of a library there.
        values = {n: value for n, value in asdict(result).items() if n not in {"looking", "new"}}
        for name in ("failures", "damaged", "emptied"):
            values[name] = getattr(result, name).to_dicts()
        print_object(values)
    elif not options.quiet or news:
        print(_summary(result, excluding=bool(options.exclude)), flush=True)
    console.report(console.DAMAGED_ARE, result.damaged)
    console.report("could not be read", result.failures)
    console.report("emptied", result.emptied)


def _watch(options: _Options, paths: Sequence[Path], write: Callable[[list[str]], None]) -> None:
    """Scan what changes in the folders, and hand on what is new, until Ctrl-C."""
    from tonearm.cli.watch import watch
    from tonearm.library.store import Library

    with Library(options.library) as opened:
        folders = [Path(path) for path in opened.roots()]
    # Files are scanned once; only folders can be watched. One that is offline is waited for.
    named = [path.resolve() for path in paths]
    if named:
        folders = [path for path in named if path.is_dir() or path in folders]
    if not folders:
        raise typer.BadParameter("name folders to watch", param_hint="PATHS")

    left: set[Path] = set()  # of a time when the library was in use

    def on_change(changed: list[Path]) -> None:
        left.update(changed)
        paths = sorted(path for path in left if path.exists())
        try:
            result, interrupted = _scan(options, paths)
            if interrupted:
                raise KeyboardInterrupt
            # Not all that was looked at: a genre that a person took out again stays out.
            write(result.new)
        except TonearmError as error:
            console.say(f"{console.printable(str(error))}; Tonearm tries again at the next change")
        else:
            left.clear()

    console.say(f"watching {counted(len(folders), 'folder')}; Ctrl-C ends it")
    try:
        watch(folders, on_change)
    except KeyboardInterrupt:
        console.say("no longer watching; everything analysed is kept")


def _tag(context: typer.Context, library: Path, paths: list[str]) -> None:
    """`tonearm tag --write` on files, with the defaults of the settings file."""
    from typer.main import get_command

    from tonearm.cli.app import build

    # A file that came and got no genre is named with the reason, unless it is one of many.
    details = ["--details"] if len(paths) <= _FEW else []
    arguments = ["tag", "--write", *details, "--library", str(library), "--", *paths]
    # What is skipped is named, and the watching goes on. A program that was started for `scan` has
    # no other command yet.
    program: Any = get_command(build("tag"))
    program.main(arguments, standalone_mode=False, default_map=context.find_root().default_map)


def _show(counting: Counting, result: Scan) -> None:
    """Draw how far a scan is: first the files found, then the share that is done."""
    if result.looking:
        counting.looking(f"found {counted(result.found, 'file')}")
    else:
        counting.reach(result.to_do, result.done, len(result.failures))


def _summary(result: Scan, *, excluding: bool) -> str:
    parts = [
        f"{result.unchanged:,} unchanged",
        f"{result.analysed:,} analysed",
        f"{result.recognised:,} recognised" + (f" ({result.moved:,} moved)" * bool(result.moved)),
    ]
    failed = result.done - result.analysed - result.recognised
    parts += [f"{failed:,} failed"] * bool(failed)
    # Nobody looked where a pattern forbids it, so the one cannot be told from the other.
    parts += [f"{result.missing:,} missing{' or excluded' * excluding}"] * bool(result.missing)
    before = f"{result.missing_before:,} missing before (`tonearm list --missing`)"
    parts += [before] * bool(result.missing_before)
    parts += [f"{result.offline:,} offline"] * bool(result.offline)
    parts += [f"{result.reclassified:,} classified again"] * bool(result.reclassified)
    before = f"{result.failed_before:,} failed before (--retry tries them again)"
    parts += [before] * bool(result.failed_before)
    # Links to nowhere and folders without access are no files, but are named below.
    unopened = len(result.failures) - failed
    more = f"; {unopened:,} more could not be opened" if unopened > 0 else ""
    return f"{counted(result.found, 'file')}: {', '.join(parts)}{more}"
