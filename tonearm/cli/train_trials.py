"""``tonearm train --arch NAME --set folds=5 --set seeds=3``: cross-validation of a network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.cli import console, datasets, heads
from tonearm.training.run import PREDICTIONS, Run

if TYPE_CHECKING:
    from tonearm.data.index import Index
    from tonearm.data.splits import Split
    from tonearm.training.settings import RunSettings
    from tonearm.training.trials import Trials


def begin(run: Run, wanted: RunSettings, split: str | None) -> Trials:
    """Decide the split of each fold, say what is odd about it, and write what was asked.

    Parameters
    ----------
    run : Run
        What all runs have in common; its folder holds theirs.
    wanted : RunSettings
        How many folds and seeds.
    split : str or None
        Name or file of a split; with folds they are drawn from its train and valid.
    """
    from tonearm.data import index
    from tonearm.training import trials

    made = index.load(run.data)
    planned = trials.Trials(run, wanted.folds, wanted.seeds)
    # Splits first: what is wrong with one of ten folds is said before the first is trained.
    trials.begin(planned, _splits(made, wanted, split))
    return planned


def _splits(made: Index, wanted: RunSettings, split: str | None) -> list[Split]:
    """The split of each fold, or the one whose seeds are compared."""
    from tonearm.data import splits
    from tonearm.training import caveats, trials

    chosen = None
    if split or not wanted.folds:
        chosen = splits.make(split or "grouped", made)
        datasets.say_split(chosen, made)
    if not wanted.folds:
        assert chosen is not None
        return [chosen]
    # `say_split` has said it of a split; folds have none to say it of.
    console.caveat(caveats.of_artists([track.group for track in made.tracks]))
    return trials.fold_splits(made, chosen, folds=wanted.folds)


def go_on(planned: Trials, train: Callable[..., None]) -> None:
    """Train the runs that are not trained yet, and print the figure of each seed and of all.

    Parameters
    ----------
    planned : Trials
        From :func:`begin`, or read from its folder.
    train : callable
        Trains one run; called with ``resume`` as well.
    """
    from tonearm.training import trials

    out = Path(planned.run.out)

    def train_one(run: Run, begun: bool) -> None:
        console.say(f"{Path(run.out).relative_to(out).as_posix()}:")
        train(run, resume=begun)

    values = trials.run_each(planned, train_one)
    by = f"{planned.folds} folds by group" if planned.folds else values["training"]["split"]
    for seed, figures in values["by_seed"].items():
        heads.print_figures(figures, f"{by}, seed {seed}, tracks")
    if planned.seeds > 1:
        found = values["held_out"]
        spread = f"{planned.seeds} seeds ± {found['deviation_of_seeds']:.3f}"
        heads.print_figures(found, f"{by}, {spread}, tracks")
    heads.print_several(values.get("several"), f"{by}, several genres")
    console.say(
        f"Each run has its own model below {out}; the predictions of all are {out / PREDICTIONS}."
    )
