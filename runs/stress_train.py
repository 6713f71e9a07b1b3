"""Kill a training run ten times at random moments, and compare it with an undisturbed run.

    python -m runs.stress_train PREPARED OUT [--kills 10]

PREPARED is a folder that ``tonearm prepare`` made. Every kill is ``kill -9``, up to 0.6
epochs after a complete epoch.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

EPOCHS = "30"


def command(out: Path, *more: str) -> list[str]:
    """The training command."""
    return [sys.executable, "-m", "tonearm", "train", "--arch", "lstm", "-o", str(out), *more]


def main(prepared: Path, out: Path, kills: int) -> None:
    """Train undisturbed, then with kills, and compare."""
    start = (str(prepared), "--split", "random-tracks", "--epochs", EPOCHS, "--device", "cpu")
    whole, killed = out / "whole", out / "killed"
    begun = time.monotonic()
    subprocess.run(command(whole, *start), check=True)
    epoch_s = (time.monotonic() - begun) / int(EPOCHS)
    rng = random.Random(0)
    done = 0
    while done < kills:
        resume = (killed / "checkpoint.pt").exists()
        process = subprocess.Popen(command(killed, *(("--resume",) if resume else start)))
        # Importing takes seconds: a moment counts from when the run is seen to work.
        seen = _stamp(killed)
        while process.poll() is None and _stamp(killed) == seen:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.6) * epoch_s)
        if process.poll() is not None:
            print(f"finished before kill {done + 1}")
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        done += 1
    if not (killed / "metrics.json").exists():
        subprocess.run(command(killed, "--resume"), check=True)
    for name in ("history.csv", "metrics.json", "model.tonearm"):
        same = (whole / name).read_bytes() == (killed / name).read_bytes()
        print(f"{name}: {'the same bytes' if same else 'DIFFERENT'} after {done} kills")


def _stamp(out: Path) -> int:
    """When the run last wrote a whole epoch."""
    path = out / "checkpoint.pt"
    return path.stat().st_mtime_ns if path.exists() else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path, help="a folder that `tonearm prepare` made")
    parser.add_argument("out", type=Path, help="where both runs go")
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    main(options.prepared, options.out, options.kills)
