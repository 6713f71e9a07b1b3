"""Modulations of the spectrogram: fixed Gabor convolutions over log-mel, and one layer that learns.

With few artists a genre, a net that is trained through and through learns the artists. Here the
filters are given (rates in time, scales over the mel bands, rising and falling, as in the auditory
cortex: Chi, Ru & Shamma 2005); their modulus is averaged over the window in groups of bands, and a
linear layer is fitted in closed form, as a shrunken linear discriminant with equal priors. What was
tried before and instead, with figures, is in ``docs/experiments/gabor.md``. Levels are
[batch, frames, bands], images (batch, channels, frames, bands).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tonearm.nets import Recipe, discriminant

WINDOW_S = 29.9
RECIPE = Recipe(epochs=1, batch=16, lr=0.0, closed_form=True)
_SMOOTHING_BANDS = 2.5


@dataclass(frozen=True)
class Config:
    """Sizes; chosen by folds of artists, and flat around the choice.

    Parameters
    ----------
    frame_rate : float
        Frames a second that the filters see; faster spectra are averaged down to about that.
    rates_hz : tuple of float
        Centre frequencies in time.
    scales : tuple of float
        Centre frequencies over the bands, in cycles a band.
    lags : tuple of int
        Frames between the two levels of a rise or fall.
    groups : int
        Groups of bands over which a filter's modulus is averaged.
    half_frames, half_bands : int
        Longest half of a filter.
    shrinkage, sharpness : float
        Of the discriminant's covariance; of its logits.
    """

    frame_rate: float = 12.93
    rates_hz: tuple[float, ...] = (0.5, 0.9, 1.6, 2.6, 4.0, 5.7)
    scales: tuple[float, ...] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 0.42)
    lags: tuple[int, ...] = (1, 3)
    groups: int = 8
    half_frames: int = 26
    half_bands: int = 32
    shrinkage: float = 0.75
    sharpness: float = 0.1


class Net(nn.Module):
    """Levels in, logits out; all but ``output`` is fixed."""

    times: Tensor
    smoother: Tensor

    def __init__(self, config: Config, *, bands: int, frames: int, labels: int) -> None:
        super().__init__()
        self.config = config
        self.step = max(1, round(frames / WINDOW_S / config.frame_rate))
        self.groups = math.gcd(config.groups, bands)
        rate = frames / WINDOW_S / self.step
        filters = [
            _gabor(hz / rate, min(12.0, 0.36 * rate / hz + 0.4), config.half_frames)
            for hz in config.rates_hz
        ]
        self.register_buffer("times", torch.cat(filters)[:, None, :, None], persistent=False)
        bell = torch.exp(-0.5 * (torch.arange(-8, 9) / _SMOOTHING_BANDS) ** 2)
        self.register_buffer("smoother", _over_bands(bell / bell.sum(), bands), persistent=False)
        for i, scale in enumerate(config.scales):
            half = min(config.half_bands, int(1.1 / scale) + 2)
            pair = _gabor(scale, 0.42 / scale + 0.3, half)
            matrices = torch.stack([_over_bands(taps, bands) for taps in pair])
            self.register_buffer(f"scale{i}", matrices, persistent=False)
        channels = len(config.rates_hz) * (1 + 2 * len(config.scales)) + len(config.scales)
        channels += 2 * len(config.lags)
        self.output = nn.Linear(channels * (2 * self.groups + 1), labels)

    def forward(self, levels: Tensor) -> Tensor:
        """Levels [batch, frames, bands] to logits [batch, labels]."""
        return cast(Tensor, self.output(self.describe(levels)))

    def describe(self, levels: Tensor) -> Tensor:
        """Logarithms of the filters' mean and mean square, float32 [batch, features]."""
        levels = levels - levels.mean((1, 2), keepdim=True)
        levels = levels / (levels.square().mean((1, 2), keepdim=True) + 1e-6).sqrt()
        image = F.avg_pool2d(levels[:, None], (self.step, 1))  # (batch, 1, frames, bands)
        rates, (frames, bands) = len(self.config.rates_hz), image.shape[2:]
        moving = image - image.mean(2, keepdim=True)
        moved = F.conv2d(moving, self.times, padding=(self.config.half_frames, 0))
        moved = moved.reshape(-1, rates, 2, frames, bands)
        real, imaginary = moved[:, :, 0], moved[:, :, 1]
        parts = [self._pool(_modulus(real @ self.smoother, imaginary @ self.smoother))]
        for i in range(len(self.config.scales)):
            pair = getattr(self, f"scale{i}")
            cosine, sine = pair[0], pair[1]
            cross, other = real @ cosine - imaginary @ sine, real @ sine + imaginary @ cosine
            rising = _modulus(cross, other)
            cross, other = real @ cosine + imaginary @ sine, imaginary @ cosine - real @ sine
            parts.append(self._pool(torch.cat([rising, _modulus(cross, other)], 1)))
            parts.append(self._pool(_modulus(image @ cosine, image @ sine)))
        for lag in self.config.lags:
            change = image[:, :, lag:] - image[:, :, :-lag]
            parts.append(self._pool(torch.cat([change.relu(), (-change).relu()], 1)))
        return torch.cat(parts, 1)

    def _pool(self, modulus: Tensor) -> Tensor:
        """Moduli (batch, channels, frames, bands) to [batch, channels x (2 groups + 1)]."""
        grouped = modulus.reshape(*modulus.shape[:3], self.groups, -1)
        mean, power = grouped.mean((2, 4)), grouped.square().mean((2, 4))
        overall = mean.mean(2, keepdim=True)
        logs = [torch.log(mean + 1e-2), 0.5 * torch.log(power + 1e-4), torch.log(overall + 1e-2)]
        return torch.cat(logs, 2).flatten(1)

    @torch.no_grad()
    def fit(self, features: Tensor, classes: Tensor) -> None:
        """Fit ``output`` on features [n, features] of windows of classes [n]."""
        values = features.double()
        mean, deviation = values.mean(0), values.std(0) + 1e-6
        values = (values - mean) / deviation
        labels = self.output.out_features
        centres = torch.stack([values[classes == i].mean(0) for i in range(labels)])
        counts = torch.bincount(classes, minlength=labels).double()
        # Every genre weighs the same, however many windows it has.
        residual = (values - centres[classes]) / (labels * counts[classes]).sqrt()[:, None]
        within = discriminant.shrunk((residual.T @ residual).numpy(), self.config.shrinkage)
        scores = discriminant.directions(centres.numpy(), within)
        weight, bias = torch.from_numpy(scores[0].T), torch.from_numpy(scores[1])
        bias = bias - weight @ (mean / deviation)
        self.output.weight.copy_(self.config.sharpness * weight / deviation)
        self.output.bias.copy_(self.config.sharpness * bias)


def _gabor(frequency: float, width: float, half: int) -> Tensor:
    """Cosine and sine under a bell, [2, 2 half + 1], with no answer to what is even."""
    step = torch.arange(-half, half + 1).float()
    bell = torch.exp(-0.5 * (step / width).square())
    bell = bell / bell.sum()
    angle = 2 * math.pi * frequency * step
    cosine = bell * angle.cos()
    return torch.stack([cosine - bell * cosine.sum(), bell * angle.sin()])


def _over_bands(taps: Tensor, bands: int) -> Tensor:
    """Matrix [bands, bands] that filters the last axis, zeros outside it."""
    half = len(taps) // 2
    offset = torch.arange(bands)[:, None] - torch.arange(bands)
    return torch.where(offset.abs() <= half, taps[(offset + half).clamp(0, 2 * half)], 0.0)


def _modulus(real: Tensor, imaginary: Tensor) -> Tensor:
    return (real.square() + imaginary.square() + 1e-8).sqrt()
