"""``tonearm predict``: the genre of files, of folders, of a list."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tonearm.cli import console, outputs
from tonearm.cli.progress_bar import Progress
from tonearm.errors import TonearmError
from tonearm.faults import Faults
from tonearm.files import cores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tonearm.cli.formats import Result, Writer
    from tonearm.windows import WindowCount


class Format(StrEnum):
    """How results are written."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    cue = "cue"
    audacity = "audacity"
    ffmetadata = "ffmetadata"


# Formats of one track's timeline.
_OF_ONE_TIMELINE = (Format.cue, Format.audacity, Format.ffmetadata)


def _window_count(text: str | None) -> str | None:
    # Up to six digits, as of the HTTP API: no file has more, and 4,300 Python does not read.
    if text in (None, "all") or (text and text.isdecimal() and len(text) < 7 and int(text) > 0):
        return text
    raise typer.BadParameter("give a number from 1 to 999999, or 'all'")


def predict(
    paths: Annotated[
        list[Path] | None, typer.Argument(readable=False, help="Files and folders.")
    ] = None,
    files_from: Annotated[
        str | None, typer.Option(help="Read paths from a list or playlist; - is stdin.")
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", "-f", help="Output format.")
    ] = Format.table,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            callback=outputs.output_file,
            help="Write to this file, or many timelines to a folder.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Number of genres to show.")] = 2,
    tags: Annotated[bool, typer.Option("--tags", help="Also show moods and instruments.")] = False,
    styles: Annotated[
        bool, typer.Option("--styles", help="Also show styles, such as Hard Rock.")
    ] = False,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Show when the genre changes, to the second.")
    ] = False,
    count: Annotated[
        str | None,
        typer.Option(
            "--windows",
            callback=_window_count,
            help="Windows of 3 s to analyse, or 'all'.",
            show_default="until confident",
        ),
    ] = None,
    jobs: console.Jobs = None,
    model: Annotated[
        Path | None, typer.Option(help="Model file to use.", show_default="the built-in model")
    ] = None,
    device: console.Device = "auto",
    verbose: console.Verbose = False,
) -> None:
    """Name the genre of files and folders.

    Prints the genre, the confidence and a second guess. With --timeline, also prints when the
    genre changes.
    """
    from tonearm.cli.formats import open_writer
    from tonearm.cli.table import View
    from tonearm.cli.timelines import folder_writer
    from tonearm.model import batch
    from tonearm.model.classifier import Classifier
    from tonearm.workers import Pool, Work, can_fork

    timeline = timeline or output_format in _OF_ONE_TIMELINE
    if timeline and count not in (None, "all"):
        raise typer.BadParameter(
            "a timeline needs the whole track: leave it out", param_hint="--windows"
        )
    # Asked before anything is opened: `-o song.mp3` would replace the song by a table.
    own = [path for path in paths or () if _same_file(path, output)]
    if own and not (own[0].is_dir() and output_format in _OF_ONE_TIMELINE):
        raise typer.BadParameter("is one of the files to analyse", param_hint="--output")
    # A model that was trained for hours, or a list that somebody made, cannot be made again.
    for named, option in ((model, "--model"), (files_from, "--files-from")):
        if named is not None and _same_file(Path(named), output):
            raise typer.BadParameter(f"is what {option} names", param_hint="--output")
    failures, damaged, unwritten = Faults(), Faults(), Faults()
    files = _files(paths or [], files_from, failures)
    root = _common_folder(files)
    # Each timeline next to its file, also where all files lie in one folder below.
    if own and output and Path(root).is_relative_to(own_root := os.path.abspath(output)):
        root = own_root
    # A sheet for each file goes into a folder; one file's timeline goes to stdout or where it is
    # told.
    in_folder = None
    if output_format in _OF_ONE_TIMELINE and _is_of_many(files, paths, output):
        in_folder, files = folder_writer(output_format, output, files, root, unwritten)
    processors = cores()
    jobs = max(1, min(jobs or processors, len(files)))
    # Cores that no file takes help with the windows of those that are analysed.
    classifier = Classifier.load(model, threads=max(1, processors // jobs))
    windows = cast("WindowCount | None", int(count) if count and count != "all" else count)
    options = batch.Options(timeline=timeline, tags=tags, count=windows)
    with ExitStack() as stack:
        stack.enter_context(console.quiet_decoders())
        make_work = partial(batch.make_predict, classifier, options)
        # A copy of this process, while there are no other threads, is there at once. Without
        # copies, a process for one file would take longer than the file.
        pool: Pool | Work = (
            stack.enter_context(Pool(jobs, make_work=make_work, fork=True))
            if len(files) > 1 or can_fork()
            else make_work()
        )
        view = View(classifier.model.labels, top, root, styles, every_second=timeline)
        # The writer before the bar: the stack closes the bar first, so that it is gone when a table
        # ends.
        write = in_folder or stack.enter_context(
            open_writer(output_format, output, view, total=len(files))
        )
        progress = stack.enter_context(Progress(len(files), unit="files"))
        # In the order of the files, whichever is ready first: two runs can be compared line by
        # line.
        results = batch.predict_in_order(pool, files, on_progress=progress.report)
        interrupted = _write_all(results, write, progress, failures, damaged)
    analysed = len(files) > len(failures)
    if analysed and timeline and output_format == "table" and classifier.model.stop_confidence < 1:
        console.say_whole(classifier.model.windows_per_track)
    console.report("got no timeline", unwritten)
    if output_format == "cue":
        # A sheet that lies elsewhere names the folders too.
        _report_renamed(files, with_folders=output is not None and not own)
    words = "Interrupted. What was analysed so far is written." if interrupted else None
    console.close("could not be read", failures, damaged=damaged, interrupted=words)
    console.leave(faults=bool(unwritten), interrupted=None)


def _report_renamed(files: Sequence[Path], *, with_folders: bool) -> None:
    """Name the files that a CUE sheet cannot name as they are called."""
    from tonearm.timeline.formats import changes_in_cue

    reason = "has a double quote, a line break or bytes that are not UTF-8 in its name: rename it"
    odd = [
        (str(file), reason)
        for file in files
        if changes_in_cue(str(file) if with_folders else file.name)
    ]
    console.report("named differently in the CUE sheet, so that players do not find it", odd)


def _write_all(
    results: Iterator[Result],
    write: Writer,
    progress: Progress,
    failures: Faults,
    damaged: Faults,
) -> bool:
    """Write results as they come, and note what is wrong with them; whether Ctrl-C ended that."""
    from tonearm.errors import DecodeError

    try:
        for number, result in enumerate(results):
            with progress.aside():
                write(result)
            if isinstance(result, DecodeError):
                failures.add(result.path, result)
            elif result.warnings:
                damaged.add(str(result.path), "; ".join(result.warnings))
            # A file that failed has reported no end itself.
            progress.report(number, 1.0)
            progress.advance(0, failures=len(failures))
    # What was written is whole, so the end is the same as of a run that got through.
    except KeyboardInterrupt:
        return True
    return False


def _files(paths: list[Path], files_from: str | None, failures: Faults) -> list[Path]:
    """Every file to analyse; folders that cannot be read are added to ``failures``."""
    from tonearm.audio import AUDIO_SUFFIXES
    from tonearm.files import find

    if files_from is not None:
        paths = [*paths, *_listed(files_from)]
        if not paths:  # the usual day of an archive to which nothing came
            console.say("The list names no file.")
            return []
    if not paths:
        raise typer.BadParameter(
            "name files or folders, or a list with --files-from", param_hint="PATHS"
        )

    # All of them before the first is opened: the number decides on processes, and the bar needs it.
    files = list(find(paths, suffixes=AUDIO_SUFFIXES, on_error=failures.add_folder))
    if not files and not failures:
        raise TonearmError(f"no audio files in {', '.join(map(str, paths))}")
    return files


def _same_file(path: Path, output: Path | None) -> bool:
    return bool(output and output.exists() and path.exists() and path.samefile(output))


def _is_of_many(files: list[Path], paths: list[Path] | None, output: Path | None) -> bool:
    """Whether each file has a timeline of its own, in a folder: also for a folder of one."""
    of_folder = any(path.is_dir() for path in paths or ())
    return len(files) > 1 or (output is not None and (of_folder or output.is_dir()))


def _common_folder(files: list[Path]) -> str:
    """The folder that all files are in, or below."""
    try:
        return os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files])
    except ValueError:  # none, or on several drives
        return ""


def _listed(source: str) -> list[Path]:
    from tonearm.cli.path_list import not_a_list, paths_in

    path = Path(source)
    try:
        data = sys.stdin.buffer.read() if source == "-" else path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{source}: {error.strerror}", param_hint="--files-from") from None
    if reason := not_a_list(data):
        words = f"{console.printable(source)} {reason}"
        raise typer.BadParameter(words, param_hint="--files-from")
    # A playlist's paths count from where it lies, those on stdin from where the command runs.
    folder = Path() if source == "-" else path.parent
    return paths_in(data, folder=folder, is_playlist=path.suffix.lower() in (".m3u", ".m3u8"))
