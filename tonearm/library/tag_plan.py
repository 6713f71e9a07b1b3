"""What ``tag`` would write into the files of a library, and what stands in the way.

The plan is the truth: rights, owners, links, read-only places and tags that cannot be rewritten
are looked at as the writing does.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tonearm.errors import TagError
from tonearm.faults import Fault, Faults
from tonearm.files import why_unreadable
from tonearm.genres import id3_name, key
from tonearm.library.links import COPIED, links_among
from tonearm.library.places import PRESENT, note_offline, unread, why_absent
from tonearm.library.reviews import Review, attach, of_keys
from tonearm.library.store import Library, Track
from tonearm.library.tag_runs import MOVED, Wanted, require_unchanged
from tonearm.model.prediction import Prediction
from tonearm.tagging.plan import (
    Action,
    By,
    Policy,
    Proposal,
    Rules,
    album_key,
    album_title,
    lost,
    pooled,
    propose,
)
from tonearm.tagging.read import read_tags
from tonearm.tagging.write import refusal
from tonearm.windows import LONG_S


@dataclass(frozen=True)
class PlannedFile:
    """One file with what is proposed for it.

    Parameters
    ----------
    track : Track
        The file.
    prediction : Prediction or None
        Its own, or that of its album; None for a link to a file that could not be analysed.
    proposal : Proposal
        What to do.
    album : str or None
        Title of the album that was decided as one.
    album_key : (str, str) or None
        What tells that album from others of the same title.
    lost : tuple of str
        Genres of a person that writing removes.
    reason : str or None
        Why it cannot be written, where ``proposal.action`` is ``refused``.
    changed : bool
        Whether it is refused because it changed after the scan: another scan helps.
    """

    track: Track
    prediction: Prediction | None
    proposal: Proposal
    album: str | None = None
    album_key: tuple[str, str] | None = None
    lost: tuple[str, ...] = ()
    reason: str | None = None
    changed: bool = False

    @property
    def wanted(self) -> Wanted:
        """What :func:`tonearm.library.tag_runs.write_all` is to write."""
        return Wanted(self.track.path, self.proposal.genres, self.proposal.guesses)


@dataclass
class TagPlan:
    """All files of a plan, and those of which nothing is known, with the reason.

    Parameters
    ----------
    files : list of PlannedFile
    unreadable, untaggable : Faults
        Files that could not be analysed; files whose tags Tonearm cannot read, such as Matroska.
    offline : Faults
        Folders that are offline, with the number of their tracks.
    mixed : list of str
        Titles of albums whose tracks differ too much for one genre; each file has its own.
    unlike_copies : int
        Files to write that hold the same sound as a file with a genre by a person.
    """

    files: list[PlannedFile] = field(default_factory=list)
    unreadable: Faults = field(default_factory=Faults)
    untaggable: Faults = field(default_factory=Faults)
    offline: Faults = field(default_factory=Faults)
    mixed: list[str] = field(default_factory=list)
    unlike_copies: int = 0

    def with_action(self, action: Action) -> list[PlannedFile]:
        """The files that this happens to.

        Parameters
        ----------
        action : Action
            What happens to the files.
        """
        return [file for file in self.files if file.proposal.action is action]


def plan_tags(
    library: Library,
    rules: Rules | None = None,
    *,
    paths: Iterable[str | os.PathLike[str]] | None = None,
    by: By = By.album,
) -> TagPlan:
    """Decide on every analysed file; an album is decided by all of its tracks.

    Parameters
    ----------
    library : Library
        Open, to read.
    rules : Rules or None
        How to decide; None fills in missing genres where the confidence is high enough.
    paths : iterable of path or None
        Files and folders; None is the whole library.
    by : By
        ``album``: files whose tags name an album get one genre, unless its tracks differ too much.

    Examples
    --------
    >>> from tonearm.library.scan import scan
    >>> from tonearm.tagging.plan import Policy
    >>> with Library("library.sqlite", write=True) as library:
    ...     result = scan(library, ["midnight_walk.mp3"], jobs=1)
    ...     for file in plan_tags(library, Rules(policy=Policy.replace)).files:
    ...         print(file.proposal.action, file.proposal.genres)
    write ('Jazz',)
    """
    plan, rules = TagPlan(), rules or Rules()
    named = None if paths is None else {Path(os.path.abspath(path)) for path in paths}
    places = note_offline(library)
    for place in places:
        # One that was named itself is told of by whoever took the name.
        if named is None or not named.isdisjoint(place.parents):
            plan.offline.add(place, why_absent(library, place, places=places) or "")
    plan.unreadable += [Fault(path, reason) for path, reason in unread(library, named)]
    # Of the whole library, whatever `paths` names: half an album may pool to another genre.
    albums = _albums(library) if by is By.album else {}
    tracks = list(library.tracks(named, where=PRESENT))
    # Of what is named alone: a link to a file elsewhere stands for that file.
    names = ((track.id, track.path, track.device, track.inode, track.key) for track in tracks)
    links = {link.track: link.first for link in links_among(names)}
    written: set[tuple[int, int]] = set()
    plan.mixed += _mixed(tracks, albums)
    attach(library)
    said = of_keys(library, (track.key for track in tracks))
    for track in tracks:
        if track.id in links:
            plan.files.append(_link(track, links[track.id]))
        elif track.prediction is None:
            plan.unreadable.add(track.path, track.error_message or "is not analysed")
        elif track.tags.error:
            # The plan names the path in a column of its own.
            plan.untaggable.add(track.path, track.tags.error.removeprefix(f"{track.path}: "))
        else:
            file = _planned(library, track, track.prediction, albums, rules, written)
            plan.files.append(_unless_reviewed(file, said.get(track.key or "")))
    by_person = _sounds_with_a_persons_genre(library)
    plan.unlike_copies = sum(f.track.key in by_person for f in plan.with_action(Action.write))
    return plan


def _sounds_with_a_persons_genre(library: Library) -> set[str]:
    """Keys of the sounds of which one of several files has a genre that a person wrote."""
    rows = library.rows(
        "SELECT DISTINCT s.key FROM tracks t JOIN sounds s ON s.id = t.sound"  # noqa: S608
        f" WHERE {PRESENT} AND {COPIED} AND NOT t.by_tonearm AND names_genre(t.genres)"
    )
    return {key for (key,) in rows}


def _link(track: Track, first: str) -> PlannedFile:
    genres = track.tags.genres
    return PlannedFile(
        track, track.prediction, Proposal(Action.link, genres, ()), reason=f"is a link to {first}"
    )


def _albums(library: Library) -> dict[tuple[str, str], Prediction | None]:
    found: dict[tuple[str, str], list[Prediction]] = {}
    seen: set[tuple[int, int]] = set()
    for track in library.tracks():
        album, file = _album(track), (track.device, track.inode)
        # A track and a link to it have one vote.
        if track.prediction is not None and album is not None and file not in seen:
            found.setdefault(album, []).append(track.prediction)
            seen.update({file} if track.inode else ())
    # One track of an album is no more certain than any file alone: it needs a file's confidence.
    return {key: pooled(tracks) for key, tracks in found.items() if len(tracks) > 1}


def _mixed(
    tracks: Iterable[Track], albums: Mapping[tuple[str, str], Prediction | None]
) -> list[str]:
    """Titles of the albums of these tracks that have no single genre; longer if two are alike."""
    found: dict[tuple[str, str], Track] = {}
    for track in tracks:
        key = _album(track)
        if key is not None and key in albums and albums[key] is None:
            found.setdefault(key, track)
    titles = {key: album_title(track.tags.album or "") for key, track in found.items()}
    count = Counter(titles.values())
    for key, track in found.items():
        if count[titles[key]] > 1:
            artist, folder = track.tags.album_artist, os.path.dirname(track.path)
            # The first of a key is a folder, or else the artist.
            by_artist = artist and key[0] == artist.casefold()
            titles[key] += f" by {artist}" if by_artist else f" in {folder}"
    return list(titles.values())


def _album(track: Track) -> tuple[str, str] | None:
    return album_key(track.path, album=track.tags.album, album_artist=track.tags.album_artist)


def _planned(
    library: Library,
    track: Track,
    prediction: Prediction,
    albums: dict[tuple[str, str], Prediction | None],
    rules: Rules,
    written: set[tuple[int, int]],
) -> PlannedFile:
    album = _album(track)
    of_album = albums.get(album) if album else None
    # A long track without a genre may be a mix: what its album sounds like is not what it is.
    if prediction.genre is None and (track.duration_s or 0) >= LONG_S:
        of_album = None
    if of_album:  # its styles are each track's own
        styles = prediction.styles if prediction.genre == of_album.genre else {}
        prediction = replace(of_album, styles=styles)
    guesses = tuple(_guesses(track, rules))
    proposal = propose(
        prediction,
        rules,
        genres=track.tags.genres,
        guesses=guesses,
        of_album=of_album is not None,
    )
    title = album_title(track.tags.album or "") if of_album else None
    file = PlannedFile(track, prediction, proposal, title, album if of_album else None)
    if proposal.action is not Action.write:
        return file
    if track.warning and not rules.damaged:
        return replace(
            file, proposal=replace(proposal, action=Action.damaged), reason=track.warning
        )
    return _checked(library, file, guesses, rules, written)


def _unless_reviewed(file: PlannedFile, review: Review | None) -> PlannedFile:
    """A file that is to be written, unless its review rejects that genre, or says another."""
    proposal, prediction = file.proposal, file.prediction
    if proposal.action is not Action.write or review is None or prediction is None:
        return file
    if review.genre and prediction.genre and key(review.genre) == key(prediction.genre):
        return file
    said = f"reviewed as {id3_name(review.genre)}" if review.genre else "rejected in a review"
    proposal = replace(proposal, action=Action.reviewed)
    return replace(file, proposal=proposal, reason=said, lost=())


def _checked(
    library: Library,
    file: PlannedFile,
    guesses: tuple[str, ...],
    rules: Rules,
    written: set[tuple[int, int]],
) -> PlannedFile:
    """A file that is to be written, unless something stands in the way."""
    track, proposal = file.track, file.proposal
    try:
        status = os.stat(track.path)
        # As the writing does, so that a dry run promises nothing that the run then refuses.
        require_unchanged(library, track.path)
    except TagError as error:
        return _refused(file, str(error), changed=True)
    except OSError as error:
        # What nobody may look at is not news: no scan can either.
        changed = not isinstance(error, PermissionError)
        gone = isinstance(error, FileNotFoundError)
        return _refused(file, MOVED if gone else why_unreadable(track.path, error), changed=changed)
    # A second name of one file: the first write serves both, and changes what is found here.
    if (status.st_dev, status.st_ino) in written:
        return replace(file, proposal=replace(proposal, action=Action.link))
    reason = refusal(track.path, proposal.genres, guesses=proposal.guesses)
    if reason:
        return _refused(file, reason)
    written.add((status.st_dev, status.st_ino))
    return replace(file, lost=lost(track.tags.genres, proposal.genres, guesses, rules))


def _refused(file: PlannedFile, reason: str, *, changed: bool = False) -> PlannedFile:
    return replace(
        file,
        proposal=Proposal(Action.refused, file.proposal.genres, file.proposal.guesses),
        reason=reason.removeprefix(f"{file.track.path}: "),
        changed=changed,
    )


def _guesses(track: Track, rules: Rules) -> Iterator[str]:
    """Genres that Tonearm wrote; where it did not write all, only the file knows which."""
    tags = track.tags
    if tags.by_tonearm:
        yield from tags.genres
    elif rules.policy is not Policy.missing and tags.genres:
        try:
            yield from read_tags(track.path).guesses
        except TagError:
            return
