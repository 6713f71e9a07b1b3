"""``python -m benchmarks``: ratios against a librosa script, and one very long file.

Each row names two whole processes, run in turn on the same file; quote the ratios, since absolute
times are the machine's.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import sys
import tempfile
from pathlib import Path

import av

from benchmarks.measure import Comparison, compare, run

EXAMPLES = Path(__file__).parent.parent / "examples"
LIBROSA_SCRIPT = """
import sys, librosa
samples, rate_hz = librosa.load(sys.argv[1])
print(librosa.feature.mfcc(y=samples, sr=rate_hz, n_mfcc=13).mean())
"""


def write_music(path: Path, duration_s: float) -> None:
    """An MP3 of that length: the packets of an example piece, again and again, not encoded anew."""
    with av.open(str(EXAMPLES / "midnight_walk.mp3")) as source:
        stream = source.streams.audio[0]
        packets = [(bytes(p), p.duration) for p in source.demux(stream) if p.size and p.duration]
        assert stream.time_base is not None
        end = int(duration_s / stream.time_base)
        with av.open(str(path), "w") as target:
            copy = target.add_stream_from_template(stream)
            now = 0
            for data, duration in itertools.cycle(packets):
                packet = av.Packet(data)
                packet.stream, packet.time_base = copy, stream.time_base
                packet.pts = packet.dts = now
                packet.duration = duration
                target.mux(packet)
                now += duration
                if now >= end:
                    break


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each command")
    parser.add_argument("--long-hours", type=float, default=10, help="length of the long file")
    arguments = parser.parse_args()
    tonearm = [sys.executable, "-m", "tonearm"]
    print(
        f"machine: {platform.machine()}, {platform.platform()}, Python {platform.python_version()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp3"
        write_music(clip, 30)
        show(
            compare(
                "predict a 30 s mp3 / librosa MFCC of it",
                [*tonearm, "predict", str(clip)],
                [sys.executable, "-c", LIBROSA_SCRIPT, str(clip)],
                runs=arguments.runs,
            )
        )
        show(
            compare(
                "--help / starting Python",
                [*tonearm, "--help"],
                [sys.executable, "-c", "pass"],
                runs=arguments.runs,
            )
        )
        if arguments.long_hours:
            long = Path(folder) / "long.mp3"
            write_music(long, arguments.long_hours * 3600)
            cost = run([*tonearm, "predict", "--timeline", str(long)])
            speed = arguments.long_hours * 3600 / cost.wall_s
            print(
                f"{arguments.long_hours:g} h mp3 with --timeline: {cost.peak_mib:.0f} MiB at the "
                f"most, {speed:.0f} times as fast as it plays"
            )


def show(row: Comparison) -> None:
    """One line for a comparison."""
    print(
        f"{row.name}: {row.ours.wall_s:.2f} s / {row.other.wall_s:.2f} s "
        f"(ratio {row.wall_ratio:.1f}), {row.ours.peak_mib:.0f} / {row.other.peak_mib:.0f} MiB "
        f"(ratio {row.memory_ratio:.1f}), median of {row.runs}"
    )


if __name__ == "__main__":
    main()
