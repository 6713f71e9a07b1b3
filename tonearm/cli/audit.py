"""``tonearm audit``: what is wrong with a data set, before anything is learnt from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, datasets, heads, outputs
from tonearm.cli.library_options import Form, FormOption, Location, location
from tonearm.cli.progress_bar import Counting
from tonearm.errors import counted

if TYPE_CHECKING:
    from tonearm.training.audit_results import Audit
    from tonearm.training.dataset import DataSet, Encoding

_SHOWN = 20


def audit(
    data: Annotated[
        Path, typer.Argument(help="A folder of music, a prepared folder, or a library file.")
    ],
    labels: Annotated[
        Path | None,
        typer.Option(help="Table of genres, as for `tonearm prepare`."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Also find artists in two subsets of this split."),
    ] = None,
    report: outputs.Report = None,
    output_format: FormOption = Form.table,
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, help="Maximum number of labels to list.")
    ] = _SHOWN,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model file to check the labels with.", show_default="the built-in model"
        ),
    ] = None,
    library: Location = None,
    seed: heads.Seed = 0,
    jobs: console.Jobs = None,
    device: console.Device = "auto",
    verbose: console.Verbose = False,
) -> None:
    """Find what is wrong with a data set.

    Lists labels that contradict the sound, copies within and across genres, damaged, silent and
    very short files, genres with a single artist, and artists in two subsets of a split. The labels
    of a library are the genres that people wrote into its tags.
    """
    with console.interruptible():
        found, root = _audit(
            data, labels=labels, split=split, model=model, library=library, seed=seed, jobs=jobs
        )
    if report is not None:
        outputs.write_report(report, _page(found, root))
    if output_format is Form.json:
        print(json.dumps(found.to_dict(), indent=1, allow_nan=False))
    else:
        _print(found, count)
    datasets.close(
        found.failed,
        found.damaged,
        headline="left out because they are unreadable, silent or too short",
    )


def _audit(
    data: Path,
    *,
    labels: Path | None,
    split: str | None,
    model: Path | None,
    library: Path | None,
    seed: int,
    jobs: int | None,
) -> tuple[Audit, Path]:
    """The audit, and the folder that the names of its tracks begin in."""
    from tonearm.data import splits
    from tonearm.library.store import Library
    from tonearm.model import file as model_file
    from tonearm.training import audit as auditing
    from tonearm.training import custom_genres, dataset, library_dataset

    # By content: a library may be called anything.
    is_library = outputs.is_database(data)
    if is_library and labels is not None:
        raise typer.BadParameter(
            "a library has its labels in tags: leave this option out", param_hint="--labels"
        )
    # Before anything is decoded.
    wanted = None if split is None else splits.written(split)
    if split is not None and wanted is None:
        raise typer.BadParameter(
            "name a split: grouped, gtzan-filtered, or a file", param_hint="--split"
        )
    loaded = model_file.load(model)
    # A library that is audited is its own store: its sounds are analysed already.
    with Library(data if is_library else location(library), write=True) as opened:
        how = datasets.encoding(opened, loaded, model, jobs=jobs)
        encoder, counting = how
        if is_library:
            found, left_out = library_dataset.read(data, encoder)
            console.say(
                f"{counted(left_out, 'track')} left out: no person wrote a genre into their tags."
            )
        else:
            found = _folder(data, labels, how, jobs=jobs)
        with counting:
            kept, failed = dataset.embed(found, found.index.tracks, encoder)
        tracks = custom_genres.embedded_tracks(
            found.index, {name: made.values for name, made in kept.items()}
        )
    result = auditing.audit(
        str(data),
        tracks,
        names=loaded.embedding_names,
        split=wanted,
        failed=type(failed)([*found.failed, *failed]),
        damaged=found.damaged,
        seed=seed,
    )
    return result, Path(found.index.source or ".")


def _folder(
    data: Path,
    labels: Path | None,
    how: tuple[Encoding, Counting],
    *,
    jobs: int | None,
) -> DataSet:
    """The data set in a folder, with copies found by fingerprint."""
    from tonearm.data import labels as tables
    from tonearm.data.prepare import prepared_path
    from tonearm.training import dataset

    labelled = tables.read(labels) if labels else None
    if not dataset.is_prepared(data):
        out = prepared_path(data)
        kept = tables.kept(out)
        # The commands that train read it too: an audit is no way to change what they learn.
        if labelled is not None and kept not in (None, labelled):
            raise typer.BadParameter(
                f"{out / tables.KEPT} keeps another table, given before: leave this option out, or "
                f"replace that by `tonearm prepare {data} --labels {labels}`",
                param_hint="--labels",
            )
        # Fingerprints alone: log-mel spectrograms are for networks.
        datasets.prepare_audio(data, out=out, labels=labelled, jobs=jobs, features=False)
    elif labelled is not None:
        reason = "the folder is prepared already: give the table to `tonearm prepare` instead"
        raise typer.BadParameter(reason, param_hint="--labels")
    encoder, counting = how
    with counting:
        return dataset.read(data, encoder)


def _page(found: Audit, root: Path) -> str:
    from tonearm.training import audit_page

    return audit_page.render(found, datasets.players(root, audit_page.played(found)))


def _print(found: Audit, count: int) -> None:
    """What was found, for people."""
    tracks = sum(found.genres.values())
    artists = f"{counted(found.artists, 'artist')}, unknown for {found.unknown_artist}"
    if not found.artists:
        artists = "no artist known"
    of = f"{counted(tracks, 'track')}, {counted(len(found.genres), 'genre')}, {artists}"
    print(f"{console.printable(found.folder)}: {of}")
    _print_labels(found, count)
    _print_copies(found)
    for note in found.notes:
        print(f"\n{console.printable(note)}")
    if found.split is not None:
        print(f"\n{counted(len(found.crossing), 'artist')} in several subsets of {found.split}")
    for group, where in found.crossing.items():
        sides = ", ".join(f"{subset}: {name}" for subset, name in where.items())
        print(f"  {console.printable(f'{group.partition(chr(58))[2]} ({sides})')}")


def _print_labels(found: Audit, count: int) -> None:
    from tonearm.training.audit_results import NOTHING_CHECKED

    if not found.measured:
        print(f"\n{NOTHING_CHECKED}")
        return
    doubted = len(found.suspects)
    verb = "contradicts" if doubted == 1 else "contradict"
    print(f"\n{doubted} of {found.measured} labels {verb} the sound ({found.held_out})")
    shown = found.suspects[:count]
    # Of what is shown: a long name further down must not push the figures off the line.
    width = max([len(console.printable(each.name)) for each in shown], default=0)
    for each in shown:
        near = ", ".join(neighbour.genre for neighbour in each.neighbours)
        print(
            f"  {console.printable(each.name):<{width}}  "
            f"{console.printable(each.genre)} {each.probability_of_label:.2f}, sounds like "
            f"{console.printable(each.answer)} {each.probability:.2f}; near: "
            f"{console.printable(near)}{'; held out by itself' if each.one_by_one else ''}"
        )
    if doubted > len(shown):
        print(f"  and {doubted - len(shown)} more (--count, --format json)")


def _print_copies(found: Audit) -> None:
    count = sum(len(each.copies) for each in found.copies)
    several = counted(len(found.across), "recording")
    across = f", {several} in several genres" if found.across else ""
    print(f"\n{counted(count, 'copy', 'copies')}{across}")
    for each in found.copies:
        odd = f"  [{' and '.join(each.genres)}]" if len(each.genres) > 1 else ""
        print(f"  {console.printable(' = '.join((each.kept, *each.copies)) + odd)}")
