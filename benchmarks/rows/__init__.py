"""The table by subjects: each function adds the rows of one section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.rows import library, long, parts, processes
from benchmarks.table import Section


@dataclass(frozen=True)
class Subject:
    """A section: what it is called, how it is measured, and the function that does so."""

    title: str
    how: str
    measure: Callable[[Bench, Section], None]


SUBJECTS = {
    "clip": Subject(
        "One 30 s mp3, a process for it",
        "`tonearm predict clip.mp3` beside each peer's script that predicts one file, from start "
        "to end, on all cores, with the threads each takes by itself. Memory is the peak of the "
        "process.",
        processes.clip,
    ),
    "start": Subject(
        "Starting",
        "Whole processes, after one that does not count. librosa loads its parts when they are "
        "first used, so `load` is taken from it.",
        processes.start,
    ),
    "scan": Subject(
        "A folder of 4-minute mp3s",
        "Seconds a file in the long run. Tonearm: `tonearm scan -j1` into a fresh library, all its "
        "processes on one core; the time for n files is taken from that for 3n, so that starting "
        "falls out. Peers: one process on the same core with one thread, model loaded and one "
        "track heard before the clock starts.",
        library.scan,
    ),
    "growth": Subject(
        "A library ten times as large",
        "`tonearm scan -j2` of distinct 5 s mp3s into a fresh library, starting included. Ratios "
        "of 1 are time in proportion, and memory that does not grow.",
        library.growth,
    ),
    "long": Subject(
        "Very long files",
        "`tonearm predict --timeline` of an mp3, all of it heard; the ratio is how many times as "
        "fast as it plays.",
        long.long,
    ),
    "frontend": Subject(
        "Decoding and front end alone",
        "Four minutes, on one core with one thread, in a process that has done it once. Log-mel: "
        "16 kHz, n_fft 512, hop 256, 96 bands; essentia goes frame by frame, as it is made to.",
        parts.frontend,
    ),
    "training": Subject(
        "Training",
        "An epoch over 7,500 segments of 3 s, and judging 2,500, in batches of 32, on one core. "
        "Tonearm: `tonearm train --model lstm`, a run of one epoch taken from one of three, "
        "halved; it makes the MFCCs of log-mel in each epoch. Keras gets MFCCs ready made; its "
        "first epoch, which compiles, does not count. At most three runs.",
        parts.training,
    ),
}
