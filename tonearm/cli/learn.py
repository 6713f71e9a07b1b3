"""``tonearm learn``: from the corrections a person made in the library to a better head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tonearm.cli import console, heads
from tonearm.cli.library_options import Location
from tonearm.errors import counted


def learn(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to save the model in.")
    ] = Path("runs/learn"),
    save: heads.Save = False,
    model: heads.BaseModel = None,
    library: Location = None,
    seed: heads.Seed = 0,
    verbose: console.Verbose = False,
) -> None:
    """Learn from your corrections in the library.

    Moves the genres of the model toward the tracks that you accepted or corrected in `tonearm
    serve`. First measures the gain, on corrections that the model has not learnt from.
    """
    from tonearm.training.lesson import Lesson

    if save:
        heads.check_output(output, "learn")
    with heads.head_run(output, model, library, seed=seed) as run:
        lesson = Lesson.of(run.library, run.base)
        learnt = lesson.measure(seed=seed)
        print(
            f"corrections\taccuracy {learnt.before:.3f} -> {learnt.after:.3f}\t"
            f"{heads.signed(learnt.difference)}\tn={learnt.n} by {counted(learnt.groups, 'group')}"
        )
        console.caveat(lesson.caveats())
        if not save:
            console.say(heads.NOT_WRITTEN)
            return
        taught = lesson.taught(learnt)
        fitted = heads.FittedHead(taught.head, taught.training, taught.metrics)
        run.save(fitted, name=taught.name)
