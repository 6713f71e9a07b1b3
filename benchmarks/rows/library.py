"""Scanning a library: how fast in the long run, and how time and memory grow with it."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks import measure
from benchmarks.bench import TONEARM, Bench, printed_seconds, say
from benchmarks.environments import Peer
from benchmarks.measure import Cost
from benchmarks.table import Section, closest


def scan(bench: Bench, section: Section) -> None:
    """Seconds per file, next to each peer on one core, and one worker next to two."""
    paths = [track.path for track in bench.material.tracks]
    few, most = len(paths) // 3, len(paths)
    folders = {
        count: _linked(bench.material.folder / f"first{count}", paths[:count])
        for count in (few, most)
    }

    def ours(jobs: int) -> float:
        """Subtract two scans, so that their start and end do not count."""
        seconds = {
            count: _scan(folder, jobs=jobs, one_core=jobs == 1).wall_s
            for count, folder in folders.items()
        }
        return measure.steady(seconds[few], seconds[most], more=most - few)

    for peer in bench.peers:
        with section.attempt("a file", peer.words):
            say(f"  next to {peer.name}")
            some = paths[: 1 + bench.peer_tracks]
            pairs = measure.in_turn(lambda: ours(1), _steady(peer, some), runs=bench.runs)
            section.add("a file", peer.words, pairs, "s")
    answering = [peer.words for peer in bench.peers if peer.answers]
    if nearest := closest(row for row in section.rows if row.other_name in answering):
        what = "**a file, next to the fastest that gives a genre or tags**"
        section.rows.insert(0, replace(nearest, what=what))
    say("  two workers")
    pairs = measure.in_turn(lambda: ours(2), lambda: ours(1), runs=bench.runs)
    section.add("a file, two workers on two cores", "one on one", pairs, "s")


def _steady(peer: Peer, paths: list[Path]) -> Callable[[], float]:
    """Measures the seconds a file of a peer, after a first that does not count."""
    command = peer.command("many", *paths)
    return lambda: statistics.mean(printed_seconds(measure.run(command, one_core=True)))


def _scan(folder: Path, *, jobs: int, one_core: bool = False, tree: bool = False) -> Cost:
    """A scan of a folder into a library of its own, in which every file is analysed."""
    with tempfile.TemporaryDirectory() as library:
        options = [f"-j{jobs}", "--library", f"{library}/library.sqlite"]
        command = [*TONEARM, "scan", str(folder), *options]
        cost = measure.run(command, one_core=one_core, tree=tree)
    files = len(list(folder.iterdir()))
    if f" {files:,} analysed" not in cost.printed:
        raise RuntimeError(f"{files:,} files that should all differ: {cost.printed.strip()}")
    return cost


def _linked(folder: Path, paths: Iterable[Path]) -> Path:
    folder.mkdir(exist_ok=True)
    for path in paths:
        if not (folder / path.name).exists():
            os.link(path, folder / path.name)
    return folder


def growth(bench: Bench, section: Section) -> None:
    """Memory of all processes, and time a file, of a library and of one ten times as large."""
    sizes = [bench.growth // 10, bench.growth]
    costs = []
    for size in sizes:
        say(f"  {size:,} short files")
        folder = bench.material.short(size)
        costs.append(_scan(folder, jobs=2, tree=True))
        shutil.rmtree(folder)
    small, large = costs
    few, many = (f"{size:,} files" for size in sizes)
    section.add(f"a file of {few}", many, [(small.wall_s / sizes[0], large.wall_s / sizes[1])], "s")
    words = "all processes" if large.tree_mib else "the largest process"
    memory = (small.tree_mib or small.peak_mib, large.tree_mib or large.peak_mib)
    section.add(f"peak memory of {words}, {few}", many, [memory], "MiB")
