"""``tonearm extend``: new genres next to those that a model knows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console, datasets, heads
from tonearm.cli.library_options import Location
from tonearm.errors import DatasetError, counted

if TYPE_CHECKING:
    from tonearm.training.added_genres import Gain
    from tonearm.training.custom_genres import EmbeddedTracks
    from tonearm.training.head_fit import Tracks


def extend(
    data: Annotated[Path, typer.Argument(help="A folder of music with one folder per genre.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to save the model in.")
    ] = Path("runs/extend"),
    check: Annotated[
        Path | None,
        typer.Option(help="Music of the old genres, to see what they lose."),
    ] = None,
    save: heads.Save = False,
    model: heads.BaseModel = None,
    library: Location = None,
    seed: heads.Seed = 0,
    jobs: console.Jobs = None,
    device: console.Device = "auto",
    verbose: console.Verbose = False,
) -> None:
    """Add new genres to a model.

    First measures, on held-out artists, how well the new genres are recognised and what the old
    ones lose.
    """
    from tonearm.training import added_genres, dataset

    if save:
        heads.check_output(output, "extend")
    if check is not None and not check.exists():
        raise DatasetError(f"{check} does not exist")
    with (
        console.interruptible(),
        heads.head_run(output, model, library, seed=seed, jobs=jobs) as run,
    ):
        # Both asked before anything is analysed.
        added_genres.checked_statistics(run.base.head)
        added_genres.refuse_known(run.base.head, dataset.outline(data).labels)
        # Copies are left out further down: a song and its copy would be held out apart and answer
        # for each other.
        found, failures, damaged = run.embedded(data)
        old = None
        if check is not None:
            checked, more, also = run.embedded(check)
            failures += more
            damaged += also
            _refuse_shared(found, checked)
            old = checked.once().tracks
        _extend(run, found.once(), old, save=save)
    datasets.close(failures, damaged)


def _extend(run: heads.HeadRun, found: EmbeddedTracks, old: Tracks | None, *, save: bool) -> None:
    """Print what the new genres gain and cost; with ``save`` save the larger model."""
    from tonearm.data.groups import lonely_genres, without_artist
    from tonearm.training import added_genres, caveats, learnt_sounds

    base, new = run.base, found.tracks
    # Measured before anything is added: what is said is what --save would get.
    gain = _gain(run, new, old)
    _print_gain(gain)
    console.caveat(caveats.of_lonely(lonely_genres(new.labels, new.groups)))
    console.caveat(caveats.of_artists(new.groups))
    if not save:
        console.say(heads.NOT_WRITTEN)
        return
    head = added_genres.grow(base.head, new, names=base.embedding_names)
    added = sorted(set(new.labels))
    unknown = base.training.get("artist_unknown", 0) + without_artist(new.groups).total()
    training = {
        **learnt_sounds.also_learnt(
            base, f"{counted(len(new.labels), 'track')} of {', '.join(added)}", found.sounds()
        ),
        "added": [*base.training.get("added", ()), *added],
        "artist_unknown": unknown,
    }
    loss_of = "tracks drawn from its statistics" if old is None else "heads fitted on --check"
    metrics = {"gain": {**gain.to_dict(), "loss_of": loss_of}}
    fitted = heads.FittedHead(head, training, metrics)
    run.save(fitted, name=f"{base.name}+")


def _refuse_shared(found: EmbeddedTracks, checked: EmbeddedTracks) -> None:
    """Refuse a sound that is in both folders: it would be learnt as one genre, measured as another.

    Copies within a folder are left out; between two folders nobody knows which genre is right.
    """
    added = set(found.tracks.labels)  # that --check has them too is said further down
    own = {track.sound for track in checked.index.tracks if track.genre not in added}
    both = [track.name for track in found.index.tracks if track.sound in own]
    if both:
        raise DatasetError(
            f"the folder of new genres and that of --check have {counted(len(both), 'sound')} in "
            f"common, under different genres: {', '.join(both[:3])}{', …' * (len(both) > 3)}. "
            "Remove them from one of the two"
        )


def _gain(run: heads.HeadRun, new: Tracks, old: Tracks | None) -> Gain:
    from tonearm.training import added_genres

    base = run.base
    measure = partial(added_genres.measure_gain, names=base.embedding_names, seed=run.seed)
    drawn = added_genres.drawn_tracks(base.head, seed=run.seed)
    if old is None:
        console.say(
            "The loss of the old genres is only estimated, from the statistics in the model. To "
            "measure it on real music, name a folder of these genres with --check."
        )
        return measure(drawn, new, base=base.head)
    # It would be lost and gained at once.
    both = sorted(set(old.labels) & set(new.labels))
    if both:
        raise DatasetError(
            "The folder of --check must hold music of the old genres only, but it has "
            f"{', '.join(both)}, which is to be added. Remove it there"
        )
    console.say(
        "The loss of the old genres is that of heads fitted on the folder of --check, fold by "
        "fold: the model itself may have learnt from it."
    )
    # The recall is that of the model which --save saves, among all of its genres.
    of_model = measure(drawn, new, base=base.head)
    return replace(measure(old, new), new=of_model.new)


def _print_gain(gain: Gain) -> None:
    for label, found in gain.new.items():
        if not found["n"]:
            print(f"gained\t{console.printable(label)}\tnot measured")
            continue
        low, high = found["interval_95"]
        recall = f"recall {found['recall']:.3f}\t[{low:.3f}, {high:.3f}]\tn={found['n']}"
        if found["unknown"]:
            recall += f", {found['unknown']} would be called unknown"
        print(f"gained\t{console.printable(label)}\t{recall}")
    print(
        f"lost\told genres\taccuracy {gain.before:.3f} -> {gain.after:.3f}\t"
        f"{heads.signed(gain.difference)}\tn={gain.n}, {gain.lost_to_new} now called new"
    )
