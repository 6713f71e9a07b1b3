"""How a plan of genres is shown: each file, or sums by change and album where there are many."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tonearm.cli import console
from tonearm.cli.library_options import arrow
from tonearm.tagging.plan import Action, Rules

if TYPE_CHECKING:
    from tonearm.library.tag_plan import PlannedFile, TagPlan
    from tonearm.library.tag_runs import RunResult

# More lines than this are summed, unless --details asks for all.
_MOST_LINES = 40
_MOST_GROUPS = 5


def show_plan(plan: TagPlan, rules: Rules, result: RunResult | None, *, details: bool) -> None:
    """Print changes, refused files where they stand, and the sums."""
    shown = [f for f in plan.files if f.proposal.action in {Action.write, Action.refused}]
    lines = list(_lines(shown, details=details))
    if details or len(lines) <= _MOST_LINES:
        print("\n".join(lines), end="\n" if lines else "")
    else:
        _show_sums(plan.with_action(Action.write))
    _show_counts(plan, rules, result)


def _lines(files: Iterable[PlannedFile], *, details: bool) -> Iterable[str]:
    """One line a change; files of an album with the same change are one line."""
    groups: Counter[tuple[str, str, bool]] = Counter()
    for file in files:
        # With --details each file is a line, and its path its name.
        name = file.track.path if details or file.album is None else file.album
        change = f"{_change(file)}  {file.prediction.confidence:.0%}"
        if file.reason:
            change += f"  (not written: {console.printable(file.reason)})"
        groups[console.printable(name), change, name is file.album] += 1
    for (name, change, is_album), count in groups.items():
        yield (
            f"{name} ({console.counted(count, 'file')}): {change}"
            if is_album
            else f"{name}: {change}"
        )


def _show_sums(files: Sequence[PlannedFile]) -> None:
    """Each change with the number of files, and the albums or folders with most of them."""
    changes: dict[str, list[PlannedFile]] = {}
    for file in files:
        changes.setdefault(_change(file), []).append(file)
    for change, group in sorted(changes.items(), key=lambda item: -len(item[1])):
        print(f"{change}, {console.counted(len(group), 'file')}")
        places = Counter(f.album or os.path.dirname(f.track.path) + os.sep for f in group)
        for place, count in places.most_common(_MOST_GROUPS):
            print(f"    {console.printable(place)} ({console.counted(count, 'file')})")
        if len(places) > _MOST_GROUPS:
            print(f"    and {len(places) - _MOST_GROUPS:,} more (--details lists every file)")


def _show_counts(plan: TagPlan, rules: Rules, result: RunResult | None) -> None:
    writes = plan.with_action(Action.write)
    files = console.counted(len(writes), "file")
    if result:
        print(f"run {result.run}: {len(result.paths):,} of {files} written")
    else:
        print(f"{files} to write")
    _show_lost(writes, written=result is not None)
    words = {
        Action.same: "have this genre already",
        Action.kept: "have a genre that a person wrote (--policy can change that)",
        Action.low_confidence: f"confidence below {_limits(rules)}",
        Action.unknown: "unknown: none of the genres that the model knows",
        Action.excluded: "not among the genres to write",
        Action.link: "links to a file that is written",
        Action.refused: "cannot be written (listed above, or with --details)",
    }
    for action, text in words.items():
        count = len(plan.with_action(action))
        if count:
            print(f"  {count:,} skipped: {text}")
    if plan.unreadable:
        print(f"  {len(plan.unreadable):,} skipped: could not be read (`tonearm list --failed`)")
    if not result and writes:
        console.say("Nothing has been written yet: add --write. (`tonearm undo` can take it back.)")


def _show_lost(files: Sequence[PlannedFile], *, written: bool) -> None:
    """How many genres that a person wrote go, and which most often."""
    losing = [file for file in files if file.lost]
    if not losing:
        return
    genres = Counter(genre for file in losing for genre in file.lost)
    most = ", ".join(f"{console.printable(g)} ({n:,})" for g, n in genres.most_common(_MOST_GROUPS))
    more = ", …" if len(genres) > _MOST_GROUPS else ""
    verb = "lost" if written else "would lose"
    print(
        f"  {console.counted(len(losing), 'file')} {verb} a genre that a person wrote: {most}{more}"
    )


def _change(file: PlannedFile) -> str:
    return arrow(file.track.tags.genres, file.proposal.genres)


def _limits(rules: Rules) -> str:
    """The confidence that is wanted of an album and of a file alone, where they differ."""
    album, file = (rules.least_confidence(of_album=of_album) for of_album in (True, False))
    return f"{album:.0%}" if album == file else f"{album:.0%} (album) or {file:.0%} (file alone)"
