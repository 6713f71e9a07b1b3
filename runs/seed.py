"""The experiment the project began with, under three protocols: what a random split flatters.

Trains the original LSTM (MFCCs of ten segments a clip, 50 epochs) on log-mel arrays of GTZAN's
710 clips with segments assigned at random, with tracks assigned at random, and on the artist- and
fault-filtered split, and prints one row each; then runs the same way from audio, JSON included.
The first two rows leak and are marked so.

    python -m runs.seed DATA [--out FOLDER] [--epochs 50]

About 20 minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

PROTOCOLS = ("random-segments", "random-tracks", "gtzan-filtered")


def tonearm(*arguments: str) -> None:
    """Run the command line as a user does."""
    subprocess.run([sys.executable, "-m", "tonearm", *arguments], check=True)


def row(run: Path, protocol: str) -> str:
    """One line of the table."""
    values = json.loads((run / "metrics.json").read_text())
    cells = [f"{protocol:<16}", "leaks " if values["training"]["leaks"] else "honest"]
    for unit in ("windows", "tracks"):
        figures = values["valid"][unit]
        low, high = figures["interval_95"]
        cells.append(f"{figures['accuracy']:.3f} [{low:.3f}, {high:.3f}] n={figures['n']}")
    cells.append(values["training"]["split_sha256"][:12])
    return "  ".join(cells)


def main(data: Path, out: Path, epochs: str) -> None:
    """Prepare, train three times, print the table; then the way from audio."""
    artists = str(data / "artists.tsv")
    arrays = out / "arrays"
    options: tuple[str, ...]
    if not (arrays / "index.jsonl").exists():
        command = [sys.executable, "-m", "runs.arrays", str(data / "logmel_dev.npz")]
        subprocess.run([*command, "-o", str(arrays), "--artists", artists], check=True)
    rows = []
    for protocol in PROTOCOLS:
        run = out / protocol
        options = ("--arch", "lstm", "-o", str(run))
        if not (run / "metrics.json").exists():
            begun = (run / "checkpoint.pt").exists()
            more = ("--resume",) if begun else ("--split", protocol, "--epochs", epochs)
            tonearm("train", *(() if begun else (str(arrays),)), *options, *more)
        rows.append(row(run, protocol))
    print("split             kind    segments                          tracks", *rows, sep="\n")

    audio = out / "audio"
    options = ("--artists", artists, "-o", str(audio), "--json", str(out / "data.json"))
    tonearm("prepare", str(data / "audio"), *options)
    run = out / "from-audio"
    if not (run / "metrics.json").exists():
        # Too few artists for an honest split: this shows that the way is whole, nothing else.
        options = ("--arch", "lstm", "--split", "random-tracks", "--epochs", "10")
        tonearm("train", str(audio), *options, "-o", str(run))
    print(row(run, "60 clips, audio"))
    clip = data / "audio" / "jazz" / "jazz.00000.flac"
    tonearm("predict", "--model", str(out / "random-tracks" / "model.tonearm"), str(clip))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="with logmel_dev.npz, artists.tsv and audio/")
    parser.add_argument("--out", type=Path, default=Path("runs/out/seed"))
    parser.add_argument("--epochs", default="50")
    options = parser.parse_args()
    main(options.data, options.out, options.epochs)
