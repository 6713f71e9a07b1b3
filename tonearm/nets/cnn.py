"""A small network on 10 s of log-mel, learnt from scratch by gradients: texture and rhythm.

The rhythm branch takes the modulation spectrum of groups of bands over the whole window: how fast
they pulse, which convolutions of a few frames cannot see. ``cnn`` does better; what was tried is in
``docs/experiments/gabor.md``. Levels are [batch, frames, bands], images (batch, channels, frames,
bands).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tonearm.nets import Recipe
from tonearm.nets.window_net import WindowNet, normalised

WINDOW_S = 9.95
RECIPE = Recipe(
    epochs=100,
    batch=16,
    lr=2e-3,
    crops="random",
    margin=0.15,
    schedule="one-cycle",
    weight_decay=0.02,
    label_smoothing=0.1,
    mixup=0.3,
    ema=0.99,
    clip_norm=5.0,
)
_STRETCH = 0.15
_SHIFT_BANDS = 3.0
_WIDEST_MASK = 20  # frames and bands


@dataclass(frozen=True)
class Config:
    """Sizes.

    Parameters
    ----------
    width : int
        Channels of the first stage; each later one doubles them and halves the image.
    stages : int
    rhythm_groups, rhythm_bins, rhythm_features : int
        Groups of neighbouring bands, logarithmic modulation bands, outputs of the branch.
    dropout : float
    """

    width: int = 16
    stages: int = 4
    rhythm_groups: int = 16
    rhythm_bins: int = 16
    rhythm_features: int = 64
    dropout: float = 0.3


class Rhythm(nn.Module):
    """Modulation spectrum of groups of bands; its Fourier transform is a product with constants.

    Parameters
    ----------
    config : Config
        Sizes of the network.
    frames : int
        Frames of a window.
    """

    cosine: Tensor
    sine: Tensor
    pooling: Tensor

    def __init__(self, config: Config, *, frames: int) -> None:
        super().__init__()
        self.groups = config.rhythm_groups
        # From 1: the mean level is no rhythm. Up to half the frames: faster pulses alias.
        cycles = torch.arange(1, frames // 2).float()  # a window
        angle = 2 * math.pi / frames * torch.arange(frames).float()[:, None] * cycles
        # Without a window the jump from end to beginning would leak into every cycle.
        hann = torch.hann_window(frames, periodic=False)[:, None]
        # Logarithmic, as tempo is perceived: 60 to 120 is as far as 120 to 240 a minute.
        centres = torch.linspace(0, math.log(frames / 2 - 1), config.rhythm_bins)
        distance = (cycles.log()[:, None] - centres).abs() / (centres[1] - centres[0])
        weight = (1 - distance).clamp(min=0)  # (cycles, bins)
        weight = weight[:, weight.sum(0) > 0]  # the lowest can fall between two cycles
        # Not saved in checkpoints: they follow from the size of a window.
        self.register_buffer("cosine", angle.cos() * hann, persistent=False)
        self.register_buffer("sine", angle.sin() * hann, persistent=False)
        self.register_buffer("pooling", weight / weight.sum(0), persistent=False)
        features = self.groups * weight.shape[1]
        self.norm = nn.BatchNorm1d(features)
        self.project = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(features, config.rhythm_features, bias=False),
            nn.BatchNorm1d(config.rhythm_features),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, frames, bands) -> (batch, rhythm_features).

        Parameters
        ----------
        x : float32 (batch, frames, bands)
            Levels of mean 0 and deviation 1.
        """
        level = x.reshape(x.shape[0], x.shape[1], self.groups, -1).mean(3).transpose(1, 2)
        level = level - level.mean(2, keepdim=True)  # (batch, groups, frames)
        power = (level @ self.cosine).square() + (level @ self.sine).square()
        # The small number keeps the root's gradient finite where a band is silent.
        spectrum = (power + 1e-4).sqrt() @ self.pooling  # (batch, groups, bins)
        return cast(Tensor, self.project(self.norm(torch.log(spectrum + 0.3).flatten(1))))


class Net(WindowNet):
    """Convolutions over the image, and the rhythm branch next to them.

    Parameters
    ----------
    config : Config
        Sizes of the network.
    bands, frames : int
        Size of a window.
    labels : int
        How many genres.
    """

    def __init__(self, config: Config, *, bands: int, frames: int, labels: int) -> None:
        super().__init__(config, bands=bands, frames=frames, labels=labels)
        self.band_norm = nn.BatchNorm1d(bands)
        channels = config.width
        layers: list[nn.Module] = [_block(1, channels, 5, 2), _block(channels, channels, 3, 1)]
        for _ in range(config.stages - 1):
            layers += [nn.MaxPool2d(2), _block(channels, 2 * channels, 3, 1)]
            channels *= 2
        self.texture = nn.Sequential(*layers)
        self.rhythm = Rhythm(config, frames=frames)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(channels + config.rhythm_features, labels)

    def logits(self, x: Tensor) -> Tensor:
        """(batch, frames, bands) -> (batch, labels).

        Parameters
        ----------
        x : float32 (batch, frames, bands)
            Levels of mean 0 and deviation 1.
        """
        image = self.band_norm(x.transpose(1, 2)).transpose(1, 2).unsqueeze(1)
        # The mean forgets where in the window a sound was, which says nothing of genre.
        texture = self.texture(image).mean((2, 3))  # (batch, channels)
        return cast(Tensor, self.output(self.dropout(torch.cat([texture, self.rhythm(x)], 1))))


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def augment(levels: Tensor, frames: int, generator: Generator) -> Tensor:
    """Faster or slower by up to 15 %, higher or lower by up to 3 bands, with a stretch masked.

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
        Of mean 0 and deviation 1 before they were moved and masked.
    """
    batch, longer, bands = levels.shape
    chance = torch.rand(3, batch, generator=generator)
    # Even in the logarithm, so that faster and slower are as likely.
    taken = frames * torch.exp((chance[0] * 2 - 1) * math.log1p(_STRETCH))
    taken = taken.clamp(max=longer)
    start = chance[1] * (longer - taken)
    # Affine maps to -1..1: the first row places bands, the second frames.
    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0] = 1
    theta[:, 0, 2] = (chance[2] * 2 - 1) * _SHIFT_BANDS * 2 / bands
    theta[:, 1, 1] = taken / longer
    theta[:, 1, 2] = (2 * start + taken) / longer - 1
    grid = F.affine_grid(theta, [batch, 1, frames, bands], align_corners=False)
    images = normalised(levels).unsqueeze(1)
    # Border: what is shifted in repeats the edge. A zero would be the mean level, and a step.
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False).squeeze(1)
    return _masked(_masked(moved, 1, generator), 2, generator)


def _masked(x: Tensor, axis: int, generator: Generator) -> Tensor:
    """One stretch of frames (axis 1) or bands (2), of random length, at the mean (SpecAugment)."""
    batch, size = len(x), x.shape[axis]
    widest = min(_WIDEST_MASK, size // 4)
    width = torch.randint(0, widest + 1, (batch,), generator=generator)
    start = (torch.rand(batch, generator=generator) * (size - width + 1)).floor()
    place = torch.arange(size)
    hidden = (place >= start[:, None]) & (place < (start + width)[:, None])  # (batch, size)
    return x.masked_fill(hidden.unsqueeze(3 - axis), 0.0)  # 0 is the mean, after `normalised`
