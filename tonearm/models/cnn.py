"""Residual convolutions over log-mel, from scratch.

Axes inside are (batch, channels, frames, bands).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tonearm.models import Recipe
from tonearm.models.lstm import normalised

WINDOW_S = 10.0
RECIPE = Recipe(
    epochs=60,
    batch=16,
    lr=2e-3,
    crops="random",
    margin=0.15,
    schedule="one-cycle",
    weight_decay=0.02,
    label_smoothing=0.1,
    ema=0.99,
    clip_norm=5.0,
    keep="last",
)
_STRETCH = 0.15
_SHIFT_BANDS = 3.0


@dataclass(frozen=True)
class Config:
    """Sizes."""

    width: int = 16
    stages: tuple[int, ...] = (1, 2, 4, 8)
    dropout: float = 0.3


class Block(nn.Module):
    """Two convolutions with norms before them, and a way past them."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        same = inputs == outputs
        self.past = nn.Identity() if same else nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, frames, bands) -> (batch, outputs, frames, bands)."""
        y = self.conv1(F.relu(self.norm1(x)))
        return cast(Tensor, self.past(x) + self.conv2(F.relu(self.norm2(y))))


class Net(nn.Module):
    """Log-mel windows to logits."""

    def __init__(self, config: Config, *, bands: int, frames: int, labels: int) -> None:
        super().__init__()
        widths = [config.width * stage for stage in config.stages]
        self.band_norm = nn.BatchNorm1d(bands)
        self.stem = nn.Conv2d(1, widths[0], 5, stride=2, padding=2, bias=False)
        pairs = zip([widths[0], *widths], widths, strict=False)
        self.blocks = nn.ModuleList(Block(inputs, outputs) for inputs, outputs in pairs)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(widths[-1], labels)

    def forward(self, levels: Tensor) -> Tensor:
        """(batch, frames, bands) -> (batch, labels)."""
        x = self.band_norm(normalised(levels).transpose(1, 2)).transpose(1, 2)
        x = self.stem(x.unsqueeze(1))
        for i, block in enumerate(self.blocks):
            x = block(F.avg_pool2d(x, 2) if i else x)
        x = F.relu(self.norm(x)).mean((2, 3))
        return cast(Tensor, self.output(self.dropout(x)))


def augment(levels: Tensor, frames: int, generator: torch.Generator) -> Tensor:
    """Faster or slower by up to 15 %, higher or lower by up to 3 bands.

    Parameters
    ----------
    levels : float32 [batch, longer, bands]
        Windows with the recipe's margin.
    frames : int
        Length of what is given back.
    generator : torch.Generator
        The only source of chance.

    Returns
    -------
    float32 [batch, frames, bands]
    """
    batch, longer, bands = levels.shape
    chance = torch.rand(3, batch, generator=generator)
    taken = frames * torch.exp((chance[0] * 2 - 1) * torch.log(torch.tensor(1 + _STRETCH)))
    taken = taken.clamp(max=longer)
    start = chance[1] * (longer - taken)
    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0] = 1
    theta[:, 0, 2] = (chance[2] * 2 - 1) * _SHIFT_BANDS * 2 / bands
    theta[:, 1, 1] = taken / longer
    theta[:, 1, 2] = (start + taken / 2) * 2 / longer - 1
    grid = F.affine_grid(theta, [batch, 1, frames, bands], align_corners=False)
    moved = F.grid_sample(levels.unsqueeze(1), grid, padding_mode="border", align_corners=False)
    return moved.squeeze(1)
