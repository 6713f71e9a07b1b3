"""``tonearm learn``: from the corrections a person made in the library to a better head."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tonearm.cli import console, heads
from tonearm.cli.library_options import Location


def learn(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder to save the model in.")
    ] = Path("runs/learn"),
    adopt: heads.Adopt = False,
    model: heads.BaseModel = None,
    library: Location = None,
    seed: heads.Seed = 0,
    verbose: console.Verbose = False,
) -> None:
    """Learn from your corrections in the library.

    The genres of the model move toward what you accepted or corrected in `tonearm serve`. First
    it is measured what that gains on corrections the model has not seen.
    """
    from tonearm.data.groups import group_of
    from tonearm.library.reviews import corrections
    from tonearm.model import file as model_file
    from tonearm.training import caveats
    from tonearm.training import corrections as learning
    from tonearm.training.head_fit import Tracks
    from tonearm.training.learnt_sounds import LearntSounds

    if adopt:
        heads.refuse_unwritable(output)
    with heads.head_run(output, model, library, seed=seed) as run:
        base = run.base
        found = corrections(run.library, encoder=base.encoder_sha256)
        given = Tracks(
            [correction.windows for correction in found],
            [correction.genre for correction in found],
            # Without an artist the sound key stands for itself.
            [group_of(correction.key, artist=correction.artist) for correction in found],
        )
        learnt = learning.measure(base.head, given, names=base.embedding_names, seed=seed)
        print(
            f"corrections\taccuracy {learnt.before:.3f} -> {learnt.after:.3f}\t"
            f"{heads.signed(learnt.difference)}\tn={learnt.n} by {learnt.groups} groups"
        )
        console.caveat(caveats.of_artists(given.groups))
        # The built-in never saw a person's library; another model may have.
        if base.sha256 != model_file.load().sha256:
            console.caveat(caveats.of_base(base.training))
        if not adopt:
            console.say(heads.NOT_WRITTEN)
            return
        head = learning.correct(base.head, given, names=base.embedding_names)
        sounds = LearntSounds.of([each.key for each in found], given.windows)
        about = heads.also_learnt(base, f"{learnt.n} corrections", sounds)
        training = {**about, "corrections": learnt.n}
        fitted = heads.FittedHead(head, training, {"corrections": learnt.to_dict()})
        run.save(fitted, name=f"{base.name}+")
