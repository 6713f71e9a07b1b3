"""``python -m benchmarks``: Tonearm and other programs, as ratios.

Both programs of a row run in turn, several times. Quote the ratios, since absolute times depend
on the machine. What each row measures: ``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import environments, table
from benchmarks.bench import Bench, say
from benchmarks.environments import PEERS, Peer, UnavailableError
from benchmarks.rows import SUBJECTS
from benchmarks.table import Section

EXAMPLES = Path(__file__).parents[1] / "examples"


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [peer.name for peer in PEERS]
    parser.add_argument("--music", type=Path, default=EXAMPLES, help="real music (examples/)")
    parser.add_argument(
        "--only", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="ROW"
    )
    parser.add_argument("--peers", nargs="+", choices=names, default=names, metavar="PEER")
    parser.add_argument("--without-peers", dest="peers", action="store_const", const=[])
    parser.add_argument("--runs", type=int, default=5, help="pairs of each comparison (5)")
    parser.add_argument("--tracks", type=int, default=60, help="tracks of four minutes (60)")
    parser.add_argument("--peer-tracks", type=int, default=2, help="tracks for each peer (2)")
    parser.add_argument("--growth", type=int, default=10_000, help="files of the large scan")
    parser.add_argument("--long-hours", type=float, default=10, help="length of the long file (10)")
    parser.add_argument("--work", type=Path, help="keep the material there (a temporary folder)")
    parser.add_argument("-o", "--output", type=Path, help="write the table there (stdout)")
    asked = parser.parse_args()
    if not asked.music.is_dir() or min(asked.runs, asked.peer_tracks, asked.growth // 10) < 1:
        parser.error("--music is a folder, counts are positive, and --growth is 10 or more")
    # One clip is cut from one track.
    asked.tracks = 0 if {*asked.only} <= {"clip", "start"} else asked.tracks
    asked.tracks = max(asked.tracks, 3, 1 + asked.peer_tracks)
    return asked


def main() -> None:
    """Measure row by row, and print each section as soon as it is measured."""
    asked = parse()
    with ExitStack() as stack:
        work = asked.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work.mkdir(parents=True, exist_ok=True)
        output = sys.stdout
        if asked.output:
            output = stack.enter_context(open(asked.output, "w", encoding="utf-8"))
        peers, missing = installed(peer for peer in PEERS if peer.name in asked.peers)
        bench = Bench(
            music=asked.music,
            work=work,
            runs=asked.runs,
            tracks=asked.tracks,
            peer_tracks=asked.peer_tracks,
            growth=asked.growth,
            long_hours=asked.long_hours,
            peers=peers,
        )
        print(f"{machine()}. Medians, with the smallest and largest of the runs.", file=output)
        for peer, reason in missing:
            print(f"\n{peer.words} could not be installed: {reason}", file=output)
        for name in asked.only:
            print(f"\n{measured(name, bench)}", end="", file=output, flush=True)


def installed(wanted: Iterable[Peer]) -> tuple[tuple[Peer, ...], list[tuple[Peer, str]]]:
    """Programs that could be installed, and the others, each with a reason."""
    there, missing = [], []
    for peer in wanted:
        say(f"peer {peer.name}")
        try:
            environments.make(peer)
            there.append(peer)
        except UnavailableError as error:
            missing.append((peer, str(error)))
    return tuple(there), missing


def measured(name: str, bench: Bench) -> str:
    """One section; a failure outside a row ends only that section."""
    say(name)
    subject = SUBJECTS[name]
    section = Section(subject.title, subject.how)
    with section.attempt(subject.title, ""):
        subject.measure(bench, section)
    return table.markdown(section)


def machine() -> str:
    """The machine and Python that run this."""
    model = platform.processor() or platform.machine()
    cores = os.cpu_count() or 1
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        model = next(found, model)
    system = f"{platform.system()} {platform.release()}"
    return f"{model}, {cores} cores, {system}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
