"""How a plan of genres is shown: each file, or sums by change and album where there are many."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.cli import console
from tonearm.cli.library_options import MOST_LINES, arrow
from tonearm.errors import counted
from tonearm.tagging.plan import Action, Rules

if TYPE_CHECKING:
    from tonearm.library.tag_plan import PlannedFile, TagPlan
    from tonearm.library.tag_runs import RunResult

_MOST_GROUPS = 5
# Skipped, but shown where they stand: somebody may want to do something about them.
_SHOWN = frozenset({Action.write, Action.refused, Action.damaged})
# Of many files, and of one.
_SKIPPED = {
    Action.same: ("have this genre already", "has this genre already"),
    Action.kept: (
        "have a genre that a person wrote (--policy can change that)",
        "a person wrote its genre",
    ),
    Action.low_confidence: ("confidence below {limits}", "confidence {confidence} is too low"),
    Action.unknown: (
        "unknown, or a mix: no genre that the model knows fits the whole track",
        "unknown, or a mix: no genre that the model knows fits the whole track",
    ),
    Action.excluded: ("not among the genres to write", "not among the genres to write"),
    Action.reviewed: ("reviewed as another genre, or rejected (the page writes what you said)", ""),
    Action.damaged: ("damaged (--damaged writes into them too)", ""),
}


def show_plan(
    plan: TagPlan,
    rules: Rules,
    result: RunResult | None,
    unscanned: Sequence[Path],
    *,
    details: bool,
) -> None:
    """Print changes, refused files where they stand, and the sums.

    Parameters
    ----------
    plan : TagPlan
        What would become of each file.
    rules : Rules
        What was asked for: their limits are named in the sums.
    result : RunResult or None
        What came of writing; None where nothing was to be written.
    unscanned : sequence of Path
        Files below the paths that the library does not have.
    details : bool
        A line for each file, skipped ones too, however many there are.
    """
    lines = list(_each_file(plan, unscanned) if details else _grouped(plan))
    if details or len(lines) <= MOST_LINES:
        print("\n".join(lines), end="\n" if lines else "")
    else:
        _show_sums(plan.with_action(Action.write), _shared_titles(plan))
    _show_counts(plan, rules, result, unscanned)


def _each_file(plan: TagPlan, unscanned: Sequence[Path]) -> Iterator[str]:
    """One line a file, also of those that are skipped, with the reason."""
    for file in plan.files:
        words = _change(file)
        if file.proposal.action not in _SHOWN:
            _, words = _SKIPPED.get(file.proposal.action, ("", ""))
            words = words or file.reason or ""
            # Rounded down: 79.6 % is below 80.
            low = f"{int(file.prediction.confidence * 100)}%" if file.prediction else ""
            words = f"skipped: {words.format(confidence=low)}"
        yield f"{console.printable(file.track.path)}: {words}"
    for path, reason in [*plan.unreadable, *plan.untaggable]:
        yield f"{console.printable(path)}: skipped: {console.printable(reason)}"
    for new in unscanned:
        yield f"{console.printable(new)}: skipped: not scanned yet, or excluded"


def _grouped(plan: TagPlan) -> Iterator[str]:
    """One line a change; files of an album with the same change are one line."""
    shared = _shared_titles(plan)
    groups: dict[tuple[object, str], list[PlannedFile]] = {}
    for file in plan.files:
        if file.proposal.action in _SHOWN:
            # The key, not the title: many albums are called Greatest Hits.
            groups.setdefault((file.album_key or file.track.path, _change(file)), []).append(file)
    for (_, change), files in groups.items():
        yield f"{_name(files, shared)}: {change}"


def _shared_titles(plan: TagPlan) -> set[str]:
    """Titles that several albums have; those may even lie in one folder."""
    albums = {(file.album, file.album_key) for file in plan.files if file.album}
    titles = Counter(title for title, _ in albums)
    return {title for title, count in titles.items() if title and count > 1}


def _name(files: Sequence[PlannedFile], shared: Collection[str]) -> str:
    """What a line is about: the path of one file, or an album and where it lies."""
    album = files[0].album
    if album is None:
        return console.printable(files[0].track.path)
    folders = Counter(os.path.dirname(file.track.path) for file in files)
    (folder, most), *others = folders.most_common()
    # Discs lie side by side in the folder of their album; a stray copy lies anywhere.
    above = {os.path.dirname(each) for each in folders}
    if others and len(above) == 1:
        folder, most = above.pop(), len(files)
    by = files[0].track.tags.album_artist if album in shared else None
    album += f" by {by}" if by else ""
    count = counted(len(files), "file")
    count += f", {most:,} of them" if most < len(files) else ""
    return f"{console.printable(album)} ({count} in {console.printable(folder)})"


def _change(file: PlannedFile) -> str:
    words = f"{arrow(file.track.tags.genres, file.proposal.genres)}  {_confidence(file)}"
    return f"{words}  (not written: {console.printable(file.reason)})" if file.reason else words


def _confidence(file: PlannedFile) -> str:
    return f"{file.prediction.confidence:.0%}" if file.prediction else ""


def _show_sums(files: Sequence[PlannedFile], shared: Collection[str]) -> None:
    """Each change with the number of files, and the albums or folders with most of them."""
    changes: dict[str, list[PlannedFile]] = {}
    for file in files:
        change = arrow(file.track.tags.genres, file.proposal.genres)
        changes.setdefault(change, []).append(file)
    for change, group in sorted(changes.items(), key=lambda item: -len(item[1])):
        print(f"{change}, {counted(len(group), 'file')}")
        places: dict[object, list[PlannedFile]] = {}
        for file in group:
            # By album, or by folder where tags name none: what a person would look at next.
            places.setdefault(file.album_key or os.path.dirname(file.track.path), []).append(file)
        # Stable: places with equally many stay in the order of their paths.
        most = sorted(places.values(), key=lambda place: -len(place))[:_MOST_GROUPS]
        for place in most:
            print(f"    {_place(place, shared)}")
        if len(places) > _MOST_GROUPS:
            print(f"    and {len(places) - _MOST_GROUPS:,} more (--details lists every file)")


def _place(files: Sequence[PlannedFile], shared: Collection[str]) -> str:
    """An album, or a folder of files that stand for themselves, with their number."""
    if files[0].album is not None:
        return _name(files, shared)
    folder = os.path.dirname(files[0].track.path) + os.sep
    return f"{console.printable(folder)} ({counted(len(files), 'file')})"


def _show_counts(
    plan: TagPlan, rules: Rules, result: RunResult | None, unscanned: Sequence[Path]
) -> None:
    writes = plan.with_action(Action.write)
    files = counted(len(writes), "file")
    if result:
        print(f"run {result.run}: {len(result.paths):,} of {files} written")
    else:
        print(f"{files} to write")
    # Between the sum and what was skipped: the one line that may stop somebody in time.
    _show_lost(writes, written=result is not None)
    if plan.unlike_copies:
        of_these = counted(plan.unlike_copies, "of these has", "of these have")
        words = (
            "the same sound as a file with a genre that a person wrote (`tonearm list --copies`)"
        )
        print(f"  {of_these} {words}")
    for action, (text, _) in _SKIPPED.items():
        count = len(plan.with_action(action))
        if count:
            print(f"  {count:,} skipped: {text.format(limits=_limits(rules))}")
    _show_refused(plan.with_action(Action.refused))
    if plan.unreadable:
        print(f"  {len(plan.unreadable):,} skipped: could not be read (`tonearm list --failed`)")
    if plan.untaggable:
        words = "their tags cannot be read or written (`tonearm list --failed`)"
        print(f"  {len(plan.untaggable):,} skipped: {words}")
    if unscanned:
        words = "not scanned yet, or excluded (`tonearm scan` adds new files)"
        print(f"  {len(unscanned):,} skipped: {words}")
    if plan.mixed:
        albums = counted(len(plan.mixed), "album")
        names = ", ".join(console.printable(title) for title in sorted(plan.mixed)[:_MOST_GROUPS])
        more = ", …" if len(plan.mixed) > _MOST_GROUPS else ""
        print(f"  {albums} of different genres, decided file by file: {names}{more}")
    links = len(plan.with_action(Action.link))
    if links:
        print(f"  {counted(links, 'link')} to these files, not counted")
    for place, reason in plan.offline:
        print(f"  {console.printable(place)} {console.printable(reason)}")
    if not result and writes:
        console.say("Nothing has been written yet: add --write. (`tonearm undo` can revert it.)")


def _show_refused(files: Sequence[PlannedFile]) -> None:
    """How many files cannot be written, by reason: a whole library may have the same one."""
    reasons = Counter(file.reason or "" for file in files).most_common()
    for reason, count in reasons[:_MOST_GROUPS]:
        print(f"  {count:,} skipped: cannot be written: {console.printable(reason)}")
    if others := sum(count for _, count in reasons[_MOST_GROUPS:]):
        print(f"  {others:,} skipped: cannot be written for other reasons (--details lists them)")


def _show_lost(files: Sequence[PlannedFile], *, written: bool) -> None:
    """How many genres that a person wrote go, and which most often."""
    losing = [file for file in files if file.lost]
    if not losing:
        return
    genres = Counter(genre for file in losing for genre in file.lost)
    most = ", ".join(f"{console.printable(g)} ({n:,})" for g, n in genres.most_common(_MOST_GROUPS))
    more = ", …" if len(genres) > _MOST_GROUPS else ""
    verb = "lost" if written else "would lose"
    print(f"  {counted(len(losing), 'file')} {verb} a genre that a person wrote: {most}{more}")


def _limits(rules: Rules) -> str:
    """The confidence that is wanted of an album and of a file alone, where they differ."""
    album, file = (rules.least_confidence(of_album=of_album) for of_album in (True, False))
    return f"{album:.0%}" if album == file else f"{album:.0%} (album) or {file:.0%} (file alone)"
