"""``tonearm train --arch NAME``: a network from scratch, with its line of progress."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from tonearm.cli import console, datasets, heads
from tonearm.cli.progress_bar import Progress
from tonearm.errors import DatasetError, counted, pip_install
from tonearm.faults import Faults
from tonearm.nets import external
from tonearm.training.run import (
    BUNDLE,
    CODE,
    HISTORY,
    METRICS,
    RUN,
    SETTINGS,
    SPLIT,
    SPLIT_TABLE,
    Run,
    read,
    read_history,
    write,
)

if TYPE_CHECKING:
    from tonearm.features import FeatureSpec
    from tonearm.nets import Architecture
    from tonearm.training.settings import Settings


@dataclass(frozen=True)
class Asked:
    """What was asked for on the command line.

    Parameters
    ----------
    arch : str
        Name in the registry, or ``FILE.py:CLASS``.
    output : Path
        The run's folder.
    epochs : int or None
        None is the network's own.
    seed : int
        Of the run.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``; ``cuda:2`` is two.
    settings : tuple of str
        What ``--set`` was given.
    """

    arch: str
    output: Path
    epochs: int | None
    seed: int
    device: str
    settings: tuple[str, ...]


def train_network(data: Path, asked: Asked, *, split: str | None, jobs: int | None) -> None:
    """Prepare a data set where that is needed, and train a network on it.

    Parameters
    ----------
    data : Path
        A folder of music, or a prepared one.
    asked : Asked
        What else the command line said.
    split : str or None
        Name or file of a split; None is by group, with a seed.
    jobs : int or None
        Files to prepare at once; None is one a core.
    """
    from tonearm.cli import train_trials
    from tonearm.training import architecture, dataset, run_folder, settings, tensorboard

    default = architecture.named(asked.arch)
    try:
        wanted = settings.check(settings.read(asked.settings), default)
    except DatasetError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
    if wanted.run.tensorboard:
        tensorboard.check()
    accelerator, devices = _device(asked.device)
    # All of it is refused before an hour of preparing.
    run_folder.refuse_for_network(asked.output)
    folder, spec = _front_end(data, wanted)
    _try_out(data, asked, settings.applied(default, wanted.network), spec)
    failures, damaged = _prepare(data, folder, spec, jobs=jobs)
    run = Run(
        # Absolute, since a run may be resumed from another working directory.
        data=str(folder.absolute()),
        out=str(asked.output),
        model=default.name,
        epochs=asked.epochs or default.recipe.epochs,
        seed=asked.seed,
        devices=devices,
        accelerator=accelerator,
        precision=wanted.run.precision,
        patience=wanted.run.patience,
        settings=wanted.network,
        tensorboard=wanted.run.tensorboard,
    )
    # Of a folder of music it was said as it was prepared.
    if dataset.is_prepared(data):
        _say_several(folder, wanted)
    if external.is_file(asked.arch):
        run = replace(run, code_sha256=external.sha256(external.source(asked.arch)[1]))
    if wanted.run.folds or wanted.run.seeds > 1:
        # Refused or begun before anything is written to the folder.
        planned = train_trials.begin(run, wanted.run, split)
        _keep(run, asked, default, wanted, split)
        train_trials.go_on(planned, train)
    else:
        # First: it says whose the other files are, should the run be refused before it starts.
        write(Path(run.out) / RUN, json.dumps(asdict(run), indent=1).encode())
        _save_split(run, split or "grouped")
        _keep(run, asked, default, wanted, split)
        train(run, resume=False)
        _show(Path(run.out))
    datasets.close(failures, damaged)


def resume(output: Path, arch: str, epochs: int | None, device: str) -> None:
    """Continue a run or trials; only the length of a run and the device may change.

    Parameters
    ----------
    output : Path
        The folder of the run, or of the trials.
    arch : str
        The architecture, which must be that of the run.
    epochs : int or None
        Where the run shall end; None is as it was begun.
    device : str
        Where to go on: ``cpu``, ``cuda`` or ``mps``; ``auto`` is where it was begun.
    """
    from tonearm.cli import train_trials
    from tonearm.training import trials

    check_extra()
    on: dict[str, Any] = {}
    if device != "auto":
        on = dict(zip(("accelerator", "devices"), _device(device), strict=True))
    planned = trials.read(output)
    if planned is not None:
        _refuse_other(arch, planned.run.model, output)
        _say_edited(arch, planned.run, output)
        if epochs is not None:
            raise typer.BadParameter(
                "resumed folds keep their own: leave this out", param_hint="--epochs"
            )
        # The device may differ from before; everything that makes the figures may not.
        train_trials.go_on(replace(planned, run=replace(planned.run, **on)), train)
        return
    before = read(output)
    _refuse_other(arch, before.model, output)
    _say_edited(arch, before, output)
    wanted = replace(before, out=str(output), epochs=epochs or before.epochs, **on)
    if wanted.epochs != before.epochs:
        _lengthen(before, wanted.epochs, output)
    train(wanted, resume=True)
    _show(output)


def _lengthen(before: Run, epochs: int, output: Path) -> None:
    """Let a run end elsewhere, where that gives what a new run of so many epochs would."""
    from tonearm.training import architecture

    def refuse(reason: str) -> NoReturn:
        raise typer.BadParameter(
            f"{reason}: leave this out, or start another run with -o", param_hint="--epochs"
        )

    schedule = architecture.of_run(before).recipe.schedule
    if schedule != "constant":
        refuse(f"the schedule {schedule} of the run in {output} spans its {before.epochs} epochs")
    done = len((read_history(output / HISTORY) or {}).get("epoch", ()))
    if done > epochs:
        refuse(f"the run in {output} has {counted(done, 'epoch')} already")
    path = output / SETTINGS
    if path.exists():  # its first lines say how to repeat the run
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        repeat = text.replace(f" --epochs {before.epochs} ", f" --epochs {epochs} ", 1)
        write(path, repeat.encode("utf-8", "surrogateescape"))


def _refuse_other(arch: str, begun: str, output: Path) -> None:
    """Refuse to go on with another architecture than a run began with."""
    # The file of a network may have moved: the run has its own copy.
    given, own = (name.rpartition(":")[::2] for name in (arch, begun))
    if (bool(given[0]), given[1]) != (bool(own[0]), own[1]):
        raise typer.BadParameter(
            f"the run in {output} was begun with {begun}: continue it with that, or start another "
            "with -o",
            param_hint="--arch",
        )


def _say_edited(arch: str, run: Run, output: Path) -> None:
    """Say that a change of the network's file has no effect: the run has its own copy."""
    # A file that has moved is not needed.
    with suppress(DatasetError):
        if run.code_sha256 and external.sha256(external.source(arch)[1]) != run.code_sha256:
            name = console.printable(arch.rpartition(":")[0])
            copy = console.printable(output / CODE)
            console.say(f"NOTE: {name} was changed; the run goes on with its own copy, {copy}.")


def train(run: Run, *, resume: bool) -> None:
    """Train one run with a line for each epoch.

    Parameters
    ----------
    run : Run
        Settings, data and folder.
    resume : bool
        Go on from the last whole epoch.
    """
    from tonearm.training import fit

    fit.train(run, resume=resume, report_progress=_Live(run.epochs))


def check_extra() -> None:
    """Say in plain words what is not installed."""
    try:
        import tonearm.training.fit  # noqa: F401
    except ModuleNotFoundError as error:
        # A module of ours that is missing is a fault, not an extra.
        if (error.name or "").startswith("tonearm"):
            raise
        raise DatasetError(
            f"training a network needs {error.name}: {pip_install('train')}"
        ) from None


def _device(text: str) -> tuple[str, int]:
    """``cuda:2`` is two devices of CUDA."""
    name, _, count = text.partition(":")
    if name not in ("auto", "cpu", "cuda", "mps") or (count and not count.isdecimal()):
        raise typer.BadParameter(
            f"{text!r} is not one of auto, cpu, cuda, mps", param_hint="--device"
        )
    return name, int(count or 1)


def _front_end(data: Path, wanted: Settings) -> tuple[Path, FeatureSpec]:
    """The prepared folder that ``data`` is, or is made into, and the front end of its features."""
    from tonearm.data import feature_store, prepare
    from tonearm.training import dataset

    if dataset.is_prepared(data):
        root = dataset.prepared_root(data)
        spec = prepare.front_end(root)
        # What is asked for again but has that value already is no contradiction.
        other = {k: getattr(spec, k) for k, v in wanted.front_end.items() if getattr(spec, k) != v}
        if other:
            has = ", ".join(f"{name}={value}" for name, value in other.items())
            raise DatasetError(
                f"{data} was prepared with {has}: name the folder of music instead, and it is "
                "prepared with your settings"
            )
        return root, spec
    out = prepare.prepared_path(data)
    if not wanted.front_end:
        return out, prepare.front_end(out)
    # Next to the features of other settings, which stay as they are.
    spec = wanted.spec()
    key = feature_store.checksum(repr(feature_store.identity(spec)).encode())[:8]
    return out.with_name(f"{out.name}-{key}"), spec


def _prepare(
    data: Path, folder: Path, spec: FeatureSpec, *, jobs: int | None
) -> tuple[Faults, Faults]:
    """Prepare a folder of music; files that failed, and damaged ones."""
    from tonearm.training import dataset

    if dataset.is_prepared(data):
        return Faults(), Faults()
    artists, labels = datasets.given_before(data)
    made = datasets.prepare_audio(
        data, out=folder, artists=artists, labels=labels, jobs=jobs, spec=spec
    )
    return Faults(made.index.failed), Faults(made.damaged)


def _say_several(folder: Path, wanted: Settings) -> None:
    """Say that tracks have more genres than are learnt."""
    from tonearm.data import index

    if not wanted.network.get("several_genres"):
        datasets.say_several(index.load(folder))


def _try_out(data: Path, asked: Asked, model: Architecture, spec: FeatureSpec) -> None:
    """Run and export once what nobody has tried before: a file's network, or other sizes."""
    from tonearm.training import architecture, dataset

    # The package's own networks with their own sizes are tried by tests.
    if external.is_file(asked.arch) or asked.settings:
        path = external.source(asked.arch)[0] if external.is_file(asked.arch) else Path(asked.arch)
        labels = len(dataset.outline(data).labels)
        window = architecture.window_of(model, spec)
        architecture.try_out(model, window, labels, path=path)


def _keep(
    run: Run, asked: Asked, default: Architecture, wanted: Settings, split: str | None
) -> None:
    """Keep the network's code with the run, and all settings as a file that repeats it."""
    from tonearm.data import prepare
    from tonearm.training import settings

    out, arch = Path(run.out), run.model
    if run.code_sha256:
        write(out / CODE, external.source(asked.arch)[1])
        arch = f"{CODE}:{run.model.rpartition(':')[2]}"
    spec = prepare.front_end(Path(run.data))
    front_end = {name: getattr(spec, name) for name in settings.FRONT_END}
    # Defaults first, then what was set: the file names every value, whatever the defaults become.
    every = {**settings.known(default), **front_end, **asdict(wanted.run), **wanted.network}
    repeat = f"tonearm train DATA --arch {arch} --epochs {run.epochs} --seed {run.seed}"
    repeat += f" --split {split}" if split else ""
    comment = f"All settings of this run. This repeats it:\n{repeat} --set {SETTINGS}"
    write(out / SETTINGS, settings.to_toml(every, comment=comment).encode())


def _save_split(run: Run, wanted: str) -> None:
    """Check and save the split of a new run, and say what is odd about it."""
    from tonearm.data import index, splits

    made = index.load(run.data)
    split = splits.make(wanted, made)  # the same for every --seed, so that runs compare
    datasets.say_split(split, made)
    write(Path(run.out) / SPLIT, split.text.encode("utf-8", "surrogateescape"))
    split.save(Path(run.out) / SPLIT_TABLE)


def _show(output: Path) -> None:
    if os.environ.get("RANK", "0") != "0":  # of several machines (torchrun), one speaks
        return
    values = json.loads((output / METRICS).read_text("utf-8"))
    split = values["training"]["split"]
    for unit in ("tracks", "windows"):
        heads.print_figures(values["valid"][unit], f"{split}, valid, {unit}")
    heads.print_several(values["valid"].get("several"), f"{split}, valid, several genres")
    console.say(
        'This network has no "unknown": it gives one of its genres to every sound, speech and '
        "noise included."
    )
    heads.say_saved(output / BUNDLE)


class _Live:
    """The line of progress; made in the process that reports, so that it can be sent there."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._bar: Progress | None = None
        self._done = 0.0
        self._first: tuple[float, float] | None = None

    def __call__(self, kind: str, values: dict[str, float]) -> None:
        if kind == "epoch":
            # Of an epoch as a line that stays, of a step in the bar, which goes.
            line = " ".join(
                f"{name} {value:.3f}"
                for name, value in values.items()
                if name not in ("epoch", "lr")
            )
            console.say(f"epoch {values['epoch']:.0f}/{self._epochs}: {line}{self._left(values)}")
            return
        if not _has_bar():
            return
        if self._bar is None:
            self._bar = Progress(self._epochs, unit="epochs")
            self._bar.__enter__()
            # A run that is resumed begins in the middle of the bar.
            self._done = values["epochs"] - values["epochs"] % 1
            self._bar.advance(amount=self._done)
        self._bar.advance(amount=values["epochs"] - self._done)
        self._done = values["epochs"]
        self._bar.note(f"loss {values['loss']:.3f} accuracy {values['accuracy']:.3f}")
        # The bar is taken down here: a run that stops early ends with the process.
        if self._done >= self._epochs:
            self._bar.__exit__()
            self._bar = None

    def _left(self, values: dict[str, float]) -> str:
        """Minutes to go, from the second epoch on, where no bar shows them."""
        now, epoch = time.monotonic(), values["epoch"]
        if self._first is None:
            self._first = now, epoch
            return ""
        since, first = self._first
        left_s = (now - since) / (epoch - first) * (self._epochs - epoch)
        return f", about {left_s / 60:.0f} min left" if left_s >= 60 and not _has_bar() else ""


def _has_bar() -> bool:
    return sys.stderr.isatty()
