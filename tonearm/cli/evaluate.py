"""``tonearm evaluate``: how good models are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tonearm.cli import console
from tonearm.cli.prepare import end, prepared
from tonearm.errors import DatasetError
from tonearm.files import cores

if TYPE_CHECKING:
    from tonearm.model.file import Model
    from tonearm.training.evaluate import Evaluation, Judged
    from tonearm.training.evaluation_set import EvaluationSet, TrackEmbeddings

Values = dict[str, Any]

_PARTS = ("train", "valid", "test")
HASH_SHOWN = 12


def _known_part(name: str | None) -> str | None:
    if name not in (None, *_PARTS):
        raise typer.BadParameter(f"{name!r} is none of {', '.join(_PARTS)}")
    return name


def evaluate(
    model: Annotated[str, typer.Argument(metavar="BUNDLE", help="A model's file, or: shipped.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A folder of music, or a prepared one.")
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="gtzan-filtered, grouped, or a file. Without it: split.txt beside the model file, "
            "if it fits the data; else every track."
        ),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(help="train, valid (the default) or test.", callback=_known_part),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option("--compare", help="Another model file on the same tracks; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            callback=console.output_file,
            help="Also write one HTML file with pictures.",
        ),
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Tracks at once.")] = None,
    verbose: console.Verbose = False,
) -> None:
    """Measure models on a split: accuracy with intervals, calibration, coverage, mistakes."""
    from tonearm import files
    from tonearm.data import splits
    from tonearm.model import file as model_file
    from tonearm.training import evaluate as evaluation
    from tonearm.training import evaluation_set as materials

    if split is not None:
        splits.written(split)  # refused before anything is decoded
    if report is not None and (reason := files.refusal(report.parent)):
        raise DatasetError(f"{report}: cannot be written: {reason}")
    paths = [_path_of(name) for name in (model, *(compare or ()))]
    models = [(path, model_file.load(path)) for path in paths]
    try:
        ready = prepared(data, jobs=jobs)
        folder = ready.folder
        wanted = split or materials.split_next_to(paths[0], folder)
        if part and not wanted:
            raise typer.BadParameter("a part of what? Name a --split", param_hint="--part")
        evaluation_set = materials.choose(folder, wanted=wanted, part=part or "valid")
        for path, loaded in models:
            materials.check_labels(path, loaded, evaluation_set)
        hearings = [_heard(loaded, evaluation_set, jobs) for _, loaded in models]
    except KeyboardInterrupt:
        console.say("interrupted; what was heard is kept: the same command goes on from there")
        raise typer.Exit(console.EXIT_INTERRUPTED) from None
    result = evaluation.evaluate(models, evaluation_set, hearings)
    if report is not None:
        _write_report(result, report)
    if as_json:
        print(json.dumps(result.to_dict(), indent=1, allow_nan=False))
    else:
        _print(result)
    console.caveat(evaluation_set.caveats())
    for judged in result.judged:
        console.caveat(result.caveats_of(judged), about=f"{judged.path}: ")
    failed_are = "could not be heard, and are in no figure"
    end([*ready.failed, *result.failed], list(ready.damaged), failed_are=failed_are)


def _path_of(name: str) -> Path:
    from tonearm.model import file as model_file

    return model_file.named(name) or model_file.builtin_path()


def _heard(model: Model, evaluation_set: EvaluationSet, jobs: int | None) -> TrackEmbeddings:
    from tonearm.model.classifier import Classifier
    from tonearm.training import evaluation_set as materials

    with (
        console.quiet_decoders(),
        console.Progress(len(evaluation_set.tracks), unit="tracks") as progress,
    ):
        return materials.hear(
            Classifier(model),
            evaluation_set,
            jobs=jobs or cores(),
            on_done=lambda failed: progress.advance(failures=failed),
        )


def _write_report(result: Evaluation, path: Path) -> None:
    from tonearm.files import write_atomically
    from tonearm.training import report
    from tonearm.training.run import read_history

    histories = [read_history(judged.path) for judged in result.judged]
    page = report.render(result, histories=histories)
    try:
        # A file's name may hold what is no Unicode: it is spelt out.
        write_atomically(path, page.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror}") from None
    console.say(f"report: {path}")


def _print(result: Evaluation) -> None:
    """The figures for people."""
    evaluation_set, split = result.evaluation_set, result.evaluation_set.split
    n = len(result.judged[0].tracks)
    where = f"all of {evaluation_set.folder}"
    if split is not None:
        where = f"{evaluation_set.part} of {split.name} {split.sha256[:HASH_SHOWN]}"
    of = f" (of {evaluation_set.promised})" if n < evaluation_set.promised else ""
    print(f"{console.printable(where)}: {n} tracks{of}")
    for judged in result.judged:
        print(f"\n{console.printable(judged.path)}")
        _print_model(judged)
    for row in result.differences:
        low, high = row["interval_95_by_group"]
        odd = "  NOT COMPARABLE: one of them leaks" if row["one_leaks"] else ""
        print(
            f"\n{console.printable(row['path'])} - {console.printable(row['minus'])}:\n"
            f"  tracks {row['difference']:+.3f}  by group [{low:+.3f}, {high:+.3f}]  "
            f"won {row['only_this_right']}, lost {row['only_first_right']}{odd}"
        )


def _print_model(judged: Judged) -> None:
    tracks, each = judged.figures["tracks"], judged.figures["windows"]
    leaks = "  LEAKS" if judged.leaks else ""
    answered = tracks["answered"]
    among = f"{answered['accuracy']:.3f} of these right" if answered["n"] else "none"
    print(
        f"  tracks   {tracks['accuracy']:.3f}  [{ends(tracks['interval_95'])}]  n={tracks['n']}, "
        f"by group [{ends(tracks['interval_95_by_group'])}]  {tracks['groups']} groups{leaks}\n"
        f"  windows  {each['accuracy']:.3f}  by group [{ends(each['interval_95_by_group'])}]  "
        f"n={each['n']}{leaks}\n"
        f"  macro F1 {tracks['macro_f1']:.3f}  calibration error {tracks['calibration']['ece']:.3f}"
        f"  log loss {tracks['log_loss']:.3f}\n"
        f"  answered {answered['coverage']:.3f}  {among}; {answered['unknown']} unknown, "
        f"{answered['unknown_right']} of them wrongly"
    )
    rows = judged.figures["genres"]
    width = max(len(console.printable(row["genre"])) for row in rows)
    print(f"  {'genre':<{width}}    n  recall  precision  F1     taken for")
    for row in rows:
        precision = "-" if row["precision"] is None else f"{row['precision']:.3f}"
        taken = f"{row['taken_for']} ({row['taken_for_count']})" if row["taken_for"] else ""
        line = (
            f"  {console.printable(row['genre']):<{width}}  {row['n']:>3}  {row['recall']:<6.3f}  "
            f"{precision:<9}  {row['f1']:.3f}  {console.printable(taken)}"
        )
        print(line.rstrip())


def ends(interval: list[float]) -> str:
    """``.755, .895`` of an interval."""
    return f"{interval[0]:.3f}, {interval[1]:.3f}"
