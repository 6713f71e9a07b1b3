"""``tonearm prepare``: a folder of music made ready for training networks."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, outputs
from tonearm.cli.cluster import Engine, without_remarks
from tonearm.cli.datasets import close, given_before, prepare_audio
from tonearm.cli.progress_bar import Progress
from tonearm.faults import Faults

if TYPE_CHECKING:
    from tonearm.data.index import Index
    from tonearm.data.prepare import Outcomes


def _json_file(path: Path | None) -> Path | None:
    # --json stands next to the names of folders and tables, which a slip would lose.
    is_one = partial(outputs.begins, first=b'{"mapping"')
    return outputs.only_over(path, "such a file of MFCCs", is_one)


def prepare(
    folder: Annotated[Path, typer.Argument(help="A folder of music with one folder per genre.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The prepared folder.", show_default="FOLDER.prepared"),
    ] = None,
    artists: Annotated[
        Path | None,
        typer.Option(
            help="Table of artists: lines of clip<TAB>artist.", show_default="from the tags"
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table of genres, artists and albums. CSV, FMA's tracks.csv, or mirdata's index."
        ),
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option(
            "--json",
            callback=_json_file,
            help="Also write MFCCs as JSON to this file.",
        ),
    ] = None,
    jobs: console.Jobs = None,
    on: Annotated[
        Engine | None,
        typer.Option(
            "--on",
            help="Prepare on a cluster (see docs/scale.md). RAY_ADDRESS or --address names it.",
            show_default=False,
        ),
    ] = None,
    # Hidden, since it goes with --on alone, and Ray's RAY_ADDRESS says the same.
    address: Annotated[
        str | None, typer.Option("--address", hidden=True, help="With --on: the cluster.")
    ] = None,
    verbose: console.Verbose = False,
) -> None:
    """Prepare a folder for training networks.

    Lists the tracks, finds copies by fingerprint, and stores log-mel features. A head (`tonearm
    train` without --arch) does not need this step, but uses the artists and copies found here.
    """
    from tonearm.data import groups, index
    from tonearm.data import labels as tables
    from tonearm.data.prepare import ARTISTS, prepared_path

    usual = given_before(folder) if output else (None, None)
    output = output or prepared_path(folder)
    # What was given for this place before counts more than what was given for the usual one.
    table = None if (output / ARTISTS).exists() else usual[0]
    table = groups.read_artists(artists) if artists else table
    labelled = None if (output / tables.KEPT).exists() else usual[1]
    labelled = tables.read(labels) if labels else labelled
    failures = Faults()
    with console.interruptible():
        with without_remarks() if on else nullcontext():
            done = prepare_audio(
                folder,
                out=output,
                artists=table,
                labels=labelled,
                jobs=jobs,
                outcomes=_on_cluster(address) if on else None,
            )
        failures += done.index.failed
        if json_path:
            failures += _write_json(done.index, json_path)
    for genre, count in index.describe(done.index)["genres"].items():
        print(f"{console.printable(genre)}\t{count}")
    close(failures, done.damaged, headline="could not be used")


def _on_cluster(address: str | None) -> Outcomes:
    from tonearm.distributed.prepare import outcomes

    return partial(outcomes, address=address)


def _write_json(made: Index, path: Path) -> Faults:
    from tonearm.data import original_json

    note = outputs.replaced(path)
    with (
        console.quiet_decoders(),
        Progress(len(made.tracks), unit="tracks") as progress,
    ):
        failed = original_json.write_json(made, path, on_done=progress.advance)
    console.say(f"MFCCs: {console.printable(path)}{note}")
    return failed
