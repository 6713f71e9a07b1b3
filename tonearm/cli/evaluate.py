"""``tonearm evaluate``: how good models are."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tonearm.cli import console, datasets, outputs
from tonearm.cli.library_options import Form, FormOption, Location, location
from tonearm.errors import counted
from tonearm.faults import Faults

if TYPE_CHECKING:
    from tonearm.model.file import Model
    from tonearm.training.evaluate import Evaluation, ModelResult

Values = dict[str, Any]

HASH_SHOWN = 12


def _known_subset(name: str | None) -> str | None:
    from tonearm.data.split_files import SUBSETS

    if name not in (None, *SUBSETS):
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(SUBSETS)}")
    return name


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file, or 'built-in'.")],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="A folder of music, or a prepared folder.")
    ],
    split: Annotated[
        str | None,
        typer.Option(
            help="grouped (by artist), gtzan-filtered, or a file.",
            show_default="split.txt next to the model file if it fits, else every track",
        ),
    ] = None,
    subset: Annotated[
        str | None,
        typer.Option(help="train, valid or test.", show_default="valid", callback=_known_subset),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option("--compare", help="Model file to compare with; may be repeated."),
    ] = None,
    output_format: FormOption = Form.table,
    report: outputs.Report = None,
    library: Location = None,
    jobs: console.Jobs = None,
    device: console.Device = "auto",
    verbose: console.Verbose = False,
) -> None:
    """Measure how often models are right.

    Prints the accuracy with an interval by artist, the calibration, the coverage and the mistakes,
    on a subset or on a whole data set, for one model or for several next to each other.
    """
    from tonearm.model import file as model_file

    paths = [_path_of(name) for name in (model, *(compare or ()))]
    # All of them first, so that a mistyped second one costs no hour with the first.
    models = [(path, model_file.load(path)) for path in paths]
    with console.interruptible():
        result, data_failures, damaged = _evaluate(
            models, data, split=split, subset=subset, library=library, jobs=jobs
        )
    if report is not None:
        outputs.write_report(report, _page(result))
    if output_format is Form.json:
        print(json.dumps(result.to_dict(), indent=1, allow_nan=False))
    else:
        _print(result)
    console.caveat(result.evaluation_set.caveats())
    for each in result.results:
        console.caveat(result.caveats_of(each), about=f"{_shown(each.path)}: ")
    datasets.close(
        [*data_failures, *result.failed],
        damaged,
        headline="could not be analysed and are not counted",
    )


def _evaluate(
    models: list[tuple[Path, Model]],
    data: Path,
    *,
    split: str | None,
    subset: str | None,
    library: Path | None,
    jobs: int | None,
) -> tuple[Evaluation, Faults, Faults]:
    """The evaluation, the files of the data set that failed, and the damaged ones."""
    from tonearm.library.store import Library
    from tonearm.training import evaluate as evaluation
    from tonearm.training import evaluation_set

    # A run leaves its split next to the model; only that keeps training tracks out of the figure.
    wanted = split or evaluation_set.split_next_to(models[0][0], data)
    if subset and not wanted:
        raise typer.BadParameter("name the split too, with --split", param_hint="--subset")
    chosen_subset = subset or "valid"
    # Names alone, before audio is opened.
    evaluation_set.look_ahead(data, models, wanted=wanted, subset=chosen_subset)
    with ExitStack() as stack:
        opened = stack.enter_context(Library(location(library), write=True))
        how = [datasets.encoding(opened, loaded, path, jobs=jobs) for path, loaded in models]
        # The data set is read by the first model; each then embeds it with its own encoder.
        found = datasets.read(data, how[0])
        chosen = evaluation_set.choose(found, wanted=wanted, subset=chosen_subset)
        chosen = chosen.shared_by([loaded for _, loaded in models])
        embeddings = []
        for encoder, counting in how:
            with counting:
                embeddings.append(evaluation_set.embed(chosen, encoder))
    # The library is closed again: from here on all is arithmetic.
    result = evaluation.evaluate(models, chosen, embeddings)
    return result, found.failed, found.damaged


def _path_of(name: str) -> Path:
    from tonearm.model import file as model_file

    return model_file.named(name) or model_file.builtin_path()


def _page(result: Evaluation) -> str:
    from tonearm.training import report
    from tonearm.training.run import read_history

    histories = [read_history(each.path) for each in result.results]
    # The report's own paths are whole ones.
    sounds = datasets.players(Path(), report.played(result))
    return report.render(result, histories=histories, sounds=sounds)


def _shown(path: str | Path) -> str:
    """A model file's path, or the word by which the built-in one is named."""
    from tonearm.model import file as model_file

    return "built-in" if Path(path) == model_file.builtin_path() else console.printable(path)


def _print(result: Evaluation) -> None:
    """The figures for people."""
    evaluation_set, split = result.evaluation_set, result.evaluation_set.split
    n = len(result.results[0].tracks)
    where = f"all of {evaluation_set.folder}"
    if split is not None:
        where = f"{evaluation_set.subset} of {split.name} {split.sha256[:HASH_SHOWN]}"
    of = f" (of {evaluation_set.promised})" if n < evaluation_set.promised else ""
    print(f"{console.printable(where)}: {counted(n, 'track')}{of}")
    for each in result.results:
        print(f"\n{_shown(each.path)}")
        _print_model(each)
    for row in result.differences:
        low, high = row["interval_95_by_group"]
        # In capitals, as LEAKS is: a column is read faster than its headline.
        odd = "  NOT COMPARABLE: one of them leaks" if row["one_leaks"] else ""
        print(
            f"\n{_shown(row['path'])} - {_shown(row['minus'])}:\n"
            f"  tracks {row['difference']:+.3f}  by group [{low:+.3f}, {high:+.3f}]  "
            f"won {row['only_this_right']}, lost {row['only_first_right']}{odd}"
        )


def _print_model(result: ModelResult) -> None:
    tracks, each = result.figures["tracks"], result.figures["windows"]
    leaks = "  LEAKS" if result.leaks else ""
    answered = tracks["answered"]
    among = f"{answered['accuracy']:.3f} of these right" if answered["n"] else "none"
    print(
        f"  tracks   {tracks['accuracy']:.3f}  [{ends(tracks['interval_95'])}]  n={tracks['n']}, "
        f"by group [{ends(tracks['interval_95_by_group'])}]  "
        f"{counted(tracks['groups'], 'group')}{leaks}\n"
        f"  windows  {each['accuracy']:.3f}  by group [{ends(each['interval_95_by_group'])}]  "
        f"n={each['n']}{leaks}\n"
        f"  macro F1 {tracks['macro_f1']:.3f}  calibration error {tracks['calibration']['ece']:.3f}"
        f"  log loss {tracks['log_loss']:.3f}\n"
        f"  answered {answered['coverage']:.3f}  {among}; {answered['unknown']} unknown, "
        f"{answered['unknown_right']} of them wrongly"
    )
    rows = result.figures["genres"]
    width = max(len(console.printable(name)) for name in ("genre", *(row["genre"] for row in rows)))
    print(f"  {'genre':<{width}}    n  recall  precision  F1     confused with")
    for row in rows:
        precision = "-" if row["precision"] is None else f"{row['precision']:.3f}"
        others = ", ".join(row["confused_with"])
        confused = f"{others} ({row['confused_with_count']})" if others else ""
        line = (
            f"  {console.printable(row['genre']):<{width}}  {row['n']:>3}  {row['recall']:<6.3f}  "
            f"{precision:<9}  {row['f1']:.3f}  {console.printable(confused)}"
        )
        print(line.rstrip())
    if result.not_measured:
        print(f"  {console.printable(result.not_measured)}")


def ends(interval: list[float]) -> str:
    """``.755, .895`` of an interval.

    Parameters
    ----------
    interval : (float, float)
        Both ends, as fractions.
    """
    return f"{interval[0]:.3f}, {interval[1]:.3f}"
