"""``tonearm scan --on ray``: the options, the progress and the summary of a scan on a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tonearm.cli import console
from tonearm.cli.library_options import Form, print_object
from tonearm.cli.progress_bar import Counting
from tonearm.errors import counted

if TYPE_CHECKING:
    from tonearm.distributed.scan import ClusterScan


class Engine(StrEnum):
    """Engines that a scan runs on."""

    ray = "ray"


@dataclass(frozen=True)
class Options:
    """What was asked for.

    Parameters
    ----------
    output, address : str or None
        The folder or URI to fill; the cluster.
    model : Path or None
        A model file; None is the built-in.
    jobs : int or None
        Objects at once for each core.
    retry : bool
        Try again what has failed.
    form : Form
    quiet : bool
        Say nothing unless something is new.
    """

    output: str | None
    address: str | None
    model: Path | None
    jobs: int | None
    retry: bool
    form: Form
    quiet: bool


def scan_on_cluster(inputs: Sequence[str], options: Options) -> None:
    """Scan, report, and exit as a scan on this machine does.

    Parameters
    ----------
    inputs : sequence of str
        Manifests, prefixes, folders and objects.
    options : Options
        What the command line said besides.
    """
    from tonearm.distributed import scan as scanning
    from tonearm.model import file as model_file

    if not inputs:
        raise typer.BadParameter(
            "name what to scan: a folder, a URI, or a manifest", param_hint="PATHS"
        )
    if options.output is None:
        raise typer.BadParameter("name the folder or URI for the Parquet files", param_hint="-o")
    result = scanning.ClusterScan()
    interrupted = False
    with Counting("objects") as counting, without_remarks():
        try:
            scanning.scan(
                [_absolute(name) for name in inputs],
                _absolute(options.output),
                model=model_file.load(options.model and model_file.named(options.model)),
                address=options.address,
                objects_at_once=options.jobs,
                retry=options.retry,
                result=result,
                on_progress=lambda so_far: counting.reach(so_far.to_do, so_far.done, so_far.failed),
            )
        # What was written stays; the summary still follows.
        except KeyboardInterrupt:
            interrupted = True
    _report(result, options)
    if interrupted:
        console.say("Interrupted. What was written is kept; the same command continues from there.")
        raise typer.Exit(console.EXIT_INTERRUPTED)
    if result.failed or result.damaged:
        raise typer.Exit(console.EXIT_FAILED_FILES)


@contextmanager
def without_remarks() -> Iterator[None]:
    """Keep what Ray prints of lost nodes off stdout, where our own results go; its logs have it."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        yield


def _absolute(name: str) -> str:
    """Workers have other working directories, and other homes."""
    from tonearm.distributed.storage import is_uri

    return name if is_uri(name) else os.path.abspath(os.path.expanduser(name))


def _report(result: ClusterScan, options: Options) -> None:
    counts = {
        "found": result.found,
        "unchanged": result.unchanged,
        "failed_before": result.failed_before,
        "analysed": result.analysed,
        "failed": result.failed,
        "damaged_count": result.damaged_count,
    }
    named = {"damaged": result.damaged, "failures": result.failures}
    if options.form is Form.json:
        lists = {
            name: [{"path": path, "message": why} for path, why in found]
            for name, found in named.items()
        }
        print_object({**counts, **lists, "output": options.output})
    elif not options.quiet or result.done:
        # Flushed, so that the failures on stderr come after it in a log of both.
        print(_summary(result), flush=True)
    damaged = _with_more(console.DAMAGED_ARE, result.damaged_count - len(result.damaged), "warning")
    console.report(damaged, result.damaged)
    failed = _with_more("could not be read", result.failed - len(result.failures), "error")
    console.report(failed, result.failures)


def _with_more(headline: str, more: int, column: str) -> str:
    # Millions of objects would fill the screen.
    return f"{headline} (and {more:,} more: see the column {column})" if more else headline


def _summary(result: ClusterScan) -> str:
    parts = [
        f"{result.unchanged:,} unchanged",
        f"{result.analysed:,} analysed",
        f"{result.failed:,} failed",
    ]
    if result.by_others:
        parts.append(f"{result.by_others:,} by another scan meanwhile")
    if result.failed_before:
        parts.append(f"{result.failed_before:,} failed before (--retry tries them again)")
    return f"{counted(result.found, 'object')}: {', '.join(parts)}"
