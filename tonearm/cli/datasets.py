"""What the commands on data sets share: reading one, and saying what is odd about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.cli import console
from tonearm.cli.progress_bar import Counting, Progress
from tonearm.errors import counted
from tonearm.files import cores

if TYPE_CHECKING:
    from tonearm.data.folder import Listing
    from tonearm.data.index import Index
    from tonearm.data.labels import Labels
    from tonearm.data.prepare import Outcomes, Prepared
    from tonearm.data.splits import Split
    from tonearm.features import FeatureSpec
    from tonearm.library.store import Library
    from tonearm.model.file import Model
    from tonearm.training.dataset import DataSet, Encoding

_NAMED = 3  # rows of a table without a file; the rest are counted


def encoding(
    library: Library, model: Model, path: Path | None, *, jobs: int | None
) -> tuple[Encoding, Counting]:
    """How embeddings are had with a model, and the progress to show meanwhile.

    Parameters
    ----------
    library : Library
        Whose store keeps the embeddings.
    model : Model
        Whose encoders are used.
    path : Path or None
        Its file, which workers load; None is the built-in.
    jobs : int or None
        Files at once; None is one per core.
    """
    from tonearm.training.dataset import Encoding

    counting = Counting("files")
    made = Encoding(
        library,
        model,
        path,
        jobs=jobs or cores(),
        on_start=counting.start,
        on_done=counting.done,
    )
    return made, counting


def read(data: Path, how: tuple[Encoding, Counting]) -> DataSet:
    """Read a data set with a progress bar, and say what is odd about its folders.

    Parameters
    ----------
    data : Path
        A folder of music, or a prepared folder.
    how : (Encoding, Counting)
        From :func:`encoding`.
    """
    from tonearm.data.prepare import prepared_path
    from tonearm.training import dataset

    encoder, counting = how
    with counting:
        found = dataset.read(data, encoder)
    if found.listing is not None:
        out = prepared_path(data)
        say_listing(found.listing, out, before=True)
        say_artists(found.named, found.index, out, before=True)
        say_index(found.index)
    return found


def given_before(folder: Path) -> tuple[dict[str, str] | None, Labels | None]:
    """The tables of artists and of labels that are kept next to a folder of music.

    They were given for the music, wherever else it is prepared.

    Parameters
    ----------
    folder : Path
        The music.
    """
    from tonearm.data import groups, labels, prepare

    if not folder.absolute().name:  # the root has nothing next to it
        return None, None
    usual = prepare.prepared_path(folder)
    table = usual / prepare.ARTISTS
    return groups.read_artists(table) if table.exists() else None, labels.kept(usual)


def prepare_audio(
    folder: Path,
    *,
    out: Path,
    artists: dict[str, str] | None = None,
    labels: Labels | None = None,
    features: bool = True,
    jobs: int | None,
    spec: FeatureSpec | None = None,
    outcomes: Outcomes | None = None,
) -> Prepared:
    """Prepare a folder of music with a progress bar, and say what is odd about it.

    None keeps the artists, the labels or the front end that the prepared folder has.

    Parameters
    ----------
    folder : Path
        The music.
    out : Path
        The prepared folder.
    artists : dict of str to str, or None
        Artist by the name of the track.
    labels : Labels or None
        A table of genres, instead of the folders' names.
    features : bool
        Whether log-mel spectrograms are stored too, for networks; fingerprints always are.
    jobs : int or None
        Files at once; None is one a core.
    spec : FeatureSpec or None
        The front end of the spectrograms.
    outcomes : callable or None
        Has the work done elsewhere, as on a cluster; None is in processes of this machine.
    """
    from tonearm.data import prepare
    from tonearm.tagging.read import read_artist

    with Counting("files") as counting:
        made = prepare.prepare_folder(
            folder,
            out,
            spec=(spec or prepare.front_end(out)) if features else None,
            artists=artists,
            labels=labels,
            artist_of=read_artist,
            jobs=jobs or cores(),
            outcomes=outcomes,
            on_start=counting.start,
            on_done=counting.done,
        )
    say_listing(made.listing, out, before=labels is None)
    say_artists(made.named, made.index, out, before=artists is None)
    say_index(made.index)
    console.say(f"prepared in {console.printable(out)}")
    return made


def say_listing(listing: Listing, out: Path, *, before: bool) -> None:
    """Say where labels come from, which folders count as another genre, and what is left out.

    Parameters
    ----------
    listing : Listing
        The folders that were read.
    out : Path
        The prepared folder, which keeps a table of labels.
    before : bool
        Whether the table was given earlier.
    """
    from tonearm.data import labels

    if listing.labels:
        of = f"labels of {counted(len(listing.labels), 'file')}: "
        console.say(of + console.printable(out / labels.KEPT) + ", as given before" * before)
    for name, genre in listing.renamed.items():
        console.say(f"The folder {console.printable(name)} counts as {console.printable(genre)}.")
    for name in listing.empty:
        console.say(
            f"The folder {console.printable(name)} has no audio files, so it is not a genre."
        )
    if listing.labels and not any(label.genres for label in listing.labels.values()):
        console.say(
            "The table of labels names no genre (it has no column genre): the folders name them."
        )
    if listing.unlabelled:
        files = counted(listing.unlabelled, "file")
        console.say(f"{files} left out: the table of labels gives no genre.")
    # A table for a larger collection is common: a few rows are named, the rest counted.
    if listing.absent:
        rows = counted(len(listing.absent), "row")
        first = ", ".join(listing.absent[:_NAMED])
        more = ", …" if len(listing.absent) > _NAMED else ""
        named = console.printable(first + more)
        console.say(f"{rows} of the table of labels without a file here: {named}")


def say_artists(named: int, made: Index, out: Path, *, before: bool) -> None:
    """Say how many artists come from a table, which is kept in the prepared folder.

    Parameters
    ----------
    named : int
        Tracks whose artist a table gives.
    made : Index
        The data set.
    out : Path
        The prepared folder.
    before : bool
        Whether the table was given earlier.
    """
    from tonearm.data.prepare import ARTISTS

    if named:
        of = f"artists of {named} of {len(made.tracks)} tracks: {console.printable(out / ARTISTS)}"
        console.say(of + ", as given before" * before)


def say_index(made: Index) -> None:
    """Say how many tracks, genres and groups there are, and which tracks are copies.

    Parameters
    ----------
    made : Index
        The data set.
    """
    from tonearm.data import groups, index

    counts = index.describe(made)
    of_genres = (f"{console.printable(name)} {n}" for name, n in counts["genres"].items())
    console.say(", ".join(of_genres))
    console.say(
        f"{counted(counts['tracks'], 'track')}, "
        f"{counted(len(counts['genres']), 'genre')}, "
        f"{counted(counts['groups'], 'group')} (artists, albums or copies)"
    )
    unclear = {track.name for found in groups.contradictions(made.tracks) for track in found}
    say_several(made)
    names = made.by_name()
    for track in made.tracks:
        if track.copy_of:
            other = names[track.copy_of]
            odd = "" if other.genre == track.genre else f", which is in {other.genre}"
            odd += ": both are left out" if track.name in unclear else ""
            copy = f"{track.name} is a copy of {track.copy_of}"
            console.say(f"  {console.printable(copy + odd)}")


def say_several(made: Index) -> None:
    """Say that tracks have more genres than are learnt as a rule.

    Parameters
    ----------
    made : Index
        The data set.
    """
    several = sum(bool(track.also) for track in made.tracks)
    if several:
        console.say(
            f"{counted(several, 'track')} of several genres: the first of each counts. "
            "Only a network can learn all of them: --arch … --set several_genres=true."
        )


def say_split(split: Split, made: Index) -> None:
    """Say what is odd about a split of a data set, before anything is learnt from it.

    Parameters
    ----------
    split : Split
        The split in use.
    made : Index
        The data set.
    """
    from tonearm.data import groups, splits
    from tonearm.training import caveats

    found = splits.find_all(split, made)
    # Further subsets, such as GTZAN's excluded clips, are neither learnt from nor measured.
    used = {name: found[name] for name in splits.SUBSETS if name in found}
    measured = [track for name in ("valid", "test") if name in used for track in used[name].tracks]
    crossing = splits.check(split, made)
    console.caveat(caveats.of_split(split, crossing=crossing, tracks=measured))
    copies = [track for subset in used.values() for track in subset.copies]
    unclear = [track for subset in used.values() for track in subset.contradictions]
    console.caveat(caveats.of_copies(copies, unclear))
    tracks = [track for subset in used.values() for track in subset.tracks]
    lonely = groups.lonely_genres([t.genre for t in tracks], [t.group for t in tracks])
    # A split that leaks, or somebody's own list, may measure such a genre all the same.
    asked = {track.genre for track in measured}
    console.caveat(caveats.of_lonely({k: v for k, v in lonely.items() if k not in asked}))
    lost = [
        f"{name} {subset.missing} of {subset.promised}"
        for name, subset in used.items()
        if subset.missing
    ]
    if lost:
        console.say(f"The split {split.name} names tracks that are not here: {', '.join(lost)}.")
    left = splits.unnamed(found, made)
    if left:
        are = "is" if len(left) == 1 else "are"
        console.say(
            f"{len(left)} of {counted(len(made.tracks), 'track')} {are} in no subset of the split "
            f"{split.name} and not used: {', '.join(left[:3])}{', …' * (len(left) > 3)}."
        )


def close(
    failures: Iterable[tuple[str, str]],
    damaged: Sequence[tuple[str, str]],
    *,
    headline: str = "could not be used and were left out",
) -> None:
    """The end of a run over a data set: name its files that failed or are damaged, and exit.

    Parameters
    ----------
    failures : iterable of (path, reason)
        Files that are not used.
    damaged : sequence of (path, reason)
        Files that are used as far as they can be read.
    headline : str
        Goes on from the number of files that failed.
    """
    damaged_are = "damaged, used as far as they can be read"
    console.close(headline, failures, damaged=damaged, damaged_are=damaged_are)


def players(root: Path, names: Sequence[str]) -> dict[str, bytes]:
    """MP3 of the middle of each track that can be read, with a progress bar.

    Parameters
    ----------
    root : Path
        The data set's folder.
    names : sequence of str
        Tracks, as paths below it.
    """
    from tonearm.training import html_page

    sounds = {}
    with console.quiet_decoders(), Progress(len(names), unit="players") as progress:
        for name, sound in html_page.players(root, names):
            sounds[name] = sound
            progress.advance()
    return sounds
