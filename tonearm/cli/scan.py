"""``tonearm scan``: fill a library with analysed tracks."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Location, ModelOption, chosen_model, location
from tonearm.files import cores
from tonearm.library.file_tags import file_tags

if TYPE_CHECKING:
    from tonearm.library.scan import Scan


def scan(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders.", show_default="all that were scanned before"),
    ] = None,
    library: Location = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Files to analyse at once.", show_default="cores"),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try unchanged files again that failed before.")
    ] = False,
    model: ModelOption = None,
    verbose: console.Verbose = False,
) -> None:
    """Analyse new music and add it to the library.

    Nothing is analysed twice: a file that was moved or tagged is recognised by its sound.
    """
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
    console.report("damaged, classified by what is left", result.damaged)
    console.report("could not be read", result.failures)
    if interrupted:
        console.say("interrupted; what was analysed is kept; scan again to continue")
        raise typer.Exit(console.EXIT_INTERRUPTED)
    if result.failures or result.damaged:
        raise typer.Exit(console.EXIT_FAILED_FILES)


class _Shown:
    """The progress bar of a scan: first the files found, then the share done."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._looking = self._bar(None)
        self._analysing: console.Progress | None = None
        self._done = 0

    def update(self, result: Scan) -> None:
        """Draw how far it is."""
        if result.looking:
            self._looking.note(f"found {console.counted(result.found, 'file')}")
            return
        if self._analysing is None:
            self._stack.close()
            self._analysing = self._bar(result.to_do)
        self._analysing.advance(amount=result.done - self._done, failures=len(result.failures))
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
        f"{result.analysed:,} analysed",
        f"{result.recognised:,} recognised" + (f" ({result.moved:,} moved)" * bool(result.moved)),
    ]
    parts += [f"{result.gone:,} gone"] * bool(result.gone)
    parts += [f"{result.reclassified:,} classified again"] * bool(result.reclassified)
    failed = f"{result.failed_before:,} failed before (--retry tries them again)"
    parts += [failed] * bool(result.failed_before)
    return f"{console.counted(result.found, 'file')}: {', '.join(parts)}"
