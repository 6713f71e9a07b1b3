"""``tonearm train``: from a prepared folder, or a folder of music, to a model."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from tonearm import files, nets
from tonearm.cli import console
from tonearm.cli.custom_genres import (
    add_genres,
    head_run,
    look_ahead,
    print_figures,
    train_from_corrections,
    train_head,
)
from tonearm.cli.library_options import Location
from tonearm.cli.prepare import Files, end, genres_in, prepared, say_split
from tonearm.errors import DatasetError
from tonearm.nets import MODELS
from tonearm.training.run import BUNDLE, CHECKPOINT, METRICS, SPLIT, Precision, Run, read, write

_HEAD = "head"
_MODEL_HELP = "; ".join(f"{name}: {what}" for name, what in MODELS.items())


def _known(name: str) -> str:
    if name not in MODELS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(MODELS)}")
    return name


def _known_precision(name: str) -> str:
    if name not in get_args(Precision):
        raise typer.BadParameter(f"{name!r} is none of {', '.join(get_args(Precision))}")
    return name


def train(
    data: Annotated[
        Path | None, typer.Argument(help="A folder of music, or a prepared one.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help=_MODEL_HELP, callback=_known)] = _HEAD,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run's folder. (default: runs/MODEL)")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="grouped, gtzan-filtered, a file; random-tracks and random-segments leak, "
            "and say so. (default: grouped; head: cross-validation)"
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="(default: the model's)")] = None,
    patience: Annotated[
        int, typer.Option(min=0, help="Stop after so many epochs without progress; 0: never.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    devices: Annotated[int, typer.Option(min=1, help="Processes or GPUs.")] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    precision: Annotated[
        str,
        typer.Option(help="32-true; bf16-mixed or 16-mixed for GPUs.", callback=_known_precision),
    ] = "32-true",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out, as it was started.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="head: add these genres to those the model knows.")
    ] = False,
    check: Annotated[
        Path | None,
        typer.Option(help="--add: a prepared folder of the old genres, to see what is lost."),
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Write the grown or corrected model; else only measure.")
    ] = False,
    from_corrections: Annotated[
        bool,
        typer.Option(
            "--from-corrections", help="head: learn from what was reviewed in the library."
        ),
    ] = False,
    library: Location = None,
    base: Annotated[Path | None, typer.Option(help="head: another model to start from.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1)] = None,
    verbose: console.Verbose = False,
) -> None:
    """Train a model on a folder with a folder for each genre, and measure it honestly."""
    out = out or Path("runs") / model
    given = {
        "DATA": data is not None,
        "--split": split is not None,
        "--add": add,
        "--check": check is not None,
        "--adopt": adopt,
        "--from-corrections": from_corrections,
        "--library": library is not None,
        "--base": base is not None,
        "--resume": resume,
        "--epochs": epochs is not None,
        "--patience": patience > 0,
        "--devices": devices > 1,
    }
    _refuse_unheeded({option for option, there in given.items() if there}, model)
    writes = adopt or not (add or from_corrections)
    if writes and (reason := files.refusal(out)):
        raise DatasetError(f"{out}: cannot be written: {reason}")
    if from_corrections:
        train_from_corrections(library, head_run(out, base, seed=seed), adopt=adopt)
        return
    if data is not None and not resume:
        _refuse_early(data, split, base, add, check)
    if model != _HEAD:
        _check_extra()
    failures: Files = []
    damaged: Files = []
    try:
        if data is None or resume:
            _train_net(_resumed(out, epochs, devices), wanted=None)
        else:
            ready = prepared(data, jobs=jobs)
            failures, damaged = list(ready.failed), list(ready.damaged)
            if model == _HEAD:
                head = head_run(out, base, seed=seed)
                look_ahead(ready.folder, head, split=split, add=add)
                failures += head.hear(ready.folder, jobs=jobs)
                if check is not None:
                    old = prepared(check, jobs=jobs)
                    check = old.folder
                    failures += [*old.failed, *head.hear(check, jobs=jobs)]
                    damaged += old.damaged
                if add:
                    add_genres(ready.folder, head, check=check, adopt=adopt)
                else:
                    train_head(ready.folder, head, split=split)
            else:
                run = Run(
                    data=str(ready.folder.absolute()),
                    out=str(out),
                    model=model,
                    epochs=epochs or nets.get(model).recipe.epochs,
                    seed=seed,
                    devices=devices,
                    accelerator=accelerator,
                    precision=cast(Precision, precision),
                    patience=patience,
                )
                _train_net(run, wanted=split or "grouped")
    except KeyboardInterrupt:
        hint = "" if model == _HEAD else f"; go on with --model {model} --resume -o {out}"
        console.say(f"interrupted{hint}")
        raise typer.Exit(console.EXIT_INTERRUPTED) from None
    end(failures, damaged, failed_are="could not be used, and were left out")


def _refuse_unheeded(given: set[str], model: str) -> None:
    """Refuse options that the others leave nothing to do."""

    def refuse(reason: str, *options: str) -> None:
        for option in options:
            if option in given:
                raise typer.BadParameter(reason, param_hint=option)

    if model == _HEAD:
        refuse("a head is fitted in seconds, again", "--resume")
        refuse("a head is fitted at once", "--epochs", "--patience", "--devices")
    else:
        refuse("only a head can grow or be corrected", "--add", "--from-corrections", "--base")
    if "--from-corrections" in given:
        options = ("DATA", "--split", "--add", "--check")
        refuse("--from-corrections learns from the library alone", *options)
    else:
        refuse("is for --from-corrections", "--library")
    if "--add" in given:
        refuse("what is added is measured by folds", "--split")
    else:
        refuse("is for --add", "--check")
    if not given & {"--add", "--from-corrections"}:
        refuse("is for --add and --from-corrections", "--adopt")
    if not given & {"DATA", "--resume", "--from-corrections"}:
        raise typer.BadParameter("name a folder of music, or a prepared one", param_hint="DATA")


def _refuse_early(
    data: Path, split: str | None, base: Path | None, add: bool, check: Path | None
) -> None:
    """Refuse before anything is decoded what would be refused after it."""
    from tonearm.data import splits
    from tonearm.model import file as model_file
    from tonearm.training import custom_genres

    if split is not None:
        splits.written(split)
    if check is not None and not check.exists():
        raise DatasetError(f"{check}: is not there")
    genres = genres_in(data)
    if add:
        head = model_file.load(base).head
        custom_genres.checked_statistics(head)
        custom_genres.refuse_known(head, genres)
    elif len(genres) < 2:
        raise DatasetError(f"only one genre ({', '.join(genres)}): two or more are needed")


def _check_extra() -> None:
    """Plain words where what networks need is not installed."""
    try:
        import tonearm.training.fit  # noqa: F401
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tonearm"):
            raise
        raise DatasetError(
            f"training a network needs {error.name}: pip install 'tonearm[train]'"
        ) from None


def _train_net(run: Run, *, wanted: str | None) -> None:
    """Train a new run on the split ``wanted``, or go on with it where that is None."""
    from tonearm.training.fit import train

    if wanted is not None:
        _save_split(run, wanted)
    train(run, resume=wanted is None, report=_Live(run.epochs))
    _show(Path(run.out))


def _save_split(run: Run, wanted: str) -> None:
    """Check and save the split of a new run, and say what is odd about it."""
    from tonearm.data import index, splits

    made = index.load(run.data)
    split = splits.make(wanted, made, seed=run.seed)
    say_split(split, made)
    out = Path(run.out)
    if (out / CHECKPOINT).exists():
        raise DatasetError(f"{out}: holds a run already: --resume it, or give another --out")
    write(out / SPLIT, split.text.encode("utf-8", "surrogateescape"))


def _resumed(out: Path, epochs: int | None, devices: int) -> Run:
    before = read(out)
    return replace(before, out=str(out), epochs=epochs or before.epochs, devices=devices)


def _show(out: Path) -> None:
    values = json.loads((out / METRICS).read_text("utf-8"))
    split = values["training"]["split"]
    for unit in ("tracks", "windows"):
        print_figures(values["valid"][unit], f"{split}, valid, {unit}")
    console.say(f"model: {out / BUNDLE}; use it with `tonearm predict --model`")


class _Live:
    """The line of progress; made in the process that reports, so that it can be sent there."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._bar: console.Progress | None = None
        self._done = 0.0

    def __call__(self, kind: str, values: dict[str, float]) -> None:
        if kind == "epoch":
            line = " ".join(
                f"{name} {value:.3f}"
                for name, value in values.items()
                if name not in ("epoch", "lr")
            )
            console.say(f"epoch {values['epoch']:.0f}/{self._epochs}: {line}")
            return
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar = console.Progress(self._epochs, unit="epochs")
            self._bar.__enter__()
            self._done = values["epochs"] - values["epochs"] % 1
            self._bar.advance(amount=self._done)
        self._bar.advance(amount=values["epochs"] - self._done)
        self._done = values["epochs"]
        self._bar.note(f"loss {values['loss']:.3f} accuracy {values['accuracy']:.3f}")
        if self._done >= self._epochs:
            self._bar.__exit__()
            self._bar = None
