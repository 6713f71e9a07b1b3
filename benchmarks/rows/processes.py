"""Whole processes: predicting one clip, and starting."""

from __future__ import annotations

import sys

from benchmarks import measure
from benchmarks.bench import TONEARM, Bench, say
from benchmarks.measure import Command, Cost
from benchmarks.table import Section


def clip(bench: Bench, section: Section) -> None:
    """Time and memory of one prediction."""
    path = bench.material.clip()
    for peer in bench.peers:
        with section.attempt("time", peer.words):
            say(f"  next to {peer.name}")
            ours: Command = [*TONEARM, "predict", str(path)]
            costs = _in_turn(ours, peer.command("predict", path), bench.runs)
            section.add("time", peer.words, [(a.wall_s, b.wall_s) for a, b in costs], "s")
            memory = [(a.peak_mib, b.peak_mib) for a, b in costs]
            section.add("peak memory", peer.words, memory, "MiB")


def start(bench: Bench, section: Section) -> None:
    """Starting, next to Python itself and to importing the libraries of the peers."""
    others: dict[str, Command] = {"`python -c pass`": [sys.executable, "-c", "pass"]}
    if original := bench.peer("original"):
        for statement in ("from librosa import load", "import tensorflow"):
            others[f"`python -c '{statement}'`"] = [original.python, "-c", statement]
    for what, ours in {
        "`tonearm --help`": [*TONEARM, "--help"],
        "`python -c 'import tonearm'`": [sys.executable, "-c", "import tonearm"],
    }.items():
        for words, other in others.items():
            with section.attempt(what, words):
                say(f"  {what} next to {words}")
                costs = _in_turn(ours, other, bench.runs)
                section.add(what, words, [(a.wall_s, b.wall_s) for a, b in costs], "s")


def _in_turn(ours: Command, other: Command, runs: int) -> list[tuple[Cost, Cost]]:
    """Each once unmeasured, so that both find their files in memory, then in turn."""
    measure.run(ours)
    measure.run(other)
    return measure.in_turn(lambda: measure.run(ours), lambda: measure.run(other), runs=runs)
