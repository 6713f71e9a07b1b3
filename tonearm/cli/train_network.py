"""``tonearm train --arch NAME``: a network from scratch, with its line of progress."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

import typer

from tonearm import nets
from tonearm.cli import console, datasets, heads
from tonearm.errors import DatasetError
from tonearm.faults import Faults
from tonearm.training.run import (
    BUNDLE,
    METRICS,
    SPLIT,
    SPLIT_TABLE,
    Precision,
    Run,
    read,
    refuse_begun,
    write,
)


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line."""

    arch: str
    output: Path
    epochs: int | None
    seed: int
    device: str
    settings: tuple[str, ...]


def train_network(data: Path, asked: Asked, *, split: str, jobs: int | None) -> None:
    """Prepare a data set where that is needed, and train a network on it."""
    settings = _settings(asked.settings)
    accelerator, devices = _device(asked.device)
    # Refused before an hour of preparing.
    refuse_begun(asked.output)
    folder, failures, damaged = _prepared(data, jobs=jobs)
    run = Run(
        data=str(folder.absolute()),
        out=str(asked.output),
        model=asked.arch,
        epochs=asked.epochs or nets.get(asked.arch).recipe.epochs,
        seed=asked.seed,
        devices=devices,
        accelerator=accelerator,
        precision=cast(Precision, settings.get("precision", "32-true")),
        patience=int(settings.get("patience", "0")),
    )
    _save_split(run, split)
    _train(run, resume=False)
    console.close(
        "could not be used, and were left out",
        failures,
        damaged=damaged,
        damaged_are=datasets.DAMAGED_ARE,
    )


def resume(output: Path, epochs: int | None, device: str) -> None:
    """Continue a run; only its length and the device may change."""
    check_extra()
    before = read(output)
    run = replace(before, out=str(output), epochs=epochs or before.epochs)
    if device != "auto":
        accelerator, devices = _device(device)
        run = replace(run, accelerator=accelerator, devices=devices)
    _train(run, resume=True)


def check_extra() -> None:
    """Say in plain words what is not installed."""
    try:
        import tonearm.training.fit  # noqa: F401
    except ModuleNotFoundError as error:
        # A module of ours that is missing is a fault, not an extra.
        if (error.name or "").startswith("tonearm"):
            raise
        raise DatasetError(
            f"training a network needs {error.name}: pip install 'tonearm[train]'"
        ) from None


def _settings(pairs: tuple[str, ...]) -> dict[str, str]:
    settings = dict(pair.partition("=")[::2] for pair in pairs)
    for name, value in settings.items():
        if name == "patience" and not value.isdecimal():
            raise typer.BadParameter(f"patience={value}: a number is needed", param_hint="--set")
        if name == "precision" and value not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise typer.BadParameter(f"{value!r} is not one of {known}", param_hint="--set")
        if name not in ("patience", "precision"):
            raise typer.BadParameter(
                f"no setting {name!r}: patience, precision", param_hint="--set"
            )
    return settings


def _device(text: str) -> tuple[str, int]:
    """``cuda:2`` is two devices of CUDA."""
    name, _, count = text.partition(":")
    if name not in ("auto", "cpu", "cuda", "mps") or (count and not count.isdecimal()):
        raise typer.BadParameter(
            f"{text!r} is not one of auto, cpu, cuda, mps", param_hint="--device"
        )
    return name, int(count or 1)


def _prepared(data: Path, *, jobs: int | None) -> tuple[Path, Faults, Faults]:
    """The prepared folder that ``data`` is, or is made into; files that failed; damaged ones."""
    from tonearm.data import index
    from tonearm.data.prepare import prepared_path
    from tonearm.training import dataset

    if dataset.is_prepared(data):
        return (data.parent if data.name == index.FILE_NAME else data), Faults(), Faults()
    out = prepared_path(data)
    made = datasets.prepare_audio(data, out=out, artists=None, jobs=jobs)
    return out, Faults(made.index.failed), Faults(made.damaged)


def _train(run: Run, *, resume: bool) -> None:
    from tonearm.training.fit import train

    train(run, resume=resume, report_progress=_Live(run.epochs))
    _show(Path(run.out))


def _save_split(run: Run, wanted: str) -> None:
    """Check and save the split of a new run, and say what is odd about it."""
    from tonearm.data import index, splits

    made = index.load(run.data)
    split = splits.make(wanted, made)  # the same for every --seed, so that runs compare
    datasets.say_split(split, made)
    write(Path(run.out) / SPLIT, split.text.encode("utf-8", "surrogateescape"))
    split.save(Path(run.out) / SPLIT_TABLE)


def _show(output: Path) -> None:
    values = json.loads((output / METRICS).read_text("utf-8"))
    split = values["training"]["split"]
    for unit in ("tracks", "windows"):
        heads.print_figures(values["valid"][unit], f"{split}, valid, {unit}")
    console.say(f"The model is {output / BUNDLE}. Use it with `tonearm predict --model`.")


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
            # A run that is resumed begins in the middle of the bar.
            self._done = values["epochs"] - values["epochs"] % 1
            self._bar.advance(amount=self._done)
        self._bar.advance(amount=values["epochs"] - self._done)
        self._done = values["epochs"]
        self._bar.note(f"loss {values['loss']:.3f} accuracy {values['accuracy']:.3f}")
        if self._done >= self._epochs:
            self._bar.__exit__()
            self._bar = None
