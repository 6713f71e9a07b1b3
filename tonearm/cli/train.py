"""``tonearm train``: from a folder of music to a model, a head or a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tonearm.cli import console, heads, outputs
from tonearm.cli.library_options import Location
from tonearm.nets import ARCHITECTURES, external

_HEAD = "head"


def _known(name: str) -> str:
    if name not in ARCHITECTURES and not external.is_file(name):
        raise typer.BadParameter(
            f"{name!r} is not one of {', '.join(ARCHITECTURES)}, nor FILE.py:CLASS"
        )
    return name


def train(
    data: Annotated[
        Path | None, typer.Argument(help="A folder of music with one folder per genre.")
    ] = None,
    arch: Annotated[
        str,
        typer.Option(
            help=f"What to train: {', '.join(ARCHITECTURES)}. Or your own network: my_net.py:Net.",
            callback=_known,
        ),
    ] = _HEAD,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the results.", show_default="runs/ARCH"),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="grouped (by artist), gtzan-filtered, or a file. random-tracks and "
            "random-segments leak, and their figures say so.",
            show_default="cross-validation for a head, grouped for a network",
        ),
    ] = None,
    seed: heads.Seed = 0,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the data.", show_default="the network's own"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting of a network. May be repeated. lr=0.001, batch=32, mel_bands=64, "
            "patience=5, folds=5, seeds=3, tensorboard=true, … or a .toml file of them.",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            envvar="TONEARM_DEVICE",
            show_envvar=False,
            help="Where to train: auto, cpu, cuda, mps. cuda:2 uses two GPUs.",
        ),
    ] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the network's run in --output.")
    ] = False,
    model: heads.BaseModel = None,
    library: Location = None,
    jobs: console.Jobs = None,
    verbose: console.Verbose = False,
) -> None:
    """Train a model on your own folders.

    By default this fits a head, a small classifier on the embeddings of the built-in model: a few
    songs per genre and a few seconds are enough. With --arch, trains a network from scratch.
    """
    # A network of one's own goes to runs/my_net, not to a folder named after a path.
    output = output or Path("runs") / external.short_name(arch).partition(".py:")[0]
    # What was given, not its value: an option that has no effect is refused, not ignored.
    given = {
        "DATA": data is not None,
        "--split": split is not None,
        "--resume": resume,
        "--epochs": epochs is not None,
        "--set": bool(settings),
        "--seed": seed != 0,
        "--model": model is not None,
    }
    _refuse_unheeded({option for option, there in given.items() if there}, arch)
    # Asked first: an hour of analysis must not end in a model that cannot be saved.
    if arch == _HEAD:
        from tonearm.cli.train_head import train_head

        heads.check_output(output, "train")
        console.use_device(device)
        assert data is not None
        # Wrong settings and splits are named before the library is opened or a file decoded.
        seeds = _seeds(tuple(settings or ()))
        _refuse_early(data, split)
        with (
            console.interruptible(),
            heads.head_run(output, model, library, seed=seed, jobs=jobs) as run,
        ):
            train_head(data, run, split=split, seeds=seeds)
        return
    from tonearm.cli import train_network

    outputs.refuse_unwritable(output)
    with console.interruptible(f"Continue with --arch {arch} --resume -o {output}."):
        if resume:
            train_network.resume(output, arch, epochs, device)
            return
        assert data is not None
        # torch is in an extra; asked before anything is decoded.
        train_network.check_extra()
        _refuse_early(data, split)
        asked = train_network.Asked(arch, output, epochs, seed, device, tuple(settings or ()))
        train_network.train_network(data, asked, split=split, jobs=jobs)


def _refuse_unheeded(given: set[str], arch: str) -> None:
    """Refuse options that would have no effect."""

    def refuse(reason: str, *options: str) -> None:
        for option in options:
            if option in given:
                raise typer.BadParameter(reason, param_hint=option)

    if arch == _HEAD:
        refuse("a head takes seconds: start again without --resume", "--resume")
        refuse("is only for networks: name one with --arch", "--epochs")
        if "--split" in given:
            refuse(
                "a head on a split is fitted once, without folds and seeds: leave out one of them",
                "--set",
            )
    else:
        refuse("is only for heads: leave out --model or --arch", "--model")
    if "--resume" in given:
        refuse("a resumed run keeps its own: leave this out", "DATA", "--split", "--set", "--seed")
    elif "DATA" not in given:
        raise typer.BadParameter("name a folder of music", param_hint="DATA")


def _seeds(given: tuple[str, ...]) -> int:
    """How many seeds a head is measured with: the one thing that can be set of it."""
    from tonearm.training import settings

    # Read as for a network, so that a .toml file of settings does here too.
    values = settings.read(given)
    seeds = values.pop("seeds", 1)
    if values:
        raise typer.BadParameter(
            f"{next(iter(values))} is only for networks: name one with --arch (a head has seeds=N)",
            param_hint="--set",
        )
    # A bool is an int in Python, and `seeds=true` is one too many.
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise typer.BadParameter(f"seeds={seeds} is not a number of 1 or more", param_hint="--set")
    return seeds


def _refuse_early(data: Path, split: str | None) -> None:
    """Refuse before anything is decoded what would be refused after it."""
    from tonearm.data import groups, splits
    from tonearm.training import dataset

    if split is not None:
        splits.written(split)
    # By folder names alone: nothing is opened for this.
    genres = dataset.outline(data).labels
    groups.refuse_few(genres)
    groups.refuse_reserved(genres)
