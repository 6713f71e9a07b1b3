"""Train on two machines, here two torchrun agents on loopback, from shards; killed and resumed.

    python -m runs.train_on_nodes MUSIC [--work FOLDER] [--epochs 4]

MUSIC has a folder for each genre. It is prepared on a cluster (`prepare --on ray`), then trained by
two agents of one process each (gloo), once in one go, and once with both agents killed after an
epoch and started again with --resume: both must end in the same weights.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_PORT = 29_541


def agents(command: list[str]) -> list[subprocess.Popen[bytes]]:
    """One torchrun for each of two machines."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
    place = ["--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(_PORT)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return [
        subprocess.Popen(
            [*torchrun, "--node-rank", str(node), *place, "-m", "tonearm", *command],
            env=environment,
            start_new_session=True,
        )
        for node in range(2)
    ]


def wait(both: list[subprocess.Popen[bytes]]) -> None:
    """Wait for both, which must end well."""
    codes = [each.wait() for each in both]
    if any(codes):
        raise SystemExit(f"exit codes {codes}")


def kill_after_an_epoch(both: list[subprocess.Popen[bytes]], out: Path, epochs: int) -> None:
    """Kill both machines once there is a checkpoint."""
    while not (out / "checkpoint.pt").exists():
        time.sleep(0.2)
        assert all(each.poll() is None for each in both), "ended before its first epoch"
    for each in both:
        each.terminate()  # torchrun ends its own processes, which are in another session
    for each in both:
        each.wait()
    assert len((out / "history.csv").read_text().splitlines()) <= epochs, "killed too late"


def weights(out: Path) -> str:
    """Checksum of the weights in the last checkpoint."""
    import torch

    state = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)["model"]
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + state[name].numpy().tobytes())
    return digest.hexdigest()


def main() -> None:
    """Prepare, train twice, compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("music", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="train-on-nodes-"))
    prepared = work / "prepared"
    program = [sys.executable, "-m", "tonearm"]
    command = ["prepare", str(given.music), "-o", str(prepared), "--on", "ray"]
    subprocess.run([*program, *command, "--address", "local"], check=True)
    shards = sorted((prepared / "features" / "shards").glob("*.shard"))
    print(f"{len(shards)} shards, {sum(path.stat().st_size for path in shards) / 1e6:.1f} MB")
    how = ["--arch", "cnn", "--epochs", str(given.epochs), "--device", "cpu"]
    found = {}
    for name in ("whole", "killed"):
        out = work / name
        both = agents(["train", str(prepared), *how, "-o", str(out)])
        if name == "killed":
            kill_after_an_epoch(both, out, given.epochs)
            both = agents(["train", "--resume", *how[:2], "-o", str(out)])
        wait(both)
        found[name] = weights(out)
        print(name, found[name][:16], (out / "history.csv").read_text().splitlines()[-1])
    if not given.work:
        shutil.rmtree(work)
    print("equal" if found["whole"] == found["killed"] else "DIFFERENT")
    sys.exit(found["whole"] != found["killed"])


if __name__ == "__main__":
    main()
