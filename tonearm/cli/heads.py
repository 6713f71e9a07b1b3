"""What the commands that fit heads share: where a head comes from, and how it is saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tonearm.cli import console, datasets, outputs
from tonearm.errors import DatasetError, counted, writing
from tonearm.faults import Faults

if TYPE_CHECKING:
    from tonearm.data.splits import Split
    from tonearm.library.store import Library
    from tonearm.metrics import Difference
    from tonearm.model.file import Model
    from tonearm.model.head import Head
    from tonearm.training.custom_genres import EmbeddedTracks
    from tonearm.training.run_folder import HeadCommand

Values = dict[str, Any]

NOT_WRITTEN = "The model was not saved: add --save to save it."

BaseModel = Annotated[
    Path | None,
    typer.Option("--model", help="Model file to start from.", show_default="the built-in model"),
]
Save = Annotated[
    bool, typer.Option("--save", help="Save the model; otherwise only its figures appear.")
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed of the folds and splits.")]


@dataclass(frozen=True)
class FittedHead:
    """A head, how it was trained, and its figures: what a model file says of it.

    Parameters
    ----------
    head : Head
        Fitted and calibrated.
    training : dict
        Data, split and protocol, as JSON values.
    metrics : dict
        Figures by what they are measured on.
    """

    head: Head
    training: Values
    metrics: Values


@dataclass(frozen=True)
class HeadRun:
    """A head to be fitted: where to, on which model's encoder, with which embeddings.

    Parameters
    ----------
    output : Path
        The run's folder.
    base : Model
        The model that the head starts from.
    base_path : Path or None
        Its file; None is the built-in model.
    library : Library
        Holds the embedding store.
    seed : int
        Of folds and splits.
    jobs : int or None
        Files to analyse at once; None is one a core.
    """

    output: Path
    base: Model
    base_path: Path | None
    library: Library
    seed: int
    jobs: int | None

    def embedded(self, data: Path) -> tuple[EmbeddedTracks, Faults, Faults]:
        """The tracks of a data set with their embeddings, copies as well; failed; damaged.

        Parameters
        ----------
        data : Path
            A folder of music, or a prepared folder.
        """
        from tonearm.training import custom_genres, dataset

        how = datasets.encoding(self.library, self.base, self.base_path, jobs=self.jobs)
        found = datasets.read(data, how)
        encoder, counting = how
        with counting:
            # A prepared folder may be of another machine, or its store be gone: then its files are
            # analysed now.
            kept, failed = dataset.embed(found, found.index.tracks, encoder)
        dataset.refuse_none(found, kept, failed)
        # A run that opens nothing shall not look as if it had analysed everything again.
        new = counting.total
        now = f"{counted(new, 'file')} opened" if new else "no file had to be opened"
        console.say(f"{counted(len(kept), 'track')}; {now}")
        embeddings = {name: made.values for name, made in kept.items()}
        textures = {name: made.texture for name, made in kept.items()}
        tracks = custom_genres.embedded_tracks(found.index, embeddings, textures)
        return tracks, Faults([*found.failed, *failed]), found.damaged

    def save(self, fitted: FittedHead, *, name: str, split: Split | None = None) -> None:
        """Write the model file and, next to it, its figures and its split.

        Parameters
        ----------
        fitted : FittedHead
            The head, and what is known of it.
        name : str
            Name of the model.
        split : Split or None
            The split that it was trained on, kept next to the model.
        """
        from tonearm.model import file as model_file
        from tonearm.training.learnt_sounds import FIELD
        from tonearm.training.run import METRICS, SPLIT, SPLIT_TABLE, write

        # The checksum will be that of the file that is written now.
        made = replace(self.base, name=name, sha256="", **vars(fitted))
        path = self.output / f"model{model_file.SUFFIX}"
        replaced = outputs.replaced(path)
        with writing(path, DatasetError):
            self.output.mkdir(parents=True, exist_ok=True)
            if split is None:
                # Of a model that was here before.
                for file in (SPLIT, SPLIT_TABLE):
                    (self.output / file).unlink(missing_ok=True)
            else:
                for file in (SPLIT, SPLIT_TABLE):
                    split.save(self.output / file)
            model_file.save(made, path)
        # As a network's: how it was trained, then its figures. The model file holds them too.
        training = {k: v for k, v in fitted.training.items() if k != FIELD}
        values = {"training": {"model": name, **training}, **fitted.metrics}
        write(self.output / METRICS, json.dumps(values, indent=1).encode())
        say_saved(path, replaced)


@contextmanager
def head_run(
    output: Path, model: Path | None, library: Path | None, *, seed: int, jobs: int | None = None
) -> Iterator[HeadRun]:
    """A head to be fitted on the built-in model, or on another.

    Parameters
    ----------
    output : Path
        The run's folder.
    model : Path or None
        Model file to start from; None is the built-in model.
    library : Path or None
        Holds the embedding store; None is the user's own library.
    seed : int
        Of folds and splits.
    jobs : int or None
        Files to analyse at once; None is one a core.
    """
    from tonearm.cli.library_options import location
    from tonearm.library.store import Library
    from tonearm.model import file as model_file

    loaded = model_file.load(model)
    with Library(location(library), write=True) as opened:
        yield HeadRun(output, loaded, model, opened, seed, jobs)


def check_output(output: Path, command: HeadCommand) -> None:
    """Refuse a folder that a head cannot be saved in, before anything is analysed.

    Parameters
    ----------
    output : Path
        The folder to save in.
    command : 'train', 'extend' or 'learn'
        The command that will save a head there; it may replace only its own.
    """
    from tonearm.training import run_folder

    outputs.refuse_unwritable(output)
    run_folder.refuse_for_head(output, command)


def say_saved(path: Path, replaced: str = "") -> None:
    """Say where a model is, and how it is used.

    Parameters
    ----------
    path : Path
        The model file.
    replaced : str
        What :func:`outputs.replaced` said of it.
    """
    console.say(f"The model is {path}{replaced}. Use it with `tonearm predict --model`.")


def print_figures(figures: Values, what: str) -> None:
    """One line: what was measured, accuracy, interval (by group where these are known), count.

    Parameters
    ----------
    figures : dict
        As of :func:`metrics.evaluate`.
    what : str
        What was measured, in words.
    """
    groups = figures.get("groups")
    low, high = figures["interval_95_by_group" if groups else "interval_95"]
    n = f"n={figures['n']}" + (f" by {counted(groups, 'group')}" if groups else "")
    interval = f"95 % interval [{low:.3f}, {high:.3f}]"
    print(f"{what}, accuracy\t{figures['accuracy']:.3f}\t{interval}\t{n}")


def print_several(figures: Values | None, what: str) -> None:
    """One line where tracks may have several genres.

    Parameters
    ----------
    figures : dict or None
        As of :func:`several_genres.figures`; None prints nothing.
    what : str
        What was measured, in words.
    """
    if figures is not None:
        low, high = figures["top_right_interval_95_by_group"]
        print(
            f"{what}\tmean average precision {figures['mean_average_precision']:.3f}, micro F1 "
            f"{figures['micro_f1']:.3f}, most probable genre right {figures['top_right']:.3f}\t"
            f"[{low:.3f}, {high:.3f}]\tn={figures['n']}"
        )


def signed(change: Difference) -> str:
    """``+0.012 [-0.003, +0.027]``.

    Parameters
    ----------
    change : Difference
        A difference of accuracies.
    """
    return f"{change.mean:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
