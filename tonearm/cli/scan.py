"""``tonearm scan`` and ``status``: filling a library of heard tracks, and what is in it."""

from __future__ import annotations

from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.files import cores
from tonearm.library.file_tags import file_tags

if TYPE_CHECKING:
    from tonearm.library.scan import Scan
    from tonearm.library.store import Library

Location = Annotated[
    Path | None,
    typer.Option(
        "--library",
        envvar="TONEARM_LIBRARY",
        help="The library's file.",
        show_default="in the user's data folder",
        show_envvar=True,
    ),
]


ModelOption = Annotated[
    Path | None,
    typer.Option(
        help="Another model; shipped: the built-in.",
        show_default="that of the library's last scan, else the built-in",
    ),
]


class StatusFormat(StrEnum):
    """How the numbers of a library are written."""

    table = "table"
    json = "json"


def location(named: Path | None) -> Path:
    """The library's file: as named, or ``library.sqlite`` where the platform keeps such data."""
    if named is not None:
        return named
    import platformdirs

    return Path(platformdirs.user_data_dir("tonearm", appauthor=False)) / "library.sqlite"


def chosen_model(library: Library, named: Path | None) -> Path | None:
    """The model to go on with, None for the built-in: as named, or that of the last scan.

    Raises
    ------
    LibraryError
        When it is not there: another would judge all of the library again, unasked.
    """
    from tonearm.errors import LibraryError
    from tonearm.model import file as model_file

    if named is not None:
        return model_file.named(named)
    remedy = "name its file with --model, or the built-in with --model shipped"
    kept = library.model_path()
    if kept is None and _is_foreign(library):
        raise LibraryError(f"{library.path}: judged by a model that is not the built-in: {remedy}")
    if not kept:
        return None
    if not Path(kept).exists():
        raise LibraryError(f"{library.path}: last scanned with {kept}, which is gone: {remedy}")
    console.say(
        f"model: {console.printable(kept)}, as in the last scan (--model shipped: built-in)"
    )
    return Path(kept)


def _is_foreign(library: Library) -> bool:
    """Whether a library of before, which keeps no model's path, was judged by one's own model."""
    from tonearm.model import file as model_file

    model = library.model()
    if model is None:
        return False
    shipped = model_file.load()
    return (model.name, model.labels) != (shipped.name, shipped.labels)


def scan(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders.", show_default="all that were scanned before"),
    ] = None,
    library: Location = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Files at once.", show_default="cores"),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try files again that failed and did not change.")
    ] = False,
    model: ModelOption = None,
    verbose: console.Verbose = False,
) -> None:
    """Hear what is new in folders, and keep it in the library; nothing is heard twice."""
    from tonearm.library import scan as scanning
    from tonearm.library.store import Library
    from tonearm.model import file as model_file

    result = scanning.Scan()
    interrupted = False
    with ExitStack() as stack:
        opened = stack.enter_context(Library(location(library), write=True))
        if not (paths or opened.roots() or next(opened.strays(), None)):
            raise typer.BadParameter("name folders to scan", param_hint="PATHS")
        model = chosen_model(opened, model)
        loaded = model_file.load(model)
        opened.keep_model_path(model)
        stack.enter_context(console.quiet_decoders())
        show = stack.enter_context(_Shown())
        try:
            scanning.scan(
                opened,
                paths or (),
                again=not paths,
                model=loaded,
                make_embed=partial(scanning.load_embed, model),
                read_tags=file_tags,
                jobs=jobs or cores(),
                retry=retry,
                result=result,
                on_progress=show.update,
            )
        except KeyboardInterrupt:
            interrupted = True
    print(_summary(result))
    console.report("damaged, judged by what is left", result.damaged)
    console.report("could not be heard", result.failures)
    if interrupted:
        console.say("interrupted; what was heard until then is kept, scan again to go on")
        raise typer.Exit(console.EXIT_INTERRUPTED)
    if result.failures or result.damaged:
        raise typer.Exit(console.EXIT_FAILED_FILES)


class _Shown:
    """The bar of a scan: at first what was found, then how much of it is done."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._looking = self._bar(None)
        self._hearing: console.Progress | None = None
        self._done = 0

    def update(self, result: Scan) -> None:
        """Draw how far it is."""
        if result.looking:
            self._looking.note(f"found {console.counted(result.found, 'file')}")
            return
        if self._hearing is None:
            self._stack.close()
            self._hearing = self._bar(result.to_do)
        self._hearing.advance(amount=result.done - self._done, failures=len(result.failures))
        self._done = result.done

    def _bar(self, total: int | None) -> console.Progress:
        return self._stack.enter_context(console.Progress(total, unit="files"))

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _summary(result: Scan) -> str:
    parts = [
        f"{result.unchanged:,} unchanged",
        f"{result.analysed:,} heard",
        f"{result.recognised:,} recognised" + (f" ({result.moved:,} moved)" * bool(result.moved)),
    ]
    parts += [f"{result.gone:,} gone"] * bool(result.gone)
    parts += [f"{result.reclassified:,} judged again"] * bool(result.reclassified)
    failed = f"{result.failed_before:,} failed before (--retry tries them again)"
    parts += [failed] * bool(result.failed_before)
    return f"{console.counted(result.found, 'file')}: {', '.join(parts)}"


def status(
    library: Location = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="Name the files that could not be heard.")
    ] = False,
    copies: Annotated[
        bool, typer.Option("--copies", help="Name the files that hold the same sound.")
    ] = False,
    output_format: Annotated[StatusFormat, typer.Option("--format", "-f")] = StatusFormat.table,
    verbose: console.Verbose = False,
) -> None:
    """Say what is in the library: genres, how sure, missing tags, errors, copies."""
    from tonearm.library import overview
    from tonearm.library.store import Library

    with Library(location(library)) as opened:
        seen = overview.overview(opened)
        failed = overview.errors(opened) if errors else []
        groups = overview.copies(opened) if copies else []
        if output_format == "json":
            from tonearm.cli.formats import to_json

            values = {"schema": 1, "library": str(opened.path), **seen.to_dict()}
            if errors:
                values["failed_files"] = [
                    {"path": path, "message": message} for path, message in failed
                ]
            if copies:
                values["copied_files"] = groups
            print(to_json(values))
            return
        from tonearm.cli.library_views import show_overview

        show_overview(seen, opened.path)
    for path, message in failed:
        print(f"{console.printable(path)}: {console.printable(message)}")
    for group in groups:
        print("\n= ".join(map(console.printable, group)))
