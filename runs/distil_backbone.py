"""A student network with half of the wide filters' work, which learns the encoder's tags.

    python -m runs.distil_backbone --wheel musicnn-0.1.0-py3-none-any.whl --music FOLDER

The student begins as the network in use without every second frequency position. It learns the
teacher's log-odds of the tags on half of the files, at changed levels; the other half is compared
as in ``runs/cheaper_backbones.py``. Needs the ``train`` extra.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from runs.cheaper_backbones import (
    EXAMPLE,
    HEADING,
    IN_USE,
    StridedBank,
    changed,
    read_music,
    row,
    tags_of,
    times,
)
from runs.export_backbone import read_net
from tonearm.model.classifier import Classifier
from tonearm.model.network import onnx_session
from tonearm.training.export import fuse, to_onnx

BATCH = 32
RATE = 3e-4
# log10(1 + 10,000 x power): a change of level by 6 dB moves a loud bin by 0.6.
LEVELS = 0.3


def logits(net: nn.Module, features: Tensor) -> Tensor:
    """Log-odds of the tags."""
    return torch.logit(net(features), eps=1e-6)


def at_other_levels(features: Tensor, random: torch.Generator) -> Tensor:
    """Change the level of each window, as power and not as its logarithm."""
    gain = 10 ** (LEVELS * torch.randn(len(features), 1, 1, generator=random))
    return torch.log10(1 + (10**features - 1) * gain)


def teach(student: nn.Module, teacher: nn.Module, features: Tensor, epochs: int) -> None:
    """Least squares on log-odds, with a learning rate that falls to zero."""
    random = torch.Generator().manual_seed(0)
    optimiser = torch.optim.Adam(student.parameters(), lr=RATE)
    steps = epochs * (len(features) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for epoch in range(epochs):
        total = 0.0
        for part in torch.randperm(len(features), generator=random).split(BATCH):
            if len(part) < BATCH:
                continue
            batch = at_other_levels(features[part], random)
            with torch.no_grad():
                truth = logits(teacher, batch)
            loss = (logits(student, batch) - truth).square().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss)
        print(f"epoch {epoch + 1}: {total * BATCH / len(features):.4f}", flush=True)


def main() -> None:
    """Train the student, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, help="musicnn's wheel, if it is here already")
    parser.add_argument("--music", type=Path, required=True, help="a folder of real music")
    parser.add_argument("--epochs", type=int, default=20)
    args = parser.parse_args()
    tracks = read_music(args.music)
    training, compared = torch.from_numpy(np.concatenate(tracks[::2])), tracks[1::2]
    teacher = fuse(read_net(args.wheel)[0])
    student = changed(teacher, lambda conv: StridedBank(conv, 2))
    models = {IN_USE: to_onnx(teacher, EXAMPLE), "untrained": to_onnx(student, EXAMPLE)}
    teach(student, teacher, training, args.epochs)
    models[f"after {args.epochs} epochs"] = to_onnx(student, EXAMPLE)
    sessions = {name: onnx_session(model) for name, model in models.items()}
    ratios = times(sessions, compared[0][:2])
    truth, classify = tags_of(sessions[IN_USE], compared), Classifier.load().classify
    print(HEADING)
    for name, session in sessions.items():
        print(row(name, ratios[name], tags_of(session, compared), truth, classify))


if __name__ == "__main__":
    main()
