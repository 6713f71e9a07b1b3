"""``tonearm prepare``: a folder of music, or arrays, made ready for training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tonearm.cli import console
from tonearm.errors import DatasetError
from tonearm.files import cores

if TYPE_CHECKING:
    from tonearm.data.index import Index
    from tonearm.data.prepare import Prepared
    from tonearm.data.splits import Split
    from tonearm.features import FeatureSpec
    from tonearm.model.classifier import Classifier

Files = list[tuple[str, str]]  # with what is wrong with each


class Frames(StrEnum):
    """Front end of the stored log-mel."""

    gtzan = "gtzan"
    arrays = "arrays"


def prepare(
    folder: Annotated[Path, typer.Argument(help="A folder with a folder for each genre.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="(default: FOLDER.prepared)")
    ] = None,
    from_arrays: Annotated[
        bool, typer.Option("--from-arrays", help="FOLDER is a .npz of log-mel or of windows.")
    ] = False,
    artists: Annotated[
        Path | None,
        typer.Option(help="Table clip<TAB>artist, before what files' tags say; it is kept."),
    ] = None,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Also hear every track, for `train --model head`.")
    ] = False,
    frames: Annotated[
        Frames, typer.Option(help="gtzan: 43 frames a second; arrays: 12.9, as logmel_dev.npz.")
    ] = Frames.gtzan,
    json_path: Annotated[
        Path | None,
        typer.Option(
            "--json",
            callback=console.output_file,
            help="Also write MFCCs of segments as one JSON file.",
        ),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Another encoder than the built-in.")] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="Files at once. (default: cores)")
    ] = None,
    verbose: console.Verbose = False,
) -> None:
    """Index a folder of music, find copies, and keep its features for training."""
    from tonearm.data import groups, index

    out = out or default_out(folder)
    table = groups.read_artists(artists) if artists else None
    failures: Files = []
    damaged: Files = []
    try:
        if from_arrays:
            from tonearm.data import arrays

            made = arrays.fill(folder, out, encoder_sha256=_encoder(model), artists=table)
        else:
            done = _prepare_audio(folder, out=out, artists=table, frames=frames, jobs=jobs)
            made, damaged = done.index, list(done.damaged)
            failures += made.failed
        if embeddings:
            from tonearm.model.classifier import Classifier

            failures += hear(out, Classifier.load(model), jobs=jobs)
        if json_path:
            failures += _write_json(made, json_path)
    except KeyboardInterrupt:
        console.say("interrupted; what was done is kept: the same command goes on from there")
        raise typer.Exit(console.EXIT_INTERRUPTED) from None
    for genre, count in index.describe(made)["genres"].items():
        print(f"{console.printable(genre)}\t{count}")
    _describe(made, out)
    end(failures, damaged, failed_are="could not be used")


def end(failures: Files, damaged: Files, *, failed_are: str) -> None:
    """Name the files that failed, and those kept though damaged; leave with 1 if there are any."""
    console.report("damaged, kept with what is left", damaged)
    console.report(failed_are, list(dict.fromkeys(failures)))
    if failures or damaged:
        raise typer.Exit(console.EXIT_FAILED_FILES)


def default_out(folder: Path) -> Path:
    """Where the prepared folder of a folder of music, or of a .npz, goes: beside it."""
    folder = folder.resolve() if ".." in folder.parts else folder.absolute()
    if not folder.name:
        raise DatasetError(f"{folder}: has nothing beside it: say where with `tonearm prepare -o`")
    return folder.with_name(f"{folder.stem if folder.suffix == '.npz' else folder.name}.prepared")


def _encoder(model: Path | None) -> str:
    from tonearm.model import file as model_file

    return model_file.load(model).encoder_sha256


def _prepare_audio(
    folder: Path,
    *,
    out: Path,
    artists: dict[str, str] | None,
    frames: Frames | None,
    jobs: int | None,
) -> Prepared:
    """Prepare a folder of music, with a bar, and say what is odd about it.

    None takes the artists, and the frames, of the prepared folder as it was.
    """
    from tonearm.data.prepare import ARTISTS, prepare_folder
    from tonearm.tagging.read import read_artist

    with _counted("files") as (start, done):
        made = prepare_folder(
            folder,
            out,
            spec=_front_end(out, frames),
            artists=artists,
            artist_of=read_artist,
            jobs=jobs or cores(),
            on_start=start,
            on_done=done,
        )
    for name, genre in made.renamed.items():
        console.say(f"folder {console.printable(name)} is taken for {console.printable(genre)}")
    for name in made.empty:
        console.say(f"folder {console.printable(name)} holds no audio: no genre")
    if made.named:
        kept = f"{made.named} of {len(made.index.tracks)} tracks: {out / ARTISTS}"
        before = "" if artists else ", as given before"
        console.say(f"artists of {console.printable(kept)}{before}")
    return made


def _front_end(out: Path, frames: Frames | None) -> FeatureSpec:
    from tonearm.data import feature_store, prepare
    from tonearm.data.arrays import ARRAY_SPEC
    from tonearm.features import GTZAN_SPEC

    features = out / prepare.FEATURES
    if frames is None and features.exists():
        return feature_store.spec_of(
            feature_store.open_store(features), window_s=GTZAN_SPEC.window_s
        )
    return ARRAY_SPEC if frames is Frames.arrays else GTZAN_SPEC


@dataclass(frozen=True)
class Ready:
    """A prepared folder; where it was made just now, the files not in it, and the damaged ones."""

    folder: Path
    failed: tuple[tuple[str, str], ...] = ()
    damaged: tuple[tuple[str, str], ...] = ()


def prepared(data: Path, *, jobs: int | None) -> Ready:
    """The prepared folder that ``data`` is, or is made into."""
    from tonearm.data import index

    if data.name == index.FILE_NAME and data.is_file():
        return Ready(data.parent)
    if (data / index.FILE_NAME).exists():
        return Ready(data)
    genres_in(data)  # refuses what is no folder of music
    out = default_out(data)
    made = _prepare_audio(data, out=out, artists=None, frames=None, jobs=jobs)
    counts = index.describe(made.index)["genres"]
    console.say(", ".join(f"{console.printable(name)} {n}" for name, n in counts.items()))
    _describe(made.index, out)
    return Ready(out, made.index.failed, made.damaged)


def genres_in(data: Path) -> list[str]:
    """Genres of a folder of music, or of a prepared one, sorted, without decoding anything."""
    from tonearm.data import folder, index
    from tonearm.data.prepare import JOURNAL

    if data.name == index.FILE_NAME or (data / index.FILE_NAME).exists():
        return list(index.load(data).labels)
    if (data / JOURNAL).exists():
        raise DatasetError(f"{data}: was not prepared to its end: run `tonearm prepare` again")
    return sorted(set(folder.look(data, out=default_out(data)).genres.values()))


@contextmanager
def _counted(unit: str) -> Iterator[tuple[Callable[[int], None], Callable[[int, int], None]]]:
    """A bar whose length is told later: functions for the total, and for each one done."""
    bars: list[console.Progress] = []

    def start(total: int) -> None:
        bars.append(console.Progress(total, unit=unit))
        bars[0].__enter__()

    def done(_: int, failed: int) -> None:
        bars[0].advance(failures=failed)

    with console.quiet_decoders():
        try:
            yield start, done
        finally:
            for bar in bars:
                bar.__exit__()


def hear(folder: Path, classifier: Classifier, *, jobs: int | None) -> Files:
    """Hear what was not heard before; what could not be."""
    from tonearm.data.prepare import add_embeddings

    with _counted("tracks") as (start, done):
        return add_embeddings(
            folder, classifier, jobs=jobs or cores(), on_start=start, on_done=done
        )


def _write_json(made: Index, path: Path) -> Files:
    from tonearm.data import arrays

    with (
        console.quiet_decoders(),
        console.Progress(len(made.tracks), unit="tracks") as progress,
    ):
        return arrays.write_json(made, path, on_done=progress.advance)


def _describe(made: Index, out: Path) -> None:
    from tonearm.data import groups, index

    counts = index.describe(made)
    console.say(
        f"{console.counted(counts['tracks'], 'track')}, "
        f"{console.counted(len(counts['genres']), 'genre')}, "
        f"{console.counted(counts['groups'], 'group')} (artists, albums or copies), "
        f"prepared in {console.printable(out)}"
    )
    unclear = {track.name for found in groups.contradictions(made.tracks) for track in found}
    names = made.by_name()
    for track in made.tracks:
        if track.copy_of:
            other = names[track.copy_of]
            odd = "" if other.genre == track.genre else f", which is in {other.genre}"
            odd += ": neither is learnt from" if track.name in unclear else ""
            copy = f"{track.name} is a copy of {track.copy_of}"
            console.say(f"  {console.printable(copy + odd)}")


def say_split(split: Split, made: Index) -> None:
    """What is odd about a split of a data set, before it is learnt from."""
    from tonearm.data import splits
    from tonearm.training import caveats

    parts = splits.find_all(split, made)
    used = {part: parts[part] for part in splits.PARTS if part in parts}
    measured = [track for part in ("valid", "test") if part in used for track in used[part].tracks]
    crossing = splits.check(split, made)
    console.caveat(caveats.of_split(split, crossing=crossing, tracks=measured))
    copies = [track for part in used.values() for track in part.copies]
    unclear = [track for part in used.values() for track in part.contradictions]
    console.caveat(caveats.of_copies(copies, unclear))
    lost = [
        f"{name} {part.missing} of {part.promised}" for name, part in used.items() if part.missing
    ]
    if lost:
        console.say(f"split {split.name} names tracks that are not here: {', '.join(lost)}")
