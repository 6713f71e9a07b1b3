"""Make the backbone of the built-in model from the musicnn 0.1.0 wheel.

    python -m runs.export_backbone --out backbone.onnx --licence-out LICENSE-musicnn

Downloads the wheel from PyPI unless ``--wheel`` names it, checks it, and reads MSD_musicnn's
checkpoint from it: no TensorFlow, nothing of the wheel is installed or run. The same bytes come
out at each run with one version of torch. Needs the ``train`` extra.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import torch

from runs.read_tf_checkpoint import read_tf_checkpoint
from tonearm.features import MUSICNN_SPEC, log_mel
from tonearm.nets.musicnn import Musicnn, load_checkpoint
from tonearm.training.export import check_parity, fuse, to_onnx

REQUIREMENT = "musicnn==0.1.0"
WHEEL_SHA256 = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
CHECKPOINT = "musicnn/MSD_musicnn/"
LICENCE = "musicnn-0.1.0.dist-info/LICENSE.md"
TOLERANCE = 1e-5


def download(folder: Path) -> Path:
    """The wheel, from PyPI by pip."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "--dest", str(folder), REQUIREMENT], check=True)
    (wheel_path,) = folder.glob("musicnn-*.whl")
    return wheel_path


def read_net(wheel_path: Path | None) -> tuple[Musicnn, bytes]:
    """MSD_musicnn as it was trained, and its licence, from a wheel found whole."""
    with tempfile.TemporaryDirectory() as folder:
        wheel_path = wheel_path or download(Path(folder))
        found = hashlib.sha256(wheel_path.read_bytes()).hexdigest()
        if found != WHEEL_SHA256:
            sys.exit(f"{wheel_path}: sha256 is {found}, not {WHEEL_SHA256}; get it from PyPI")
        with zipfile.ZipFile(wheel_path) as wheel:
            index = wheel.read(CHECKPOINT + ".index")
            data = wheel.read(CHECKPOINT + ".data-00000-of-00001")
            licence = wheel.read(LICENCE)
    return load_checkpoint(read_tf_checkpoint(index, data)), licence


def examples() -> dict[str, torch.Tensor]:
    """Features to compare nets on: the range's ends, noise, and 3 s that resemble music."""
    random = torch.Generator().manual_seed(0)
    shape = (4, MUSICNN_SPEC.window_frames, MUSICNN_SPEC.mel_bands)
    # Six harmonics of four notes, each struck twice a second and decaying, over faint noise.
    time_s = torch.arange(shape[1] * MUSICNN_SPEC.hop_samples) / MUSICNN_SPEC.sample_rate_hz
    notes = []
    for pitch_hz in (55.0, 110.0, 220.0, 440.0):
        tones = [torch.sin(2 * torch.pi * n * pitch_hz * time_s) / n for n in range(1, 7)]
        noise = 0.01 * torch.randn(len(time_s), generator=random)
        samples = 0.2 * sum(tones) * torch.exp(-6 * (time_s % 0.5)) + noise
        notes.append(torch.from_numpy(log_mel(samples.numpy(), MUSICNN_SPEC)[: shape[1]]))
    return {
        "silence": torch.zeros(shape),
        "full scale": torch.full(shape, 8.0),
        "random": 8 * torch.rand(shape, generator=random),
        "musical": torch.stack(notes),
    }


def main() -> None:
    """Parse the arguments and do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="ONNX file to write")
    parser.add_argument("--wheel", type=Path, help="the wheel, if it is here already")
    parser.add_argument("--licence-out", type=Path, help="where to write musicnn's licence")
    args = parser.parse_args()

    plain, licence = read_net(args.wheel)
    fused = fuse(plain)
    model = to_onnx(fused, examples()["random"])
    for name, features in examples().items():
        worst = check_parity(plain, model, features, tolerance=TOLERANCE)
        print(f"{name}: original net and ONNX differ by at most {worst:.1e}")

    args.out.write_bytes(model)
    if args.licence_out:
        args.licence_out.write_bytes(licence)
    print(f"{args.out}: {len(model):,} bytes, sha256 {hashlib.sha256(model).hexdigest()}")


if __name__ == "__main__":
    main()
