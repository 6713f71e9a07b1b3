"""Processor time of a scan by two checkouts in turn, and of the new one without second encoder.

    python -m runs.scan_pairs MUSIC --before CHECKOUT --rounds 14

Ratios of neighbouring runs, so that other programs on the machine matter little. Time is that of
all processes of a scan, workers too, in user and kernel mode.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tonearm.model import file as model_file

_SET_CHILD_SUBREAPER = 36  # prctl of Linux


def main() -> None:
    """Scan in turn, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("music", type=Path)
    parser.add_argument("--before", type=Path, required=True, help="a checkout to compare with")
    parser.add_argument("--rounds", type=int, default=14)
    args = parser.parse_args()
    # Workers belong to a server that outlives the scan; what is left of a scan comes to us.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as place:
        first = Path(place) / "first.tonearm"
        model = model_file.load()
        head = replace(model.head, texture=None)
        model_file.save(replace(model, texture=None, head=head), first)
        ways: dict[str, tuple[Path, list[str]]] = {
            "before": (args.before, []),
            "now": (here, []),
            "first encoder alone": (here, ["--model", str(first)]),
        }
        rows = []
        for number in range(args.rounds + 1):
            # Each way follows each other one equally often.
            names = list(ways) if number % 2 else list(ways)[::-1]
            seconds = {name: scan_s(*ways[name], args.music) for name in names}
            if number:  # the first round only fills caches
                rows.append(seconds)
    for old, new in (
        ("before", "now"),
        ("before", "first encoder alone"),
        ("first encoder alone", "now"),
    ):
        ratios = sorted(row[new] / row[old] for row in rows)
        low, _, high = statistics.quantiles(ratios, n=4)
        middle = statistics.median(ratios)
        print(f"{new} / {old}: {middle:.3f} (quartiles {low:.3f}, {high:.3f}; n {len(ratios)})")


def scan_s(tree: Path, options: Sequence[str], music: Path) -> float:
    """Processor seconds of a scan into a new library."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "tonearm", "scan", "-j", "1", *options]
        command += ["--library", str(Path(place) / "library.sqlite"), str(music)]
        environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
        void = subprocess.DEVNULL
        process = subprocess.Popen(command, env=environment, cwd=place, stdout=void, stderr=void)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{tree}: the scan ended with {process.returncode}")
        total = used.ru_utime + used.ru_stime
        while True:
            try:
                _, _, used = os.wait3(0)
            except ChildProcessError:
                return total
            total += used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
