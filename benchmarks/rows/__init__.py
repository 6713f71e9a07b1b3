"""The sections of the table: each function adds the rows of one section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.rows import library, long, parts, processes
from benchmarks.table import Section


@dataclass(frozen=True)
class Subject:
    """A section: its title, how it is measured, and the function that measures it."""

    title: str
    how: str
    measure: Callable[[Bench, Section], None]


SUBJECTS = {
    "clip": Subject(
        "One 30 s mp3 in a process of its own",
        "`tonearm predict clip.mp3`, next to each program's script for one file, from start to "
        "end, on all cores, with its default number of threads. Memory is the peak of the process.",
        processes.clip,
    ),
    "start": Subject(
        "Starting",
        "Whole processes, after one that does not count. librosa loads its modules when they are "
        "first used, so `load` is imported.",
        processes.start,
    ),
    "scan": Subject(
        "A folder of 4-minute mp3s",
        "Seconds per file in a long run. Tonearm: `tonearm scan -j1` into a new library, all "
        "processes on one core; the time for n files is subtracted from that for 3n, so that "
        "starting does not count. The others: one process on the same core with one thread; the "
        "model is loaded and one track analysed before the clock starts.",
        library.scan,
    ),
    "growth": Subject(
        "A library ten times as large",
        "`tonearm scan -j2` of distinct 5 s mp3s into a new library, starting included. A ratio of "
        "1 means time in proportion, and memory that does not grow.",
        library.growth,
    ),
    "long": Subject(
        "Very long files",
        "`tonearm predict --timeline` of an mp3, all of which is analysed; the ratio says how many "
        "times as fast as it plays.",
        long.long,
    ),
    "frontend": Subject(
        "Decoding and front end alone",
        "Four minutes, on one core with one thread, in a process that has done it once before. "
        "Log-mel: 16 kHz, n_fft 512, hop 256, 96 bands; essentia works frame by frame, as it is "
        "designed to.",
        parts.frontend,
    ),
    "training": Subject(
        "Training",
        "An epoch over 7,500 excerpts of 3 s, and evaluating 2,500, in batches of 32, on one core. "
        "Tonearm: `tonearm train --arch lstm`; a run of one epoch is subtracted from one of three, "
        "and the difference halved. It computes MFCCs from log-mel in each epoch. Keras gets "
        "finished MFCCs; its first epoch, which compiles, does not count. At most three runs.",
        parts.training,
    ),
}
